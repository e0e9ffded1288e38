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
use crate::thirds::third;
use mpc_core::party::PartyId;
use mpc_core::ring::Weighed;
use mpc_core::ring::grid::Term;
use mpc_core::security::Support;
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
    /// Which components of the factors count.
    pub supports: [Support; 2],
    /// Words of a row, in thirds of which different components count.
    pub row: usize,
}

/// Whether `x_i`, `x_{i+1}`, `y_i` and `y_{i+1}` count, or are taken as zero: public.
type Used = [bool; 4];

/// `len` words of the factors number `source` from word `start` on, which come `at` words
/// after the first one of the table.
struct Piece {
    at: usize,
    source: usize,
    start: usize,
    len: usize,
    used: Used,
}

/// Factors as rows of equal length; what a row lacks is zero.
///
/// Which product comes to lie where is free. So that factors can be read as they are, the
/// words of a table come octet by octet: eight columns of the first row, the same columns of
/// the second row, and so on, then the next eight columns.
pub struct Table<'a> {
    factors: Vec<Factors<'a>>,
    pieces: Vec<Piece>,
    columns: usize,
    variables: usize,
    /// What is used in each octet of columns.
    used: Vec<Used>,
}

/// Octets of columns that are multiplied in one go.
const BLOCK: usize = 8;

/// Base words of a row that lie side by side.
const OCTET: usize = grid::LANES;

/// How many times the values on the grid may be sent for one word of each product: it
/// bounds what the first fold adds to the traffic of products by an eighth.
const GRID_SHARE: usize = 8;

/// Variables of a table of `words` products.
fn variables_for<A: Algebra>(words: usize) -> usize {
    let affordable = |v: &usize| grid::points(*v) * A::WIDTH * GRID_SHARE <= words;
    (1..=grid::MAX_VARIABLES).rev().find(affordable).unwrap_or(0)
}

impl<'a> Table<'a> {
    /// The products one after the other, as `party` sees them. Products of which the same
    /// components are zero come together, so that there is nothing to do for those.
    pub fn consecutive<A: Algebra>(party: PartyId, factors: Vec<Factors<'a>>) -> Table<'a> {
        let mut parts = Vec::with_capacity(factors.len());
        for (source, Factors { x, supports, row, .. }) in factors.iter().enumerate() {
            if *supports == [Support::ALL; 2] {
                parts.push(((*supports, 0), source, 0..x[0].len()));
                continue;
            }
            for start in (0..x[0].len()).step_by((*row).max(1)) {
                let thirds = (0..3).map(|number| (number, third(*row, number)));
                parts.extend(thirds.map(|(number, words)| {
                    ((*supports, number), source, start + words.start..start + words.end)
                }));
            }
        }
        parts.sort_by_key(|(class, ..)| *class);
        let (mut at, mut pieces) = (0, Vec::with_capacity(parts.len()));
        for ((supports, number), source, words) in parts {
            let [[x0, x1], [y0, y1]] = supports.map(|support| support.held(party, number));
            let used = [x0, x1, y0, y1];
            pieces.push(Piece { at, source, start: words.start, len: words.len(), used });
            at += words.len();
        }
        let variables = variables_for::<A>(at);
        let columns = at.div_ceil(OCTET << variables) * OCTET;
        Table::new(factors, pieces, columns, variables)
    }

    fn new(
        factors: Vec<Factors<'a>>,
        pieces: Vec<Piece>,
        columns: usize,
        variables: usize,
    ) -> Table<'a> {
        let (mut used, octet) = (vec![[false; 4]; columns / OCTET], OCTET << variables);
        for piece in pieces.iter().filter(|piece| piece.len > 0) {
            for all in &mut used[piece.at / octet..(piece.at + piece.len).div_ceil(octet)] {
                all.iter_mut().zip(piece.used).for_each(|(all, used)| *all |= used);
            }
        }
        Table { factors, pieces, columns, variables, used }
    }

