//! One party's share of tensors, a trained model for instance, sealed for their receiver.

use super::shape::TensorShape;
use crate::control::EpochFigures;
use crate::digest::{Canonical, Digest};
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::failure::Explain;
use crate::identity::{Card, Identity, Name};
use crate::inference::ModelId;
use crate::job::Security;
use crate::session::DataSetDigest;
use ed25519_dalek::Signature;
use jiff::Timestamp;
use mpc_core::fixed::MAX_SCALE;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use nn::spec::Spec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Version of header and payload.
const VERSION: u32 = 1;
/// Most tensors of a model.
const MAX_TENSORS: usize = 1 << 12;
/// Most numbers in all tensors of a model.
const MAX_NUMBERS: u64 = 1 << 32;

/// Why a model share could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelShareError {
    /// The envelope is damaged, of another sender or for another receiver.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The header cannot be read.
    #[error("the header of the share is malformed: {0}")]
    Header(String),
    /// The share states to be of another party.
    #[error("this is the share of {found}, not of {expected}")]
    OtherParty {
        /// The party whose share is needed.
        expected: PartyId,
        /// The party that the header names.
        found: PartyId,
    },
    /// The payload is not what the header describes.
    #[error("the payload of the share does not match its header: {0}")]
    Payload(&'static str),
}

impl Explain for ModelShareError {
    fn hint(&self) -> Option<String> {
        match self {
            ModelShareError::Envelope(e) => e.hint(),
            _ => Some("fetch the share again; if it stays, the party's node is at fault".into()),
        }
    }
}

/// What a trained model is: equal in the shares of all three parties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Name of the job.
    pub job_name: String,
    /// Digest of the job with its schema.
    pub job: Digest,
    /// Digest over job, data, consortium, client and code, as the parties agreed on it.
    pub agreement: Digest,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// Version of the parties' code.
    pub code: String,
    /// Digest of the schema.
    pub schema: Digest,
    /// The schema as a TOML file.
    pub schema_file: String,
    /// Against what the computation was protected.
    pub security: Security,
    /// The session, in hexadecimal.
    #[serde(with = "session_text")]
    pub session: SessionId,
    /// Digest over the steps of all rounds of the session.
    pub transcript: Digest,
    /// Who may open the model.
    pub receiver: Name,
    /// The data sets it was trained on.
    pub data: Vec<DataSetDigest>,
    /// Rows in all data sets.
    pub rows: u64,
    /// Network and training.
    pub spec: Spec,
    /// What was revealed of how the model does on rows that were kept back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<EpochFigures>,
    /// The kept model that its training started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ModelId>,
    /// The tensors, in the order of the payload.
    pub tensors: Vec<TensorTerms>,
}

/// Name, shape and scale of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorTerms {
    /// Name as in the model file, for instance `0.weight`.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
    /// Fractional bits.
    pub scale: u32,
}

impl TensorTerms {
    /// The terms of a tensor of a model file at a scale.
    pub fn new(shape: TensorShape, scale: u32) -> Self {
        let (rows, columns) = (shape.rows as u64, shape.columns as u64);
        TensorTerms { name: shape.name, rows, columns, scale }
    }

    fn numbers(&self) -> Option<u64> {
        self.rows.checked_mul(self.columns)
    }
}

/// Numbers in all tensors, if there are not too many.
fn numbers(tensors: &[TensorTerms]) -> Option<usize> {
    if tensors.len() > MAX_TENSORS {
        return None;
    }
    let total = tensors.iter().try_fold(0u64, |sum, tensor| sum.checked_add(tensor.numbers()?))?;
    usize::try_from(total).ok().filter(|_| total <= MAX_NUMBERS)
}

/// Header of a sealed share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<T> {
    version: u32,
    party: PartyId,
    party_name: Name,
    made: Timestamp,
    /// Digests of the party's first and second component.
    components: [Digest; 2],
    terms: T,
}

/// What shared tensors are, in the words of those who hold the shares.
pub trait Described: Clone + Serialize + DeserializeOwned {
    /// Kind of the envelope.
    const KIND: &'static str;

    /// The tensors, in the order of the payload.
    fn tensors(&self) -> &[TensorTerms];
}

impl Described for Terms {
    const KIND: &'static str = "model-share";

    fn tensors(&self) -> &[TensorTerms] {
        &self.tensors
    }
}

/// One party's share of a model for its receiver.
pub type ModelShare = TensorShare<Terms>;

