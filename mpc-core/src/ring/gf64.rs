//! The field of `2^64` elements, `GF(2)[X] / (X^64 + X^4 + X^3 + X + 1)`: the extension
//! of bits in which ANDs are verified.
//!
//! An element is a word, bit `i` the coefficient of `X^i`; addition is XOR. Products are
//! carry-less multiplications: by the processor where it has them, else in portable code
//! without branches or table look-ups.

use super::bits::{from_planes, from_planes_into};
use super::chosen::{self, Choice, ROWS, Rows, Weighed};
use super::lanes::{BITS, LANES, Octet, ZERO, octets, octets_mut};
use super::simd::Level;
use crate::share::Words;

/// A way to multiply without carries, eight pairs at a time.
trait CarryLess: Copy {
    /// A sum of products that grows, and is reduced at its end.
    type Sum: Copy;

    /// The sum of no products.
    fn nothing(self) -> Self::Sum;

    /// Adds eight products.
    fn add_products(self, sum: Self::Sum, x: &Octet, y: &Octet) -> Self::Sum;

    /// The sum, reduced.
    fn total(self, sum: Self::Sum) -> u64;

    /// Eight products, reduced.
    fn multiply(self, x: &Octet, y: &Octet) -> Octet;
}

/// Works on every processor.
#[derive(Clone, Copy)]
struct Portable;

/// A product that is not reduced.
#[inline]
fn product(x: u64, y: u64) -> u128 {
    (0..64).fold(0, |sum, i| {
        let chosen = (y >> i & 1).wrapping_neg();
        sum ^ u128::from(x & chosen) << i
    })
}

impl CarryLess for Portable {
    type Sum = u128;

    #[inline]
    fn nothing(self) -> u128 {
        0
    }

    #[inline]
    fn add_products(self, sum: u128, x: &Octet, y: &Octet) -> u128 {
        x.iter().zip(y).fold(sum, |sum, (x, y)| sum ^ product(*x, *y))
    }

    #[inline]
    fn total(self, sum: u128) -> u64 {
        let (low, high) = (sum as u64, (sum >> 64) as u64);
        let fold = |x: u64| x ^ x << 1 ^ x << 3 ^ x << 4;
        // What the shifts push out has at most four bits: fold it once more.
        let over = high >> 63 ^ high >> 61 ^ high >> 60;
        low ^ fold(high) ^ fold(over)
    }

    #[inline]
    fn multiply(self, x: &Octet, y: &Octet) -> Octet {
        std::array::from_fn(|at| self.total(product(x[at], y[at])))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

/// Calls a kernel with the best multiplication there is, compiled such that the instruction
/// may be inlined into its loops.
macro_rules! dispatch {
    ($kernel:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "vpclmulqdq,avx512f")]
        fn by_wide_instruction(by: x86::Vpclmul, $($arg: $ty),*) $(-> $out)? {
            $kernel(by, $($arg),*)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "pclmulqdq,sse4.1")]
        fn by_instruction(by: x86::Pclmul, $($arg: $ty),*) $(-> $out)? {
            $kernel(by, $($arg),*)
        }

        #[cfg(target_arch = "x86_64")]
        if let Some(vpclmul) = x86::Vpclmul::detect() {
            // SAFETY: the processor has the instructions.
            return unsafe { by_wide_instruction(vpclmul, $($arg),*) };
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(pclmul) = x86::Pclmul::detect() {
            // SAFETY: the processor has the instructions.
            return unsafe { by_instruction(pclmul, $($arg),*) };
        }
        $kernel(Portable, $($arg),*)
    }};
}

/// `a * b`.
pub fn mul(a: u64, b: u64) -> u64 {
    let mut product = [a];
    mul_assign(&mut product, &[b]);
    product[0]
}

/// An inner product that grows.
#[derive(Clone, Copy, Default)]
pub struct Dot(u64);

impl Dot {
    /// Adds the inner product of two vectors.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&mut self, x: &[u64], y: &[u64]) {
        assert_eq!(x.len(), y.len(), "the vectors differ in length");
        self.0 ^= dot(x, y);
    }

    /// The inner product.
    pub fn finish(self) -> u64 {
        self.0
    }
}

fn dot(x: &[u64], y: &[u64]) -> u64 {
    dispatch!(dot_with(x: &[u64], y: &[u64]) -> u64)
}

