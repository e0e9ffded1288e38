//! Asking a kept model, and bringing weights to the parties to be kept.

use super::{AnswerTerms, KeptTerms, ModelId, Query, rows_digest, weights_digest};
use crate::consortium::Consortium;
use crate::control::{Answer as Reply, ControlError, Dialer, Request, upload};
use crate::digest::Digest;
use crate::encode::Encoded;
use crate::failure::Explain;
use crate::identity::{Identity, Name};
use crate::job::Job;
use crate::model::{FetchError, OpenError, Opened, fetch, open_shares};
use crate::random;
use crate::schema::Schema;
use crate::session::{TrainError, TrainEvent, TrainReport, follow, fresh_id};
use crate::sharefile::{DataSetId, ShareError, Sharing, WrittenFile};
use jiff::{Timestamp, Unit};
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use std::time::Duration;

/// Why a model was not kept, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A party refuses or cannot be reached.
    #[error("{party}: {source}")]
    Party {
        /// The party.
        party: PartyId,
        /// What went wrong.
        source: ControlError,
    },
    /// The parties keep different models under one id.
    #[error("the parties do not keep the same model {0}: their descriptions differ")]
    Differ(ModelId),
    /// A party describes a model that cannot be.
    #[error("{party} describes the model in a way that cannot be: {reason}")]
    Description {
        /// The party.
        party: PartyId,
        /// What is wrong.
        reason: String,
    },
    /// Rows or weights could not be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The system refuses something.
    #[error("cannot share: {0}")]
    System(String),
    /// The session did not come to an end.
    #[error(transparent)]
    Session(#[from] TrainError),
    /// The answers could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The answers are not what three honest parties would send.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Explain for AskError {
    fn hint(&self) -> Option<String> {
        match self {
            AskError::Party { source, .. } => source.hint(),
            AskError::Differ(_) | AskError::Description { .. } => {
                Some("ask the operators of the parties; nothing was shared".into())
            }
            AskError::Share(e) => e.hint(),
            AskError::System(_) => None,
            AskError::Session(e) => e.hint(),
            AskError::Fetch(e) => e.hint(),
            AskError::Open(e) => e.hint(),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            AskError::Session(e) => e.exit_code(),
            _ => crate::failure::EXIT_FAILURE,
        }
    }
}

/// Who asks.
pub struct Asked<'a> {
    /// The consortium.
    pub consortium: &'a Consortium,
    /// A member of it.
    pub identity: &'a Identity,
    /// How long to wait for a party that does not answer.
    pub patience: Duration,
}

/// What the parties keep, as all three describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The model.
    pub terms: KeptTerms,
    /// Its schema.
    pub schema: Schema,
}

impl Asked<'_> {
    fn dialer(&self) -> Dialer<'_> {
        Dialer::new(self.consortium, self.identity, self.patience)
    }

    /// The answers of all parties to a request; they must describe the same model.
    async fn kept(&self, request: &Request) -> Result<Vec<KeptTerms>, AskError> {
        let one = async |party| {
            let failed = |source| AskError::Party { party, source };
            let client = self.dialer().control(party).await.map_err(failed)?;
            match client.ask(request).await.map_err(failed)? {
                Reply::Kept(text) => serde_json::from_str(&text)
                    .map_err(|e| AskError::Description { party, reason: e.to_string() }),
                _ => Err(failed(ControlError::Malformed("another answer than was asked for"))),
            }
        };
        let (a, b, c) = tokio::try_join!(one(PartyId::P0), one(PartyId::P1), one(PartyId::P2))?;
        Ok(vec![a, b, c])
    }

    async fn agreed(&self, id: ModelId, request: &Request) -> Result<Kept, AskError> {
        let described = self.kept(request).await?;
        let [terms, others @ ..] = &described[..] else { return Err(AskError::Differ(id)) };
        if others.iter().any(|other| other != terms) || terms.id != id {
            return Err(AskError::Differ(id));
        }
        let described = |reason: String| AskError::Description { party: PartyId::P0, reason };
        let schema = Schema::from_toml(&terms.schema_file).map_err(|e| described(e.to_string()))?;
        match schema.digest() == terms.schema && terms.consortium == self.consortium.digest() {
            true => Ok(Kept { terms: terms.clone(), schema }),
            false => Err(described("its schema or its consortium is another one".into())),
        }
    }

    /// Shares numbers and brings each party its file; nothing stays on this disk.
    async fn bring(
        &self,
        data: &Encoded,
        meant: Digest,
        name: Name,
    ) -> Result<DataSetId, AskError> {
        let system = |e: &dyn std::fmt::Display| AskError::System(e.to_string());
        let dir = tempfile::tempdir().map_err(|e| system(&e))?;
        let mut rng = random::system_rng().map_err(|e| system(&e))?;
        let now = Timestamp::now().round(Unit::Second).map_err(|e| system(&e))?;
        let (owner, consortium) = (self.identity, self.consortium);
        let sharing = Sharing { data, schema: meant, name, owner, consortium };
        let split = sharing.split(now, &mut rng, &mut |_| {})?;
        let id = split.manifest().id;
        let files = split.write_files(dir.path(), &mut |_| {})?;
        let [a, b, c] = &files;
        tokio::try_join!(self.send(a), self.send(b), self.send(c))?;
        Ok(id)
    }

    async fn send(&self, file: &WrittenFile) -> Result<(), AskError> {
        let failed = |source| AskError::Party { party: file.party, source };
        let client = self.dialer().control(file.party).await.map_err(failed)?;
        let opened = tokio::fs::File::open(&file.path).await;
        let opened = opened.map_err(|e| AskError::System(e.to_string()))?;
        upload(client, opened, file.bytes, file.digest, |_| {}).await.map_err(failed)?;
        Ok(())
    }
}

