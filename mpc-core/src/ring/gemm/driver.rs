//! The blocked loops around a kernel (after Goto and van de Geijn, 'Anatomy of
//! high-performance matrix multiplication', 2008).
//!
//! The inner length is cut so that a panel of the right operand stays in the
//! first-level cache while the rows of a block of the left operand, which stays
//! in the second level, pass by it. Operands are packed only where reading them
//! in place costs more: packing a matrix of 128 columns takes as long as a
//! tenth of its product with one of 128.

use super::MatRef;
use super::operand::{Operand, TOGETHER};
use super::scratch::{Buffer, Panels, Room};
use crate::ring::simd::Level;

/// Most rows of the left operand in a block.
const HEIGHT: usize = 128;
/// Most columns of the right operand in a block.
const WIDTH: usize = 1536;
/// Distance in words between consecutive steps from which on reading in place
/// loses more to cache conflicts than packing costs.
const FAR: usize = 512;

/// What multiplies one tile of the output.
pub(super) trait Kernel: Copy {
    /// Most rows of a tile.
    const ROWS: usize;
    /// Most columns of a tile.
    const COLS: usize;
    /// Longest stretch of the inner dimension between two updates of the output.
    const DEPTH: usize;
    /// Steps of which a packed panel has a multiple.
    const STEPS: usize = 1;
    /// Words that one step of the inner dimension takes in a packed panel of `ROWS` rows.
    const LHS_STEP: usize;
    /// Words that one step of the inner dimension takes in a packed panel of `COLS` columns.
    const RHS_STEP: usize;
    /// Whether panels may also be plain matrices, read where they lie.
    const IN_PLACE: bool;
    /// Panels that are packed together, so that rows are read in longer stretches.
    const PANELS_TOGETHER: usize = 8;

    /// The vectors that it uses.
    fn level(self) -> Level;

    /// Packs a block of the left operand into panels of `ROWS` rows, `panel_words` words each.
    fn pack_lhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>);

    /// Packs a block of the right operand into panels of `COLS` columns, `panel_words` words each.
    fn pack_rhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>);

    /// Adds the product that `tile` describes to the first rows and columns of
    /// `out`, whose rows are `out_down` words apart.
    fn add_tile(self, tile: &Tile<'_>, out: &mut [u64], out_down: usize);
}

/// The operands of one tile of the output.
pub(super) struct Tile<'a> {
    /// Rows of the tile.
    pub(super) rows: usize,
    /// Columns of the tile.
    pub(super) cols: usize,
    /// Length of the inner dimension.
    pub(super) depth: usize,
    /// The panel of the left operand: the word of row i at step p is the one at
    /// `i * lhs_down + p * lhs_right`.
    pub(super) lhs: &'a [u64],
    /// Distance between rows of the left operand.
    pub(super) lhs_down: usize,
    /// Distance between steps of the left operand.
    pub(super) lhs_right: usize,
    /// The panel of the right operand: the word of column j at step p is the one
    /// at `p * rhs_down + j`.
    pub(super) rhs: &'a [u64],
    /// Distance between steps of the right operand.
    pub(super) rhs_down: usize,
}

impl Tile<'_> {
    /// Checks that all words that the tile names exist: kernels rely on it.
    pub(super) fn assert_in_bounds(&self, out: &[u64], out_down: usize) {
        assert!(self.rows > 0 && self.cols > 0 && self.depth > 0);
        let (last_row, last_step) = (self.rows - 1, self.depth - 1);
        assert!(last_row * self.lhs_down + last_step * self.lhs_right < self.lhs.len());
        assert!(last_step * self.rhs_down + self.cols <= self.rhs.len());
        assert!(last_row * out_down + self.cols <= out.len());
    }
}

/// `out += lhs * rhs` for operands whose shapes fit.
pub(super) fn multiply<K: Kernel>(
    kernel: K,
    panels: &mut Panels,
    out: &mut [u64],
    lhs: Operand<'_>,
    rhs: Operand<'_>,
) {
    let (rows, cols) = (lhs.rows(), rhs.cols());
    let Panels { lhs: left_panels, rhs: right_panels, room } = panels;
    for (step, depth) in parts(lhs.cols(), K::DEPTH, TOGETHER.max(K::STEPS)) {
        for (col, width) in parts(cols, WIDTH, K::COLS) {
            let right = rhs.block(step, depth, col, width);
            let right = Right::prepare(kernel, right_panels, room, right, rows);
            for (row, height) in parts(rows, HEIGHT, K::ROWS) {
                let left = lhs.block(row, height, step, depth);
                let left = Left::prepare(kernel, left_panels, room, left, cols);
                for j in (0..width).step_by(K::COLS) {
                    let (rhs, rhs_down) = right.panel(j);
                    for i in (0..height).step_by(K::ROWS) {
                        let (lhs, lhs_down, lhs_right) = left.panel(i);
                        let tile = Tile {
                            rows: (height - i).min(K::ROWS),
                            cols: (width - j).min(K::COLS),
                            depth,
                            lhs,
                            lhs_down,
                            lhs_right,
                            rhs,
                            rhs_down,
                        };
                        kernel.add_tile(&tile, &mut out[(row + i) * cols + col + j..], cols);
                    }
                }
            }
        }
    }
}

