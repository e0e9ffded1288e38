//! What the parties keep of a model, and what they seal of its answers.

use super::InferencePolicy;
use crate::digest::{Canonical, Digest};
use crate::identity::Name;
use crate::job::Security;
use crate::model::{Comparable, Described, TensorShare, TensorTerms, first_difference};
use crate::session::DataSetDigest;
use mpc_core::net::SessionId;
use nn::infer::Answer;
use nn::spec::Spec;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kept model: the session that left it, or the data set that its weights came as.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub [u8; 16]);

/// Text that is not 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a kept model: 32 hexadecimal digits are expected")]
pub struct NotAModelId(String);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ModelId {
    type Err = NotAModelId;
    fn from_str(text: &str) -> Result<Self, NotAModelId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| NotAModelId(text.chars().take(80).collect()))?;
        Ok(ModelId(bytes))
    }
}

impl Serialize for ModelId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a kept model comes from; equal at all parties that hold shares of the same numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// From a training.
    Trained {
        /// What the parties of the session agreed on.
        agreement: Digest,
        /// Digest over the steps of its rounds.
        transcript: Digest,
    },
    /// From a member, who knows it.
    Imported {
        /// The member.
        owner: Name,
        /// Digest of the manifest, which commits to the components.
        manifest: Digest,
    },
}

/// What a kept model is: the same at all three parties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTerms {
    /// The model.
    pub id: ModelId,
    /// Name of its job.
    pub name: String,
    /// Digest of the job with its schema.
    pub job: Digest,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// Digest of the schema.
    pub schema: Digest,
    /// The schema as a TOML file.
    pub schema_file: String,
    /// The network.
    pub spec: Spec,
    /// Who may ask, and for what.
    pub policy: InferencePolicy,
    /// Against what the parties were protected that trained it; none of an imported model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// The tensors, in the order of the payload.
    pub tensors: Vec<TensorTerms>,
}

impl KeptTerms {
    /// What identifies the model with everything that is said about it.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_vec(self).expect("plain fields");
        Canonical::new("tercet/kept-model/1").bytes(&text).finish()
    }
}

impl Described for KeptTerms {
    const KIND: &'static str = "kept-model";

    fn tensors(&self) -> &[TensorTerms] {
        &self.tensors
    }
}

/// One party's share of a model that it keeps.
pub type KeptShare = TensorShare<KeptTerms>;

/// What the answers to a question are: the same at all three parties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerTerms {
    /// The model that answered.
    pub model: ModelId,
    /// Digest of its terms.
    pub model_terms: Digest,
    /// What is answered.
    pub answer: Answer,
    /// Against what the computation was protected.
    pub security: Security,
    /// The session, in hexadecimal.
    #[serde(with = "crate::model::session_text")]
    pub session: SessionId,
    /// Digest over question, rows, consortium, client and code, as the parties agreed on it.
    pub agreement: Digest,
    /// Digest over the steps of all rounds of the session.
    pub transcript: Digest,
    /// Who asked, and may open the answers.
    pub receiver: Name,
    /// The rows.
    pub rows: DataSetDigest,
    /// One tensor: a row of answers for each row.
    pub tensors: Vec<TensorTerms>,
}

impl Described for AnswerTerms {
    const KIND: &'static str = "answer-share";

    fn tensors(&self) -> &[TensorTerms] {
        &self.tensors
    }
}

impl Comparable for AnswerTerms {
    fn difference(&self, other: &Self) -> Option<&'static str> {
        first_difference(&[
            ("model", self.model == other.model && self.model_terms == other.model_terms),
            ("session", self.session == other.session),
            ("rows", self.rows == other.rows),
            ("answer", self.answer == other.answer),
            ("security", self.security == other.security),
            ("agreement", self.agreement == other.agreement),
            ("receiver", self.receiver == other.receiver),
            ("transcript", self.transcript == other.transcript),
            ("shape", self.tensors == other.tensors),
        ])
    }
}

/// One party's share of the answers, sealed for whoever asked.
pub type AnswerShare = TensorShare<AnswerTerms>;
