//! What a share file says to everyone.

use super::component;
use crate::digest::{Canonical, Digest};
use crate::identity::Name;
use jiff::Timestamp;
use mpc_core::fixed::MAX_SCALE;
use mpc_core::party::PartyId;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Version of header and payload.
const VERSION: u32 = 1;
/// Longest header (64 KiB); honest ones have about 900 bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Most words of a data set: 32 GiB a component.
pub const MAX_WORDS: u64 = 1 << 32;
/// Bits of the ring that the words are of.
const RING_BITS: u32 = 64;

/// The readable header of a share file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareHeader {
    version: u32,
    /// The party that the file is encrypted to.
    pub party: PartyId,
    /// What the data set is; the same in all three files.
    pub data_set: Manifest,
}

/// What a data set is, in the words of its owner; the same in all three files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Random identity of the data set.
    pub id: DataSetId,
    /// A name for people.
    pub name: Name,
    /// The member who shared it.
    pub owner: Name,
    /// Digest of the consortium that it is shared in.
    pub consortium: Digest,
    /// Digest of the schema by which it was encoded.
    pub schema: Digest,
    /// Rows.
    pub rows: u64,
    /// Columns of the features.
    pub feature_columns: u64,
    /// Columns of the labels; none where rows ask a model.
    pub label_columns: u64,
    /// Bits of the ring.
    pub ring_bits: u32,
    /// Fractional bits of the words.
    pub scale: u32,
    /// When it was shared.
    pub created: Timestamp,
    /// Commitments to the three components.
    pub components: [Digest; 3],
}

impl ShareHeader {
    pub(super) fn new(party: PartyId, data_set: Manifest) -> Self {
        ShareHeader { version: VERSION, party, data_set }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a header is plain numbers and texts")
    }

    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(format!("it has {} bytes", bytes.len()));
        }
        let header: ShareHeader =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if header.version != VERSION {
            return Err(format!("version {} is unknown", header.version));
        }
        header.data_set.validate()?;
        Ok(header)
    }

    /// Bytes of the payload of this party's file.
    pub(super) fn payload_length(&self) -> u64 {
        let words = self.data_set.words() as u64;
        component::held_by(self.party)
            .map(|index| component::encoded_length(index, words))
            .iter()
            .sum()
    }
}

impl Manifest {
    fn validate(&self) -> Result<(), String> {
        if self.ring_bits != RING_BITS {
            return Err(format!("a ring of {} bits is not supported", self.ring_bits));
        }
        if self.scale > MAX_SCALE {
            return Err(format!("scale {} is too large", self.scale));
        }
        // Rows that ask a model have no labels.
        if self.rows == 0 || self.feature_columns == 0 {
            return Err("it has no rows or no features".into());
        }
        match self.checked_words() {
            Some(_) => Ok(()),
            None => Err(format!("it announces more than {MAX_WORDS} words")),
        }
    }

    fn checked_words(&self) -> Option<usize> {
        let columns = self.feature_columns.checked_add(self.label_columns)?;
        let words = self.rows.checked_mul(columns).filter(|&words| words <= MAX_WORDS)?;
        usize::try_from(words).ok()
    }

    /// A manifest by its parts; `None` where the shape is out of range.
    pub(super) fn checked(self) -> Option<Self> {
        self.validate().is_ok().then_some(self)
    }

    /// Words of a component: rows times columns of features and labels.
    pub fn words(&self) -> usize {
        self.checked_words().expect("the shape was checked when the manifest was read or made")
    }

    /// What the three parties compare: equal digests mean shares of the same numbers.
    pub fn digest(&self) -> Digest {
        Canonical::new("tercet/data-set/1")
            .bytes(&self.id.0)
            .text(self.name.as_str())
            .text(self.owner.as_str())
            .bytes(&self.consortium.0)
            .bytes(&self.schema.0)
            .number(self.rows)
            .number(self.feature_columns)
            .number(self.label_columns)
            .number(self.ring_bits.into())
            .number(self.scale.into())
            .text(&self.created.to_string())
            .list(self.components.iter(), |to, component| to.bytes(&component.0))
            .finish()
    }
}

/// Bits of the ring of every data set that this version makes.
pub(super) const fn ring_bits() -> u32 {
    RING_BITS
}

/// The random identity of a data set: 16 bytes, hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataSetId(pub [u8; 16]);

/// Text that is not 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a data set: 32 hexadecimal digits are expected")]
pub struct NotADataSetId(String);

impl DataSetId {
    pub(super) fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        DataSetId(bytes)
    }
}

impl fmt::Display for DataSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DataSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DataSetId {
    type Err = NotADataSetId;
    fn from_str(text: &str) -> Result<Self, NotADataSetId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| NotADataSetId(text.chars().take(80).collect()))?;
        Ok(DataSetId(bytes))
    }
}

impl Serialize for DataSetId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataSetId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