/// Cuts `len` into the fewest parts of at most `most`, as even as multiples of
/// `unit` allow: pairs of start and length.
fn parts(len: usize, most: usize, unit: usize) -> impl Iterator<Item = (usize, usize)> {
    let size = len.div_ceil(len.div_ceil(most).max(1)).next_multiple_of(unit).max(1);
    (0..len).step_by(size).map(move |start| (start, size.min(len - start)))
}

/// A block of the left operand, ready for the kernel.
enum Left<'a> {
    InPlace(MatRef<'a>),
    Packed { panels: &'a [u64], panel_words: usize, panel_rows: usize, step: usize },
}

impl<'a> Left<'a> {
    fn prepare<K: Kernel>(
        kernel: K,
        buffer: &'a mut Buffer,
        room: &mut Room,
        block: Operand<'a>,
        cols: usize,
    ) -> Self {
        let conflicts = block.right() >= FAR && cols > 2 * K::COLS;
        if K::IN_PLACE && !conflicts {
            return Left::InPlace(block.matrix(kernel.level(), &mut room.gathered, buffer));
        }
        let panel_words = block.cols().next_multiple_of(K::STEPS) * K::LHS_STEP;
        let panels = buffer.take(block.rows().div_ceil(K::ROWS) * panel_words);
        let rows_together = K::PANELS_TOGETHER * K::ROWS;
        let groups = panels.chunks_mut(K::PANELS_TOGETHER * panel_words);
        for (group, row) in groups.zip((0..).step_by(rows_together)) {
            let rows = (block.rows() - row).min(rows_together);
            let rows = block.block(row, rows, 0, block.cols());
            kernel.pack_lhs(
                group,
                panel_words,
                rows.matrix(kernel.level(), &mut room.gathered, &mut room.mixed),
            );
        }
        Left::Packed { panels, panel_words, panel_rows: K::ROWS, step: K::LHS_STEP }
    }

    /// The panel that starts at row `i`, with its distances between rows and between steps.
    fn panel(&self, i: usize) -> (&'a [u64], usize, usize) {
        match *self {
            Left::InPlace(block) => {
                (&block.data()[i * block.down()..], block.down(), block.right())
            }
            Left::Packed { panels, panel_words, panel_rows, step } => {
                let start = i / panel_rows * panel_words;
                (&panels[start..start + panel_words], 1, step)
            }
        }
    }
}

/// A block of the right operand, ready for the kernel.
enum Right<'a> {
    InPlace(MatRef<'a>),
    Packed { panels: &'a [u64], panel_words: usize, panel_cols: usize, step: usize },
}

impl<'a> Right<'a> {
    fn prepare<K: Kernel>(
        kernel: K,
        buffer: &'a mut Buffer,
        room: &mut Room,
        block: Operand<'a>,
        rows: usize,
    ) -> Self {
        let conflicts = block.down() >= FAR && rows > 4 * K::ROWS;
        if K::IN_PLACE && (block.right() == 1 || block.cols() == 1) && !conflicts {
            return Right::InPlace(block.matrix(kernel.level(), &mut room.gathered, buffer));
        }
        let panel_words = block.rows().next_multiple_of(K::STEPS) * K::RHS_STEP;
        let panels = buffer.take(block.cols().div_ceil(K::COLS) * panel_words);
        let cols_together = K::PANELS_TOGETHER * K::COLS;
        let groups = panels.chunks_mut(K::PANELS_TOGETHER * panel_words);
        for (group, col) in groups.zip((0..).step_by(cols_together)) {
            let cols = (block.cols() - col).min(cols_together);
            let cols = block.block(0, block.rows(), col, cols);
            kernel.pack_rhs(
                group,
                panel_words,
                cols.matrix(kernel.level(), &mut room.gathered, &mut room.mixed),
            );
        }
        Right::Packed { panels, panel_words, panel_cols: K::COLS, step: K::RHS_STEP }
    }

    /// The panel that starts at column `j`, with its distance between steps.
    fn panel(&self, j: usize) -> (&'a [u64], usize) {
        match *self {
            Right::InPlace(block) => (&block.data()[j..], block.down()),
            Right::Packed { panels, panel_words, panel_cols, step } => {
                let start = j / panel_cols * panel_words;
                (&panels[start..start + panel_words], step)
            }
        }
    }
}
