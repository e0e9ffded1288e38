//! 512-bit vectors and 64-bit products: 8 rows of 24 columns at a time.

use super::MatRef;
use super::driver::{Kernel, Tile};
use super::panel;
use crate::ring::simd::Level;
use std::arch::x86_64::{
    __m512i, __mmask8, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi64, _mm512_mask_storeu_epi64,
    _mm512_maskz_loadu_epi64, _mm512_mullo_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
};

/// Words in a vector.
const LANES: usize = 8;

/// The kernel. It can only be made where its instructions exist.
#[derive(Clone, Copy)]
pub(super) struct Avx512Dq(Level);

impl Avx512Dq {
    /// The kernel, if the processor can run it.
    pub(super) fn new() -> Option<Avx512Dq> {
        Level::avx512().map(Avx512Dq)
    }
}

impl Kernel for Avx512Dq {
    const ROWS: usize = 8;
    const COLS: usize = 3 * LANES;
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
        macro_rules! dispatch {
            ($($rows:literal)*) => {
                match (tile.rows, tile.cols.div_ceil(LANES)) {
                    $(
                        ($rows, 1) => add_tile::<$rows, 1>,
                        ($rows, 2) => add_tile::<$rows, 2>,
                        ($rows, 3) => add_tile::<$rows, 3>,
                    )*
                    (rows, vectors) => panic!("no kernel for {rows} rows of {vectors} vectors"),
                }
            };
        }
        let kernel = dispatch!(1 2 3 4 5 6 7 8);
        // SAFETY: `self` proves the instructions, and the bounds were checked above.
        unsafe { kernel(tile, out.as_mut_ptr(), out_down) }
    }
}

/// `ROWS` rows of up to `VECTORS` vectors of columns.
///
/// # Safety
/// All words that the tile names must exist, in the operands and in `out`.
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn add_tile<const ROWS: usize, const VECTORS: usize>(
    tile: &Tile<'_>,
    out: *mut u64,
    out_down: usize,
) {
    let unused = VECTORS * LANES - tile.cols;
    let mask = |v: usize| -> __mmask8 { if v + 1 < VECTORS { 0xff } else { 0xff >> unused } };
    let rows: [*mut i64; ROWS] = std::array::from_fn(|i| out.wrapping_add(i * out_down).cast());
    for row in rows {
        for v in 0..=VECTORS {
            _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(v * LANES).cast());
        }
    }

    let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
    let lhs: [*const u64; ROWS] =
        std::array::from_fn(|i| tile.lhs.as_ptr().wrapping_add(i * tile.lhs_down));
    let mut lhs_at = 0;
    let mut rhs = tile.rhs.as_ptr();
    for _ in 0..tile.depth {
        // SAFETY: step p of all rows and columns exists, and masked lanes are not read.
        let y: [__m512i; VECTORS] = std::array::from_fn(|v| unsafe {
            _mm512_maskz_loadu_epi64(mask(v), rhs.wrapping_add(v * LANES).cast())
        });
        for i in 0..ROWS {
            let x = _mm512_set1_epi64(unsafe { *lhs[i].wrapping_add(lhs_at) } as i64);
            for (sum, y) in sums[i].iter_mut().zip(y) {
                *sum = _mm512_add_epi64(*sum, _mm512_mullo_epi64(x, y));
            }
        }
        lhs_at += tile.lhs_right;
        rhs = rhs.wrapping_add(tile.rhs_down);
    }

    for (row, sums) in rows.iter().zip(sums) {
        for (v, sum) in sums.into_iter().enumerate() {
            // SAFETY: the output has these words, and masked lanes are left alone.
            unsafe {
                let at = row.wrapping_add(v * LANES);
                let old = _mm512_maskz_loadu_epi64(mask(v), at);
                _mm512_mask_storeu_epi64(at, mask(v), _mm512_add_epi64(old, sum));
            }
        }
    }
}
