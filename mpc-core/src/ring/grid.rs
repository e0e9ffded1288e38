//! Multilinear polynomials on the grid `{0, 1, oo}^v`, over words and over bits.
//!
//! `2^v` vectors are the values at the corners of a polynomial in `v` variables; its value
//! 'at infinity' in a variable is the leading coefficient, the difference of the values at
//! 1 and 0. Points are numbered in base 3, the digit 2 standing for infinity; the first
//! variable is the highest digit.

pub use super::lanes::LANES;
use super::lanes::{
    BITS, Octet, Plain, Ring, Simd, Subtract, WORDS, octets, octets_mut, vectorised,
};
use super::scratch::Scratch;
use super::simd::{Level, multiversion};

/// The most variables of [`multiply_words`] and [`multiply_bits`].
pub const MAX_VARIABLES: usize = 6;

/// Variables whose points are expanded together: what is expanded stays in the first-level
/// cache.
const INNER_VARIABLES: usize = MAX_VARIABLES - 1;

/// Points of the grid in these.
const INNER_POINTS: usize = points(INNER_VARIABLES);

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

/// [`expand_words`] in a kernel.
#[inline(always)]
pub(super) fn expand_octets<S: Simd>(simd: S, values: &mut [Octet], variables: usize) {
    let vector = values.len() / points(variables);
    expand(Ring::<S, WORDS>(simd), values, vector, variables);
}

/// A product of polynomials: a factor, and one or two that are added up to the other one.
pub type Term<'a> = (&'a [u64], &'a [&'a [u64]]);

/// Sums of products of polynomials at some points, for eight columns at a time.
///
/// A factor is given by its values at the corners: for each octet of columns, an octet a
/// corner. `out` has room for some octets for each octet of columns: the last
/// ones get the products, one a point. The points are in ascending order, which is not checked
/// in a release.
///
/// # Panics
/// If there are more than `2^MAX_VARIABLES` corners, or a length does not fit.
pub fn multiply_words(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    check(out, at, corners, terms);
    multiply::<WORDS>(Level::best(), out, at, corners, terms, Scratch::take().octets());
}

/// As [`multiply_words`], over the bits of words.
///
/// # Panics
/// As [`multiply_words`].
pub fn multiply_bits(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    check(out, at, corners, terms);
    multiply::<BITS>(Level::best(), out, at, corners, terms, Scratch::take().octets());
}

fn check(out: &[u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    assert!(corners.is_power_of_two() && corners <= 1 << MAX_VARIABLES, "{corners} corners");
    let len = terms.first().map_or(0, |(x, _)| x.len());
    for (x, y) in terms {
        assert!((1..=2).contains(&y.len()), "one or two parts of a factor");
        assert!(x.len() == len && y.iter().all(|y| y.len() == len), "operands differ in length");
    }
    assert!(len.is_multiple_of(corners * LANES), "octets of columns");
    let columns = len / corners;
    assert!(out.len().is_multiple_of(columns.max(1)), "octets for each octet of columns");
    assert!(out.len() >= at.len() * columns, "one octet a point");
    debug_assert!(at.is_sorted(), "points in ascending order");
    debug_assert!(at.iter().all(|at| *at < points(corners.ilog2() as usize)), "points of the grid");
}

vectorised! {
    fn multiply<const KIND: usize>(
        simd, out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>],
        values: &mut [Octet; 2 * INNER_POINTS],
    ) {
        let ring = Ring::<S, KIND>(simd);
        let (left, right) = values.split_at_mut(INNER_POINTS);
        let columns = terms.first().map_or(0, |(x, _)| x.len() / corners / LANES);
        let room = (out.len() / LANES / columns.max(1)).max(1);
        let out = octets_mut(out).chunks_exact_mut(room).take(columns);
        for (column, mut out) in out.enumerate() {
            let mut at = at;
            let column = column * corners..(column + 1) * corners;
            out = &mut out[room - at.len()..];
            let inner = corners.min(1 << INNER_VARIABLES);
            // The variables before the inner ones, point by point.
            for outer in 0..points((corners / inner).ilog2() as usize) {
                let first = outer * points(inner.ilog2() as usize);
                let end = at.partition_point(|at| *at < first + points(inner.ilog2() as usize));
                let (here, beyond) = at.split_at(end);
                let (products, rest) = out.split_at_mut(end);
                (at, out) = (beyond, rest);
                let part = Part { ring, outer, inner };
                for (term, (x, y)) in terms.iter().enumerate() {
                    let more = y.get(1).map(|y| &octets(y)[column.clone()]);
                    part.evaluate(left, &octets(x)[column.clone()], None);
                    part.evaluate(right, &octets(y[0])[column.clone()], more);
                    for (&point, out) in here.iter().zip(&mut *products) {
                        let (x, y) = (&left[point - first], &right[point - first]);
                        let product = ring.mul(simd.load(x), simd.load(y));
                        let sum = match term {
                            0 => product,
                            _ => ring.add(simd.load(out), product),
                        };
                        simd.store(out, sum);
                    }
                }
            }
        }
    }
}

