//! Multilinear polynomials on the grid `{0, 1, oo}^v`, over words and over bits.
//!
//! `2^v` vectors are the values at the corners of a polynomial in `v` variables; its value
//! 'at infinity' in a variable is the leading coefficient, the difference of the values at
//! 1 and 0. Points are numbered in base 3, the digit 2 standing for infinity; the first
//! variable is the highest digit.

pub use super::lanes::LANES;
use super::lanes::{
    BITS, Octet, Plain, Ring, Simd, Subtract, WORDS, ZERO, octets, octets_mut, vectorised,
};
use super::scratch::Scratch;
use super::simd::{Level, multiversion};

/// The most variables of [`multiply_words`] and [`multiply_bits`].
pub const MAX_VARIABLES: usize = 6;

/// The last variables, whose points are computed in registers: four corners, nine points.
const LAST_VARIABLES: usize = 2;
const LAST_CORNERS: usize = 1 << LAST_VARIABLES;
const LAST_POINTS: usize = points(LAST_VARIABLES);

/// Variables before the last ones whose points are computed together, while the variable before
/// them has one value: so little is kept that it stays in the first-level cache.
const MIDDLE_VARIABLES: usize = 3;

/// What is kept of a factor: four corners for each point of the middle variables.
const MIDDLE: usize = points(MIDDLE_VARIABLES);
type LastCorners = [Octet; LAST_CORNERS];

/// Products that are added up, at most.
const MAX_TERMS: usize = 2;

/// What is kept of all factors.
const KEPT: usize = MAX_TERMS * 2 * MIDDLE * LAST_CORNERS;

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

/// A product of polynomials: a factor, and one or two that are added up to the other one.
pub type Term<'a> = (&'a [u64], &'a [&'a [u64]]);

/// Sums of products of polynomials at some points, for eight columns at a time.
///
/// A factor is given by its values at the corners: for each octet of columns, an octet a
/// corner. `out` has room for some octets for each octet of columns: the last
/// ones get the products, one a point. The points are in ascending order, none twice, which is not checked
/// in a release.
///
/// # Panics
/// If there are more than `2^MAX_VARIABLES` corners or two terms, or a length does not fit.
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
    assert!(terms.len() <= MAX_TERMS, "{} products", terms.len());
    let len = terms.first().map_or(0, |(x, _)| x.len());
    for (x, y) in terms {
        assert!((1..=2).contains(&y.len()), "one or two parts of a factor");
        assert!(x.len() == len && y.iter().all(|y| y.len() == len), "operands differ in length");
    }
    assert!(len.is_multiple_of(corners * LANES), "octets of columns");
    let columns = len / corners;
    assert!(out.len().is_multiple_of(columns.max(1)), "octets for each octet of columns");
    assert!(out.len() >= at.len() * columns, "one octet a point");
    debug_assert!(at.is_sorted_by(|a, b| a < b), "points in ascending order");
    debug_assert!(at.iter().all(|at| *at < points(corners.ilog2() as usize)), "points of the grid");
}

