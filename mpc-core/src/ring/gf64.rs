//! The field of `2^64` elements, `GF(2)[X] / (X^64 + X^4 + X^3 + X + 1)`: the extension
//! of bits in which ANDs are verified.
//!
//! An element is a word, bit `i` the coefficient of `X^i`; addition is XOR. Products are
//! carry-less multiplications: by the processor where it has them, else in portable code
//! without branches or table look-ups.

use super::bits::to_planes;
use super::simd::{Level, multiversion};

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

/// Adds to each of `sums` the sum of the weights whose lane is 1 in a row of bits, 64 lanes
/// a word.
///
/// # Panics
/// If there are not 64 weights a word of a row and as many rows as sums.
pub fn add_weighted(sums: &mut [u64], rows: &[u64], weights: &[u64]) {
    assert!(weights.len().is_multiple_of(64), "64 weights a word");
    assert_eq!(rows.len(), sums.len() * weights.len() / 64, "one row a sum");
    // Plane s holds bit s of all weights: bit s of a sum is the parity of an AND.
    let planes = to_planes(weights, 64);
    parities(Level::best(), sums, rows, &planes);
}

multiversion! {
    fn parities(sums: &mut [u64], rows: &[u64], planes: &[u64]) {
        let words = planes.len() / 64;
        if words == 0 {
            return;
        }
        for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(words)) {
            // Eight planes at a time, so that a row is read eight times and not 64 times.
            for (group, planes) in planes.chunks_exact(8 * words).enumerate() {
                let mut ones = [[0u64; 8]; 8];
                let (row, row_rest) = row.as_chunks::<8>();
                for (at, row) in row.iter().enumerate() {
                    for (plane, ones) in ones.iter_mut().enumerate() {
                        let plane = &planes[plane * words + 8 * at..][..8];
                        for lane in 0..8 {
                            ones[lane] ^= row[lane] & plane[lane];
                        }
                    }
                }
                for (plane, ones) in ones.iter_mut().enumerate() {
                    let rest = &planes[plane * words + 8 * row.len()..][..row_rest.len()];
                    for ((one, row), plane) in ones.iter_mut().zip(row_rest).zip(rest) {
                        *one ^= row & plane;
                    }
                    let all = ones.iter().fold(0, |all, x| all ^ x);
                    *sum ^= u64::from(all.count_ones() & 1) << (8 * group + plane);
                }
            }
        }
    }
}

/// `low[i] += r * (high[i] - low[i])`: the value at `r` of the line through both.
///
/// # Panics
/// If the lengths differ.
pub fn fold(low: &mut [u64], high: &[u64], r: u64) {
    assert_eq!(low.len(), high.len(), "the halves differ in length");
    dispatch!(fold_with(low: &mut [u64], high: &[u64], r: u64))
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
fn fold_with(by: impl CarryLess, low: &mut [u64], high: &[u64], r: u64) {
    for (low, &high) in low.iter_mut().zip(high) {
        *low ^= reduce(by.multiply(*low ^ high, r));
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
        fn weighted_sums_follow_the_definition(
            columns in prop::collection::vec((any::<[u64; 3]>(), any::<[u64; 32]>(), any::<[u64; 32]>()), 0..20),
        ) {
            let weights: Vec<u64> = columns.iter().flat_map(|(_, a, b)| [*a, *b].concat()).collect();
            let rows: Vec<u64> =
                (0..3).flat_map(|row| columns.iter().map(move |(words, ..)| words[row])).collect();
            let expected = |row: usize| {
                let lane = |i: usize| columns[i / 64].0[row] >> (i % 64) & 1 == 1;
                (0..weights.len()).filter(|i| lane(*i)).fold(0, |sum, i| sum ^ weights[i])
            };
            for level in Level::available() {
                let mut sums = [0; 3];
                parities(level, &mut sums, &rows, &to_planes(&weights, 64));
                prop_assert_eq!(sums, std::array::from_fn(expected));
            }
            let mut sums = [0; 3];
            add_weighted(&mut sums, &rows, &weights);
            prop_assert_eq!(sums, std::array::from_fn(expected));
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
            let (mut x, mut y) = (a.clone(), a.clone());
            fold(&mut x, &b, r);
            fold_with(Portable, &mut y, &b, r);
            prop_assert_eq!(&x, &y);
            mul_assign(&mut x, &b);
            mul_assign_with(Portable, &mut y, &b);
            prop_assert_eq!(x, y);
        }
    }
}