    /// Matrices of `widths[i]` columns, each cut into parts of whole matrix rows, so that
    /// a column of the table belongs to one column of a matrix. Also tells in which columns
    /// each matrix lies.
    pub fn aligned<A: Algebra>(
        factors: Vec<Factors<'a>>,
        widths: &[usize],
    ) -> (Table<'a>, Vec<Range<usize>>) {
        let variables = variables_for::<A>(factors.iter().map(|f| f.x[0].len()).sum());
        let rows = 1 << variables;
        let (mut columns, mut pieces, mut places) = (0, Vec::new(), Vec::new());
        for (source, (f, width)) in factors.iter().zip(widths).enumerate() {
            let total = f.x[0].len();
            let part = (total / width).div_ceil(rows) * width;
            for column in (0..part).step_by(OCTET) {
                for row in 0..rows {
                    let start = row * part + column;
                    let end = (start + OCTET.min(part - column)).min(total);
                    if start < end {
                        let at = (columns + column) * rows + row * OCTET;
                        let used = [true; 4];
                        pieces.push(Piece { at, source, start, len: end - start, used });
                    }
                }
            }
            places.push(columns..columns + part);
            columns += part.next_multiple_of(OCTET);
        }
        (Table::new(factors, pieces, columns, variables), places)
    }

    /// Base words in a row, a multiple of eight.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// Number of rows.
    fn rows(&self) -> usize {
        1 << self.variables
    }

