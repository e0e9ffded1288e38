//! Fetching the three model shares of a session.

use crate::control::{Answer, ControlError, DataReply, Dialer, FinishedSession, Request};
use crate::digest::Digest;
use crate::failure::Explain;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;

/// Longest sealed model share that is fetched (64 GiB).
const MAX_SHARE_BYTES: u64 = 64 << 30;
/// Memory reserved before the first byte has arrived.
const FIRST_RESERVE: u64 = 1 << 20;

/// Why model shares could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A party does not hand its share over.
    #[error("{party}: {source}")]
    Party {
        /// The party.
        party: PartyId,
        /// What went wrong.
        source: ControlError,
    },
    /// The job has no session that finished at all three parties.
    #[error("there is no finished session of this job (digest {})", .0.short())]
    NoSession(Digest),
}

impl Explain for FetchError {
    fn hint(&self) -> Option<String> {
        match self {
            FetchError::Party { source, .. } => source.hint(),
            FetchError::NoSession(_) => Some(
                "train it first with `tercet train`; a job that was changed since is another job"
                    .into(),
            ),
        }
    }
}

/// The latest session of a job that has a model at all three parties.
///
/// # Errors
/// When a party cannot be asked, or there is none.
pub async fn latest_session(dialer: &Dialer<'_>, job: Digest) -> Result<SessionId, FetchError> {
    let ask = async |party| {
        let listed = sessions(dialer, party, job).await;
        listed.map_err(|source| FetchError::Party { party, source })
    };
    let (a, b, c) = tokio::try_join!(ask(PartyId::P0), ask(PartyId::P1), ask(PartyId::P2))?;
    let has = |listed: &[FinishedSession], session| listed.iter().any(|l| l.session == session);
    a.iter()
        .map(|listed| listed.session)
        .find(|&session| has(&b, session) && has(&c, session))
        .ok_or(FetchError::NoSession(job))
}

async fn sessions(
    dialer: &Dialer<'_>,
    party: PartyId,
    job: Digest,
) -> Result<Vec<FinishedSession>, ControlError> {
    match dialer.control(party).await?.ask(&Request::Sessions { job }).await? {
        Answer::Sessions(sessions) => Ok(sessions),
        _ => Err(ControlError::Malformed("another answer than was asked for")),
    }
}

/// The sealed model shares of a session, in the order of the parties.
///
/// # Errors
/// When a party refuses or cannot be reached.
pub async fn fetch(dialer: &Dialer<'_>, session: SessionId) -> Result<[Vec<u8>; 3], FetchError> {
    let one = async |party| {
        let share = share(dialer, party, session).await;
        share.map_err(|source| FetchError::Party { party, source })
    };
    let (a, b, c) = tokio::try_join!(one(PartyId::P0), one(PartyId::P1), one(PartyId::P2))?;
    Ok([a, b, c])
}

async fn share(
    dialer: &Dialer<'_>,
    party: PartyId,
    session: SessionId,
) -> Result<Vec<u8>, ControlError> {
    let request = Request::FetchModel(session);
    let mut framed = dialer.control(party).await?.request(&request).await?;
    let length = match framed.receive_message().await? {
        DataReply::Length(length) if length <= MAX_SHARE_BYTES => length,
        DataReply::Length(_) => return Err(ControlError::TooLong),
        DataReply::Refused(refusal) => return Err(refusal.into()),
    };
    let mut bytes = Vec::with_capacity(length.min(FIRST_RESERVE) as usize);
    while (bytes.len() as u64) < length {
        bytes.extend_from_slice(&framed.receive_chunk().await?);
    }
    framed.close().await;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(ControlError::Malformed("more arrived than was announced"))
    }
}
