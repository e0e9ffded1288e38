//! Plain 64-bit products, for any processor: 4 rows of 4 columns at a time.

use super::MatRef;
use super::driver::{Kernel, Tile};
use super::panel;
use crate::ring::simd::Level;

/// The kernel.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    const ROWS: usize = 4;
    const COLS: usize = 4;
    const DEPTH: usize = 384;
    const LHS_STEP: usize = Self::ROWS;
    const RHS_STEP: usize = Self::COLS;
    const IN_PLACE: bool = true;

    fn level(self) -> Level {
        Level::PORTABLE
    }

    fn pack_lhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        panel::pack::<{ Self::ROWS }>(
            Level::PORTABLE,
            panels,
            panel_words,
            Self::LHS_STEP,
            block.t(),
        );
    }

    fn pack_rhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        panel::pack::<{ Self::COLS }>(Level::PORTABLE, panels, panel_words, Self::RHS_STEP, block);
    }

    fn add_tile(self, tile: &Tile<'_>, out: &mut [u64], out_down: usize) {
        tile.assert_in_bounds(out, out_down);
        // Full tiles have sizes that the compiler knows.
        let sums = if tile.rows == Self::ROWS && tile.cols == Self::COLS {
            product(tile, Self::ROWS, Self::COLS)
        } else {
            product(tile, tile.rows, tile.cols)
        };
        for (i, row) in sums[..tile.rows].iter().enumerate() {
            for (word, sum) in out[i * out_down..][..tile.cols].iter_mut().zip(row) {
                *word = word.wrapping_add(*sum);
            }
        }
    }
}

/// The product of a tile in its first rows and columns.
#[inline(always)]
fn product(tile: &Tile<'_>, rows: usize, cols: usize) -> [[u64; Portable::COLS]; Portable::ROWS] {
    let mut sums = [[0u64; Portable::COLS]; Portable::ROWS];
    for p in 0..tile.depth {
        let y = &tile.rhs[p * tile.rhs_down..][..cols];
        for (i, row) in sums[..rows].iter_mut().enumerate() {
            let x = tile.lhs[i * tile.lhs_down + p * tile.lhs_right];
            for (sum, y) in row.iter_mut().zip(y) {
                *sum = sum.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
    sums
}
