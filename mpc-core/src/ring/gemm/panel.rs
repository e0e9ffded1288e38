//! Packing of operands into panels that a kernel reads front to back.

use super::MatRef;
use crate::ring::simd::{Level, multiversion};
#[cfg(target_arch = "x86_64")]
use crate::ring::simd::{Width, transpose_8x8};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_mm512_loadu_si512, _mm512_storeu_si512};

/// Copies each row of `strip` to the front of the next `step` words of `panel`;
/// the rest of these words is left as it is.
pub(super) fn pack(level: Level, panel: &mut [u64], step: usize, strip: MatRef<'_>) {
    assert!(strip.cols() <= step && strip.rows() * step <= panel.len());
    if strip.right() == 1 || strip.cols() == 1 {
        copy_rows(level, panel, step, strip);
    } else {
        transpose(level, panel, step, strip);
    }
}

multiversion! {
    /// Packs a strip whose rows are contiguous.
    fn copy_rows(panel: &mut [u64], step: usize, strip: MatRef<'_>) {
        for (p, to) in panel.chunks_exact_mut(step).take(strip.rows()).enumerate() {
            let from = &strip.data()[p * strip.down()..][..strip.cols()];
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
    }
}

/// Packs a strip whose columns are contiguous.
fn transpose(level: Level, panel: &mut [u64], step: usize, strip: MatRef<'_>) {
    // What is left for single words: all, or the edges.
    let (mut rows_done, mut cols_done) = (0, 0);
    #[cfg(target_arch = "x86_64")]
    if level.width() == Width::Avx512 && strip.down() == 1 {
        rows_done = strip.rows() / 8 * 8;
        cols_done = if rows_done > 0 { strip.cols() / 8 * 8 } else { 0 };
        for j in (0..cols_done).step_by(8) {
            let columns: [&[u64]; 8] =
                std::array::from_fn(|c| &strip.data()[(j + c) * strip.right()..][..rows_done]);
            // SAFETY: the level proves the instructions.
            unsafe { transpose_8_columns(&mut panel[j..], step, columns) };
        }
    }
    for p in 0..strip.rows() {
        let first = if p < rows_done { cols_done } else { 0 };
        for j in first..strip.cols() {
            panel[p * step + j] = strip.at(p, j);
        }
    }
}

/// Writes 8 columns side by side, the rows `step` words apart. Their common
/// length is a multiple of 8.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn transpose_8_columns(panel: &mut [u64], step: usize, columns: [&[u64]; 8]) {
    let len = columns[0].len();
    assert!(len.is_multiple_of(8) && columns.iter().all(|column| column.len() == len));
    assert!(len == 0 || (len - 1) * step + 8 <= panel.len());
    for p in (0..len).step_by(8) {
        // SAFETY: each column has the words p..p + 8.
        let c = columns.map(|column| unsafe { _mm512_loadu_si512(column.as_ptr().add(p).cast()) });
        for (r, row) in transpose_8x8(c).into_iter().enumerate() {
            // SAFETY: the panel has 8 words from the start of each of the `len` rows.
            unsafe { _mm512_storeu_si512(panel.as_mut_ptr().add((p + r) * step).cast(), row) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn panels_hold_the_strip(
            rows in 0usize..40, cols in 1usize..25, spare in 0usize..3, transposed: bool,
        ) {
            let words: Vec<u64> = (0..rows * cols).map(|i| i as u64 + 1).collect();
            let strip = if transposed {
                MatRef::new(&words, cols, rows).t()
            } else {
                MatRef::new(&words, rows, cols)
            };
            let step = cols + spare;
            for level in Level::available() {
                let mut panel = vec![0; rows * step];
                pack(level, &mut panel, step, strip);
                for p in 0..rows {
                    for j in 0..step {
                        let expected = if j < cols { strip.at(p, j) } else { 0 };
                        prop_assert_eq!(panel[p * step + j], expected);
                    }
                }
            }
        }
    }
}