vectorised! {
    fn multiply<const KIND: usize>(
        simd, out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>],
        kept: &mut [Octet; KEPT],
    ) {
        let ring = Ring::<S, KIND>(simd);
        let variables = corners.ilog2() as usize;
        let middle = variables.saturating_sub(LAST_VARIABLES).min(MIDDLE_VARIABLES);
        let first = variables.saturating_sub(LAST_VARIABLES + MIDDLE_VARIABLES);
        // Which of the points belong to each point of the variables before the last ones.
        let last_points = points(variables.min(LAST_VARIABLES));
        let mut ends = [0; points(MAX_VARIABLES - LAST_VARIABLES)];
        for (block, end) in ends.iter_mut().enumerate() {
            *end = at.partition_point(|at| *at < (block + 1) * last_points);
        }
        let columns = terms.first().map_or(0, |(x, _)| x.len() / corners / LANES);
        let room = (out.len() / LANES / columns.max(1)).max(1);
        let out = octets_mut(out).chunks_exact_mut(room).take(columns);
        let (kept, _) = kept.as_chunks_mut::<LAST_CORNERS>();
        let (kept, _) = kept.as_chunks_mut::<MIDDLE>();
        let (kept, _) = kept.as_chunks_mut::<2>();
        for (column, out) in out.enumerate() {
            let column = column * corners..(column + 1) * corners;
            let out = &mut out[room - at.len()..];
            let mut begin = 0;
            for (block, &end) in ends[..points(first + middle)].iter().enumerate() {
                let (outer, inner) = (block / points(middle), block % points(middle));
                if inner == 0 {
                    let part = Part { ring, outer, corners: corners >> first };
                    for ([left, right], (x, y)) in kept.iter_mut().zip(terms) {
                        part.read(left, &octets(x)[column.clone()], None, middle);
                        let more = y.get(1).map(|y| &octets(y)[column.clone()]);
                        part.read(right, &octets(y[0])[column.clone()], more, middle);
                    }
                }
                let mut sums = [simd.splat(0); LAST_POINTS];
                for [left, right] in &kept[..terms.len()] {
                    let x = ring.at_nine_points(load(simd, &left[inner]));
                    let y = ring.at_nine_points(load(simd, &right[inner]));
                    for (sum, (x, y)) in sums.iter_mut().zip(x.into_iter().zip(y)) {
                        *sum = ring.add(*sum, ring.mul(x, y));
                    }
                }
                let out = &mut out[begin..end];
                if let Ok(out) = <&mut [Octet; LAST_POINTS]>::try_from(&mut *out) {
                    for (out, sum) in out.iter_mut().zip(sums) {
                        simd.store(out, sum);
                    }
                } else {
                    let mut products = [ZERO; LAST_POINTS];
                    for (product, sum) in products.iter_mut().zip(sums) {
                        simd.store(product, sum);
                    }
                    for (point, out) in at[begin..end].iter().zip(out) {
                        *out = products[point - block * last_points];
                    }
                }
                begin = end;
            }
        }
    }
}

/// What is left of a polynomial at a point of its first variable where it has six, else all of it.
struct Part<S: Simd, const KIND: usize> {
    ring: Ring<S, KIND>,
    outer: usize,
    /// How many corners it has.
    corners: usize,
}

impl<S: Simd, const KIND: usize> Part<S, KIND> {
    /// Overwrites `kept` with the last corners at each point of the middle variables, of a
    /// polynomial or of the sum of two.
    #[inline(always)]
    fn read(
        &self,
        kept: &mut [LastCorners; MIDDLE],
        x: &[Octet],
        y: Option<&[Octet]>,
        middle: usize,
    ) {
        let Part { ring, .. } = *self;
        for number in 0..1 << middle {
            let mut corners = self.last_corners(x, LAST_CORNERS * number);
            if let Some(y) = y {
                for (x, y) in corners.iter_mut().zip(self.last_corners(y, LAST_CORNERS * number)) {
                    *x = ring.add(*x, y);
                }
            }
            for (to, x) in kept[corner_point(number)].iter_mut().zip(corners) {
                ring.0.store(to, x);
            }
        }
        expand(ring, kept, 1, middle);
    }

    /// Values at corners, from those of the whole polynomial; if there are fewer than four, zeros
    /// take the place of the others.
    #[inline(always)]
    fn last_corners(&self, x: &[Octet], first: usize) -> [S::Vector; LAST_CORNERS] {
        let Part { ring, outer, corners } = *self;
        let low = &x[first..corners];
        match outer {
            0 => load(ring.0, low),
            1 => load(ring.0, &x[corners + first..]),
            _ => {
                let mut high = load(ring.0, &x[corners + first..]);
                for (high, low) in high.iter_mut().zip(load(ring.0, low)) {
                    *high = ring.sub(*high, low);
                }
                high
            }
        }
    }
}

/// Four octets, or as many as there are and zeros.
#[inline(always)]
fn load<S: Simd>(simd: S, octets: &[Octet]) -> [S::Vector; LAST_CORNERS] {
    // A length that is constant: the loop is unrolled.
    let mut filled_up = [ZERO; LAST_CORNERS];
    let octets: &[Octet; LAST_CORNERS] = octets.first_chunk().unwrap_or_else(|| {
        filled_up[..octets.len()].copy_from_slice(octets);
        &filled_up
    });
    let mut vectors = [simd.splat(0); LAST_CORNERS];
    for (vector, octet) in vectors.iter_mut().zip(octets) {
        *vector = simd.load(octet);
    }
    vectors
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
