//! Buffers of secret words.

use super::pool;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A buffer of secret words: wiped when dropped, never printed.
#[derive(Clone, Default)]
pub struct Words(Vec<u64>);

impl Words {
    /// `len` words, all zero.
    pub fn zeroed(len: usize) -> Words {
        Words(pool::zeroed(len))
    }
}

impl From<Vec<u64>> for Words {
    fn from(words: Vec<u64>) -> Words {
        Words(words)
    }
}

impl FromIterator<u64> for Words {
    fn from_iter<I: IntoIterator<Item = u64>>(words: I) -> Words {
        Words(words.into_iter().collect())
    }
}

impl Deref for Words {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // A plain fill is a fast memset; the barrier keeps it from being optimised away.
        self.0.fill(0);
        zeroize::optimization_barrier(self.0.as_slice());
        pool::keep(std::mem::take(&mut self.0));
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} secret)", self.0.len())
    }
}
