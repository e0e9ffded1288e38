//! Packing of operands into panels that a kernel reads front to back.

use super::MatRef;
use crate::ring::simd::{Level, multiversion};
#[cfg(target_arch = "x86_64")]
use crate::ring::simd::{Width, transpose_4x8, transpose_8x8};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_mm256_storeu_si256, _mm512_loadu_si512, _mm512_storeu_si512};

/// Cuts the columns of `block` into panels of `WIDTH` and copies each row of a
/// panel to the front of the next `step` of its `panel_words` words, of which the
/// last panel needs only those that it fills. What the block does not fill is
/// left as it is.
pub(in crate::ring) fn pack<const WIDTH: usize>(
    level: Level,
    panels: &mut [u64],
    panel_words: usize,
    step: usize,
    block: MatRef<'_>,
) {
    assert!(WIDTH <= step && block.rows() * step <= panel_words);
    assert!(block.cols().div_ceil(WIDTH) <= panels.len().div_ceil(panel_words));
    if block.right() == 1 || block.cols() == 1 {
        copy_rows::<WIDTH>(level, panels, panel_words, step, block);
    } else {
        let starts = (0..block.cols()).step_by(WIDTH);
        for (panel, start) in panels.chunks_mut(panel_words).zip(starts) {
            let cols = WIDTH.min(block.cols() - start);
            transpose(level, panel, step, block.block(0, block.rows(), start, cols));
        }
    }
}

multiversion! {
    /// Packs a block whose rows are contiguous.
    fn copy_rows<const WIDTH: usize>(
        panels: &mut [u64],
        panel_words: usize,
        step: usize,
        block: MatRef<'_>,
    ) {
        for p in 0..block.rows() {
            let row = &block.data()[p * block.down()..][..block.cols()];
            let (full, rest) = row.as_chunks::<WIDTH>();
            let mut steps = panels.chunks_mut(panel_words).map(|panel| &mut panel[p * step..]);
            for (words, to) in full.iter().zip(&mut steps) {
                to[..WIDTH].copy_from_slice(words);
            }
            if let Some(to) = steps.next() {
                to[..rest.len()].copy_from_slice(rest);
            }
        }
    }
}

/// Packs a panel whose columns are contiguous.
fn transpose(level: Level, panel: &mut [u64], step: usize, strip: MatRef<'_>) {
    let (rows_done, cols_done) = transpose_by_vectors(level, panel, step, strip);
    for p in 0..strip.rows() {
        let first = if p < rows_done { cols_done } else { 0 };
        for j in first..strip.cols() {
            panel[p * step + j] = strip.at(p, j);
        }
    }
}

/// Packs what whole vectors can of a panel whose columns are contiguous, and
/// tells how many rows and columns that is.
#[cfg(target_arch = "x86_64")]
fn transpose_by_vectors(
    level: Level,
    panel: &mut [u64],
    step: usize,
    strip: MatRef<'_>,
) -> (usize, usize) {
    let (rows, cols) = (strip.rows() / 8 * 8, strip.cols() / 4 * 4);
    if level.width() != Width::Avx512 || strip.down() != 1 || rows == 0 {
        return (0, 0);
    }
    let column = |j: usize| &strip.data()[j * strip.right()..][..rows];
    for j in (0..strip.cols() / 8 * 8).step_by(8) {
        // SAFETY: the level proves the instructions.
        unsafe {
            transpose_8_columns(&mut panel[j..], step, std::array::from_fn(|c| column(j + c)))
        };
    }
    if cols % 8 == 4 {
        let j = cols - 4;
        // SAFETY: as above.
        unsafe {
            transpose_4_columns(&mut panel[j..], step, std::array::from_fn(|c| column(j + c)))
        };
    }
    (rows, cols)
}

/// Without vectors that could do it.
#[cfg(not(target_arch = "x86_64"))]
fn transpose_by_vectors(_: Level, _: &mut [u64], _: usize, _: MatRef<'_>) -> (usize, usize) {
    (0, 0)
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

/// [`transpose_8_columns`] for 4 columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn transpose_4_columns(panel: &mut [u64], step: usize, columns: [&[u64]; 4]) {
    let len = columns[0].len();
    assert!(len.is_multiple_of(8) && columns.iter().all(|column| column.len() == len));
    assert!(len == 0 || (len - 1) * step + 4 <= panel.len());
    for p in (0..len).step_by(8) {
        // SAFETY: each column has the words p..p + 8.
        let c = columns.map(|column| unsafe { _mm512_loadu_si512(column.as_ptr().add(p).cast()) });
        for (r, row) in transpose_4x8(c).into_iter().enumerate() {
            // SAFETY: the panel has 4 words from the start of each of the `len` rows.
            unsafe { _mm256_storeu_si256(panel.as_mut_ptr().add((p + r) * step).cast(), row) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTH: usize = 12;

    proptest! {
        #[test]
        fn panels_hold_the_block(
            rows in 0usize..40, cols in 1usize..40, spare in [0usize..3, 0..3], transposed: bool,
        ) {
            let words: Vec<u64> = (0..rows * cols).map(|i| i as u64 + 1).collect();
            let block = if transposed {
                MatRef::new(&words, cols, rows).t()
            } else {
                MatRef::new(&words, rows, cols)
            };
            let step = WIDTH + spare[0];
            let panel_words = (rows + spare[1]).max(1) * step;
            for level in Level::available() {
                let mut panels = vec![0; cols.div_ceil(WIDTH) * panel_words];
                pack::<WIDTH>(level, &mut panels, panel_words, step, block);
                for (i, panel) in panels.chunks(panel_words).enumerate() {
                    for (at, word) in panel.iter().enumerate() {
                        let (p, j) = (at / step, i * WIDTH + at % step);
                        let holds = p < rows && at % step < WIDTH && j < cols;
                        prop_assert_eq!(*word, if holds { block.at(p, j) } else { 0 });
                    }
                }
            }
        }
    }
}
