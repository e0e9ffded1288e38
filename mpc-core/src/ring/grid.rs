//! Multilinear polynomials on the grid `{0, 1, oo}^v`, over words and over bits.
//!
//! `2^v` vectors are the values at the corners of a polynomial in `v` variables; its value
//! 'at infinity' in a variable is the leading coefficient, the difference of the values at
//! 1 and 0. Points are numbered in base 3, the digit 2 standing for infinity; the first
//! variable is the highest digit.

mod products;

pub use super::lanes::LANES;
pub use products::{Term, multiply_bits, multiply_words};

use super::lanes::{BITS, Plain, Ring, Simd, Subtract, WORDS, octets, octets_mut, vectorised};
use super::simd::{Level, multiversion};

/// The most variables of [`multiply_words`] and [`multiply_bits`].
pub const MAX_VARIABLES: usize = 6;

/// Number of points.
pub const fn points(variables: usize) -> usize {
    3usize.pow(variables as u32)
}

/// The point whose digits are the bits of `corner`.
#[inline(always)]
pub const fn corner_point(corner: usize) -> usize {
    let (mut point, mut power, mut rest) = (0, 1, corner);
    while rest > 0 {
        point += power * (rest & 1);
        power *= 3;
        rest >>= 1;
    }
    point
}

/// Overwrites `values` with the vectors at all points, from those at the corners; over words.
///
/// # Panics
/// If there are no `2^v` corners, `v >= 1`, or these are not vectors of equal length, a multiple
/// of 8 words.
pub fn expand_words(values: &mut [u64], corners: &[&[u64]]) {
    assert!(check_corners(values, corners).is_multiple_of(LANES), "vectors of octets");
    words(Level::best(), values, corners);
}

/// As [`expand_words`], over the bits of words; vectors of any length.
///
/// # Panics
/// If there are no `2^v` corners, `v >= 1`, or the vectors are not of equal length.
pub fn expand_bits(values: &mut [u64], corners: &[&[u64]]) {
    check_corners(values, corners);
    bits(Level::best(), values, corners);
}

/// Words of a vector.
fn check_corners(values: &[u64], corners: &[&[u64]]) -> usize {
    assert!(corners.len().is_power_of_two() && corners.len() > 1, "{} corners", corners.len());
    let len = values.len() / points(corners.len().ilog2() as usize);
    assert_eq!(values.len(), len * points(corners.len().ilog2() as usize), "a vector a point");
    assert!(corners.iter().all(|corner| corner.len() == len), "vectors of equal length");
    len
}

vectorised! {
    fn words(simd, values: &mut [u64], corners: &[&[u64]]) {
        expand_corners(Ring::<S, WORDS>(simd), octets_mut(values), corners, octets);
    }
}

multiversion! {
    fn bits(values: &mut [u64], corners: &[&[u64]]) {
        expand_corners(Ring::<Plain, BITS>(Plain), values, corners, |words| words);
    }
}

/// From vectors at the corners, which `read` reads, those at all points.
#[inline(always)]
fn expand_corners<T: Copy>(
    ring: impl Subtract<T>,
    values: &mut [T],
    corners: &[&[u64]],
    read: impl Fn(&[u64]) -> &[T],
) {
    let (pairs, _) = corners.as_chunks::<2>();
    let len = values.len() / points(corners.len().ilog2() as usize);
    // The last variable while the corners are read.
    for (number, pair) in pairs.iter().enumerate() {
        let start = 3 * len * corner_point(number);
        let (low, rest) = values[start..start + 3 * len].split_at_mut(len);
        let (high, leading) = rest.split_at_mut(len);
        let [x, y] = pair.map(|corner| &read(corner)[..len]);
        for i in 0..len {
            (low[i], high[i]) = (x[i], y[i]);
            ring.subtract(&mut leading[i], &high[i], &low[i]);
        }
    }
    expand(ring, values, 3 * len, pairs.len().ilog2() as usize);
}

/// From the values at the corners those at all points; the last variables may be done
/// already, whose points are then a vector of `third` values.
#[inline(always)]
fn expand<T>(ring: impl Subtract<T>, values: &mut [T], mut third: usize, variables: usize) {
    for variable in (0..variables).rev() {
        // The variables after this one are done; for those before it only corners are known.
        for corner in 0..1 << variable {
            let start = 3 * third * corner_point(corner);
            let (low, rest) = values[start..start + 3 * third].split_at_mut(third);
            let (high, leading) = rest.split_at_mut(third);
            for ((leading, high), low) in leading.iter_mut().zip(high).zip(low) {
                ring.subtract(leading, high, low);
            }
        }
        third *= 3;
    }
}

/// Overwrites `to` with the coefficients of polynomials, from their values at so many corners, for
/// each octet of columns an octet a corner: the coefficient number `a` is that of the product of the
/// variables whose bits `a` has.
///
/// # Panics
/// If there are not whole octets of columns, or a length does not fit.
pub fn coefficients_of_words(to: &mut [u64], corners: &[u64], count: usize) {
    check_octets(to, corners, count);
    coefficients::<WORDS>(Level::best(), to, corners, count);
}

/// As [`coefficients_of_words`], over the bits of words.
///
/// # Panics
/// As [`coefficients_of_words`].
pub fn coefficients_of_bits(to: &mut [u64], corners: &[u64], count: usize) {
    check_octets(to, corners, count);
    coefficients::<BITS>(Level::best(), to, corners, count);
}

