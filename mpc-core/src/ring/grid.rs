//! Multilinear polynomials on the grid `{0, 1, oo}^v`, over words and over bits.
//!
//! `2^v` vectors are the values at the corners of a polynomial in `v` variables; its value
//! 'at infinity' in a variable is the leading coefficient, the difference of the values at
//! 1 and 0. Points are numbered in base 3, the digit 2 standing for infinity; the first
//! variable is the highest digit.

pub use super::lanes::LANES;
use super::lanes::{Aligned, Octet, Simd, ZERO, octets_mut, vectorised, wipe};
use super::simd::{Level, multiversion};

/// The most variables of [`multiply_words`] and [`multiply_bits`].
pub const MAX_VARIABLES: usize = 6;

/// Points of the largest grid.
const MAX_POINTS: usize = points(MAX_VARIABLES);

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

/// From the values at the corners, each at its place among `points(variables)` vectors of
/// octets, those at all points; over words.
///
/// # Panics
/// If these are not vectors of equal length, a multiple of 8 words.
pub fn expand_words(values: &mut [u64], variables: usize) {
    assert!(values.len().is_multiple_of(LANES * points(variables)), "vectors of octets");
    words(Level::best(), values, variables);
}

/// As [`expand_words`], over the bits of words; vectors of any length.
///
/// # Panics
/// If the vectors are not of equal length.
pub fn expand_bits(values: &mut [u64], variables: usize) {
    assert!(values.len().is_multiple_of(points(variables)), "vectors of equal length");
    bits(Level::best(), values, variables);
}

vectorised! {
    fn words(simd, values: &mut [u64], variables: usize) {
        expand_octets(simd, octets_mut(values), variables);
    }
}

multiversion! {
    fn bits(values: &mut [u64], variables: usize) {
        expand(values, variables, |to, x, y| *to = x ^ y);
    }
}

/// From the values at the corners those at all points, given how to overwrite a value with
/// the difference of two.
#[inline(always)]
fn expand<T>(values: &mut [T], variables: usize, subtract: impl Fn(&mut T, &T, &T)) {
    let mut third = values.len() / points(variables);
    for variable in (0..variables).rev() {
        // The variables after this one are done; for those before it only corners are known.
        for corner in 0..1 << variable {
            let start = 3 * third * corner_point(corner);
            let (low, rest) = values[start..start + 3 * third].split_at_mut(third);
            let (high, leading) = rest.split_at_mut(third);
            for ((leading, high), low) in leading.iter_mut().zip(high).zip(low) {
                subtract(leading, high, low);
            }
        }
        third *= 3;
    }
}

/// [`expand_words`] in a kernel.
#[inline(always)]
pub(super) fn expand_octets<S: Simd>(simd: S, values: &mut [Octet], variables: usize) {
    expand(values, variables, |to, x, y| simd.store(to, simd.sub(simd.load(x), simd.load(y))));
}

/// The local parts of replicated products of polynomials, at some points.
///
/// A factor is given by the two components of its values at the corners, one row of equal
/// length a corner; `out` gets one row a point.
///
/// # Panics
/// If there are more than `2^MAX_VARIABLES` corners, or a length does not fit.
pub fn multiply_words(
    out: &mut [u64],
    at: &[usize],
    corners: usize,
    x: [&[u64]; 2],
    y: [&[u64]; 2],
) {
    check(out, at, corners, x, y);
    multiply::<WORDS>(Level::best(), out, at, corners, x, y);
}

/// As [`multiply_words`], over the bits of words.
///
/// # Panics
/// As [`multiply_words`].
pub fn multiply_bits(
    out: &mut [u64],
    at: &[usize],
    corners: usize,
    x: [&[u64]; 2],
    y: [&[u64]; 2],
) {
    check(out, at, corners, x, y);
    multiply::<BITS>(Level::best(), out, at, corners, x, y);
}

