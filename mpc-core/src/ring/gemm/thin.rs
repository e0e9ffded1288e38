//! Products with at most a few rows, bound by the speed at which the wide operand
//! can be read: it is read front to back, once for each row.

use super::MatRef;
use super::scratch::Buffer;
use crate::ring::simd::{Level, multiversion};

/// Most rows that count as few.
pub(super) const FEW: usize = 3;

/// `out += lhs * rhs` where `lhs` has few rows.
pub(super) fn multiply(
    level: Level,
    buffer: &mut Buffer,
    out: &mut [u64],
    lhs: MatRef<'_>,
    rhs: MatRef<'_>,
) {
    let depth = lhs.cols();
    for (i, out) in out.chunks_exact_mut(rhs.cols()).enumerate() {
        let row = lhs.block(i, 1, 0, depth);
        let row = if row.right() == 1 {
            &row.data()[..depth]
        } else {
            let copy = buffer.take(depth);
            copy.iter_mut().enumerate().for_each(|(p, word)| *word = row.at(0, p));
            copy
        };
        if rhs.right() == 1 {
            add_multiples(level, out, row, rhs.data(), rhs.down());
        } else {
            add_inner_products(level, out, row, rhs.data(), rhs.right());
        }
    }
}

multiversion! {
    /// Adds to `out` the vectors that begin at `rows[p * down]`, each multiplied by `x[p]`.
    fn add_multiples(out: &mut [u64], x: &[u64], rows: &[u64], down: usize) {
        let len = out.len();
        let row = |p: usize| &rows[p * down..][..len];
        let (quads, rest) = x.as_chunks::<4>();
        for (q, quad) in quads.iter().enumerate() {
            let y: [&[u64]; 4] = std::array::from_fn(|c| row(4 * q + c));
            for j in 0..len {
                for c in 0..4 {
                    out[j] = out[j].wrapping_add(quad[c].wrapping_mul(y[c][j]));
                }
            }
        }
        for (r, x) in rest.iter().enumerate() {
            for (word, y) in out.iter_mut().zip(row(4 * quads.len() + r)) {
                *word = word.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
}

multiversion! {
    /// Adds to `out[j]` the inner product of `x` and the vector that begins at
    /// `columns[j * right]`.
    fn add_inner_products(out: &mut [u64], x: &[u64], columns: &[u64], right: usize) {
        let column = |j: usize| &columns[j * right..][..x.len()];
        let (quads, rest) = out.as_chunks_mut::<4>();
        let first_of_rest = 4 * quads.len();
        for (q, quad) in quads.iter_mut().enumerate() {
            let y: [&[u64]; 4] = std::array::from_fn(|c| column(4 * q + c));
            let mut sums = [0u64; 4];
            for p in 0..x.len() {
                for c in 0..4 {
                    sums[c] = sums[c].wrapping_add(x[p].wrapping_mul(y[c][p]));
                }
            }
            for c in 0..4 {
                quad[c] = quad[c].wrapping_add(sums[c]);
            }
        }
        for (j, word) in rest.iter_mut().enumerate() {
            for (x, y) in x.iter().zip(column(first_of_rest + j)) {
                *word = word.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
}
