//! The field of `2^64` elements, `GF(2)[X] / (X^64 + X^4 + X^3 + X + 1)`: the extension
//! of bits in which ANDs are verified.
//!
//! An element is a word, bit `i` the coefficient of `X^i`; addition is XOR. Products are
//! carry-less multiplications: by the processor where it has them, else in portable code
//! without branches or table look-ups.

use super::bits::{from_planes, from_planes_into, to_planes_into};
use super::chosen::{self, Choice, ROWS, Rows, Weighed};
use super::lanes::{BITS, LANES, Octet, octets};
use super::simd::Level;
use crate::share::Words;

/// Both halves of a carry-less product, low half first.
type Wide = (u64, u64);

/// A way to multiply without carries.
trait CarryLess: Copy {
    fn multiply(self, a: u64, b: u64) -> Wide;
}

/// Works on every processor.
#[derive(Clone, Copy)]
struct Portable;

impl CarryLess for Portable {
    #[inline]
    fn multiply(self, a: u64, b: u64) -> Wide {
        let mut product = 0u128;
        for i in 0..64 {
            let chosen = (b >> i & 1).wrapping_neg();
            product ^= u128::from(a & chosen) << i;
        }
        (product as u64, (product >> 64) as u64)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CarryLess, Wide};
    use std::arch::x86_64::{
        _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_unpackhi_epi64,
    };

    /// The instruction PCLMULQDQ; a value exists only on processors that have it.
    #[derive(Clone, Copy)]
    pub(super) struct Pclmul(());

    impl Pclmul {
        pub(super) fn detect() -> Option<Pclmul> {
            is_x86_feature_detected!("pclmulqdq").then_some(Pclmul(()))
        }
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn multiply(a: u64, b: u64) -> Wide {
        let (a, b) = (_mm_cvtsi64_si128(a as i64), _mm_cvtsi64_si128(b as i64));
        let product = _mm_clmulepi64_si128::<0>(a, b);
        let high = _mm_unpackhi_epi64(product, product);
        (_mm_cvtsi128_si64(product) as u64, _mm_cvtsi128_si64(high) as u64)
    }

    impl CarryLess for Pclmul {
        #[inline(always)]
        fn multiply(self, a: u64, b: u64) -> Wide {
            // SAFETY: a `Pclmul` exists only where the processor has the instruction.
            unsafe { multiply(a, b) }
        }
    }
}

#[inline(always)]
fn reduce((low, high): Wide) -> u64 {
    let fold = |x: u64| x ^ x << 1 ^ x << 3 ^ x << 4;
    // What the shifts push out has at most four bits: fold it once more.
    let over = high >> 63 ^ high >> 61 ^ high >> 60;
    low ^ fold(high) ^ fold(over)
}

/// Calls a kernel with the best multiplication there is, compiled such that the instruction
/// may be inlined into its loops.
macro_rules! dispatch {
    ($kernel:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "pclmulqdq,sse4.1")]
        fn by_instruction(by: x86::Pclmul, $($arg: $ty),*) $(-> $out)? {
            $kernel(by, $($arg),*)
        }

        #[cfg(target_arch = "x86_64")]
        if let Some(pclmul) = x86::Pclmul::detect() {
            // SAFETY: the processor has the instruction (and SSE 4.1, which came before it).
            return unsafe { by_instruction(pclmul, $($arg),*) };
        }
        $kernel(Portable, $($arg),*)
    }};
}

/// `a * b`.
pub fn mul(a: u64, b: u64) -> u64 {
    dispatch!(mul_with(a: u64, b: u64) -> u64)
}

/// An inner product that grows; reduced at the end.
#[derive(Clone, Copy, Default)]
pub struct Dot(Wide);

impl Dot {
    /// Adds the inner product of two vectors.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&mut self, x: &[u64], y: &[u64]) {
        assert_eq!(x.len(), y.len(), "the vectors differ in length");
        let (low, high) = dot(x, y);
        self.0 = (self.0.0 ^ low, self.0.1 ^ high);
    }

    /// The inner product.
    pub fn finish(self) -> u64 {
        reduce(self.0)
    }
}

fn dot(x: &[u64], y: &[u64]) -> Wide {
    dispatch!(dot_with(x: &[u64], y: &[u64]) -> Wide)
}

