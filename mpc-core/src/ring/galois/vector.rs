//! Vectors over the Galois ring: folds, combinations, challenges element by element.

use super::super::lanes::{LANES, Octet, Simd, ZERO, octets, octets_mut, vectorised};
use super::super::scratch::Scratch;
use super::super::simd::Level;
use super::karatsuba::{MAX_SUMS, MAX_VALUES, halves};
use super::{GaloisRing, MAX_PRODUCT};

/// Values of factors, sums of their products, and eight challenges as elements.
type MulScratch<'a> =
    (&'a mut [Octet; 2 * MAX_VALUES], &'a mut [Octet; MAX_SUMS], &'a mut [Octet; MAX_PRODUCT]);

/// Coefficients of a product that are computed together: one vector register each.
const TILE: usize = 8;

impl<const D: usize> GaloisRing<D> {
    /// Overwrites `out` with `low + r * (high - low)` element by element, for a challenge `r`:
    /// the value at `r` of the line through both.
    ///
    /// # Panics
    /// If the lengths differ or are not those of whole octets.
    pub fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
        assert!(low.len() == high.len() && low.len().is_multiple_of(LANES * D), "equal halves");
        assert_eq!(out.len(), low.len(), "as long as a half");
        let mut scratch = Scratch::take();
        fold::<D>(Level::best(), out, low, high, r & Self::CHALLENGE_MASK, scratch.octets());
    }

    /// Multiplies each element of `x` by a challenge of its own.
    ///
    /// # Panics
    /// If there is not one challenge an element, or there are not whole octets.
    pub fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        assert!(x.len() == challenges.len() * D, "one challenge an element");
        assert!(challenges.len().is_multiple_of(LANES), "whole octets");
        let [mut values, mut sums, mut embedded] = [(); 3].map(|()| Scratch::take());
        let scratch = (values.octets(), sums.octets(), embedded.octets());
        mul_challenges::<D>(Level::best(), x, challenges, scratch);
    }

    /// Overwrites `out` with the linear combination of rows of words: an element a column,
    /// in octets. `rows` has, for each octet of columns, an octet a row; `weights` has an
    /// element a row.
    ///
    /// # Panics
    /// If there are not whole octets of columns, or a length does not fit.
    pub fn combine(out: &mut [u64], rows: &[u64], weights: &[u64]) {
        assert!(out.len().is_multiple_of(LANES * D) && weights.len().is_multiple_of(D), "octets");
        assert_eq!(rows.len(), out.len() / D * (weights.len() / D), "one weight a row");
        combine::<D>(Level::best(), out, rows, weights);
    }

    /// Element `index` of a vector in octets.
    ///
    /// # Panics
    /// If the vector is shorter.
    pub fn element(vector: &[u64], index: usize) -> [u64; D] {
        let octet = &vector[index / LANES * LANES * D..][..LANES * D];
        std::array::from_fn(|j| octet[j * LANES + index % LANES])
    }

    /// Overwrites the first `D` octets of `product` with eight elements, given with `TILE - 1`
    /// zeros either side, times the sum of `X^s` over some shifts.
    #[inline(always)]
    fn times_shifts<S: Simd>(simd: S, product: &mut [Octet], padded: &[Octet], shifts: &[u8]) {
        // Shifts from..to move some coefficient to the tile.
        let (mut from, mut to) = (0, 0);
        for (tile, out) in product[..2 * D].chunks_exact_mut(TILE).enumerate() {
            let start = tile * TILE;
            while to < shifts.len() && usize::from(shifts[to]) < start + TILE {
                to += 1;
            }
            while from < to && usize::from(shifts[from]) + D <= start {
                from += 1;
            }
            let mut sums = [simd.splat(0); TILE];
            for &shift in &shifts[from..to] {
                let x = &padded[start + TILE - 1 - usize::from(shift)..][..TILE];
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = simd.add(*sum, simd.load(x));
                }
            }
            for (out, sum) in out.iter_mut().zip(&sums) {
                simd.store(out, *sum);
            }
        }
        Self::reduce_octets(simd, product);
    }
}