fn check(out: &[u64], at: &[usize], corners: usize, x: [&[u64]; 2], y: [&[u64]; 2]) {
    assert!(corners.is_power_of_two() && corners <= 1 << MAX_VARIABLES, "{corners} corners");
    let len = x[0].len();
    assert!(x.iter().chain(&y).all(|rows| rows.len() == len), "operands differ in length");
    assert!(len.is_multiple_of(corners), "rows of equal length");
    assert_eq!(out.len(), at.len() * (len / corners), "one row a point");
    assert!(at.iter().all(|at| *at < points(corners.ilog2() as usize)), "points of the grid");
}

/// Rings as numbers, to choose among the versions of [`multiply`].
const WORDS: usize = 0;
const BITS: usize = 1;

vectorised! {
    fn multiply<const RING: usize>(
        simd, out: &mut [u64], at: &[usize], corners: usize, x: [&[u64]; 2], y: [&[u64]; 2],
    ) {
        let ring = Ring::<S, RING>(simd);
        let columns = x[0].len() / corners;
        let mut values = Aligned([[ZERO; MAX_POINTS]; 2]);
        let [left, right] = values.0.each_mut().map(|v| &mut v[..points(corners.ilog2() as usize)]);
        for column in (0..columns).step_by(LANES) {
            let lanes = LANES.min(columns - column);
            let row = |rows: &[u64], corner: usize| {
                first(simd, &rows[corner * columns + column..], lanes)
            };
            // x_i (y_i + y_{i+1}) + x_{i+1} y_i
            ring.evaluate(left, corners, |corner| row(x[0], corner));
            ring.evaluate(right, corners, |corner| ring.add(row(y[0], corner), row(y[1], corner)));
            for (&point, row) in at.iter().zip(out.chunks_exact_mut(columns)) {
                let product = ring.mul(simd.load(&left[point]), simd.load(&right[point]));
                put(simd, &mut row[column..], lanes, product);
            }
            ring.evaluate(left, corners, |corner| row(x[1], corner));
            ring.evaluate(right, corners, |corner| row(y[0], corner));
            for (&point, row) in at.iter().zip(out.chunks_exact_mut(columns)) {
                let row = &mut row[column..];
                let product = ring.mul(simd.load(&left[point]), simd.load(&right[point]));
                put(simd, row, lanes, ring.add(first(simd, row, lanes), product));
            }
        }
        wipe(values.0.as_flattened_mut());
    }
}

/// The arithmetic of a ring on octets.
#[derive(Clone, Copy)]
struct Ring<S: Simd, const RING: usize>(S);

impl<S: Simd, const RING: usize> Ring<S, RING> {
    #[inline(always)]
    fn add(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if RING == WORDS { self.0.add(x, y) } else { self.0.xor(x, y) }
    }

    #[inline(always)]
    fn sub(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if RING == WORDS { self.0.sub(x, y) } else { self.0.xor(x, y) }
    }

    #[inline(always)]
    fn mul(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if RING == WORDS { self.0.mul(x, y) } else { self.0.and(x, y) }
    }

    /// A polynomial, given at the corners, at all points.
    #[inline(always)]
    fn evaluate(self, values: &mut [Octet], corners: usize, at: impl Fn(usize) -> S::Vector) {
        for corner in 0..corners {
            self.0.store(&mut values[corner_point(corner)], at(corner));
        }
        expand(values, corners.ilog2() as usize, |to, x, y| {
            self.0.store(to, self.sub(self.0.load(x), self.0.load(y)));
        });
    }
}

/// The first `lanes` words.
#[inline(always)]
fn first<S: Simd>(simd: S, words: &[u64], lanes: usize) -> S::Vector {
    match words.first_chunk() {
        Some(octet) if lanes == LANES => simd.load(octet),
        _ => {
            let mut octet = ZERO;
            octet[..lanes].copy_from_slice(&words[..lanes]);
            simd.load(&octet)
        }
    }
}

/// Overwrites the first `lanes` words.
#[inline(always)]
fn put<S: Simd>(simd: S, words: &mut [u64], lanes: usize, x: S::Vector) {
    match words.first_chunk_mut() {
        Some(octet) if lanes == LANES => simd.store(octet, x),
        _ => {
            let mut octet = ZERO;
            simd.store(&mut octet, x);
            words[..lanes].copy_from_slice(&octet[..lanes]);
        }
    }
}
