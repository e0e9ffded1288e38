//! Reading envelopes: parts first, then the signature, then the payload.

use super::{
    Aead, CHUNK_BYTES, Dh, ENCAPPED_KEY_BYTES, EncappedKey, EnvelopeError, Kdf, MAC_BYTES, MAGIC,
    MAX_HEADER_BYTES, PrivateKey, TAG_BYTES, encrypted_length, key_info, mac, signed_digest,
};
use crate::digest::Digest;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::Mac;
use hpke::aead::{AeadCtxR, AeadTag};
use hpke::inout::InOutBuf;
use hpke::{Deserializable, OpModeR};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{Cursor, Read, Seek, SeekFrom};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

/// An envelope whose parts have been told apart but not yet verified.
pub struct Envelope<R> {
    kind: &'static str,
    reader: R,
    header: Vec<u8>,
    encapped_key: [u8; ENCAPPED_KEY_BYTES],
    payload_start: u64,
    payload_length: u64,
    mac: [u8; MAC_BYTES],
    signature: Signature,
    digests: Digests,
}

/// Digests of an envelope up to certain points.
struct Digests {
    /// What precedes the payload.
    head: Digest,
    /// What precedes the HMAC.
    authenticated: Digest,
    /// What precedes the signature.
    signed: Digest,
    /// Everything.
    file: Digest,
}

impl<R> fmt::Debug for Envelope<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({}, {} bytes)", self.kind, self.payload_length)
    }
}

impl<'a> Envelope<Cursor<&'a [u8]>> {
    /// Tells the parts of an envelope of the given kind apart, in memory.
    ///
    /// # Errors
    /// When the bytes are not exactly one envelope of that kind.
    pub fn parse(kind: &'static str, bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        Envelope::read(kind, Cursor::new(bytes))
    }

    /// Verifies the sender and opens the whole payload; see [`Envelope::opener`].
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
        let context = self.context(recipient)?;
        let mut reader = self.reader.clone();
        reader.set_position(self.payload_start);
        let mut opener = Opener::new(reader, context, self.digests.head, self.payload_length);
        // The length is that of bytes in memory already, so it fits.
        let mut payload = Zeroizing::new(vec![0; self.payload_length as usize]);
        opener.read(&mut payload)?;
        opener.finish()?;
        Ok(payload)
    }
}

impl<R: Read + Seek> Envelope<R> {
    /// Tells the parts of an envelope of the given kind apart; reads it once.
    ///
    /// # Errors
    /// When the reader does not hold exactly one envelope of that kind.
    pub fn read(kind: &'static str, mut reader: R) -> Result<Self, EnvelopeError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let mut parts = Parts { reader, length, at: 0, hash: Sha256::new() };
        if parts.array("beginning")? != MAGIC {
            return Err(EnvelopeError::Unknown);
        }
        let [kind_length] = parts.array("kind")?;
        let found = parts.bytes(kind_length.into(), "kind")?;
        if found != kind.as_bytes() {
            let found = String::from_utf8_lossy(&found).escape_default().to_string();
            return Err(EnvelopeError::Kind { expected: kind, found });
        }
        let header_length = u32::from_le_bytes(parts.array("header")?) as usize;
        if header_length > MAX_HEADER_BYTES {
            return Err(EnvelopeError::TooLong("header"));
        }
        let header = parts.bytes(header_length, "header")?;
        let encapped_key = parts.array("key")?;
        let payload_length = u64::from_le_bytes(parts.array("payload")?);
        let head = parts.digest();
        let payload_start = parts.at;
        let encrypted =
            encrypted_length(payload_length).ok_or(EnvelopeError::TooLong("payload"))?;
        parts.skip(encrypted, "payload")?;
        let authenticated = parts.digest();
        let mac = parts.array("HMAC")?;
        let signed = parts.digest();
        let signature = Signature::from_bytes(&parts.array("signature")?);
        match length - parts.at {
            0 => {}
            trailing => return Err(EnvelopeError::Trailing(trailing)),
        }
        let digests = Digests { head, authenticated, signed, file: parts.digest() };
        let reader = parts.reader;
        Ok(Envelope {
            kind,
            reader,
            header,
            encapped_key,
            payload_start,
            payload_length,
            mac,
            signature,
            digests,
        })
    }

    /// The header; trust it only after [`Envelope::verify`].
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Bytes of the payload.
    pub fn payload_length(&self) -> u64 {
        self.payload_length
    }

    /// SHA-256 of the whole file.
    pub fn file_digest(&self) -> Digest {
        self.digests.file
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
            .verify_strict(&signed_digest(self.digests.signed).0, &self.signature)
            .map_err(|_| EnvelopeError::Signature(name.to_owned()))
    }

    /// Verifies the sender and the HMAC, and starts to decrypt the payload.
    ///
    /// # Errors
    /// When the envelope is not of that sender or not for this key.
    pub fn opener(
        mut self,
        sender: &VerifyingKey,
        name: &str,
        recipient: &StaticSecret,
    ) -> Result<Opener<R>, EnvelopeError> {
        self.verify(sender, name)?;
        let context = self.context(recipient)?;
        self.reader.seek(SeekFrom::Start(self.payload_start))?;
        Ok(Opener::new(self.reader, context, self.digests.head, self.payload_length))
    }

