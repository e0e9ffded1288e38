//! 512-bit vectors, 52-bit and 16-bit products: 4 rows of 16 columns at a time.
//!
//! With a = a' + 2^52 a" and b = b' + 2^52 b", where a', b' < 2^52,
//!
//! ```text
//! a b = lo52(a' b') + 2^52 (hi52(a' b') + a b" + a" b)    mod 2^64,
//! ```
//!
//! and of the bracket only the lowest 12 bits matter. `vpmadd52luq` and
//! `vpmadd52huq` accumulate lo52 and hi52 for 8 columns (they ignore the upper 12
//! bits of the operands by themselves); one `vpdpwssd` accumulates both cross
//! terms for 16 columns, as inner products of two pairs of 16-bit numbers. Of
//! these numbers only the lowest 12 bits count, so that what stands above may
//! be anything, the sign included. That is 5 instructions for 16 products,
//! where `vpmullq` takes 2 x 3 micro-operations on Intel's processors and 2 more
//! for the sums.
//!
//! In a packed panel the words of a step are followed by its pairs, two to a
//! word: of the first and second half of the columns on the right, so that a
//! pair's sum stands in the lane of its column, and of neighbours on the left.

use super::MatRef;
use super::driver::{Kernel, Tile};
use super::panel;
use crate::ring::simd::{Level, multiversion};
use std::arch::x86_64::{
    __m512i, __mmask8, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi64, _mm512_dpwssd_epi32,
    _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_storeu_epi64,
    _mm512_maskz_loadu_epi64, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srli_epi64,
};

/// Words in a vector.
const LANES: usize = 8;
/// Rows of a full tile.
const ROWS: usize = 4;
/// Columns of a full tile.
const COLS: usize = 2 * LANES;
/// Steps that are packed and paired together: a multiple of what is transposed at once.
const STEPS_TOGETHER: usize = 16;

/// The kernel. It can only be made where its instructions exist.
#[derive(Clone, Copy)]
pub(super) struct Avx512Ifma(Level);

impl Avx512Ifma {
    /// The kernel, if the processor can run it.
    pub(super) fn new() -> Option<Avx512Ifma> {
        let level = Level::avx512()?;
        let has = is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vnni");
        has.then_some(Avx512Ifma(level))
    }

    /// Packs a block into panels and lets `pair` complete their steps, while they are in the
    /// first-level cache.
    fn pack<const WIDTH: usize>(
        self,
        panels: &mut [u64],
        panel_words: usize,
        step: usize,
        block: MatRef<'_>,
        pair: fn(Level, &mut [u64]),
    ) {
        // Columns that are transposed are read in stretches as long as they are.
        let together = if block.right() == 1 { STEPS_TOGETHER } else { block.rows().max(1) };
        for row in (0..block.rows()).step_by(together) {
            let rows = (block.rows() - row).min(together);
            let (panels, rows_of_block) =
                (&mut panels[row * step..], block.block(row, rows, 0, block.cols()));
            panel::pack::<WIDTH>(self.0, panels, panel_words, step, rows_of_block);
            let packed = panels.chunks_mut(panel_words).take(block.cols().div_ceil(WIDTH));
            packed.for_each(|panel| pair(self.0, &mut panel[..rows * step]));
        }
    }
}

impl Kernel for Avx512Ifma {
    const ROWS: usize = ROWS;
    const COLS: usize = COLS;
    // The steps of a panel of the right operand take half as much again as its words.
    const DEPTH: usize = 160;
    const LHS_STEP: usize = ROWS + ROWS / 2;
    const RHS_STEP: usize = COLS + COLS / 2;
    const IN_PLACE: bool = false;

    fn level(self) -> Level {
        self.0
    }

    fn pack_lhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        self.pack::<ROWS>(panels, panel_words, Self::LHS_STEP, block.t(), pair_lhs);
    }

    fn pack_rhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        self.pack::<COLS>(panels, panel_words, Self::RHS_STEP, block, pair_rhs);
    }

    fn add_tile(self, tile: &Tile<'_>, out: &mut [u64], out_down: usize) {
        tile.assert_in_bounds(out, out_down);
        assert!(tile.lhs.len() >= tile.depth * Self::LHS_STEP);
        assert!(tile.rhs.len() >= tile.depth * Self::RHS_STEP);
        let kernel = match (tile.rows, tile.cols.div_ceil(LANES)) {
            (1, 1) => add_tile::<1, 1>,
            (1, 2) => add_tile::<1, 2>,
            (2, 1) => add_tile::<2, 1>,
            (2, 2) => add_tile::<2, 2>,
            (3, 1) => add_tile::<3, 1>,
            (3, 2) => add_tile::<3, 2>,
            (4, 1) => add_tile::<4, 1>,
            (4, 2) => add_tile::<4, 2>,
            (rows, vectors) => panic!("no kernel for {rows} rows of {vectors} vectors"),
        };
        // SAFETY: `self` proves the instructions, and the bounds were checked above.
        unsafe { kernel(tile, out.as_mut_ptr(), out_down) }
    }
}

