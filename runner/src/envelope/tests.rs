use super::*;
use ed25519_dalek::SigningKey;
use std::io::Cursor;
use x25519_dalek::StaticSecret;

const KIND: &str = "test";

struct Fixture {
    signer: SigningKey,
    recipient: StaticSecret,
    sealed: Vec<u8>,
}

fn public(secret: &StaticSecret) -> [u8; 32] {
    x25519_dalek::PublicKey::from(secret).to_bytes()
}

fn fixture(payload: &[u8]) -> Fixture {
    let signer = SigningKey::from_bytes(&[7; 32]);
    let recipient = StaticSecret::from([9; 32]);
    let sealed = seal(KIND, b"header", payload, &public(&recipient), &signer).unwrap();
    Fixture { signer, recipient, sealed }
}

impl Fixture {
    fn open(&self, bytes: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let envelope = Envelope::parse(KIND, bytes)?;
        let sender = self.signer.verifying_key();
        Ok(envelope.open(&sender, "hospital-a", &self.recipient)?.to_vec())
    }
}

/// Payloads around the borders of a chunk.
fn lengths() -> [usize; 7] {
    [0, 1, 6, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES]
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) >> 3) as u8).collect()
}

#[test]
fn the_recipient_opens_what_was_sealed() {
    for length in lengths() {
        let payload = bytes(length);
        let f = fixture(&payload);
        assert!(f.open(&f.sealed).unwrap() == payload, "{length}");
        let envelope = Envelope::parse(KIND, &f.sealed).unwrap();
        assert_eq!(envelope.header(), b"header");
        assert_eq!(envelope.payload_length(), length as u64);
        assert_eq!(envelope.file_digest(), Digest::of_bytes(&f.sealed));
    }
}

#[test]
fn pieces_of_any_size_make_and_read_the_same_payload() {
    let payload = bytes(2 * CHUNK_BYTES + 500);
    let f = fixture(&[]);
    for piece in [100_003, CHUNK_BYTES, 3 * CHUNK_BYTES] {
        let length = payload.len() as u64;
        let mut sealer =
            Sealer::new(Vec::new(), KIND, b"h", length, &public(&f.recipient)).unwrap();
        payload.chunks(piece).for_each(|part| sealer.write(part).unwrap());
        let (sealed, digest) = sealer.finish(&f.signer).unwrap();
        assert_eq!(digest, Digest::of_bytes(&sealed));

        let envelope = Envelope::read(KIND, Cursor::new(&sealed)).unwrap();
        let mut opener = envelope.opener(&f.signer.verifying_key(), "x", &f.recipient).unwrap();
        let mut read = vec![0; payload.len()];
        read.chunks_mut(piece / 2).for_each(|part| opener.read(part).unwrap());
        assert!(read == payload);
        assert_eq!(opener.read(&mut [0]), Err(EnvelopeError::Inconsistent));
        opener.finish().unwrap();
    }
}

#[test]
fn a_payload_of_another_length_than_announced_is_refused() {
    let f = fixture(b"shares");
    let sealer = || Sealer::new(Vec::new(), KIND, b"h", 3, &public(&f.recipient)).unwrap();
    assert_eq!(sealer().write(b"four"), Err(EnvelopeError::Inconsistent));
    let mut short = sealer();
    short.write(b"no").unwrap();
    assert_eq!(short.finish(&f.signer).unwrap_err(), EnvelopeError::Inconsistent);
    let envelope = Envelope::parse(KIND, &f.sealed).unwrap();
    let mut opener = envelope.opener(&f.signer.verifying_key(), "x", &f.recipient).unwrap();
    opener.read(&mut [0; 3]).unwrap();
    assert_eq!(opener.finish(), Err(EnvelopeError::Inconsistent));
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
fn a_signed_file_with_another_payload_does_not_open() {
    // The signature alone is no proof: whoever re-signs cannot mend HMAC and tags.
    let f = fixture(&bytes(CHUNK_BYTES + 5));
    let end = f.sealed.len() - ed25519_dalek::SIGNATURE_LENGTH;
    for at in [100, end - MAC_BYTES - 1, end - 1] {
        let mut altered = f.sealed[..end].to_vec();
        altered[at] ^= 1;
        let signature =
            ed25519_dalek::Signer::sign(&f.signer, &signed_digest(Digest::of_bytes(&altered)).0);
        altered.extend_from_slice(&signature.to_bytes());
        assert_eq!(f.open(&altered).unwrap_err(), EnvelopeError::NotForThisKey);
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
    for claimed in [u64::MAX, u64::MAX - 16, 1 << 40, 0] {
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