    /// The recipient's keys, once the HMAC has shown that they are the right ones.
    fn context(&self, recipient: &StaticSecret) -> Result<AeadCtxR<Aead, Kdf, Dh>, EnvelopeError> {
        let not_for_us = |_| EnvelopeError::NotForThisKey;
        let secret = PrivateKey::from_bytes(recipient.as_bytes()).map_err(not_for_us)?;
        let encapped = EncappedKey::from_bytes(&self.encapped_key).map_err(not_for_us)?;
        let context = hpke::setup_receiver::<Aead, Kdf, Dh>(
            &OpModeR::Base,
            &secret,
            &encapped,
            &key_info(self.kind),
        )
        .map_err(not_for_us)?;
        mac(|label, key| context.export(label, key), self.digests.authenticated)
            .map_err(not_for_us)?
            .verify_slice(&self.mac)
            .map_err(|_| EnvelopeError::NotForThisKey)?;
        Ok(context)
    }
}

/// Decrypts the payload of an envelope piece by piece.
pub struct Opener<R> {
    reader: R,
    context: AeadCtxR<Aead, Kdf, Dh>,
    head: Digest,
    /// Bytes of payload that are not yet decrypted.
    sealed: u64,
    /// The decrypted chunk, and how much of it has been handed out.
    chunk: Zeroizing<Vec<u8>>,
    used: usize,
    /// Whether no chunk has been decrypted; even an empty payload has one.
    fresh: bool,
}

impl<R: Read> Opener<R> {
    fn new(reader: R, context: AeadCtxR<Aead, Kdf, Dh>, head: Digest, length: u64) -> Self {
        let chunk = Zeroizing::new(Vec::new());
        Opener { reader, context, head, sealed: length, chunk, used: 0, fresh: true }
    }

    /// Fills `out` with the bytes of the payload that come next.
    ///
    /// # Errors
    /// [`EnvelopeError::Inconsistent`] when the payload has fewer or was made
    /// wrongly, or what the reader reports.
    pub fn read(&mut self, out: &mut [u8]) -> Result<(), EnvelopeError> {
        let mut filled = 0;
        while filled < out.len() {
            if self.used == self.chunk.len() {
                self.open_chunk()?;
            }
            let count = (self.chunk.len() - self.used).min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&self.chunk[self.used..self.used + count]);
            self.used += count;
            filled += count;
        }
        Ok(())
    }

    /// Checks that the whole payload was read.
    ///
    /// # Errors
    /// [`EnvelopeError::Inconsistent`] when more is there.
    pub fn finish(mut self) -> Result<(), EnvelopeError> {
        if self.fresh && self.sealed == 0 {
            self.open_chunk()?;
        }
        match self.sealed == 0 && self.used == self.chunk.len() {
            true => Ok(()),
            false => Err(EnvelopeError::Inconsistent),
        }
    }

    fn open_chunk(&mut self) -> Result<(), EnvelopeError> {
        if self.sealed == 0 && !self.fresh {
            return Err(EnvelopeError::Inconsistent);
        }
        let length = self.sealed.min(CHUNK_BYTES as u64) as usize;
        self.chunk.zeroize();
        self.chunk.resize(length, 0);
        self.reader.read_exact(&mut self.chunk)?;
        let mut tag = [0; TAG_BYTES];
        self.reader.read_exact(&mut tag)?;
        let wrong = |_| EnvelopeError::Inconsistent;
        let tag = AeadTag::<Aead>::from_bytes(&tag).map_err(wrong)?;
        let buffer = InOutBuf::from(self.chunk.as_mut_slice());
        self.context.open_inout_detached(buffer, &self.head.0, &tag).map_err(wrong)?;
        self.sealed -= length as u64;
        self.used = 0;
        self.fresh = false;
        Ok(())
    }
}

/// Reads parts off the front of a file and hashes them.
struct Parts<R> {
    reader: R,
    /// Length of the file.
    length: u64,
    at: u64,
    hash: Sha256,
}

impl<R: Read> Parts<R> {
    /// Makes sure that the file is long enough before anything is allocated.
    fn require(&mut self, count: u64, part: &'static str) -> Result<(), EnvelopeError> {
        match self.at.checked_add(count) {
            Some(end) if end <= self.length => {
                self.at = end;
                Ok(())
            }
            _ => Err(EnvelopeError::CutShort { length: self.length, part }),
        }
    }

    fn bytes(&mut self, count: usize, part: &'static str) -> Result<Vec<u8>, EnvelopeError> {
        self.require(count as u64, part)?;
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], EnvelopeError> {
        self.require(N as u64, part)?;
        let mut array = [0; N];
        self.reader.read_exact(&mut array)?;
        self.hash.update(array);
        Ok(array)
    }

    fn skip(&mut self, count: u64, part: &'static str) -> Result<(), EnvelopeError> {
        self.require(count, part)?;
        let mut buffer = vec![0; count.min(CHUNK_BYTES as u64) as usize];
        let mut left = count;
        while left > 0 {
            let now = left.min(buffer.len() as u64) as usize;
            self.reader.read_exact(&mut buffer[..now])?;
            self.hash.update(&buffer[..now]);
            left -= now as u64;
        }
        Ok(())
    }

    /// Digest of what was read so far.
    fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}
