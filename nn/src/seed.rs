//! The public seed that all parties agree on, and the random streams drawn from it.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::fmt;

/// A seed that all parties know; it decides initial weights, the order of rows and what dropout leaves out.
///
/// Nothing that has to stay secret may depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// What random numbers are for: streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Initial weights of the layer of this index.
    Initial(u32),
    /// Order of the rows in the epoch of this index.
    Order(u32),
    /// What a layer of this index leaves out in a step of this number.
    Dropout {
        /// Index of the layer.
        layer: u32,
        /// Steps before it.
        step: u32,
    },
    /// Which rows are kept back.
    Validation,
}

/// Streams of dropout, one kind a layer, come after all others.
const FIRST_DROPOUT: u64 = 1 << 16;

impl Seed {
    /// A seed out of a number that a person can type.
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Seed(bytes)
    }

    /// The stream of random numbers for one purpose, the same on every platform.
    pub(crate) fn stream(&self, purpose: Purpose) -> ChaCha20Rng {
        let (kind, index) = match purpose {
            Purpose::Initial(layer) => (0, layer),
            Purpose::Order(epoch) => (1, epoch),
            Purpose::Dropout { layer, step } => (FIRST_DROPOUT + u64::from(layer), step),
            Purpose::Validation => (2, 0),
        };
        let mut stream = ChaCha20Rng::from_seed(self.0);
        stream.set_stream(kind << 32 | u64::from(index));
        stream
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