/// Adds to each of the sums the inner product of its row and the weights.
///
/// # Panics
/// If there are not whole octets of weights, an octet of columns for each, and as many rows as sums.
pub fn add_weighted_rows(parts: &mut [Weighed<'_>], weights: &[u64]) {
    assert!(weights.len().is_multiple_of(LANES), "octets of columns");
    for Weighed { sums, rows, octets } in &*parts {
        assert_eq!(octets.len() * LANES, weights.len(), "one weight a column");
        assert!(octets.iter().all(|octet| octet.len() == rows * LANES), "one octet a row");
        assert_eq!(sums.len(), *rows, "one sum a row");
    }
    dispatch!(add_weighted_rows_with(parts: &mut [Weighed<'_>], weights: &[u64]))
}

/// Overwrites `out` with the sum of linear combinations of rows of bits, 64 lanes a word: an
/// element a lane. Each part has rows, for each octet of words an octet a row, and weights, one a
/// row.
///
/// # Panics
/// If a length does not fit.
pub fn combine(out: &mut [u64], parts: &[(&[u64], &Words)]) {
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

/// The weights of the 64 lanes of each word: a weight times `X^lane`.
pub fn weights_of_lanes(weights: &[u64]) -> Words {
    Words::overwritten(64 * weights.len(), |of_lanes| {
        for (lanes, weight) in of_lanes.chunks_exact_mut(64).zip(weights) {
            let mut power = *weight;
            for lane in lanes {
                *lane = power;
                power = power << 1 ^ REDUCTION & (power >> 63).wrapping_neg();
            }
        }
    })
}

/// `X^64`, reduced.
const REDUCTION: u64 = 0b1_1011;

/// The octets of a slice, the last of them filled up with zeros.
#[inline(always)]
fn padded(words: &[u64]) -> (&[Octet], Octet) {
    let (octets, rest) = words.as_chunks();
    let mut last = ZERO;
    last[..rest.len()].copy_from_slice(rest);
    (octets, last)
}

#[inline(always)]
fn dot_with(by: impl CarryLess, x: &[u64], y: &[u64]) -> u64 {
    let ((x, last_x), (y, last_y)) = (padded(x), padded(y));
    let mut sum = by.nothing();
    for (x, y) in x.iter().zip(y) {
        sum = by.add_products(sum, x, y);
    }
    by.total(by.add_products(sum, &last_x, &last_y))
}

#[inline(always)]
fn add_weighted_rows_with(by: impl CarryLess, parts: &mut [Weighed<'_>], weights: &[u64]) {
    for Weighed { sums, octets: columns, .. } in parts {
        for (row, to) in sums.iter_mut().enumerate() {
            let mut sum = by.nothing();
            for (rows, weights) in columns.iter().zip(octets(weights)) {
                sum = by.add_products(sum, &octets(rows)[row], weights);
            }
            *to ^= by.total(sum);
        }
    }
}

#[inline(always)]
fn fold_with(by: impl CarryLess, out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
    let ((low, last_low), (high, last_high)) = (padded(low), padded(high));
    let (out, rest) = out.as_chunks_mut();
    for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = on_line(by, low, high, r);
    }
    let len = rest.len();
    rest.copy_from_slice(&on_line(by, &last_low, &last_high, r)[..len]);
}

/// Eight values at `r` of lines.
#[inline(always)]
fn on_line(by: impl CarryLess, low: &Octet, high: &Octet, r: u64) -> Octet {
    let mut differences = ZERO;
    for (difference, (low, high)) in differences.iter_mut().zip(low.iter().zip(high)) {
        *difference = low ^ high;
    }
    let mut values = by.multiply(&differences, &[r; LANES]);
    for (value, low) in values.iter_mut().zip(low) {
        *value ^= low;
    }
    values
}

#[inline(always)]
fn mul_assign_with(by: impl CarryLess, x: &mut [u64], y: &[u64]) {
    let (y, last_y) = padded(y);
    let whole = x.len() / LANES * LANES;
    let (x, rest) = x.split_at_mut(whole);
    for (x, y) in octets_mut(x).iter_mut().zip(y) {
        *x = by.multiply(x, y);
    }
    let mut last_x = ZERO;
    last_x[..rest.len()].copy_from_slice(rest);
    let len = rest.len();
    rest.copy_from_slice(&by.multiply(&last_x, &last_y)[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            prop_assert_eq!(mul(a, b), by_definition(a, b));
        }

        #[test]
        fn sums_of_rows_follow_the_definition(
            words in prop::collection::vec(any::<u64>(), 1..40),
            rows in 1usize..100,
            octets in 1usize..5,
        ) {
            let word = |at: usize| words[at % words.len()].rotate_left(at as u32);
            let columns = LANES * octets;
            let by_octets: Vec<u64> = (0..columns * rows).map(word).collect();
            let weights: Vec<u64> = (0..columns).map(|at| !word(3 * at)).collect();
            let of_row = |row: usize| {
                (0..columns).fold(5, |sum, column| {
                    let word = by_octets[(column / LANES * rows + row) * LANES + column % LANES];
                    sum ^ by_definition(word, weights[column])
                })
            };
            let expected: Vec<u64> = (0..rows).map(of_row).collect();
            let octets: Vec<&[u64]> = by_octets.chunks_exact(rows * LANES).collect();
            let (mut sums, mut portable) = (vec![5; rows], vec![5; rows]);
            add_weighted_rows(&mut [Weighed { sums: &mut sums, rows, octets: &octets }], &weights);
            let part = Weighed { sums: &mut portable, rows, octets: &octets };
            add_weighted_rows_with(Portable, &mut [part], &weights);
            prop_assert_eq!((&sums, &portable), (&expected, &expected));
            // A weighted word is the weighted sum of its bits.
            let of_lanes = weights_of_lanes(&weights[..1]);
            let of_bits = (0..64).filter(|lane| words[0] >> lane & 1 == 1);
            let sum = of_bits.fold(0, |sum, lane| sum ^ of_lanes[lane]);
            prop_assert_eq!(sum, by_definition(words[0], weights[0]));
        }

        #[test]
        fn combinations_follow_the_definition(
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
            let bit = |row: usize, lane: usize| word(row, lane / 64) >> (lane % 64) & 1 == 1;
            let of_rows: Words = (0..rows).map(weight).collect();
            let sum_of_lane =
                |lane: usize| (0..rows).filter(|&row| bit(row, lane)).fold(0, |sum, i| sum ^ of_rows[i]);
            let mut out = vec![5; 64 * columns];
            combine(&mut out, &[(&by_octets, &of_rows)]);
            prop_assert_eq!(&out, &(0..64 * columns).map(sum_of_lane).collect::<Vec<u64>>());
            combine(&mut out, &[(&by_octets[..], &of_rows); 2]);
            prop_assert_eq!(out, vec![0; 64 * columns]);
        }

        #[test]
        fn all_kernels_agree(
            pairs in prop::collection::vec(any::<(u64, u64)>(), 0..40),
            r: u64,
        ) {
            let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let expected = a.iter().zip(&b).fold(0, |sum, (a, b)| sum ^ by_definition(*a, *b));
            let line = |(a, b): (&u64, &u64)| a ^ by_definition(a ^ b, r);
            let on_line: Vec<u64> = a.iter().zip(&b).map(line).collect();
            let products: Vec<u64> =
                on_line.iter().zip(&b).map(|(x, y)| by_definition(*x, *y)).collect();
            fn check(by: impl CarryLess, a: &[u64], b: &[u64], r: u64) -> (u64, Vec<u64>, Vec<u64>) {
                let mut x = vec![5; a.len()];
                fold_with(by, &mut x, a, b, r);
                let on_line = x.clone();
                mul_assign_with(by, &mut x, b);
                (dot_with(by, a, b), on_line, x)
            }
            let expected = (expected, on_line, products);
            prop_assert_eq!(&check(Portable, &a, &b, r), &expected);
            #[cfg(target_arch = "x86_64")]
            if let Some(by) = x86::Pclmul::detect() {
                prop_assert_eq!(&check(by, &a, &b, r), &expected);
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(by) = x86::Vpclmul::detect() {
                prop_assert_eq!(&check(by, &a, &b, r), &expected);
            }
            let mut sum = Dot::default();
            sum.add(&a, &b);
            sum.add(&b, &b);
            let squares = b.iter().fold(expected.0, |sum, b| sum ^ by_definition(*b, *b));
            prop_assert_eq!(sum.finish(), squares);
            let mut x = vec![5; a.len()];
            fold(&mut x, &a, &b, r);
            prop_assert_eq!(&x, &expected.1);
            mul_assign(&mut x, &b);
            prop_assert_eq!(x, expected.2);
        }
    }
}