/// One party's share of tensors: the components `x_i` and `x_{i+1}` of all of them.
pub struct TensorShare<T> {
    /// What is shared.
    pub terms: T,
    /// The party's first component, all tensors one after the other.
    pub first: Zeroizing<Vec<u64>>,
    /// The party's second component.
    pub second: Zeroizing<Vec<u64>>,
}

impl<T: Described> std::fmt::Debug for TensorShare<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TensorShare({}, components withheld)", T::KIND)
    }
}

impl<T: Described> TensorShare<T> {
    /// Seals the share for its receiver, signed by the party.
    ///
    /// # Errors
    /// When the components do not fit the terms, or nothing can be encrypted.
    pub fn seal(
        &self,
        party: PartyId,
        identity: &Identity,
        receiver: &Card,
    ) -> Result<Vec<u8>, ModelShareError> {
        let numbers =
            numbers(self.terms.tensors()).ok_or(ModelShareError::Payload("too many numbers"))?;
        if self.first.len() != numbers || self.second.len() != numbers {
            return Err(ModelShareError::Payload("components of another length"));
        }
        let payload = to_bytes(&self.first, &self.second);
        let (first, second) = payload.split_at(numbers * 8);
        let header = Header {
            version: VERSION,
            party,
            party_name: identity.name().clone(),
            made: Timestamp::now(),
            components: [component_digest(first), component_digest(second)],
            terms: self.terms.clone(),
        };
        let header =
            serde_json::to_vec(&header).map_err(|e| ModelShareError::Header(e.to_string()))?;
        let recipient = receiver.encryption_key();
        Ok(envelope::seal(T::KIND, &header, &payload, recipient, identity.signing_key())?)
    }

    /// Opens a sealed share of `party`, whose card is `card`, as its receiver.
    ///
    /// Returns the share and the party's signature.
    ///
    /// # Errors
    /// When it is damaged, signed by someone else, for someone else or inconsistent.
    pub fn open(
        bytes: &[u8],
        party: PartyId,
        card: &Card,
        receiver: &Identity,
    ) -> Result<(Self, Signature), ModelShareError> {
        let envelope = Envelope::parse(T::KIND, bytes)?;
        envelope.verify(card.verifying_key(), card.name().as_str())?;
        let header: Header<T> = serde_json::from_slice(envelope.header())
            .map_err(|e| ModelShareError::Header(e.to_string()))?;
        if header.version != VERSION {
            let reason = format!("version {} is unknown", header.version);
            return Err(ModelShareError::Header(reason));
        }
        if header.party != party || header.party_name != *card.name() {
            return Err(ModelShareError::OtherParty { expected: party, found: header.party });
        }
        let payload =
            envelope.open(card.verifying_key(), card.name().as_str(), receiver.decryption_key())?;
        let numbers =
            numbers(header.terms.tensors()).ok_or(ModelShareError::Payload("too many numbers"))?;
        if header.terms.tensors().iter().any(|tensor| tensor.scale > MAX_SCALE) {
            return Err(ModelShareError::Payload("a scale out of range"));
        }
        if numbers.checked_mul(16) != Some(payload.len()) {
            return Err(ModelShareError::Payload("another length"));
        }
        let (first, second) = payload.split_at(numbers * 8);
        let digests = [component_digest(first), component_digest(second)];
        if !(digests[0].ct_eq(&header.components[0]) && digests[1].ct_eq(&header.components[1])) {
            return Err(ModelShareError::Payload("another digest"));
        }
        let share =
            TensorShare { terms: header.terms, first: to_words(first), second: to_words(second) };
        Ok((share, envelope.signature()))
    }
}

fn component_digest(bytes: &[u8]) -> Digest {
    Canonical::new("tercet/model-component/1").bytes(bytes).finish()
}

fn to_bytes(first: &[u64], second: &[u64]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity((first.len() + second.len()) * 8));
    for word in first.iter().chain(second) {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn to_words(bytes: &[u8]) -> Zeroizing<Vec<u64>> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    Zeroizing::new(bytes.chunks_exact(8).map(word).collect())
}

/// Session ids as hexadecimal text.
pub(crate) mod session_text {
    use mpc_core::net::SessionId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(session: &SessionId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(session)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SessionId, D::Error> {
        let text = String::deserialize(from)?;
        crate::session::parse_id(&text).map_err(D::Error::custom)
    }
}
