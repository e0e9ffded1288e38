//! Panels of byte planes.
//!
//! A stretch of 64 steps is eight planes, of one tile on the left and two on the right. A tile of the left
//! operand has a row of 64 bytes for each of 16 rows. One of the right operand has a row for every
//! four steps, with the four bytes of each of 16 columns side by side.

use super::{COLS, DIGITS, ROWS, SIDE, STEPS};
use crate::ring::gemm::MatRef;
use crate::ring::lanes::{LANES, Octet};
use crate::ring::scratch::Scratch;
use crate::ring::simd::transpose_8x8;
use std::arch::x86_64::{
    __m512i, __mmask8, _mm256_maskz_loadu_epi64, _mm512_castsi256_si512, _mm512_inserti64x4,
    _mm512_loadu_si512, _mm512_maskz_loadu_epi64, _mm512_permutexvar_epi8, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

/// Words of a row of a tile.
const ROW_WORDS: usize = STEPS / DIGITS;
/// Steps whose bytes stand side by side on the right.
const QUAD: usize = 4;

/// The bytes of eight words become eight words: of their lowest bytes, and so on.
const BY_DIGIT: [u8; 64] = transposition(DIGITS, LANES);
/// The bytes of 16 columns, for four steps one after the other, become those of four steps for
/// 16 columns.
const BY_COLUMN: [u8; 64] = transposition(SIDE, QUAD);

/// Where each byte of a matrix of `rows` x `cols` stands in its transpose.
const fn transposition(rows: usize, cols: usize) -> [u8; 64] {
    assert!(rows * cols == 64);
    let (mut from, mut to) = ([0; 64], 0);
    while to < 64 {
        from[to] = (to % cols * rows + to / cols) as u8;
        to += 1;
    }
    from
}

/// Packs up to 16 rows of the left operand. What a last stretch has no steps for is zero.
#[target_feature(enable = "avx512f,avx512vl,avx512vbmi")]
pub(super) fn pack_left(panel: &mut [u64], block: MatRef<'_>) {
    assert!(block.right() == 1 || block.down() == 1, "rows or columns in one piece");
    assert!(block.rows() <= ROWS && block.cols().next_multiple_of(STEPS) * ROWS <= panel.len());
    let mut scratch = Scratch::take();
    let strip = scratch.octets::<{ LANES * ROW_WORDS }>();
    for (stretch, panel) in panel.chunks_exact_mut(STEPS * ROWS).enumerate() {
        let first = stretch * STEPS;
        let Some(steps) = block.cols().checked_sub(first).filter(|steps| *steps > 0) else { break };
        for row in (0..block.rows()).step_by(LANES) {
            let rows = (block.rows() - row).min(LANES);
            let part = block.block(row, rows, first, steps.min(STEPS));
            if part.right() != 1 {
                transpose_words(strip, part);
            }
            for i in 0..rows {
                let octets = if part.right() == 1 {
                    let words = &part.data()[i * part.down()..];
                    std::array::from_fn(|g| load(words, g * LANES, part.cols()))
                } else {
                    // SAFETY: an octet has eight words.
                    std::array::from_fn(|g| unsafe {
                        _mm512_loadu_si512(strip[i * ROW_WORDS + g].as_ptr().cast())
                    })
                };
                store_planes::<{ ROWS }>(panel, row + i, by_digit(octets));
            }
        }
    }
}

/// Packs up to 32 columns of the right operand. What has no steps is left as it is: it meets
/// zeros on the left.
#[target_feature(enable = "avx512f,avx512vl,avx512vbmi")]
pub(super) fn pack_right(panel: &mut [u64], block: MatRef<'_>) {
    assert!(block.right() == 1 || block.down() == 1, "rows or columns in one piece");
    assert!(block.cols() <= COLS && block.rows().next_multiple_of(STEPS) * COLS <= panel.len());
    // SAFETY: an array of 64 bytes.
    let by_column = unsafe { _mm512_loadu_si512(BY_COLUMN.as_ptr().cast()) };
    for step in (0..block.rows()).step_by(QUAD) {
        let panel = &mut panel[step / STEPS * STEPS * COLS..][..STEPS * COLS];
        let steps = (block.rows() - step).min(QUAD);
        for col in (0..block.cols()).step_by(SIDE) {
            let part = block.block(step, steps, col, (block.cols() - col).min(SIDE));
            let planes = if part.right() == 1 {
                let octets = std::array::from_fn(|g| match g / 2 < steps {
                    true => load(&part.data()[g / 2 * part.down()..], g % 2 * LANES, part.cols()),
                    false => _mm512_setzero_si512(),
                });
                by_digit(octets).map(|plane| _mm512_permutexvar_epi8(by_column, plane))
            } else {
                by_digit(std::array::from_fn(|g| load_two_columns(part, 2 * g)))
            };
            store_planes::<{ COLS }>(panel, col + step % STEPS / QUAD, planes);
        }
    }
}

/// The lanes of an octet that begins at word `at` of `len`.
fn lanes(at: usize, len: usize) -> __mmask8 {
    let words = len.saturating_sub(at).min(LANES);
    ((1u16 << words) - 1) as u8
}

/// Eight words from `at` on; those from `len` on are zero.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u64], at: usize, len: usize) -> __m512i {
    assert!(len <= words.len());
    // SAFETY: words whose lanes are set exist.
    unsafe { _mm512_maskz_loadu_epi64(lanes(at, len), words.as_ptr().wrapping_add(at).cast()) }
}

