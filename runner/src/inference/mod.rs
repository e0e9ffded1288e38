//! Private inference: a model that stays shared answers rows that are shared as well.
//!
//! Each party keeps its share of the model in an envelope from itself to itself
//! ([`KeptShare`]). Whoever asks shares rows for that one model, the parties run the network
//! on the shares in a session, and each seals its share of the answers for whoever asked
//! ([`AnswerShare`]), who adds them up as a receiver does with a model.

mod client;
mod kept;
mod policy;

pub use client::{AskError, Asked, Kept, ask, describe, keep};
pub use kept::{AnswerShare, AnswerTerms, KeptShare, KeptTerms, ModelId, NotAModelId, Origin};
pub use policy::InferencePolicy;

use crate::digest::{Canonical, Digest};
use crate::job::Security;
use crate::sharefile::DataSetId;
use nn::infer::Answer;
use serde::{Deserialize, Serialize};

/// Most rows of a question.
pub const MAX_ROWS: u64 = 1 << 20;

/// A question to a kept model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The model.
    pub model: ModelId,
    /// The rows, which were submitted for this model alone.
    pub rows: DataSetId,
    /// What is answered for each row.
    pub answer: Answer,
    /// Against what the computation is protected.
    pub security: Security,
}

impl Query {
    /// What identifies the question to a model with these terms; the rows have a digest of
    /// their own.
    pub fn digest(&self, terms: &KeptTerms) -> Digest {
        Canonical::new("tercet/query/1")
            .bytes(&terms.digest().0)
            .text(self.answer.name())
            .text(self.security.name())
            .finish()
    }
}

/// What rows carry in place of the digest of a schema when they are shared for the questions
/// to one model: no training takes them, and no other model answers them.
pub fn rows_digest(terms: &KeptTerms) -> Digest {
    Canonical::new("tercet/rows-for-a-model/1").bytes(&terms.digest().0).finish()
}

/// What weights carry in place of the digest of a schema when a model is imported for a job.
pub fn weights_digest(job: Digest) -> Digest {
    Canonical::new("tercet/weights-for-a-job/1").bytes(&job.0).finish()
}
