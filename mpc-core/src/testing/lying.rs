//! A party that lies consistently: it adds an error to its part of a product, and from
//! then on keeps and sends what follows from it.

use crate::ctx::Ctx;
use crate::security::{Product, Recorder, Security, Unverified, sealed};
use std::ops::Range;

/// The malicious mode, in which a party can be told to lie.
#[derive(Clone, Copy, Debug)]
pub struct Lying;

impl sealed::Sealed for Lying {}

impl Security for Lying {
    type Recorder = Liar;
    const VERIFIED: bool = true;
    const NAME: &'static str = "lying";
}

/// Which product is made wrong, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// How many products the party re-shares, or puts in, before.
    pub product: u64,
    /// The word that gets the error, modulo the number of words.
    pub word: usize,
    /// `2^bit` is added to it, or the nearest power of two that counts.
    pub bit: u32,
}

/// Records products like the malicious mode, and lies where it was told to.
#[derive(Default)]
pub struct Liar {
    honest: Unverified,
    reshared: u64,
    lie: Option<Lie>,
}

impl Recorder for Liar {
    fn record(&mut self, product: impl FnOnce() -> Product) {
        self.honest.record(product);
    }

    fn begin_verification(&mut self) -> Option<Vec<Product>> {
        self.honest.begin_verification()
    }

    fn end_verification(&mut self) {
        self.honest.end_verification();
    }

    fn is_verified(&self) -> bool {
        self.honest.is_verified()
    }

    fn waiting(&self) -> usize {
        self.honest.waiting()
    }

    fn is_verifying(&self) -> bool {
        self.honest.is_verifying()
    }

    fn deviate(&mut self, local: &mut [u64], bits: Range<u32>) {
        if local.is_empty() || bits.is_empty() {
            return;
        }
        if let Some(lie) = self.lie.filter(|lie| lie.product == self.reshared) {
            let word = lie.word % local.len();
            let error = 1 << lie.bit.clamp(bits.start, bits.end - 1);
            local[word] = local[word].wrapping_add(error);
        }
        self.reshared += 1;
    }
}

impl Ctx<Lying> {
    /// Lets this party lie once, in a product that is still to come.
    pub fn lie(&self, lie: Lie) {
        self.recorder().lie = Some(lie);
    }

    /// Goes on after a failed verification, which ends any other session.
    pub fn forgive(&self) {
        self.recorder().honest = Unverified::default();
    }

    /// How many products this party has re-shared, or put in, in this session.
    pub fn reshared(&self) -> u64 {
        self.recorder().reshared
    }
}