/// Adds to each of the sums the sum of the weights whose lane is 1 in a row of bits, 64 lanes
/// a word; words that have no weights are zero.
///
/// # Panics
/// If there are not 64 weights a word of a row and as many rows as sums.
pub fn add_weighted_rows(parts: &mut [Weighed<'_>], weights: &[u64]) {
    for Weighed { sums, rows, octets } in &*parts {
        assert_eq!(octets.len(), weights.len().div_ceil(64 * LANES), "octets of words");
        assert!(octets.iter().all(|octet| octet.len() == rows * LANES), "one octet a row");
        assert_eq!(sums.len(), *rows, "one sum a row");
    }
    let level = Level::best();
    let (mut chosen, mut column) = (Rows::new(), Words::zeroed(ROWS_AT_A_TIME));
    let choices: Vec<Choice> = weights.chunks(64).map(|part| Choice::new(part, 64)).collect();
    let rows: usize = parts.iter().map(|part| part.rows).sum();
    for first in (0..rows).step_by(ROWS_AT_A_TIME) {
        let count = ROWS_AT_A_TIME.min(rows - first);
        // Bit s of all sums, 64 a word, is the sum of the lanes whose weight has bit s.
        let mut planes = [(); 2].map(|()| Words::zeroed(64 * LANES));
        column[count..].fill(0);
        for (at, choices) in choices.chunks(LANES).enumerate() {
            for (word, choice) in choices.iter().enumerate() {
                let rows = parts.iter().flat_map(|part| octets(part.octets[at]));
                for (row, octet) in column[..count].iter_mut().zip(rows.skip(first)) {
                    *row = octet[word];
                }
                to_planes_into(&column, 64, chosen.words());
                let [left, right] = &mut planes;
                chosen.add_chosen::<BITS>(level, [left, right], choice);
            }
        }
        let values = planes.map(|planes| Words::from(from_planes(&planes, 64, 64 * LANES)));
        let sums = parts.iter_mut().flat_map(|part| part.sums.iter_mut()).skip(first);
        sums.zip(values.iter().flat_map(|values| values.iter())).for_each(|(sum, x)| *sum ^= x);
    }
}

/// Rows whose bits of one lane fill a row of chosen sums.
const ROWS_AT_A_TIME: usize = 64 * chosen::WIDTH;

/// Overwrites `out` with the sum of linear combinations of rows of bits, 64 lanes a word: an
/// element a lane. Each part has rows, for each octet of words an octet a row, and weights, one a
/// row.
///
/// # Panics
/// If a length does not fit.
pub fn combine(out: &mut [u64], parts: &[(&[u64], &[u64])]) {
    let octet = 64 * LANES;
    for (rows, weights) in parts {
        let octets = out.len().div_ceil(octet);
        assert_eq!(rows.len(), octets * LANES * weights.len(), "one weight a row");
    }
    let level = Level::best();
    let choices = parts.iter().map(|(_, weights)| weights.chunks(ROWS));
    let choices: Vec<Vec<Choice>> =
        choices.map(|parts| parts.map(|part| Choice::new(part, 64)).collect()).collect();
    let mut chosen = Rows::new();
    let mut planes = [(); 2].map(|()| Words::zeroed(64 * LANES));
    for (pair, out) in out.chunks_mut(2 * octet).enumerate() {
        planes.iter_mut().for_each(|planes| planes.fill(0));
        for ((rows, weights), choices) in parts.iter().zip(&choices) {
            let rows = octets(rows).chunks_exact(weights.len().max(1)).skip(2 * pair);
            let rows: Vec<&[Octet]> = rows.take(2).collect();
            for (part, choice) in choices.iter().enumerate() {
                for (half, rows) in rows.iter().enumerate() {
                    let words = chosen.words().chunks_exact_mut(chosen::WIDTH);
                    for (to, row) in words.zip(&rows[part * ROWS..]) {
                        to[half * LANES..][..LANES].copy_from_slice(row);
                    }
                }
                let [left, right] = &mut planes;
                chosen.add_chosen::<BITS>(level, [left, right], choice);
            }
        }
        for (out, planes) in out.chunks_mut(octet).zip(&planes) {
            if out.len() == octet {
                from_planes_into(planes, 64, out);
            } else {
                let values = Words::from(from_planes(planes, 64, octet));
                out.copy_from_slice(&values[..out.len()]);
            }
        }
    }
}

/// `out[i] = low[i] + r * (high[i] - low[i])`: the value at `r` of the line through both.
///
/// # Panics
/// If the lengths differ.
pub fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
    assert!(low.len() == high.len() && out.len() == low.len(), "the halves differ in length");
    dispatch!(fold_with(out: &mut [u64], low: &[u64], high: &[u64], r: u64))
}

/// `x[i] *= y[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn mul_assign(x: &mut [u64], y: &[u64]) {
    assert_eq!(x.len(), y.len(), "the vectors differ in length");
    dispatch!(mul_assign_with(x: &mut [u64], y: &[u64]))
}

#[inline(always)]
fn mul_with(by: impl CarryLess, a: u64, b: u64) -> u64 {
    reduce(by.multiply(a, b))
}

#[inline(always)]
fn dot_with(by: impl CarryLess, x: &[u64], y: &[u64]) -> Wide {
    let mut sum = (0, 0);
    for (&x, &y) in x.iter().zip(y) {
        let product = by.multiply(x, y);
        sum = (sum.0 ^ product.0, sum.1 ^ product.1);
    }
    sum
}

