//! Making envelopes.

use super::{
    Aead, CHUNK_BYTES, Dh, EnvelopeError, Kdf, MAGIC, MAX_HEADER_BYTES, PublicKey, key_info, mac,
    signed_digest,
};
use crate::digest::Digest;
use crate::random;
use ed25519_dalek::{Signer, SigningKey};
use hmac::Mac;
use hpke::aead::AeadCtxS;
use hpke::inout::InOutBuf;
use hpke::{Deserializable, HpkeError, OpModeS, Serializable};
use sha2::{Digest as _, Sha256};
use std::io::Write;
use zeroize::{Zeroize, Zeroizing};

/// Seals a payload for the holder of `recipient` and signs the whole, in memory.
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
    let mut sealer = Sealer::new(Vec::new(), kind, header, payload.len() as u64, recipient)?;
    sealer.write(payload)?;
    Ok(sealer.finish(signer)?.0)
}

/// Writes an envelope whose payload arrives piece by piece.
pub struct Sealer<W> {
    out: W,
    hash: Sha256,
    context: AeadCtxS<Aead, Kdf, Dh>,
    /// Digest of what precedes the payload; authenticated with every chunk.
    head: Digest,
    chunk: Zeroizing<Vec<u8>>,
    /// Bytes of payload that are still to come.
    missing: u64,
}

impl<W: Write> Sealer<W> {
    /// Starts an envelope for the holder of `recipient`; the payload that follows
    /// must have exactly `payload_length` bytes.
    ///
    /// # Errors
    /// When a part is too long, the recipient's key is unusable, the system gives
    /// no randomness or `out` fails.
    pub fn new(
        mut out: W,
        kind: &'static str,
        header: &[u8],
        payload_length: u64,
        recipient: &[u8; 32],
    ) -> Result<Self, EnvelopeError> {
        let kind_length = u8::try_from(kind.len()).map_err(|_| EnvelopeError::TooLong("kind"))?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(EnvelopeError::TooLong("header"));
        }
        let recipient = PublicKey::from_bytes(recipient).map_err(refused)?;
        let mut rng = random::system_rng().map_err(|e| EnvelopeError::Encryption(e.to_string()))?;
        let (encapped, context) = hpke::setup_sender_with_rng::<Aead, Kdf, Dh>(
            &OpModeS::Base,
            &recipient,
            &key_info(kind),
            &mut rng,
        )
        .map_err(refused)?;
        let head = [
            &MAGIC[..],
            &[kind_length],
            kind.as_bytes(),
            &(header.len() as u32).to_le_bytes(),
            header,
            &encapped.to_bytes(),
            &payload_length.to_le_bytes(),
        ]
        .concat();
        out.write_all(&head)?;
        Ok(Sealer {
            out,
            hash: Sha256::new_with_prefix(&head),
            context,
            head: Digest::of_bytes(&head),
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)),
            missing: payload_length,
        })
    }

    /// Appends a piece of the payload.
    ///
    /// # Errors
    /// [`EnvelopeError::Inconsistent`] when it is longer than was announced, or
    /// what `out` reports.
    pub fn write(&mut self, mut piece: &[u8]) -> Result<(), EnvelopeError> {
        self.missing =
            self.missing.checked_sub(piece.len() as u64).ok_or(EnvelopeError::Inconsistent)?;
        while !piece.is_empty() {
            // A full chunk is kept until more follows, so that the last is never empty.
            if self.chunk.len() == CHUNK_BYTES {
                self.flush_chunk()?;
            }
            let (now, later) = piece.split_at(piece.len().min(CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            piece = later;
        }
        Ok(())
    }

    /// Adds HMAC and signature, and returns `out` with the digest of all that was
    /// written to it.
    ///
    /// # Errors
    /// [`EnvelopeError::Inconsistent`] when the payload is shorter than was
    /// announced, or what `out` reports.
    pub fn finish(mut self, signer: &SigningKey) -> Result<(W, Digest), EnvelopeError> {
        if self.missing > 0 {
            return Err(EnvelopeError::Inconsistent);
        }
        self.flush_chunk()?;
        let mac = mac(|label, key| self.context.export(label, key), self.digest())
            .map_err(refused)?
            .finalize()
            .into_bytes();
        self.emit(&mac)?;
        let signature = signer.sign(&signed_digest(self.digest()).0).to_bytes();
        self.emit(&signature)?;
        self.out.flush()?;
        let digest = self.digest();
        Ok((self.out, digest))
    }

    fn flush_chunk(&mut self) -> Result<(), EnvelopeError> {
        let mut chunk = std::mem::take(&mut *self.chunk);
        let tag = self
            .context
            .seal_inout_detached(InOutBuf::from(chunk.as_mut_slice()), &self.head.0)
            .map_err(refused);
        let written = tag.and_then(|tag| {
            self.emit(&chunk)?;
            self.emit(&tag.to_bytes())
        });
        // Encrypted by now, except where encryption itself failed.
        chunk.zeroize();
        *self.chunk = chunk;
        written
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), EnvelopeError> {
        self.hash.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }

    /// Digest of what was written so far.
    fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}

fn refused(error: HpkeError) -> EnvelopeError {
    EnvelopeError::Encryption(error.to_string())
}