    /// Some words of all factors, where they are if they lie side by side, else copied to
    /// `copy`; zeros where they do not count.
    fn words<'b>(
        &'b self,
        copy: &'b mut [u64],
        words: Range<usize>,
        of: impl Fn(&Factors<'a>) -> &'a [u64],
        counts: impl Fn(&Used) -> bool,
    ) -> &'b [u64] {
        let from = self.pieces.partition_point(|p| p.at + p.len <= words.start);
        let pieces = &self.pieces[from..];
        if let Some(Piece { at, source, start, len, used }) = pieces.first()
            && *at <= words.start
            && words.end <= at + len
            && counts(used)
        {
            return &of(&self.factors[*source])[start + words.start - at..][..words.len()];
        }
        let copy = &mut copy[..words.len()];
        let mut filled = words.start;
        for piece in pieces.iter().take_while(|p| p.at < words.end).filter(|p| counts(&p.used)) {
            let (begin, end) = (piece.at.max(words.start), (piece.at + piece.len).min(words.end));
            let from = &of(&self.factors[piece.source])[piece.start + begin - piece.at..];
            copy[filled - words.start..begin - words.start].fill(0);
            copy[begin - words.start..end - words.start].copy_from_slice(&from[..end - begin]);
            filled = end;
        }
        copy[filled - words.start..].fill(0);
        copy
    }

    /// Some words of one of the components `x_i`, `x_{i+1}`, `y_i`, `y_{i+1}`.
    fn component<'b>(
        &'b self,
        copy: &'b mut [u64],
        words: Range<usize>,
        number: usize,
    ) -> &'b [u64] {
        self.words(copy, words, |f| [f.x, f.y].as_flattened()[number], |used| used[number])
    }

    /// Words of an octet of columns.
    fn octet(&self) -> usize {
        self.rows() * OCTET
    }

    /// Words of a block.
    fn block(&self) -> usize {
        self.octet() * BLOCK.min(self.columns / OCTET)
    }

    /// The octets of columns of each block.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let octets = self.columns / OCTET;
        (0..octets).step_by(BLOCK).map(move |start| start..octets.min(start + BLOCK))
    }

    /// These octets in stretches, in each of which the same is used; and each lies in one piece, if
    /// its octets do.
    fn stretches(&self, octets: Range<usize>) -> impl Iterator<Item = (Range<usize>, Used)> {
        let mut rest = octets;
        let kind = |octet: usize| {
            let words = octet * self.octet()..(octet + 1) * self.octet();
            let piece = self.pieces.partition_point(|p| p.at + p.len <= words.start);
            let whole = |p: &Piece| p.at <= words.start && words.end <= p.at + p.len;
            (self.pieces.get(piece).is_some_and(whole).then_some(piece), self.used[octet])
        };
        std::iter::from_fn(move || {
            let start = rest.next()?;
            let first = kind(start);
            while !rest.is_empty() && kind(rest.start) == first {
                rest.start += 1;
            }
            Some((start..rest.start, first.1))
        })
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
        let corners = if claimed { self.rows() } else { 0 };
        let mut first = Words::zeroed(vector_words::<A>(corners));
        let mut second = Words::zeroed(vector_words::<A>(corners));
        let mut sums = Words::zeroed(vector_words::<A>(points.len()));
        let mut copies = [(); 4].map(|()| Words::zeroed(self.block()));
        let room = points.len() * OCTET;
        let mut products = Words::zeroed(self.block() / self.octet() * room);
        for octets in self.blocks() {
            let elements = octets.start * OCTET * A::LANES..octets.end * OCTET * A::LANES;
            let uses = |used: &Used| multiplies(used) != [false; 2];
            // Where no products count, the claims are all there is.
            let computes = room > 0 && self.used[octets.clone()].iter().any(uses);
            if computes {
                for (stretch, used) in self.stretches(octets.clone()) {
                    let out = (stretch.start - octets.start) * room;
                    let out = &mut products[out..][..stretch.len() * room];
                    self.multiply::<A>(out, points, (stretch, used), &mut copies);
                }
            }
            let none = vec![&[][..]; octets.len()];
            let [copy_of_first, copy_of_second, ..] = &mut copies;
            let (of_first, of_second) = match claimed {
                true => (
                    self.claims(octets.clone(), 0, copy_of_first),
                    self.claims(octets.clone(), 1, copy_of_second),
                ),
                false => (none.clone(), none.clone()),
            };
            let (sums, rows, of_sums) = match computes {
                true => (&mut sums[..], points.len(), products.chunks_exact(room).collect()),
                false => (&mut [][..], 0, none),
            };
            let mut parts = [
                Weighed { sums: &mut first, rows: corners, octets: &of_first },
                Weighed { sums: &mut second, rows: corners, octets: &of_second },
                Weighed { sums, rows, octets: &of_sums[..octets.len()] },
            ];
            A::weigh(&mut parts, &challenges[elements]);
        }
        let of_corners = Shared::of(&A::list(&first, corners), &A::list(&second, corners));
        (of_corners, A::list(&sums, points.len()))
    }

    /// One component of the claimed products, octet by octet.
    fn claims<'b>(
        &'b self,
        octets: Range<usize>,
        component: usize,
        copy: &'b mut [u64],
    ) -> Vec<&'b [u64]> {
        let words = |octet: usize| octet * self.octet()..(octet + 1) * self.octet();
        let octets = octets.zip(copy.chunks_exact_mut(self.octet()));
        let claim = |(octet, copy)| self.words(copy, words(octet), |f| f.z[component], |_| true);
        octets.map(claim).collect()
    }

    /// Local parts of products on the grid, for octets in which the same is used.
    fn multiply<A: Algebra>(
        &self,
        out: &mut [u64],
        points: &[usize],
        (octets, used): (Range<usize>, Used),
        copies: &mut [Words; 4],
    ) {
        let words = octets.start * self.octet()..octets.end * self.octet();
        let mut numbers = 0..4;
        let [x0, x1, y0, y1] = copies.each_mut().map(|copy| {
            let number = numbers.next().expect("one a copy");
            if used[number] { self.component(copy, words.clone(), number) } else { &[] }
        });
        // x_i (y_i + y_{i+1}) + x_{i+1} y_i, as far as they count.
        let (both, one) = ([y0, y1], [y0]);
        let y = match used {
            [_, _, true, true] => &both[..],
            [_, _, true, false] => &both[..1],
            [_, _, false, _] => &both[1..],
        };
        let terms: [Term<'_>; 2] = [(x0, y), (x1, &one)];
        match multiplies(&used) {
            [true, true] => A::grid_products(out, points, self.rows(), &terms),
            [true, false] => A::grid_products(out, points, self.rows(), &terms[..1]),
            [false, true] => A::grid_products(out, points, self.rows(), &terms[1..]),
            [false, false] => out.fill(0),
        }
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
        let mut copy = Words::zeroed(self.block());
        for octets in self.blocks() {
            for (stretch, used) in self.stretches(octets) {
                let elements = stretch.start * OCTET * A::LANES..stretch.end * OCTET * A::LANES;
                let words = (start + elements.start) * A::WIDTH;
                let words = words..words + elements.len() * A::WIDTH;
                let rows = stretch.start * self.octet()..stretch.end * self.octet();
                for vector in (0..4).filter(|vector| used[*vector]) {
                    let rows = self.component(&mut copy, rows.clone(), vector);
                    claim.will_use::<A>(vector, &words);
                    let to = &mut claim.vector(vector)[words.clone()];
                    A::combine(to, rows, if vector < 2 { &scaled } else { &weights });
                    if vector < 2 {
                        A::mul_challenges(to, &challenges[elements.clone()]);
                    }
                }
            }
        }
    }
}

/// Which of `x_i (y_i + y_{i+1})` and `x_{i+1} y_i` count.
fn multiplies([x0, x1, y0, y1]: &Used) -> [bool; 2] {
    [*x0 && (*y0 || *y1), *x1 && *y0]
}
