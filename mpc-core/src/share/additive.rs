//! 3-of-3 sharings: what is left after a local product, and nothing else.

use super::Words;
use crate::ring::Ring;
use std::marker::PhantomData;

/// `z = z_0 + z_1 + z_2` where `P_i` holds `z_i` alone, a matrix in row-major order.
///
/// The words are a function of replicated shares without a mask: sending them as
/// they are would reveal secrets. They leave a party only through re-sharing.
#[must_use = "a product has to be re-shared"]
pub struct Additive<R: Ring> {
    shape: [usize; 2],
    words: Words,
    ring: PhantomData<R>,
}

impl<R: Ring> Additive<R> {
    /// Takes the local part `z_i` of a product of the given shape.
    ///
    /// # Panics
    /// If the number of words is not rows times columns.
    pub fn new(shape: [usize; 2], words: Words) -> Self {
        assert_eq!(words.len(), shape[0] * shape[1], "one word an element");
        Self { shape, words, ring: PhantomData }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The un-masked words: for the re-sharing alone.
    pub fn into_words(self) -> Words {
        self.words
    }
}

/// `z = z_0 ^ z_1 ^ z_2` over bit planes, where `P_i` holds `z_i` alone.
#[must_use = "a product has to be re-shared"]
pub struct AdditiveBits {
    lanes: usize,
    planes: usize,
    words: Words,
}

impl AdditiveBits {
    /// Takes the local part of an AND of `planes` planes of `lanes` bits.
    pub fn new(lanes: usize, planes: usize, words: Words) -> Self {
        assert_eq!(words.len(), planes * lanes.div_ceil(64), "whole planes");
        Self { lanes, planes, words }
    }

    /// Bits in a plane.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Number of planes.
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// The un-masked words: for the re-sharing alone.
    pub fn into_words(self) -> Words {
        self.words
    }
}