/// What all three parties say of a model that they keep.
///
/// # Errors
/// When one keeps no such model, refuses, cannot be reached or describes another one.
pub async fn describe(asked: &Asked<'_>, id: ModelId) -> Result<Kept, AskError> {
    asked.agreed(id, &Request::DescribeModel(id)).await
}

/// Shares the weights of a model, one row of all tensors in the order of the network, and has
/// the parties keep it for the questions that the job allows.
///
/// # Errors
/// When they cannot be shared, or a party refuses.
pub async fn keep(
    asked: &Asked<'_>,
    job: &Job,
    schema: &Schema,
    weights: &Encoded,
) -> Result<Kept, AskError> {
    let name = "weights".parse().expect("a name");
    let weights = asked.bring(weights, weights_digest(job.digest(schema)), name).await?;
    let (job, schema) = (job.to_toml(), schema.to_toml());
    asked.agreed(ModelId(weights.0), &Request::KeepModel { weights, job, schema }).await
}

/// Shares rows, has the model answer them, and opens the answers; see [`Query`] for `answer`
/// and `security` in `query`, whose rows are those of `rows`.
///
/// When `stop` completes, the parties are asked to end the session.
///
/// # Errors
/// When the rows cannot be shared, the session fails, or the shares of the answers do not fit
/// together.
pub async fn ask(
    asked: &Asked<'_>,
    kept: &Kept,
    rows: &Encoded,
    question: (nn::infer::Answer, crate::job::Security),
    stop: impl Future<Output = ()>,
    on_event: impl FnMut(TrainEvent),
) -> Result<(Opened<AnswerTerms>, TrainReport), AskError> {
    let name = "question".parse().expect("a name");
    let rows = asked.bring(rows, rows_digest(&kept.terms), name).await?;
    let (answer, security) = question;
    let query = Query { model: kept.terms.id, rows, answer, security };
    let session = fresh_id().map_err(|e| AskError::System(e.to_string()))?;
    let request = Request::Infer { session, query: query.clone() };
    let Asked { consortium, identity, patience } = *asked;
    let report = follow(consortium, identity, patience, &request, stop, on_event).await?;
    let sealed = fetch(&asked.dialer(), session).await?;
    let sealed = sealed.each_ref().map(Vec::as_slice);
    let meant = |terms: &AnswerTerms| not_asked_for(terms, kept, &query, session);
    let opened = open_shares(sealed, consortium, identity, meant)?;
    Ok((opened, report))
}

/// What is another than was asked for.
fn not_asked_for(
    terms: &AnswerTerms,
    kept: &Kept,
    query: &Query,
    session: SessionId,
) -> Option<&'static str> {
    crate::model::first_difference(&[
        ("session", terms.session == session),
        ("model", terms.model == query.model && terms.model_terms == kept.terms.digest()),
        ("answer", terms.answer == query.answer),
        ("security", terms.security == query.security),
        ("data set", terms.rows.id == query.rows),
    ])
}
