//! The three components of a shared tensor.

use crate::digest::{Canonical, Digest};
use crate::envelope::{EnvelopeError, Opener, Sealer};
use mpc_core::party::PartyId;
use mpc_core::share::Words;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng, SeedableRng};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// The component that travels as words; the others travel as seeds.
const EXPLICIT: usize = 2;
/// Bytes of a seed or a blind.
const SECRET_BYTES: usize = 32;
/// Words that are turned into bytes or back at a time.
const BLOCK_WORDS: usize = 8192;

/// The seed of a component, or the blind of a commitment: 32 secret bytes.
pub struct Seed(Zeroizing<[u8; SECRET_BYTES]>);

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

/// One component as a party receives it.
pub enum Component {
    /// The seed that expands to its words.
    Seed(Seed),
    /// Its words.
    Explicit(Words),
}

impl Component {
    /// Reads component `index` of `words` words and its commitment.
    pub(super) fn read<R: Read>(
        from: &mut Opener<R>,
        index: usize,
        words: usize,
    ) -> Result<(Self, Digest), EnvelopeError> {
        let secret = Seed::read(from)?;
        if index != EXPLICIT {
            let commitment = secret.commitment(index);
            return Ok((Component::Seed(secret), commitment));
        }
        let mut all = Words::zeroed(words);
        let mut hash = WordHash::default();
        let mut bytes = Zeroizing::new(vec![0; 8 * BLOCK_WORDS]);
        for block in all.chunks_mut(BLOCK_WORDS) {
            let bytes = &mut bytes[..8 * block.len()];
            from.read(bytes)?;
            hash.update(bytes);
            for (word, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        Ok((Component::Explicit(all), secret.blinded(index, hash)))
    }

    /// All words of the component, of which there are `words`.
    pub fn into_words(self, words: usize) -> Words {
        match self {
            Component::Seed(seed) => {
                let mut stream = seed.stream();
                (0..words).map(|_| stream.next_word()).collect()
            }
            Component::Explicit(words) => words,
        }
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Component::Seed(_) => "Component(seed withheld)",
            Component::Explicit(_) => "Component(words withheld)",
        })
    }
}

/// The two components that a party holds, in the order of its payload.
pub(super) fn held_by(party: PartyId) -> [usize; 2] {
    [party.index(), party.next().index()]
}

/// Bytes of component `index` of `words` words in a payload.
pub(super) fn encoded_length(index: usize, words: u64) -> u64 {
    SECRET_BYTES as u64 + if index == EXPLICIT { 8 * words } else { 0 }
}
