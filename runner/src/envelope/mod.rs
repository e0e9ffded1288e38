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
//! | 8 | length of the payload |
//! | n | the payload in chunks of 1 MiB (the last may be shorter), each encrypted and followed by its tag of 16 bytes |
//! | 32 | HMAC-SHA-256 over the SHA-256 of all of the above, keyed by the HPKE exporter |
//! | 64 | Ed25519 signature of the sender over the SHA-256 of all of the above |
//!
//! The signature proves the sender to anyone. The HMAC, under a key that only
//! sender and recipient can derive, ties everything to that recipient before the
//! first chunk is decrypted. Each chunk is authenticated together with the digest
//! of what precedes the payload, and its number is part of its nonce.
//!
//! Nothing here needs the payload in memory: [`Sealer`] writes it and [`Opener`]
//! reads it piece by piece. [`seal`] and [`Envelope::open`] are for short ones.

mod error;
mod open;
mod seal;

pub use error::EnvelopeError;
pub use open::{Envelope, Opener};
pub use seal::{Sealer, seal};

use crate::digest::{Canonical, Digest};
use hmac::{Hmac, KeyInit, Mac};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{HpkeError, Kem};
use sha2::Sha256;
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"TERCET\0\x01";
/// Longest header of an envelope (16 MiB).
const MAX_HEADER_BYTES: usize = 16 << 20;
/// Bytes of payload that are encrypted together (1 MiB).
const CHUNK_BYTES: usize = 1 << 20;
const TAG_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const ENCAPPED_KEY_BYTES: usize = 32;
const MAC_LABEL: &[u8] = b"tercet/envelope/1 mac";

type Aead = ChaCha20Poly1305;
type Kdf = HkdfSha256;
type Dh = X25519HkdfSha256;
type PublicKey = <Dh as Kem>::PublicKey;
type PrivateKey = <Dh as Kem>::PrivateKey;
type EncappedKey = <Dh as Kem>::EncappedKey;

/// Bytes that a payload takes when encrypted, or `None` if that has no number.
///
/// Even an empty payload has one chunk, so that its header is authenticated.
fn encrypted_length(payload: u64) -> Option<u64> {
    let chunks = payload.div_ceil(CHUNK_BYTES as u64).max(1);
    payload.checked_add(chunks.checked_mul(TAG_BYTES as u64)?)
}

/// What HPKE binds the keys of an envelope to.
fn key_info(kind: &str) -> Vec<u8> {
    [b"tercet/envelope/1 ", kind.as_bytes()].concat()
}

/// The HMAC over what precedes it, given by its digest; `export` is the exporter
/// of sender or recipient.
fn mac(
    export: impl FnOnce(&[u8], &mut [u8]) -> Result<(), HpkeError>,
    preceding: Digest,
) -> Result<Hmac<Sha256>, HpkeError> {
    let mut key = Zeroizing::new([0; MAC_BYTES]);
    export(MAC_LABEL, key.as_mut())?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_ref()).expect("HMAC takes keys of any length");
    mac.update(&preceding.0);
    Ok(mac)
}

/// What the sender signs: the digest of everything that precedes the signature.
fn signed_digest(preceding: Digest) -> Digest {
    Canonical::new("tercet/envelope/1").bytes(&preceding.0).finish()
}

#[cfg(test)]
mod tests;
