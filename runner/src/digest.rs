//! SHA-256 digests of canonical encodings: what parties compare instead of files.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 16;

/// A SHA-256 digest; hexadecimal in text formats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// Text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: 64 hexadecimal digits are expected")]
pub struct NotADigest(pub String);

impl Digest {
    /// The digest of a byte string as it is, without a domain.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// The digest of everything that a reader holds.
    ///
    /// # Errors
    /// What the reader reports.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Digest(hash.finalize().into())),
                Ok(count) => hash.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The first eight hexadecimal digits, for messages to people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }

    /// Whether two digests are equal, in time independent of where they differ.
    pub fn ct_eq(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest(text.to_owned()))?;
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Digest)
        }
    }
}

/// Builds a digest from fields, each preceded by its length, under a domain.
///
/// Two different sequences of fields never give the same input to the hash, and
/// two domains never share a digest. Integers are fields of eight little-endian
/// bytes.
#[must_use]
pub struct Canonical(Sha256);

impl Canonical {
    /// Starts an encoding; `domain` names the kind of object and its format version.
    pub fn new(domain: &str) -> Self {
        Canonical(Sha256::new()).bytes(domain.as_bytes())
    }

    /// Appends a byte string.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Appends a text.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Appends an integer.
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Appends a list: its length, then each item as `encode` appends it.
    pub fn list<T>(
        self,
        items: impl ExactSizeIterator<Item = T>,
        mut encode: impl FnMut(Self, T) -> Self,
    ) -> Self {
        let start = self.number(items.len() as u64);
        items.fold(start, &mut encode)
    }

    /// The digest of everything appended.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_boundaries_and_domains_matter() {
        let digest = |domain, a: &str, b: &str| Canonical::new(domain).text(a).text(b).finish();
        assert_ne!(digest("d", "ab", "c"), digest("d", "a", "bc"));
        assert_ne!(digest("d", "a", "b"), digest("e", "a", "b"));
        assert_eq!(digest("d", "a", "b"), digest("d", "a", "b"));
    }

    #[test]
    fn a_reader_has_the_digest_of_its_bytes() {
        let bytes = vec![7; 3 * READ_BYTES + 5];
        assert_eq!(Digest::of_reader(&bytes[..]).unwrap(), Digest::of_bytes(&bytes));
    }

    #[test]
    fn text_form_is_reversible_and_strict() {
        let digest = Digest::of_bytes(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("00".parse::<Digest>().is_err());
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }
}
