//! Sealed files: a readable header and a payload that one recipient can open.
//!
//! Share files travel from a holder to a party in an envelope, and model shares
//! from a party to the receiver. Layout, integers little-endian:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | magic and format version |
//! | 1 + n | kind of the envelope: length and text |
//! | 4 + n | header: length and bytes, readable by anyone |
//! | 32 | encapsulated key: HPKE (RFC 9180) X25519-HKDF-SHA256, ChaCha20-Poly1305 |
//! | 8 + n | length of the ciphertext, ciphertext with its tag |
//! | 32 | HMAC-SHA-256 over kind, header and payload, keyed by the HPKE exporter |
//! | 64 | Ed25519 signature of the sender over all of the above |
//!
//! The signature proves the sender to anyone. The HMAC, under a key that only
//! sender and recipient can derive, ties the header to the decrypted payload.

use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::Sha256;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"TERCET\0\x01";
/// Longest header of an envelope (16 MiB).
const MAX_HEADER_BYTES: usize = 16 << 20;
const MAC_LABEL: &[u8] = b"tercet/envelope/1 mac";
const AEAD_TAG_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const ENCAPPED_KEY_BYTES: usize = 32;

type Recipient = <X25519HkdfSha256 as Kem>::PublicKey;

/// Why an envelope could not be made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The file does not begin like an envelope of this version.
    #[error("this is not a sealed file of a known version")]
    Unknown,
    /// The envelope is of another kind.
    #[error("this is a `{found}` file, but a `{expected}` file is needed")]
    Kind {
        /// The kind that is needed.
        expected: &'static str,
        /// The kind that was found.
        found: String,
    },
    /// The file ends too early.
    #[error("the file was cut short: it ends after {length} bytes, inside its {part}")]
    CutShort {
        /// Length of the file.
        length: usize,
        /// The part that is incomplete.
        part: &'static str,
    },
    /// Something follows the last part.
    #[error("{0} bytes follow the end of the sealed data")]
    Trailing(usize),
    /// The signature is not one of the stated sender over this content.
    #[error("the signature of {0} does not verify: the file was altered, or someone else made it")]
    Signature(String),
    /// The payload cannot be decrypted with this key.
    #[error("the payload cannot be opened with this key: it is encrypted to someone else")]
    NotForThisKey,
    /// The HMAC over header and payload is wrong.
    #[error("the HMAC over header and payload is wrong")]
    Mac,
    /// A part is longer than any honest file's.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// The recipient's key or the system's randomness cannot be used.
    #[error("cannot encrypt: {0}")]
    Encryption(String),
}

impl Explain for EnvelopeError {
    fn hint(&self) -> Option<String> {
        match self {
            EnvelopeError::CutShort { .. }
            | EnvelopeError::Trailing(_)
            | EnvelopeError::Signature(_)
            | EnvelopeError::Mac => Some("ask the sender for the file again".into()),
            EnvelopeError::NotForThisKey => {
                Some("check that the file is meant for this party or member".into())
            }
            _ => None,
        }
    }
}

/// Seals `payload` for the holder of `recipient` and signs the whole.
///
/// # Errors
/// When a part is too long, the recipient's key is unusable or the system gives
/// no randomness.
pub fn seal(
    kind: &'static str,
    header: &[u8],
    payload: &[u8],
    recipient: &[u8; 32],
    signer: &SigningKey,
) -> Result<Vec<u8>, EnvelopeError> {
    let kind_length = u8::try_from(kind.len()).map_err(|_| EnvelopeError::TooLong("kind"))?;
    if header.len() > MAX_HEADER_BYTES {
        return Err(EnvelopeError::TooLong("header"));
    }
    let refused = |e: hpke::HpkeError| EnvelopeError::Encryption(e.to_string());
    let recipient = Recipient::from_bytes(recipient).map_err(refused)?;
    let (encapped, mut context) = hpke::setup_sender_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(
        &OpModeS::Base, &recipient, kind.as_bytes(), &mut system_rng()?
    )
    .map_err(refused)?;
    let mut mac_key = Zeroizing::new([0; MAC_BYTES]);
    context.export(MAC_LABEL, mac_key.as_mut()).map_err(refused)?;

    let overhead = MAGIC.len() + 1 + kind.len() + 4 + ENCAPPED_KEY_BYTES + 8;
    let tail = AEAD_TAG_BYTES + MAC_BYTES + SIGNATURE_LENGTH;
    let mut out = Vec::with_capacity(overhead + header.len() + payload.len() + tail);
    out.extend_from_slice(&MAGIC);
    out.push(kind_length);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(&(header.len() as u32).to_le_bytes());
    out.extend_from_slice(header);
    out.extend_from_slice(&encapped.to_bytes());
    out.extend_from_slice(&((payload.len() + AEAD_TAG_BYTES) as u64).to_le_bytes());
    let start = out.len();
    out.extend_from_slice(payload);
    let tag =
        context.seal_inout_detached(InOutBuf::from(&mut out[start..]), header).map_err(refused)?;
    out.extend_from_slice(&tag.to_bytes());
    out.extend_from_slice(&mac(&mac_key, kind, header, payload).finalize().into_bytes());
    let signature = signer.sign(&signed_digest(&out).0);
    out.extend_from_slice(&signature.to_bytes());
    Ok(out)
}

