//! 256-bit vectors: 2 rows of 8 columns at a time.
//!
//! With a = a' + 2^32 a" and b = b' + 2^32 b",
//!
//! ```text
//! a b = a' b' + 2^32 (a' b" + a" b')    mod 2^64,
//! ```
//!
//! and of the bracket only the lowest 32 bits matter: `vpmuludq` gives the first
//! product, and one `vpmulld` of a with the swapped halves of b both of the others.

use super::MatRef;
use super::driver::{Kernel, Tile};
use super::panel;
use crate::ring::simd::Level;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_cmpgt_epi64, _mm256_loadu_si256,
    _mm256_maskload_epi64, _mm256_maskstore_epi64, _mm256_mul_epu32, _mm256_mullo_epi32,
    _mm256_set1_epi64x, _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi32,
    _mm256_slli_epi64, _mm256_storeu_si256,
};

/// Words in a vector.
const LANES: usize = 4;

/// The kernel. It can only be made where its instructions exist.
#[derive(Clone, Copy)]
pub(super) struct Avx2(Level);

impl Avx2 {
    /// The kernel, if the processor can run it.
    pub(super) fn new() -> Option<Avx2> {
        Level::avx2().map(Avx2)
    }
}

impl Kernel for Avx2 {
    const ROWS: usize = 2;
    const COLS: usize = 2 * LANES;
    const DEPTH: usize = 384;
    const LHS_STEP: usize = Self::ROWS;
    const RHS_STEP: usize = Self::COLS;
    const IN_PLACE: bool = true;

    fn level(self) -> Level {
        self.0
    }

    fn pack_lhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        panel::pack::<{ Self::ROWS }>(self.0, panels, panel_words, Self::LHS_STEP, block.t());
    }

    fn pack_rhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        panel::pack::<{ Self::COLS }>(self.0, panels, panel_words, Self::RHS_STEP, block);
    }

    fn add_tile(self, tile: &Tile<'_>, out: &mut [u64], out_down: usize) {
        tile.assert_in_bounds(out, out_down);
        let ragged = !tile.cols.is_multiple_of(LANES);
        let kernel = match (tile.rows, tile.cols.div_ceil(LANES), ragged) {
            (1, 1, false) => add_tile::<1, 1, false>,
            (1, 2, false) => add_tile::<1, 2, false>,
            (2, 1, false) => add_tile::<2, 1, false>,
            (2, 2, false) => add_tile::<2, 2, false>,
            (1, 1, true) => add_tile::<1, 1, true>,
            (1, 2, true) => add_tile::<1, 2, true>,
            (2, 1, true) => add_tile::<2, 1, true>,
            (2, 2, true) => add_tile::<2, 2, true>,
            (rows, vectors, _) => panic!("no kernel for {rows} rows of {vectors} vectors"),
        };
        // SAFETY: `self` proves the instructions, and the bounds were checked above.
        unsafe { kernel(tile, out.as_mut_ptr(), out_down) };
    }
}

/// `M` rows of `V` vectors of columns, the last of them not full if `RAGGED`.
///
/// # Safety
/// All words that the tile names must exist, in the operands and in `out`.
#[target_feature(enable = "avx2")]
unsafe fn add_tile<const M: usize, const V: usize, const RAGGED: bool>(
    tile: &Tile<'_>,
    out: *mut u64,
    out_down: usize,
) {
    let used = (tile.cols - (V - 1) * LANES) as i64;
    let mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(used), _mm256_setr_epi64x(0, 1, 2, 3));
    let is_masked = |v: usize| RAGGED && v + 1 == V;

    let zero = _mm256_setzero_si256();
    let (mut low, mut cross) = ([[zero; V]; M], [[zero; V]; M]);
    let lhs: [*const u64; M] =
        std::array::from_fn(|i| tile.lhs.as_ptr().wrapping_add(i * tile.lhs_down));
    let mut lhs_at = 0;
    let mut rhs = tile.rhs.as_ptr();
    for _ in 0..tile.depth {
        let y: [__m256i; V] = std::array::from_fn(|v| {
            let at = rhs.wrapping_add(v * LANES);
            // SAFETY: the step exists for all columns, and masked lanes are not read.
            unsafe {
                if is_masked(v) {
                    _mm256_maskload_epi64(at.cast(), mask)
                } else {
                    _mm256_loadu_si256(at.cast())
                }
            }
        });
        for i in 0..M {
            // SAFETY: the step exists for all rows.
            let x = _mm256_set1_epi64x(unsafe { *lhs[i].wrapping_add(lhs_at) } as i64);
            for v in 0..V {
                let swapped = swap_halves(y[v]);
                low[i][v] = _mm256_add_epi64(low[i][v], _mm256_mul_epu32(x, y[v]));
                cross[i][v] = _mm256_add_epi32(cross[i][v], _mm256_mullo_epi32(x, swapped));
            }
        }
        lhs_at += tile.lhs_right;
        rhs = rhs.wrapping_add(tile.rhs_down);
    }

    for i in 0..M {
        for v in 0..V {
            // Either half has the sum of one of the two products.
            let both = _mm256_add_epi64(cross[i][v], swap_halves(cross[i][v]));
            let sum = _mm256_add_epi64(low[i][v], _mm256_slli_epi64::<32>(both));
            let at = out.wrapping_add(i * out_down + v * LANES);
            // SAFETY: the output has these words, and masked lanes are left alone.
            unsafe {
                if is_masked(v) {
                    let old = _mm256_maskload_epi64(at.cast(), mask);
                    _mm256_maskstore_epi64(at.cast(), mask, _mm256_add_epi64(old, sum));
                } else {
                    let old = _mm256_loadu_si256(at.cast());
                    _mm256_storeu_si256(at.cast(), _mm256_add_epi64(old, sum));
                }
            }
        }
    }
}

/// Swaps the 32-bit halves of each word.
#[inline]
#[target_feature(enable = "avx2")]
fn swap_halves(words: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(words)
}