/// The low and the high 12 bits of a left factor, in the low and the high half.
fn lhs_pair(word: u64) -> u64 {
    (word & 0xffff) | (word >> 52 << 16)
}

/// The high and the low 12 bits of a right factor, in the low and the high half.
fn rhs_pair(word: u64) -> u64 {
    (word >> 52) | ((word & 0xffff) << 16)
}

multiversion! {
    /// Completes the steps of left panels by the pairs.
    fn pair_lhs(panels: &mut [u64]) {
        let (steps, _) = panels.as_chunks_mut::<{ ROWS + ROWS / 2 }>();
        for step in steps {
            let (words, pairs) = step.split_at_mut(ROWS);
            for (pair, words) in pairs.iter_mut().zip(words.as_chunks::<2>().0) {
                *pair = lhs_pair(words[0]) | (lhs_pair(words[1]) << 32);
            }
        }
    }
}

multiversion! {
    /// Completes the steps of right panels by the pairs.
    fn pair_rhs(panels: &mut [u64]) {
        let (steps, _) = panels.as_chunks_mut::<{ COLS + COLS / 2 }>();
        for step in steps {
            let (words, pairs) = step.split_at_mut(COLS);
            let (first, second) = words.split_at(LANES);
            for ((pair, first), second) in pairs.iter_mut().zip(first).zip(second) {
                *pair = rhs_pair(*first) | (rhs_pair(*second) << 32);
            }
        }
    }
}

/// `M` rows of up to `V` vectors of columns.
///
/// # Safety
/// The operands must be packed panels of `tile.depth` steps, and the words of
/// the tile must exist in `out`.
#[target_feature(enable = "avx512f,avx512ifma,avx512vnni")]
unsafe fn add_tile<const M: usize, const V: usize>(
    tile: &Tile<'_>,
    out: *mut u64,
    out_down: usize,
) {
    let unused = V * LANES - tile.cols;
    let mask = |v: usize| -> __mmask8 { if v + 1 < V { 0xff } else { 0xff >> unused } };
    let rows: [*mut i64; M] = std::array::from_fn(|i| out.wrapping_add(i * out_down).cast());
    for row in rows {
        for v in 0..=V {
            _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(v * LANES).cast());
        }
    }

    let zero = _mm512_setzero_si512();
    let (mut low, mut high, mut cross) = ([[zero; V]; M], [[zero; V]; M], [zero; M]);
    let (mut lhs, mut rhs) = (tile.lhs.as_ptr(), tile.rhs.as_ptr());
    for _ in 0..tile.depth {
        // SAFETY: the step exists in both panels, with all its words and pairs.
        unsafe {
            let y: [__m512i; V] =
                std::array::from_fn(|v| _mm512_loadu_si512(rhs.add(v * LANES).cast()));
            let y_pairs = _mm512_loadu_si512(rhs.add(COLS).cast());
            let lhs_pairs: *const i32 = lhs.add(ROWS).cast();
            for i in 0..M {
                let x = _mm512_set1_epi64(*lhs.add(i) as i64);
                let x_pair = _mm512_set1_epi32(*lhs_pairs.add(i));
                for v in 0..V {
                    low[i][v] = _mm512_madd52lo_epu64(low[i][v], x, y[v]);
                    high[i][v] = _mm512_madd52hi_epu64(high[i][v], x, y[v]);
                }
                cross[i] = _mm512_dpwssd_epi32(cross[i], x_pair, y_pairs);
            }
        }
        lhs = lhs.wrapping_add(Avx512Ifma::LHS_STEP);
        rhs = rhs.wrapping_add(Avx512Ifma::RHS_STEP);
    }

    for i in 0..M {
        for v in 0..V {
            let cross = if v == 0 { cross[i] } else { _mm512_srli_epi64::<32>(cross[i]) };
            let upper = _mm512_slli_epi64::<52>(_mm512_add_epi64(high[i][v], cross));
            let sum = _mm512_add_epi64(low[i][v], upper);
            // SAFETY: the output has these words, and masked lanes are left alone.
            unsafe {
                let at = rows[i].wrapping_add(v * LANES);
                let old = _mm512_maskz_loadu_epi64(mask(v), at);
                _mm512_mask_storeu_epi64(at, mask(v), _mm512_add_epi64(old, sum));
            }
        }
    }
}