/// An envelope whose parts have been told apart but not yet verified.
#[derive(Debug)]
pub struct Envelope<'a> {
    kind: &'static str,
    header: &'a [u8],
    encapped_key: &'a [u8],
    ciphertext: &'a [u8],
    aead_tag: &'a [u8],
    mac: &'a [u8],
    signed: &'a [u8],
    signature: Signature,
}

impl<'a> Envelope<'a> {
    /// Tells the parts of an envelope of the given kind apart.
    ///
    /// # Errors
    /// When the bytes are not exactly one envelope of that kind.
    pub fn parse(kind: &'static str, bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut rest = Parts { bytes, at: 0 };
        if rest.take(MAGIC.len(), "beginning")? != MAGIC {
            return Err(EnvelopeError::Unknown);
        }
        let kind_length = rest.take(1, "kind")?[0];
        let found = rest.take(kind_length.into(), "kind")?;
        if found != kind.as_bytes() {
            let found = String::from_utf8_lossy(found).escape_default().to_string();
            return Err(EnvelopeError::Kind { expected: kind, found });
        }
        let header_length = u32::from_le_bytes(rest.array("header")?) as usize;
        if header_length > MAX_HEADER_BYTES {
            return Err(EnvelopeError::TooLong("header"));
        }
        let header = rest.take(header_length, "header")?;
        let encapped_key = rest.take(ENCAPPED_KEY_BYTES, "key")?;
        let sealed_length = usize::try_from(u64::from_le_bytes(rest.array("payload")?))
            .map_err(|_| EnvelopeError::TooLong("payload"))?;
        let payload_length =
            sealed_length.checked_sub(AEAD_TAG_BYTES).ok_or(EnvelopeError::Unknown)?;
        let ciphertext = rest.take(payload_length, "payload")?;
        let aead_tag = rest.take(AEAD_TAG_BYTES, "payload")?;
        let mac = rest.take(MAC_BYTES, "HMAC")?;
        let signed = &bytes[..rest.at];
        let signature = Signature::from_bytes(&rest.array("signature")?);
        match bytes.len() - rest.at {
            0 => Ok(Envelope {
                kind,
                header,
                encapped_key,
                ciphertext,
                aead_tag,
                mac,
                signed,
                signature,
            }),
            trailing => Err(EnvelopeError::Trailing(trailing)),
        }
    }

    /// The header; trust it only after [`Envelope::verify`].
    pub fn header(&self) -> &'a [u8] {
        self.header
    }

    /// The signature over everything that precedes it.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Verifies that `sender` made this envelope; `name` is theirs, for the message.
    ///
    /// # Errors
    /// [`EnvelopeError::Signature`].
    pub fn verify(&self, sender: &VerifyingKey, name: &str) -> Result<(), EnvelopeError> {
        sender
            .verify_strict(&signed_digest(self.signed).0, &self.signature)
            .map_err(|_| EnvelopeError::Signature(name.to_owned()))
    }

    /// Verifies the sender, decrypts the payload and checks its HMAC.
    ///
    /// # Errors
    /// When the envelope is not of that sender, not for this key or not whole.
    pub fn open(
        &self,
        sender: &VerifyingKey,
        name: &str,
        recipient: &StaticSecret,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        self.verify(sender, name)?;
        let not_for_us = |_| EnvelopeError::NotForThisKey;
        let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(recipient.as_bytes())
            .map_err(not_for_us)?;
        let encapped = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(self.encapped_key)
            .map_err(not_for_us)?;
        let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(self.aead_tag).map_err(not_for_us)?;
        let mut context = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &secret,
            &encapped,
            self.kind.as_bytes(),
        )
        .map_err(not_for_us)?;
        let mut payload = Zeroizing::new(self.ciphertext.to_vec());
        context
            .open_inout_detached(InOutBuf::from(payload.as_mut_slice()), self.header, &tag)
            .map_err(not_for_us)?;
        let mut mac_key = Zeroizing::new([0; MAC_BYTES]);
        context.export(MAC_LABEL, mac_key.as_mut()).map_err(not_for_us)?;
        mac(&mac_key, self.kind, self.header, &payload)
            .verify_slice(self.mac)
            .map_err(|_| EnvelopeError::Mac)?;
        Ok(payload)
    }
}