fn check_octets(to: &[u64], corners: &[u64], count: usize) {
    assert!(count.is_power_of_two() && corners.len().is_multiple_of(count * LANES), "octets");
    assert_eq!(to.len(), corners.len(), "as many coefficients as corners");
}

vectorised! {
    fn coefficients<const KIND: usize>(simd, to: &mut [u64], corners: &[u64], count: usize) {
        let ring = Ring::<S, KIND>(simd);
        let corners = octets(corners).chunks_exact(count);
        for (to, corners) in octets_mut(to).chunks_exact_mut(count).zip(corners) {
            // The last variable while the corners are read.
            let ((to_pairs, _), (pairs, _)) = (to.as_chunks_mut::<2>(), corners.as_chunks::<2>());
            for ([low, high], [x, y]) in to_pairs.iter_mut().zip(pairs) {
                simd.store(low, simd.load(x));
                ring.subtract(high, y, x);
            }
            if let ([to], [x]) = (&mut *to, corners) {
                *to = *x;
            }
            let mut half = 2;
            while half < count {
                for both in to.chunks_exact_mut(2 * half) {
                    let (low, high) = both.split_at_mut(half);
                    for (high, low) in high.iter_mut().zip(low) {
                        ring.subtract_from(high, low);
                    }
                }
                half *= 2;
            }
        }
    }
}

impl<S: Simd, const KIND: usize> Ring<S, KIND> {
    /// From the values at the four corners of a polynomial in two variables those at all points,
    /// in registers.
    #[inline(always)]
    pub(super) fn at_nine_points(self, [a, b, c, d]: [S::Vector; 4]) -> [S::Vector; 9] {
        let (e, f) = (self.sub(b, a), self.sub(d, c));
        [a, b, e, c, d, f, self.sub(c, a), self.sub(d, b), self.sub(f, e)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Octet;
    use super::*;
    use proptest::prelude::*;

    /// The value at a point, straight from the definition.
    pub(super) fn at_point(
        corners: &[u64],
        digits: &[usize],
        subtract: fn(u64, u64) -> u64,
    ) -> u64 {
        let Some((first, others)) = digits.split_first() else { return corners[0] };
        let (low, high) = corners.split_at(corners.len() / 2);
        match first {
            0 => at_point(low, others, subtract),
            1 => at_point(high, others, subtract),
            _ => {
                let [high, low] = [high, low].map(|half| at_point(half, others, subtract));
                subtract(high, low)
            }
        }
    }

    pub(super) fn digits(point: usize, variables: usize) -> Vec<usize> {
        (0..variables).rev().map(|digit| point / points(digit) % 3).collect()
    }

    proptest! {
        #[test]
        fn vectors_at_all_points_follow_the_definition(
            variables in 1usize..4, octets in 0usize..3, seed: Octet,
        ) {
            let len = LANES * octets;
            let word = |i: usize| seed[i % LANES].rotate_left(i as u32);
            let vectors: Vec<Vec<u64>> =
                (0..1 << variables).map(|at| (0..len).map(|i| word(i * 3 + at)).collect()).collect();
            let corners: Vec<&[u64]> = vectors.iter().map(|vector| &vector[..]).collect();
            let expected = |at: usize, i: usize, subtract| {
                let words: Vec<u64> = vectors.iter().map(|vector| vector[i]).collect();
                at_point(&words, &digits(at, variables), subtract)
            };
            for level in Level::available() {
                let mut of_words = vec![1; len * points(variables)];
                let mut of_bits = of_words.clone();
                words(level, &mut of_words, &corners);
                bits(level, &mut of_bits, &corners);
                for (at, (word, bit)) in of_words.into_iter().zip(of_bits).enumerate() {
                    let (point, i) = (at / len, at % len);
                    prop_assert_eq!(word, expected(point, i, u64::wrapping_sub));
                    prop_assert_eq!(bit, expected(point, i, |x, y| x ^ y));
                }
            }
        }

        /// A coefficient is the value at infinity in its variables, and at zero in the others.
        #[test]
        fn coefficients_are_leading(variables in 0usize..=MAX_VARIABLES, octets in 0usize..3, seed: Octet) {
            let corners = 1 << variables;
            let word = |i: usize| seed[i % LANES].rotate_left(i as u32).wrapping_mul(i as u64 | 1);
            let rows: Vec<u64> = (0..octets * corners * LANES).map(word).collect();
            for level in Level::available() {
                let (mut of_words, mut of_bits) = (vec![5; rows.len()], vec![5; rows.len()]);
                coefficients::<WORDS>(level, &mut of_words, &rows, corners);
                coefficients::<BITS>(level, &mut of_bits, &rows, corners);
                for at in 0..rows.len() {
                    let (octet, corner, lane) = (at / LANES / corners, at / LANES % corners, at % LANES);
                    let column = |corner: usize| rows[(octet * corners + corner) * LANES + lane];
                    let column: Vec<u64> = (0..corners).map(column).collect();
                    let digits = digits(2 * corner_point(corner), variables);
                    prop_assert_eq!(of_words[at], at_point(&column, &digits, u64::wrapping_sub));
                    prop_assert_eq!(of_bits[at], at_point(&column, &digits, |x, y| x ^ y));
                }
            }
        }
    }
}
