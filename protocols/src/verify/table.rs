//! Products of base words, arranged as a table of `2^v` rows, and their first fold.
//!
//! The first fold works on base words, where a product is cheap: each column `b` gets one
//! challenge, the rows are read as multilinear polynomials `X_b` and `Y_b`, and `p(t) =
//! sum_b c_b X_b(t) Y_b(t)` is known at the corners from the claimed products. The parties
//! compute the other values on the grid, and go on with `p(r)` at a random point: the
//! inner product of `c_b X_b(r)` and `Y_b(r)`, one element of the extension a column.

use super::algebra::{Algebra, vector_words};
use super::compress::Claim;
use super::grid;
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

/// Base words of a row that lie side by side in a block.
const OCTET: usize = grid::LANES;

/// Calls `write` for the parts of a range of columns that lie in an octet each, with their
/// place in the range: for each eight columns a block has `stride` octets, one a row.
fn for_octets(
    block: &mut [u64],
    [stride, row]: [usize; 2],
    range: Range<usize>,
    write: impl Fn(&mut [u64], usize),
) {
    let mut column = range.start;
    while column < range.end {
        let end = range.end.min((column + 1).next_multiple_of(OCTET));
        let start = (column / OCTET * stride + row) * OCTET + column % OCTET;
        write(&mut block[start..start + end - column], column - range.start);
        column = end;
    }
}

/// Copies the front of `from`, most often a whole octet.
fn copy(to: &mut [u64], from: &[u64]) {
    match (to.as_chunks_mut::<OCTET>(), from.first_chunk::<OCTET>()) {
        (([to], []), Some(from)) => *to = *from,
        _ => to.copy_from_slice(&from[..to.len()]),
    }
}

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

    /// One component of all rows, for a range of columns: for each eight columns eight words a
    /// row, from octet `first` of `stride` on.
    fn gather(
        &self,
        block: &mut [u64],
        [stride, first]: [usize; 2],
        columns: &Range<usize>,
        component: impl Fn(&Factors<'a>) -> &'a [u64],
    ) {
        for (row, pieces) in (first..).zip(&self.rows) {
            let at = [stride, row];
            let from = pieces.partition_point(|p| p.column + p.len <= columns.start);
            let mut filled = 0;
            for piece in pieces[from..].iter().take_while(|p| p.column < columns.end) {
                let begin = piece.column.max(columns.start);
                let end = (piece.column + piece.len).min(columns.end);
                let words = &component(&self.factors[piece.source])[piece.start..];
                let words = &words[begin - piece.column..end - piece.column];
                let to = begin - columns.start..end - columns.start;
                let gap = filled..to.start;
                for_octets(block, at, gap, |zeros, _| zeros.fill(0));
                filled = to.end;
                for_octets(block, at, to, |to, at| copy(to, &words[at..]));
            }
            let rest = filled..columns.len().next_multiple_of(OCTET);
            for_octets(block, at, rest, |zeros, _| zeros.fill(0));
        }
    }

    /// Words of a block of `columns` columns.
    fn block_words(&self, columns: usize) -> usize {
        self.rows.len() * columns.next_multiple_of(OCTET)
    }

    /// Words of the largest block.
    fn block_size(&self) -> usize {
        self.block_words(self.columns.min(BLOCK))
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.columns).step_by(BLOCK).map(|start| start..self.columns.min(start + BLOCK))
    }

    /// What the products of the rows add up to, weighted by the challenges of the columns: as
    /// claimed for each corner of the grid, if `claimed`, and the local parts at some points
    /// (lists).
    pub fn weighted<A: Algebra>(
        &self,
        challenges: &[u64],
        points: &[usize],
        claimed: bool,
    ) -> (Shared, Words) {
        let rows = self.rows.len();
        let corners = if claimed { rows } else { 0 };
        let terms = 2 * corners + points.len();
        let mut sums = Words::zeroed(vector_words::<A>(terms));
        let mut factors = [(); 4].map(|()| Words::zeroed(self.block_size()));
        let mut block = Words::zeroed(self.block_size() / rows * terms);
        for columns in self.blocks() {
            let size = self.block_words(columns.len());
            let [x0, x1, y0, y1] = factors.each_mut().map(|factor| &mut factor[..size]);
            self.gather(x0, [rows, 0], &columns, |f| f.x[0]);
            self.gather(x1, [rows, 0], &columns, |f| f.x[1]);
            self.gather(y0, [rows, 0], &columns, |f| f.y[0]);
            self.gather(y1, [rows, 0], &columns, |f| f.y[1]);
            let block = &mut block[..size / rows * terms];
            if claimed {
                self.gather(block, [terms, 0], &columns, |f| f.z[0]);
                self.gather(block, [terms, rows], &columns, |f| f.z[1]);
            }
            A::grid_products(block, points, rows, [x0, x1], [y0, y1]);
            let challenges = &challenges[columns.start * A::LANES..columns.end * A::LANES];
            A::weigh(&mut sums, block, terms, challenges);
        }
        let sums = A::list(&sums, terms);
        let (first, rest) = sums.split_at(corners * A::WIDTH);
        let (second, computed) = rest.split_at(corners * A::WIDTH);
        (Shared::of(first, second), computed.to_vec().into())
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
            let block = &mut block[..self.block_words(columns.len())];
            let words = (start + columns.start * A::LANES) * A::WIDTH;
            let words = words..words + columns.len() * A::LANES * A::WIDTH;
            let Claim { x, y, .. } = claim;
            for (component, x) in [&mut x.first, &mut x.second].into_iter().enumerate() {
                self.gather(block, [self.rows.len(), 0], &columns, |f| f.x[component]);
                A::combine(&mut x[words.clone()], block, &scaled);
                A::mul_challenges(&mut x[words.clone()], challenges);
            }
            for (component, y) in [&mut y.first, &mut y.second].into_iter().enumerate() {
                self.gather(block, [self.rows.len(), 0], &columns, |f| f.y[component]);
                A::combine(&mut y[words.clone()], block, &weights);
            }
        }
    }
}
