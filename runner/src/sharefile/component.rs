//! The three components of a shared tensor.

use super::ShareFileError;
use crate::digest::{Canonical, Digest};
use crate::envelope::{EnvelopeError, Opener, Sealer};
use mpc_core::party::PartyId;
use mpc_core::share::Words;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng, SeedableRng};
use sha2::{Digest as _, Sha256};
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// The component that travels as words; the others travel as seeds.
const EXPLICIT: usize = 2;
/// Bytes of a seed or a blind.
const SECRET_BYTES: usize = 32;
/// Words that are turned into bytes or back at a time.
const BLOCK_WORDS: usize = 8192;

/// The seed of a component, or the blind of a commitment: 32 secret bytes.
pub(super) struct Seed(Zeroizing<[u8; SECRET_BYTES]>);

impl Seed {
    pub(super) fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        Seed(bytes)
    }

    pub(super) fn write<W: Write>(&self, to: &mut Sealer<W>) -> Result<(), EnvelopeError> {
        to.write(self.0.as_ref())
    }

    fn read<R: Read>(from: &mut Opener<R>) -> Result<Self, EnvelopeError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        from.read(bytes.as_mut())?;
        Ok(Seed(bytes))
    }

    /// The words that the seed stands for, from the first on.
    pub(super) fn stream(&self) -> WordStream {
        WordStream(ChaCha20Rng::from_seed(*self.0))
    }

    /// Commits to component `index`, whose seed this is.
    pub(super) fn commitment(&self, index: usize) -> Digest {
        commitment(index).bytes(self.0.as_ref()).finish()
    }

    /// Commits to component `index` with these words, whose blind this is.
    pub(super) fn blinded(&self, index: usize, words: WordHash) -> Digest {
        commitment(index).bytes(self.0.as_ref()).bytes(&words.0.finalize()).finish()
    }
}

fn commitment(index: usize) -> Canonical {
    Canonical::new("tercet/component/1").number(index as u64)
}

/// The words of a component that is given by its seed: the output of ChaCha20,
/// eight little-endian bytes a word.
pub(super) struct WordStream(ChaCha20Rng);

impl WordStream {
    pub(super) fn next_word(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// The hash of a sequence of words.
#[derive(Default)]
pub(super) struct WordHash(Sha256);

impl WordHash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Reads component `index` of `words` words, hands them on, some at a time and in order, and returns
/// its commitment. A seed, which is short however many words it stands for, is only expanded if
/// `expand` says so.
pub(super) fn read<R: Read, E: From<ShareFileError>>(
    from: &mut Opener<R>,
    index: usize,
    words: usize,
    expand: bool,
    mut take: impl FnMut(&[u64]) -> Result<(), E>,
) -> Result<Digest, E> {
    let broken = |error: EnvelopeError| E::from(ShareFileError::from(error));
    let secret = Seed::read(from).map_err(broken)?;
    let mut block = Words::zeroed(words.min(BLOCK_WORDS));
    let lengths = (0..words).step_by(BLOCK_WORDS).map(|start| BLOCK_WORDS.min(words - start));
    if index != EXPLICIT {
        let mut stream = secret.stream();
        for length in lengths.take_while(|_| expand) {
            let block = &mut block[..length];
            block.iter_mut().for_each(|word| *word = stream.next_word());
            take(block)?;
        }
        return Ok(secret.commitment(index));
    }
    let mut hash = WordHash::default();
    let mut bytes = Zeroizing::new(vec![0; 8 * block.len()]);
    for length in lengths {
        let (block, bytes) = (&mut block[..length], &mut bytes[..8 * length]);
        from.read(bytes).map_err(broken)?;
        hash.update(bytes);
        for (word, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        take(block)?;
    }
    Ok(secret.blinded(index, hash))
}

/// The two components that a party holds, in the order of its payload.
pub(super) fn held_by(party: PartyId) -> [usize; 2] {
    [party.index(), party.next().index()]
}

/// Bytes of component `index` of `words` words in a payload.
pub(super) fn encoded_length(index: usize, words: u64) -> u64 {
    SECRET_BYTES as u64 + if index == EXPLICIT { 8 * words } else { 0 }
}