/// Reads parts off the front of a byte string.
struct Parts<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parts<'a> {
    fn take(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], EnvelopeError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(EnvelopeError::CutShort { length: self.bytes.len(), part })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], EnvelopeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, part)?);
        Ok(array)
    }
}

fn signed_digest(signed: &[u8]) -> Digest {
    Canonical::new("tercet/envelope/1").bytes(signed).finish()
}

fn mac(key: &[u8; MAC_BYTES], kind: &str, header: &[u8], payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [kind.as_bytes(), header, payload] {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

/// A generator seeded by the operating system.
fn system_rng() -> Result<ChaCha20Rng, EnvelopeError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|e| EnvelopeError::Encryption(e.to_string()))?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x25519_dalek::PublicKey;

    const KIND: &str = "test";

    struct Fixture {
        signer: SigningKey,
        recipient: StaticSecret,
        sealed: Vec<u8>,
    }

    fn fixture(payload: &[u8]) -> Fixture {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let recipient = StaticSecret::from([9; 32]);
        let public = PublicKey::from(&recipient).to_bytes();
        let sealed = seal(KIND, b"header", payload, &public, &signer).unwrap();
        Fixture { signer, recipient, sealed }
    }

    impl Fixture {
        fn open(&self, bytes: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
            let envelope = Envelope::parse(KIND, bytes)?;
            let sender = self.signer.verifying_key();
            Ok(envelope.open(&sender, "hospital-a", &self.recipient)?.to_vec())
        }
    }

    #[test]
    fn the_recipient_opens_what_was_sealed() {
        for payload in [&b""[..], b"shares", &[5; 70_000]] {
            let f = fixture(payload);
            assert_eq!(f.open(&f.sealed).unwrap(), payload);
            assert_eq!(Envelope::parse(KIND, &f.sealed).unwrap().header(), b"header");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let f = fixture(b"shares");
        for at in 0..f.sealed.len() {
            for bit in [1, 128] {
                let mut altered = f.sealed.clone();
                altered[at] ^= bit;
                assert!(f.open(&altered).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_file_cut_short_or_prolonged_says_so() {
        let f = fixture(b"shares");
        for length in 0..f.sealed.len() {
            let error = f.open(&f.sealed[..length]).unwrap_err();
            assert!(matches!(error, EnvelopeError::CutShort { .. }), "{length}: {error}");
        }
        let mut long = f.sealed.clone();
        long.push(0);
        assert_eq!(f.open(&long), Err(EnvelopeError::Trailing(1)));
    }

    #[test]
    fn another_sender_recipient_or_kind_is_refused() {
        let f = fixture(b"shares");
        let envelope = Envelope::parse(KIND, &f.sealed).unwrap();
        let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(
            envelope.open(&stranger, "x", &f.recipient).unwrap_err(),
            EnvelopeError::Signature("x".into())
        );
        let other = StaticSecret::from([10; 32]);
        let sender = f.signer.verifying_key();
        assert_eq!(envelope.open(&sender, "x", &other).unwrap_err(), EnvelopeError::NotForThisKey);
        assert_eq!(
            Envelope::parse("model", &f.sealed).unwrap_err(),
            EnvelopeError::Kind { expected: "model", found: KIND.into() }
        );
    }

    #[test]
    fn a_claimed_length_beyond_the_file_allocates_nothing() {
        let f = fixture(b"shares");
        let at = MAGIC.len() + 1 + KIND.len() + 4 + b"header".len() + ENCAPPED_KEY_BYTES;
        for claimed in [u64::MAX, 1 << 40, 0] {
            let mut altered = f.sealed.clone();
            altered[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
            assert!(f.open(&altered).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Envelope::parse(KIND, &bytes);
            let mut with_magic = MAGIC.to_vec();
            with_magic.push(KIND.len() as u8);
            with_magic.extend_from_slice(KIND.as_bytes());
            with_magic.extend_from_slice(&bytes);
            let _ = Envelope::parse(KIND, &with_magic);
        }
    }
}