/// Four steps of column `col` and of the next; those that the block lacks are zero.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn load_two_columns(block: MatRef<'_>, col: usize) -> __m512i {
    let four = |col: usize| {
        let words = match col < block.cols() {
            true => &block.data()[col * block.right()..][..block.rows()],
            false => &[],
        };
        // SAFETY: words whose lanes are set exist.
        unsafe { _mm256_maskz_loadu_epi64(lanes(0, words.len()) & 0xf, words.as_ptr().cast()) }
    };
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(four(col)), four(col + 1))
}

/// Words of up to eight rows whose columns are in one piece: eight octets for each row.
#[target_feature(enable = "avx512f")]
fn transpose_words(strip: &mut [Octet; LANES * ROW_WORDS], block: MatRef<'_>) {
    for g in 0..ROW_WORDS {
        let columns = std::array::from_fn(|k| {
            let step = g * LANES + k;
            match step < block.cols() {
                true => load(&block.data()[step * block.right()..], 0, block.rows()),
                false => _mm512_setzero_si512(),
            }
        });
        for (row, words) in transpose_8x8(columns).into_iter().enumerate() {
            // SAFETY: an octet has eight words.
            unsafe { _mm512_storeu_si512(strip[row * ROW_WORDS + g].as_mut_ptr().cast(), words) };
        }
    }
}

/// The eight digits of 64 words.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512vbmi")]
fn by_digit(octets: [__m512i; LANES]) -> [__m512i; DIGITS] {
    // SAFETY: an array of 64 bytes.
    let order = unsafe { _mm512_loadu_si512(BY_DIGIT.as_ptr().cast()) };
    transpose_8x8(octets.map(|octet| _mm512_permutexvar_epi8(order, octet)))
}

/// Writes row `row` of the tiles of a plane, `ROWS` in all, into every plane of a stretch.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_planes<const ROWS: usize>(stretch: &mut [u64], row: usize, planes: [__m512i; DIGITS]) {
    assert!(stretch.len() == STEPS * ROWS && row < ROWS);
    for (digit, plane) in planes.into_iter().enumerate() {
        let at = (digit * ROWS + row) * ROW_WORDS;
        // SAFETY: a stretch has eight planes of as many rows.
        unsafe { _mm512_storeu_si512(stretch.as_mut_ptr().add(at).cast(), plane) };
    }
}