#[inline(always)]
fn fold_with(by: impl CarryLess, out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
    for (out, (&low, &high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = low ^ reduce(by.multiply(low ^ high, r));
    }
}

#[inline(always)]
fn mul_assign_with(by: impl CarryLess, x: &mut [u64], y: &[u64]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = reduce(by.multiply(*x, y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `X^64` reduced.
    const REDUCTION: u64 = 0b1_1011;

    /// Multiplication by `X`, straight from the definition.
    fn times_x(a: u64) -> u64 {
        let carry = a >> 63;
        (a << 1) ^ (carry * REDUCTION)
    }

    fn by_definition(a: u64, b: u64) -> u64 {
        (0..64).rev().fold(0, |sum, i| times_x(sum) ^ if b >> i & 1 == 1 { a } else { 0 })
    }

    /// `X^(2^64) = X`, and `X^(2^32) - X` shares no factor with the modulus: Rabin's
    /// criterion, 2 being the only prime factor of 64.
    #[test]
    fn the_modulus_is_irreducible() {
        let frobenius = |times: usize| (0..times).fold(2, |x, _| by_definition(x, x));
        assert_eq!(frobenius(64), 2);
        // In a ring with zero divisors a common factor would have no inverse.
        let difference = frobenius(32) ^ 2;
        let mut inverse = 1;
        let mut power = difference;
        for _ in 1..64 {
            power = by_definition(power, power);
            inverse = by_definition(inverse, power);
        }
        assert_eq!(by_definition(difference, inverse), 1);
    }

    proptest! {
        #[test]
        fn products_follow_the_definition(a: u64, b: u64) {
            prop_assert_eq!(mul_with(Portable, a, b), by_definition(a, b));
            prop_assert_eq!(mul(a, b), by_definition(a, b));
        }

        #[test]
        fn sums_of_bits_follow_the_definition(
            words in prop::collection::vec(any::<u64>(), 1..40),
            weights in prop::collection::vec(any::<u64>(), 1..100),
            rows in 1usize..1100,
            columns in 1usize..20,
        ) {
            let rows = rows.min(8000 / columns);
            let word = |row: usize, column: usize| {
                words[(row * 7 + column) % words.len()].rotate_left((row + 3 * column) as u32)
            };
            let by_octets: Vec<u64> = (0..columns.next_multiple_of(LANES) * rows)
                .map(|i| (i / (rows * LANES) * LANES + i % LANES, i / LANES % rows))
                .map(|(column, row)| if column < columns { word(row, column) } else { 0 })
                .collect();
            let weight = |i: usize| weights[i % weights.len()].rotate_left(i as u32 / 5);
            let of_lanes: Vec<u64> = (0..64 * columns).map(weight).collect();
            let bit = |row: usize, lane: usize| word(row, lane / 64) >> (lane % 64) & 1 == 1;
            let sum_of_row = |row: usize| {
                (0..64 * columns).filter(|&i| bit(row, i)).fold(5, |sum, i| sum ^ of_lanes[i])
            };
            let mut sums = vec![5; rows];
            let octets: Vec<&[u64]> = by_octets.chunks_exact(rows * LANES).collect();
            let part = Weighed { sums: &mut sums, rows, octets: &octets };
            add_weighted_rows(&mut [part], &of_lanes);
            prop_assert_eq!(sums, (0..rows).map(sum_of_row).collect::<Vec<u64>>());
            let of_rows: Vec<u64> = (0..rows).map(weight).collect();
            let sum_of_lane =
                |lane: usize| (0..rows).filter(|&row| bit(row, lane)).fold(0, |sum, i| sum ^ of_rows[i]);
            let mut out = vec![5; 64 * columns];
            combine(&mut out, &[(&by_octets, &of_rows)]);
            prop_assert_eq!(&out, &(0..64 * columns).map(sum_of_lane).collect::<Vec<u64>>());
            combine(&mut out, &[(&by_octets[..], &of_rows[..]); 2]);
            prop_assert_eq!(out, vec![0; 64 * columns]);
        }

        #[test]
        fn the_portable_kernels_agree(
            pairs in prop::collection::vec(any::<(u64, u64)>(), 0..40),
            r: u64,
        ) {
            let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let expected = a.iter().zip(&b).fold(0, |sum, (a, b)| sum ^ by_definition(*a, *b));
            let mut sum = Dot::default();
            sum.add(&a, &b);
            prop_assert_eq!(sum.finish(), expected);
            prop_assert_eq!(reduce(dot_with(Portable, &a, &b)), expected);
            sum.add(&b, &b);
            let squares = b.iter().fold(expected, |sum, b| sum ^ by_definition(*b, *b));
            prop_assert_eq!(sum.finish(), squares);
            let (mut x, mut y) = (vec![5; a.len()], vec![6; a.len()]);
            fold(&mut x, &a, &b, r);
            fold_with(Portable, &mut y, &a, &b, r);
            prop_assert_eq!(&x, &y);
            mul_assign(&mut x, &b);
            mul_assign_with(Portable, &mut y, &b);
            prop_assert_eq!(x, y);
        }
    }
}