vectorised! {
    fn fold<const D: usize>(
        simd, out: &mut [u64], low: &[u64], high: &[u64], r: u64,
        buffers: &mut [Octet; 2 * MAX_PRODUCT],
    ) {
        // Challenges are public, so to branch on them is safe.
        let mut shifts = [0; 64];
        let mut count = 0;
        for shift in (0..64).filter(|shift| r >> shift & 1 == 1) {
            shifts[count] = shift;
            count += 1;
        }
        let (padded, product) = buffers.split_at_mut(MAX_PRODUCT);
        padded[..TILE - 1].fill(ZERO);
        padded[TILE - 1 + D..].fill(ZERO);
        let (low, high) = (octets(low).chunks_exact(D), octets(high).chunks_exact(D));
        for (out, (low, high)) in octets_mut(out).chunks_exact_mut(D).zip(low.zip(high)) {
            for ((padded, low), high) in padded[TILE - 1..].iter_mut().zip(low).zip(high) {
                simd.store(padded, simd.sub(simd.load(high), simd.load(low)));
            }
            GaloisRing::<D>::times_shifts(simd, product, padded, &shifts[..count]);
            for ((out, low), product) in out.iter_mut().zip(low).zip(&*product) {
                simd.store(out, simd.add(simd.load(low), simd.load(product)));
            }
        }
    }
}

vectorised! {
    fn mul_challenges<const D: usize>(
        simd, x: &mut [u64], challenges: &[u64], scratch: MulScratch<'_>,
    ) {
        let (values, sums, embedded) = scratch;
        let [x_values, c_values] = halves(values);
        for (x, challenges) in octets_mut(x).chunks_exact_mut(D).zip(octets(challenges)) {
            for (j, embedded) in embedded[..D].iter_mut().enumerate() {
                *embedded = challenges.map(|challenge| challenge >> j & 1);
            }
            GaloisRing::<D>::evaluate(simd, x_values, x);
            GaloisRing::<D>::evaluate(simd, c_values, embedded);
            GaloisRing::<D>::multiply::<_, false>(simd, sums, x_values, c_values);
            GaloisRing::<D>::assemble(simd, sums);
            for (x, product) in x.iter_mut().zip(&*sums) {
                simd.store(x, simd.load(product));
            }
        }
    }
}

vectorised! {
    fn combine<const D: usize>(simd, out: &mut [u64], rows: &[u64], weights: &[u64]) {
        match D {
            48 => combine_tiles::<S, D, 12>(simd, out, rows, weights),
            _ => combine_tiles::<S, D, 4>(simd, out, rows, weights),
        }
    }
}

/// [`GaloisRing::combine`], `WIDE` coefficients of two octets at a time.
#[inline(always)]
fn combine_tiles<S: Simd, const D: usize, const WIDE: usize>(
    simd: S,
    out: &mut [u64],
    rows: &[u64],
    weights: &[u64],
) {
    let count = weights.len() / D;
    for (out, rows) in octets_mut(out).chunks_mut(2 * D).zip(octets(rows).chunks(2 * count)) {
        match out.len() / D {
            2 => combine_octets::<S, D, WIDE, 2>(simd, out, rows, weights),
            _ => combine_octets::<S, D, WIDE, 1>(simd, out, rows, weights),
        }
    }
}

/// [`combine_tiles`] of so many octets.
#[inline(always)]
fn combine_octets<S: Simd, const D: usize, const WIDE: usize, const OCTETS: usize>(
    simd: S,
    out: &mut [Octet],
    rows: &[Octet],
    weights: &[u64],
) {
    let count = weights.len() / D;
    for tile in (0..D).step_by(WIDE) {
        let mut sums = [[simd.splat(0); OCTETS]; WIDE];
        for (row, weights) in weights.chunks_exact(D).enumerate() {
            let mut x = [simd.splat(0); OCTETS];
            for (octet, x) in x.iter_mut().enumerate() {
                *x = simd.load(&rows[octet * count + row]);
            }
            for (sums, weight) in sums.iter_mut().zip(&weights[tile..tile + WIDE]) {
                let weight = simd.splat(*weight);
                for (sum, x) in sums.iter_mut().zip(&x) {
                    *sum = simd.add(*sum, simd.mul(*x, weight));
                }
            }
        }
        for (octet, out) in out.chunks_exact_mut(D).enumerate() {
            for (out, sums) in out[tile..tile + WIDE].iter_mut().zip(&sums) {
                simd.store(out, sums[octet]);
            }
        }
    }
}
