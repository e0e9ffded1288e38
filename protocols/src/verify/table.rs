//! Products of base words, arranged as a table of `2^v` rows, and their first fold.
//!
//! The first fold works on base words, where a product is cheap: each column `b` gets one
//! challenge, the rows are read as multilinear polynomials `X_b` and `Y_b`, and `p(t) =
//! sum_b c_b X_b(t) Y_b(t)` is known at the corners from the claimed products. The parties
//! compute the other values on the grid, and go on with `p(r)` at a random point: the
//! inner product of `c_b X_b(r)` and `Y_b(r)`, one element of the extension a column.

use super::algebra::Algebra;
use super::compress::Claim;
use super::grid::{self, Known};
use super::shared::Shared;
use mpc_core::share::Words;
use std::ops::Range;

/// The components that this party holds of two factors and their product.
pub struct Factors<'a> {
    /// First factor.
    pub x: [&'a [u64]; 2],
    /// Second factor.
    pub y: [&'a [u64]; 2],
    /// The product.
    pub z: [&'a [u64]; 2],
}

/// Part of a row: `len` words of the factors number `source` from word `start` on.
struct Piece {
    column: usize,
    source: usize,
    start: usize,
    len: usize,
}

/// Factors as rows of equal length; what a row lacks is zero.
pub struct Table<'a> {
    factors: Vec<Factors<'a>>,
    rows: Vec<Vec<Piece>>,
    columns: usize,
    variables: usize,
}

/// Base words of each row that are multiplied in one go.
const BLOCK: usize = 128;

/// The most variables of a table.
const MAX_VARIABLES: usize = 5;

/// How many times the values on the grid may be sent for one word of each product: it
/// bounds what the first fold adds to the traffic of the products by 5%.
const GRID_SHARE: usize = 20;

/// Variables of a table of `words` products.
fn variables_for<A: Algebra>(words: usize) -> usize {
    let affordable = |v: &usize| grid::points(*v) * A::WIDTH * GRID_SHARE <= words;
    (1..=MAX_VARIABLES).rev().find(affordable).unwrap_or(0)
}

impl<'a> Table<'a> {
    /// The products one after the other, cut into rows.
    pub fn consecutive<A: Algebra>(factors: Vec<Factors<'a>>) -> Table<'a> {
        let total = factors.iter().map(|f| f.x[0].len()).sum();
        let variables = variables_for::<A>(total);
        let columns = total.div_ceil(1 << variables);
        let mut rows: Vec<Vec<Piece>> = (0..1 << variables).map(|_| Vec::new()).collect();
        let mut at = 0;
        for (source, f) in factors.iter().enumerate() {
            let mut start = 0;
            while start < f.x[0].len() {
                let (row, column) = (at / columns, at % columns);
                let len = (f.x[0].len() - start).min(columns - column);
                rows[row].push(Piece { column, source, start, len });
                start += len;
                at += len;
            }
        }
        Table { factors, rows, columns, variables }
    }

    /// Matrices of `widths[i]` columns, each cut into parts of whole matrix rows, so that
    /// a column of the table belongs to one column of a matrix.
    pub fn aligned<A: Algebra>(factors: Vec<Factors<'a>>, widths: &[usize]) -> Table<'a> {
        let total = factors.iter().map(|f| f.x[0].len()).sum();
        let variables = variables_for::<A>(total);
        let mut rows: Vec<Vec<Piece>> = (0..1 << variables).map(|_| Vec::new()).collect();
        let mut column = 0;
        for (source, (f, width)) in factors.iter().zip(widths).enumerate() {
            let total = f.x[0].len();
            let part = (total / width).div_ceil(1 << variables) * width;
            for (row, pieces) in rows.iter_mut().enumerate() {
                let start = (row * part).min(total);
                let len = part.min(total - start);
                if len > 0 {
                    pieces.push(Piece { column, source, start, len });
                }
            }
            column += part;
        }
        Table { factors, rows, columns: column, variables }
    }

    /// Base words in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// How many columns of the table lie below each other for the factors number `source`.
    pub fn span(&self, source: usize) -> usize {
        self.rows[0].iter().find(|p| p.source == source).map_or(0, |p| p.len)
    }

    /// One component of all rows, for a range of columns; row after row.
    fn gather(
        &self,
        columns: &Range<usize>,
        component: impl Fn(&Factors<'a>) -> &'a [u64],
    ) -> Words {
        let mut block = Words::zeroed(columns.len() * self.rows.len());
        for (out, pieces) in block.chunks_exact_mut(columns.len()).zip(&self.rows) {
            let from = pieces.partition_point(|p| p.column + p.len <= columns.start);
            for piece in pieces[from..].iter().take_while(|p| p.column < columns.end) {
                let begin = piece.column.max(columns.start);
                let end = (piece.column + piece.len).min(columns.end);
                let words = &component(&self.factors[piece.source])[piece.start..];
                out[begin - columns.start..end - columns.start]
                    .copy_from_slice(&words[begin - piece.column..end - piece.column]);
            }
        }
        block
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.columns).step_by(BLOCK).map(|start| start..self.columns.min(start + BLOCK))
    }

    /// The claimed products of each row, weighted by the challenges of the columns.
    pub fn corners<A: Algebra>(&self, challenges: &[u64]) -> Known {
        let mut sums = Shared::zeroed(self.rows.len() * A::WIDTH);
        for block in self.blocks() {
            let challenges = &challenges[block.start * A::LANES..block.end * A::LANES];
            A::weigh(&mut sums.first, &self.gather(&block, |f| f.z[0]), challenges);
            A::weigh(&mut sums.second, &self.gather(&block, |f| f.z[1]), challenges);
        }
        Known::Corners(sums)
    }

    /// The local parts of the products at some points of the grid.
    pub fn grid_products<A: Algebra>(&self, challenges: &[u64], points: &[usize]) -> Words {
        let mut sums = Words::zeroed(points.len() * A::WIDTH);
        for block in self.blocks() {
            let on_grid = |component: &dyn Fn(&Factors<'a>) -> &'a [u64]| {
                grid::expand::<A>(self.gather(&block, component), self.variables)
            };
            let x = [on_grid(&|f| f.x[0]), on_grid(&|f| f.x[1])];
            let y = [on_grid(&|f| f.y[0]), on_grid(&|f| f.y[1])];
            let mut products = Words::zeroed(points.len() * block.len());
            for (point, out) in points.iter().zip(products.chunks_exact_mut(block.len())) {
                let at = point * block.len()..(point + 1) * block.len();
                let [x, y] = [&x, &y].map(|pair| pair.each_ref().map(|x| &x[at.clone()]));
                A::products(out, x, y);
            }
            let challenges = &challenges[block.start * A::LANES..block.end * A::LANES];
            A::weigh(&mut sums, &products, challenges);
        }
        sums
    }

    /// The claim at a random point, times `factor`.
    pub fn claim<A: Algebra>(
        &self,
        challenges: &[u64],
        values: Shared,
        at: &[u64],
        factor: u64,
    ) -> Claim {
        let mut z = grid::evaluate::<A>(values, at);
        z.update(|z| A::mul_challenges(z, &[factor]));
        let (weights, scaled) = (grid::weights::<A>(at, 1), grid::weights::<A>(at, factor));
        let len = self.columns * A::LANES * A::WIDTH;
        let [mut x, mut y] = [Shared::zeroed(len), Shared::zeroed(len)];
        for block in self.blocks() {
            let challenges = &challenges[block.start * A::LANES..block.end * A::LANES];
            let unit = A::LANES * A::WIDTH;
            let words = block.start * unit..block.end * unit;
            for (out, which) in [(&mut x.first, 0), (&mut x.second, 1)] {
                let mut part = A::combine(&self.gather(&block, |f| f.x[which]), &scaled);
                A::mul_challenges(&mut part, challenges);
                out[words.clone()].copy_from_slice(&part);
            }
            for (out, which) in [(&mut y.first, 0), (&mut y.second, 1)] {
                let part = A::combine(&self.gather(&block, |f| f.y[which]), &weights);
                out[words.clone()].copy_from_slice(&part);
            }
        }
        Claim { x, y, z }
    }
}
