//! Element-by-element kernels on the hot paths.

use crate::ring::simd::{Level, multiversion};

/// `out[i] += x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i]` mod 2^64: the local part
/// of a replicated product, element by element.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_mul_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    mul_acc(Level::best(), out, x0, x1, y0, y1);
}

/// `out[i] ^= (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i])`: the same over bits,
/// 64 to a word.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_and_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    and_acc(Level::best(), out, x0, x1, y0, y1);
}

multiversion! {
    fn mul_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
        let n = out.len();
        assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
        for i in 0..n {
            let sum = y0[i].wrapping_add(y1[i]);
            let cross = x0[i].wrapping_mul(sum).wrapping_add(x1[i].wrapping_mul(y0[i]));
            out[i] = out[i].wrapping_add(cross);
        }
    }
}

multiversion! {
    fn and_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
        let n = out.len();
        assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
        for i in 0..n {
            out[i] ^= (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i]);
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
                let (mut sum, mut parity) = (old.clone(), old.clone());
                for [a0, a1, b0, b1] in parties {
                    mul_acc(level, &mut sum, a0, a1, b0, b1);
                    and_acc(level, &mut parity, a0, a1, b0, b1);
                }
                for (i, [x0, x1, y0, y1, old]) in elements.iter().enumerate() {
                    let (x, y) = (x0.wrapping_add(*x1), y0.wrapping_add(*y1));
                    prop_assert_eq!(sum[i], old.wrapping_add(x.wrapping_mul(y)));
                    prop_assert_eq!(parity[i], old ^ ((x0 ^ x1) & (y0 ^ y1)));
                }
            }
        }
    }
}
