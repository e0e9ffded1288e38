//! Element-by-element kernels on the hot paths.

use crate::ring::simd::{Level, multiversion, vectorized};

/// Overwrites `to` with `f` of each word.
///
/// # Panics
/// If the lengths differ.
pub fn map(to: &mut [u64], words: &[u64], f: impl Fn(u64) -> u64) {
    assert_eq!(to.len(), words.len(), "as many words");
    let words = to.iter_mut().zip(words);
    vectorized(
        #[inline(always)]
        || words.for_each(|(to, word)| *to = f(*word)),
    );
}

/// Overwrites `to` with `f` of each word of `x` and the same one of `y`.
///
/// # Panics
/// If the lengths differ.
pub fn zip(to: &mut [u64], x: &[u64], y: &[u64], f: impl Fn(u64, u64) -> u64) {
    assert!(to.len() == x.len() && x.len() == y.len(), "as many words");
    let words = to.iter_mut().zip(x).zip(y);
    vectorized(
        #[inline(always)]
        || words.for_each(|((to, x), y)| *to = f(*x, *y)),
    );
}

/// Changes each word to `f` of it.
pub fn update(words: &mut [u64], f: impl Fn(u64) -> u64) {
    vectorized(
        #[inline(always)]
        || words.iter_mut().for_each(|word| *word = f(*word)),
    );
}

/// Changes each word to `f` of it and the same one of `other`.
///
/// # Panics
/// If the lengths differ.
pub fn update_with(words: &mut [u64], other: &[u64], f: impl Fn(u64, u64) -> u64) {
    assert_eq!(words.len(), other.len(), "as many words");
    let words = words.iter_mut().zip(other);
    vectorized(
        #[inline(always)]
        || words.for_each(|(word, other)| *word = f(*word, *other)),
    );
}

/// `out[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i]` mod 2^64: the local part
/// of a replicated product, element by element.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_mul(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    mul(Level::best(), out, x0, x1, y0, y1);
}

/// `out[i] = (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i])`: the same over bits,
/// 64 to a word.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_and(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    and(Level::best(), out, x0, x1, y0, y1);
}

multiversion! {
    fn mul(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
        let n = out.len();
        assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
        for i in 0..n {
            let sum = y0[i].wrapping_add(y1[i]);
            out[i] = x0[i].wrapping_mul(sum).wrapping_add(x1[i].wrapping_mul(y0[i]));
        }
    }
}

multiversion! {
    fn and(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
        let n = out.len();
        assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
        for i in 0..n {
            out[i] = (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The operands of one element: both components of both factors, and the old output.
    type Element = [u64; 5];

    fn columns(elements: &[Element]) -> [Vec<u64>; 5] {
        std::array::from_fn(|c| elements.iter().map(|element| element[c]).collect())
    }

    proptest! {
        /// With a third component that is zero, the three parties' local parts add
        /// up to the product.
        #[test]
        fn local_parts_add_up(elements in prop::collection::vec(any::<Element>(), 0..70)) {
            let [x0, x1, y0, y1, old] = columns(&elements);
            let zero = vec![0; elements.len()];
            let parties = [[&x0, &x1, &y0, &y1], [&x1, &zero, &y1, &zero], [&zero, &x0, &zero, &y0]];
            for level in Level::available() {
                let parts = parties.map(|[a0, a1, b0, b1]| {
                    let (mut product, mut bits) = (old.clone(), old.clone());
                    mul(level, &mut product, a0, a1, b0, b1);
                    and(level, &mut bits, a0, a1, b0, b1);
                    (product, bits)
                });
                for (i, [x0, x1, y0, y1, _]) in elements.iter().enumerate() {
                    let (x, y) = (x0.wrapping_add(*x1), y0.wrapping_add(*y1));
                    let sum = parts.iter().fold(0u64, |sum, (z, _)| sum.wrapping_add(z[i]));
                    prop_assert_eq!(sum, x.wrapping_mul(y));
                    let parity = parts.iter().fold(0, |sum, (_, z)| sum ^ z[i]);
                    prop_assert_eq!(parity, (x0 ^ x1) & (y0 ^ y1));
                }
            }
        }
    }
}
