//! The links of a session: dialled, checked, and agreed upon before use.

use super::agreement::{Agreement, Offer, printable, sentence};
use super::{Link, Rendezvous};
use crate::control::{ControlError, Dialer, FaultKind, Framed, SessionFault};
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Version of what is said on a fresh link.
const LINK_VERSION: u16 = 3;
/// How long to wait before a peer that does not answer is dialled again.
const REDIAL: Duration = Duration::from_millis(100);

/// First message of the party that dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkHello {
    /// Version of what is said on a fresh link.
    version: u16,
    /// The session that the link is for.
    session: SessionId,
}

/// Reads which session a link is for that a peer has dialled.
///
/// # Errors
/// When the peer is silent or speaks another version.
pub async fn session_of(link: &mut Link) -> Result<SessionId, ControlError> {
    let hello: LinkHello = link.receive_message().await?;
    if hello.version == LINK_VERSION {
        Ok(hello.session)
    } else {
        Err(ControlError::Malformed("the peer speaks another version of links"))
    }
}

/// How a party gets its links.
pub struct Connector<'a> {
    /// This party.
    pub party: PartyId,
    /// Dials as this party.
    pub dialer: Dialer<'a>,
    /// Where links arrive that peers dial.
    pub rendezvous: &'a Rendezvous,
    /// How long a peer may be silent on an open link.
    pub patience: Duration,
    /// How long to wait for a peer to join.
    pub join_timeout: Duration,
}

impl Connector<'_> {
    /// Links to the previous and the next party, which offered the same agreement; its
    /// stocks of triples are restricted to what they have as well.
    ///
    /// # Errors
    /// When a peer cannot be reached, cannot take part, or wants something else.
    pub async fn connect(&self, agreement: &mut Agreement) -> Result<[Link; 2], SessionFault> {
        let mine = agreement.clone();
        let offer = Offer::Ready(mine.clone().into());
        let one = async |peer| -> Result<(Link, Agreement), SessionFault> {
            let mut link = self.open(mine.session, peer).await?;
            let theirs = exchange(&mut link, &offer, peer).await?;
            Ok((link, check(&mine, theirs, peer)?))
        };
        let (prev, next) = tokio::try_join!(one(self.party.prev()), one(self.party.next()))?;
        let ((prev, theirs), (next, others)) = (prev, next);
        agreement.restrict_stocks(&theirs);
        agreement.restrict_stocks(&others);
        Ok([prev, next])
    }

    /// Tells both peers that this party cannot take part, as far as they can be reached.
    pub async fn decline(&self, session: SessionId, reason: &str) {
        let offer = Offer::Unable(reason.to_owned());
        let one = async |peer| -> Result<(), SessionFault> {
            let mut link = self.open(session, peer).await?;
            exchange(&mut link, &offer, peer).await.map(|_| ())
        };
        let (prev, next) = tokio::join!(one(self.party.prev()), one(self.party.next()));
        for fault in [prev, next].into_iter().filter_map(Result::err) {
            tracing::debug!(%session, fault = fault.message, "a peer was not told");
        }
    }

    /// The party with the lower number dials, as the other may be behind it.
    async fn open(&self, session: SessionId, peer: PartyId) -> Result<Link, SessionFault> {
        let deadline = Instant::now() + self.join_timeout;
        if self.party < peer {
            return self.dial(session, peer, deadline).await;
        }
        match timeout_at(deadline, self.rendezvous.expect(session, peer)).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(_)) | Err(_) => Err(SessionFault::new(
                FaultKind::PeerLost,
                Some(peer),
                format!("{peer} did not join within {:.0} s", self.join_timeout.as_secs_f64()),
            )),
        }
    }

    async fn dial(
        &self,
        session: SessionId,
        peer: PartyId,
        deadline: Instant,
    ) -> Result<Link, SessionFault> {
        let failed = |e: &ControlError| SessionFault::unreachable(peer, e);
        let stream = loop {
            match self.dialer.mpc(peer).await {
                Ok(stream) => break stream,
                Err(ControlError::Unreachable { .. }) if Instant::now() + REDIAL < deadline => {
                    sleep(REDIAL).await;
                }
                Err(e) => return Err(failed(&e)),
            }
        };
        let mut link = Framed::new(stream.into(), self.patience);
        link.send(&LinkHello { version: LINK_VERSION, session }).await.map_err(|e| failed(&e))?;
        // The peer answers when it has heard of the session, which may take a while.
        let wait = deadline.saturating_duration_since(Instant::now()).max(self.patience);
        Ok(link.with_patience(wait))
    }
}

async fn exchange(link: &mut Link, mine: &Offer, peer: PartyId) -> Result<Offer, SessionFault> {
    let failed = |e: ControlError| SessionFault::unreachable(peer, &e);
    link.send(mine).await.map_err(failed)?;
    link.receive_message().await.map_err(failed)
}

/// The agreement that a peer offers, which must be the same.
fn check(mine: &Agreement, theirs: Offer, peer: PartyId) -> Result<Agreement, SessionFault> {
    let theirs = match theirs {
        Offer::Ready(theirs) => *theirs,
        Offer::Unable(reason) => {
            let message = format!("{peer} cannot take part: {}", printable(&reason));
            return Err(SessionFault::new(FaultKind::BadJob, Some(peer), message));
        }
    };
    let differences = mine.differences(&theirs, peer);
    if differences.is_empty() {
        return Ok(theirs);
    }
    let message = format!("the parties do not agree: {}", sentence(&differences));
    let kind = match mine.differs_in_sets_alone(&theirs, peer) {
        true => FaultKind::Incomplete,
        false => FaultKind::Disagreement,
    };
    Err(SessionFault::new(kind, Some(peer), message))
}
