//! Products of base words, arranged as a table of `2^v` rows, and their first fold.
//!
//! The first fold works on base words, where a product is cheap: each column `b` gets one
//! challenge, the rows are read as multilinear polynomials `X_b` and `Y_b`, and `p(t) =
//! sum_b c_b X_b(t) Y_b(t)` is known at the corners from the claimed products. The parties
//! compute the other values on the grid, and go on with `p(r)` at a random point: the
//! inner product of `c_b X_b(r)` and `Y_b(r)`, one element of the extension a column.

use super::algebra::{Algebra, vector_words};
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
const BLOCK: usize = 64;

/// How many times the values on the grid may be sent for one word of each product: it
/// bounds what the first fold adds to the traffic of products by an eighth.
const GRID_SHARE: usize = 8;

/// Variables of a table of `words` products.
fn variables_for<A: Algebra>(words: usize) -> usize {
    let affordable = |v: &usize| grid::points(*v) * A::WIDTH * GRID_SHARE <= words;
    (1..=grid::MAX_VARIABLES).rev().find(affordable).unwrap_or(0)
}

impl<'a> Table<'a> {
    /// The products one after the other, cut into rows.
    pub fn consecutive<A: Algebra>(factors: Vec<Factors<'a>>) -> Table<'a> {
        let total = factors.iter().map(|f| f.x[0].len()).sum();
        let variables = variables_for::<A>(total);
        let columns = total.div_ceil(1 << variables).next_multiple_of(A::GROUP);
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
        Table { factors, rows, columns: column.next_multiple_of(A::GROUP), variables }
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

    /// One component of all rows, for a range of columns; row after row, at the front of
    /// `block`.
    fn gather(
        &self,
        block: &mut [u64],
        columns: &Range<usize>,
        component: impl Fn(&Factors<'a>) -> &'a [u64],
    ) {
        for (out, pieces) in block.chunks_exact_mut(columns.len()).zip(&self.rows) {
            let from = pieces.partition_point(|p| p.column + p.len <= columns.start);
            let mut filled = 0;
            for piece in pieces[from..].iter().take_while(|p| p.column < columns.end) {
                let begin = piece.column.max(columns.start);
                let end = (piece.column + piece.len).min(columns.end);
                let words = &component(&self.factors[piece.source])[piece.start..];
                let to = begin - columns.start..end - columns.start;
                out[filled..to.start].fill(0);
                filled = to.end;
                out[to].copy_from_slice(&words[begin - piece.column..end - piece.column]);
            }
            out[filled..].fill(0);
        }
    }

    /// Words of a block of all rows.
    fn block_size(&self) -> usize {
        self.rows.len() * self.columns.min(BLOCK)
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.columns).step_by(BLOCK).map(|start| start..self.columns.min(start + BLOCK))
    }

    /// The claimed products of each row, weighted by the challenges of the columns.
    pub fn corners<A: Algebra>(&self, challenges: &[u64]) -> Known {
        let mut sums = Shared::zeroed(vector_words::<A>(self.rows.len()));
        let mut block = Words::zeroed(self.block_size());
        for columns in self.blocks() {
            let challenges = &challenges[columns.start * A::LANES..columns.end * A::LANES];
            let block = &mut block[..self.rows.len() * columns.len()];
            for (component, sums) in [&mut sums.first, &mut sums.second].into_iter().enumerate() {
                self.gather(block, &columns, |f| f.z[component]);
                A::weigh(sums, block, challenges);
            }
        }
        sums.update(|sums| *sums = A::list(sums, self.rows.len()));
        Known::Corners(sums)
    }

    /// The local parts of the products at some points of the grid: a list.
    pub fn grid_products<A: Algebra>(&self, challenges: &[u64], points: &[usize]) -> Words {
        let mut sums = Words::zeroed(vector_words::<A>(points.len()));
        let mut blocks = [(); 4].map(|()| Words::zeroed(self.block_size()));
        let mut products = Words::zeroed(points.len() * self.columns.min(BLOCK));
        for columns in self.blocks() {
            let size = self.rows.len() * columns.len();
            let [x0, x1, y0, y1] = blocks.each_mut().map(|block| &mut block[..size]);
            self.gather(x0, &columns, |f| f.x[0]);
            self.gather(x1, &columns, |f| f.x[1]);
            self.gather(y0, &columns, |f| f.y[0]);
            self.gather(y1, &columns, |f| f.y[1]);
            let products = &mut products[..points.len() * columns.len()];
            A::grid_products(products, points, self.rows.len(), [x0, x1], [y0, y1]);
            let challenges = &challenges[columns.start * A::LANES..columns.end * A::LANES];
            A::weigh(&mut sums, products, challenges);
        }
        A::list(&sums, points.len())
    }

    /// Elements of the extension that the table becomes.
    pub fn elements<A: Algebra>(&self) -> usize {
        self.columns * A::LANES
    }

    /// Adds the claim at the point `at`, times `factor`, to one that has room for it from
    /// element `start` on.
    pub fn add_claim<A: Algebra>(
        &self,
        claim: &mut Claim,
        start: usize,
        challenges: &[u64],
        values: Shared,
        (at, factor): (&[u64], u64),
    ) {
        let mut z = grid::evaluate::<A>(values, at);
        z.update(|z| *z = A::mul(z, &A::embed(factor)).into());
        claim.z.combine(&z, A::add);
        let (weights, scaled) = (grid::weights::<A>(at, 1), grid::weights::<A>(at, factor));
        let mut block = Words::zeroed(self.block_size());
        for columns in self.blocks() {
            let challenges = &challenges[columns.start * A::LANES..columns.end * A::LANES];
            let block = &mut block[..self.rows.len() * columns.len()];
            let words = (start + columns.start * A::LANES) * A::WIDTH;
            let words = words..words + columns.len() * A::LANES * A::WIDTH;
            let Claim { x, y, .. } = claim;
            for (component, x) in [&mut x.first, &mut x.second].into_iter().enumerate() {
                self.gather(block, &columns, |f| f.x[component]);
                A::combine(&mut x[words.clone()], block, &scaled);
                A::mul_challenges(&mut x[words.clone()], challenges);
            }
            for (component, y) in [&mut y.first, &mut y.second].into_iter().enumerate() {
                self.gather(block, &columns, |f| f.y[component]);
                A::combine(&mut y[words.clone()], block, &weights);
            }
        }
    }
}
