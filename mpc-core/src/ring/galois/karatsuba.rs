//! Products of polynomials, eight pairs at a time, by Karatsuba's method.
//!
//! A polynomial of `D` coefficients is cut in halves, each half again and so on. So it is
//! a multilinear polynomial in the powers of `X` that separate them, with the parts as
//! coefficients, and a product takes `3^levels` products of parts (`evaluate`) instead of
//! `4^levels`. To put these together is linear: sums of products are added up before.

use super::super::lanes::{Octet, Ring, Simd, WORDS};
use super::GaloisRing;

/// Octets of the values of a factor, at most.
pub(super) const MAX_VALUES: usize = 27 * 6;

/// Room for the values of two factors.
#[inline(always)]
pub(super) fn halves(values: &mut [Octet; 2 * MAX_VALUES]) -> [&mut [Octet; MAX_VALUES]; 2] {
    let (left, right) = values.as_mut_slice().split_at_mut(MAX_VALUES);
    [left, right].map(|half| half.first_chunk_mut().expect("one half"))
}

impl<const D: usize> GaloisRing<D> {
    /// How many times a polynomial is cut in halves.
    const LEVELS: usize = match D {
        48 => 3,
        _ => 0,
    };
    /// Coefficients of a part.
    const PART: usize = D >> Self::LEVELS;
    /// Products of parts.
    const PARTS: usize = 3usize.pow(Self::LEVELS as u32);
    /// Octets of all sums of products of parts: `2 PART` each, of which the last is zero, so
    /// that the sums of two parts side by side are a sum of twice the length.
    pub(super) const SUMS: usize = Self::PARTS * 2 * Self::PART;

    /// The values of eight polynomials whose products take the place of theirs.
    #[inline(always)]
    pub(super) fn evaluate<S: Simd>(simd: S, values: &mut [Octet; MAX_VALUES], x: &[Octet]) {
        let x: &[Octet; D] = x.first_chunk().expect("D coefficients");
        for at in 0..Self::PART {
            if Self::LEVELS == 0 {
                simd.store(&mut values[at], simd.load(&x[at]));
                continue;
            }
            let mut corners = [simd.splat(0); 8];
            for (corner, value) in corners.iter_mut().enumerate() {
                *value = simd.load(&x[corner * Self::PART + at]);
            }
            let ring = Ring::<S, WORDS>(simd);
            let [a, b, c, d, e, f, g, h] = corners;
            let (low, high) =
                (ring.at_nine_points([a, b, c, d]), ring.at_nine_points([e, f, g, h]));
            for (point, (low, high)) in low.into_iter().zip(high).enumerate() {
                for (third, value) in [low, high, simd.sub(high, low)].into_iter().enumerate() {
                    simd.store(&mut values[(9 * third + point) * Self::PART + at], value);
                }
            }
        }
    }

    /// Adds the products of values to sums of such.
    #[inline(always)]
    pub(super) fn add_products<S: Simd>(
        simd: S,
        sums: &mut [Octet],
        x: &[Octet; MAX_VALUES],
        y: &[Octet; MAX_VALUES],
    ) {
        let sums = sums.chunks_exact_mut(2 * Self::PART);
        let (x, y) = (x.chunks_exact(Self::PART), y.chunks_exact(Self::PART));
        for ((sums, x), y) in sums.zip(x).zip(y) {
            match D {
                48 => add_product::<S, 6>(simd, sums, x, y),
                _ => add_product::<S, 4>(simd, sums, x, y),
            }
        }
    }

    /// Puts eight polynomials modulo `h` together from sums of products of their values, in
    /// place: they are the first `D` octets.
    #[inline(always)]
    pub(super) fn assemble<S: Simd>(simd: S, sums: &mut [Octet]) {
        let (mut part, mut stride) = (Self::PART, 2 * Self::PART);
        while part < D {
            let len = 2 * part;
            for node in sums[..Self::SUMS].chunks_exact_mut(3 * stride) {
                // One after the other come the products of lower parts, of upper parts, and of
                // the differences.
                let (product, differences) = node.split_at_mut(2 * stride);
                product.copy_within(stride..stride + len, len);
                for i in 0..len {
                    let both = simd.add(simd.load(&product[i]), simd.load(&product[len + i]));
                    let middle = simd.sub(both, simd.load(&differences[i]));
                    simd.store(&mut differences[i], middle);
                }
                for (to, middle) in product[part..].iter_mut().zip(&differences[..len]) {
                    simd.store(to, simd.add(simd.load(to), simd.load(middle)));
                }
            }
            part *= 2;
            stride *= 3;
        }
        Self::reduce_octets(simd, sums);
    }

    /// Reduces eight polynomials of `2 D - 1` coefficients.
    #[inline(always)]
    pub(super) fn reduce_octets<S: Simd>(simd: S, product: &mut [Octet]) {
        Self::reduce(Ring::<S, WORDS>(simd), product);
    }
}

/// Adds the product of two polynomials of `N` coefficients to `sums`, coefficient by coefficient.
#[inline(always)]
fn add_product<S: Simd, const N: usize>(simd: S, sums: &mut [Octet], x: &[Octet], y: &[Octet]) {
    let mut factors = [simd.factor(simd.splat(0)); N];
    for (factor, y) in factors.iter_mut().zip(y) {
        *factor = simd.factor(simd.load(y));
    }
    let x: &[Octet; N] = x.first_chunk().expect("N coefficients");
    let sums = &mut sums[..2 * N - 1];
    // Bounds that are constant: the loops are unrolled.
    for (k, to) in sums.iter_mut().enumerate() {
        let mut sum = simd.no_products();
        for (i, x) in x.iter().enumerate() {
            if i <= k && k - i < N {
                sum = simd.add_product(sum, simd.load(x), factors[k - i]);
            }
        }
        simd.store(to, simd.add_sum(simd.load(to), sum));
    }
}
