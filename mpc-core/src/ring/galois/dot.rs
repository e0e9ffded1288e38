//! Inner products of vectors over the Galois ring.

use super::super::lanes::{LANES, Octet, octets, octets_mut, vectorised};
use super::super::scratch::Scratch;
use super::super::simd::Level;
use super::GaloisRing;
use super::karatsuba::{MAX_VALUES, halves};
use crate::share::Words;

/// An inner product that grows; put together and reduced at the end.
pub struct Dot<const D: usize> {
    /// Sums of products of parts, eight lanes.
    sums: Words,
}

impl<const D: usize> Default for Dot<D> {
    fn default() -> Dot<D> {
        Dot { sums: Words::zeroed(GaloisRing::<D>::SUMS * LANES) }
    }
}

impl<const D: usize> Dot<D> {
    /// Adds the inner product of two vectors in octets.
    ///
    /// # Panics
    /// If the lengths differ or are not those of whole octets.
    pub fn add(&mut self, x: &[u64], y: &[u64]) {
        assert!(x.len() == y.len() && x.len().is_multiple_of(LANES * D), "vectors of equal length");
        let mut scratch = Scratch::take();
        let values = scratch.octets::<{ 2 * MAX_VALUES }>();
        add_products::<D>(Level::best(), &mut self.sums, x, y, values);
    }

    /// The inner product.
    pub fn finish(mut self) -> [u64; D] {
        assemble::<D>(Level::best(), &mut self.sums);
        std::array::from_fn(|j| {
            self.sums[j * LANES..][..LANES].iter().fold(0, |sum: u64, x| sum.wrapping_add(*x))
        })
    }
}

vectorised! {
    fn add_products<const D: usize>(
        simd, sums: &mut [u64], x: &[u64], y: &[u64], values: &mut [Octet; 2 * MAX_VALUES],
    ) {
        let sums = octets_mut(sums);
        let [x_values, y_values] = halves(values);
        for (x, y) in octets(x).chunks_exact(D).zip(octets(y).chunks_exact(D)) {
            GaloisRing::<D>::evaluate(simd, x_values, x);
            GaloisRing::<D>::evaluate(simd, y_values, y);
            GaloisRing::<D>::add_products(simd, sums, x_values, y_values);
        }
    }
}

vectorised! {
    fn assemble<const D: usize>(simd, sums: &mut [u64]) {
        GaloisRing::<D>::assemble(simd, octets_mut(sums));
    }
}