/// What is left of a polynomial at a point of the outer variable.
struct Part<S: Simd, const KIND: usize> {
    ring: Ring<S, KIND>,
    outer: usize,
    /// How many corners it has.
    inner: usize,
}

impl<S: Simd, const KIND: usize> Part<S, KIND> {
    /// The value at a corner, from those of the whole polynomial.
    #[inline(always)]
    fn value(&self, corners: &[Octet], corner: usize) -> S::Vector {
        let Part { ring, inner, .. } = self;
        match self.outer {
            0 => ring.0.load(&corners[corner]),
            1 => ring.0.load(&corners[inner + corner]),
            _ => ring.sub(ring.0.load(&corners[inner + corner]), ring.0.load(&corners[corner])),
        }
    }

    /// The value at a corner of a polynomial, or of a sum of two.
    #[inline(always)]
    fn sum(&self, x: &[Octet], y: Option<&[Octet]>, corner: usize) -> S::Vector {
        let x = self.value(x, corner);
        match y {
            Some(y) => self.ring.add(x, self.value(y, corner)),
            None => x,
        }
    }

    /// A polynomial, or a sum of two, given at the corners, at all points.
    #[inline(always)]
    fn evaluate(&self, values: &mut [Octet], x: &[Octet], y: Option<&[Octet]>) {
        let Part { ring, inner, .. } = *self;
        let (simd, variables) = (ring.0, inner.ilog2() as usize);
        if variables < 2 {
            for corner in 0..inner {
                simd.store(&mut values[corner_point(corner)], self.sum(x, y, corner));
            }
            return expand(ring, values, 1, variables);
        }
        // The last two variables at once, in registers.
        for block in 0..inner / 4 {
            let (a, b) = (self.sum(x, y, 4 * block), self.sum(x, y, 4 * block + 1));
            let (c, d) = (self.sum(x, y, 4 * block + 2), self.sum(x, y, 4 * block + 3));
            let to = &mut values[9 * corner_point(block)..][..9];
            let rows = [[a, b], [c, d], [ring.sub(c, a), ring.sub(d, b)]];
            for (to, [low, high]) in to.chunks_exact_mut(3).zip(rows) {
                simd.store(&mut to[0], low);
                simd.store(&mut to[1], high);
                simd.store(&mut to[2], ring.sub(high, low));
            }
        }
        expand(ring, values, 9, variables - 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The value at a point, straight from the definition.
    fn at_point(corners: &[u64], digits: &[usize], subtract: fn(u64, u64) -> u64) -> u64 {
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

    fn digits(point: usize, variables: usize) -> Vec<usize> {
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

        #[test]
        fn products_follow_the_definition(
            variables in 0usize..=MAX_VARIABLES, octets in 0usize..3, seed: [Octet; 4], every in 1usize..4,
        ) {
            let corners = 1 << variables;
            let operand = |which: usize| -> Vec<u64> {
                let word = |i: usize| seed[which][i % LANES].rotate_left(i as u32).wrapping_mul(i as u64 | 1);
                (0..octets * corners * LANES).map(word).collect()
            };
            let [x0, x1, y0, y1] = [0, 1, 2, 3].map(operand);
            let at: Vec<usize> = (0..points(variables)).step_by(every).collect();
            let value = |operand: &[u64], octet: usize, lane: usize, point: usize, subtract| {
                let corner = |corner: usize| operand[(octet * corners + corner) * LANES + lane];
                let corners: Vec<u64> = (0..corners).map(corner).collect();
                at_point(&corners, &digits(point, variables), subtract)
            };
            for level in Level::available() {
                let mut products = vec![1; octets * at.len() * LANES];
                let mut ands = products.clone();
                let terms: [Term<'_>; 2] = [(&x0, &[&y0, &y1]), (&x1, &[&y0])];
                multiply::<WORDS>(level, &mut products, &at, corners, &terms, Scratch::take().octets());
                multiply::<BITS>(level, &mut ands, &at, corners, &terms, Scratch::take().octets());
                for (i, (product, and)) in products.into_iter().zip(ands).enumerate() {
                    let (octet, point, lane) = (i / LANES / at.len(), at[i / LANES % at.len()], i % LANES);
                    let of = |operand: &[u64]| value(operand, octet, lane, point, u64::wrapping_sub);
                    let sum = of(&y0).wrapping_add(of(&y1));
                    let expected = of(&x0).wrapping_mul(sum).wrapping_add(of(&x1).wrapping_mul(of(&y0)));
                    prop_assert_eq!(product, expected);
                    let of = |operand: &[u64]| value(operand, octet, lane, point, |x, y| x ^ y);
                    let expected = of(&x0) & (of(&y0) ^ of(&y1)) ^ of(&x1) & of(&y0);
                    prop_assert_eq!(and, expected);
                }
            }
        }
    }
}
