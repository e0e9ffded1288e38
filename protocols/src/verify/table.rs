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
use super::layout::{Factors, Layout, OCTET, Piece, Place, Used};
use super::line;
use super::shared::Shared;
use mpc_core::party::PartyId;
use mpc_core::ring::Weighed;
use mpc_core::ring::grid::Term;
use mpc_core::share::Words;
use std::ops::Range;

/// Factors as rows of equal length; what a row lacks is zero.
///
/// So that factors can be read as they are, the words of a table come octet by octet: eight
/// columns of the first row, the same columns of the second row, and so on, then the next eight
/// columns.
pub struct Table<'a> {
    party: PartyId,
    factors: Vec<Factors<'a>>,
    layout: Layout,
}

/// Octets of columns that are multiplied in one go.
const BLOCK: usize = 8;

impl<'a> Table<'a> {
    /// Single products, as `party` sees them.
    pub fn consecutive<A: Algebra>(party: PartyId, mut factors: Vec<Factors<'a>>) -> Table<'a> {
        let layout = Layout::consecutive::<A>(party, &mut factors);
        Table { party, factors, layout }
    }

    /// Matrices of `widths[i]` columns, such that a column of the table belongs to one column
    /// of a matrix. Also tells in which columns each matrix lies.
    pub fn aligned<A: Algebra>(
        party: PartyId,
        factors: Vec<Factors<'a>>,
        widths: &[usize],
    ) -> (Table<'a>, Vec<Range<usize>>) {
        let (layout, ranges) = Layout::aligned::<A>(&factors, widths);
        (Table { party, factors, layout }, ranges)
    }

    /// Base words in a row, a multiple of eight.
    pub fn columns(&self) -> usize {
        self.layout.columns
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.layout.variables
    }

    /// Number of rows.
    fn rows(&self) -> usize {
        1 << self.layout.variables
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
        let from = self.layout.pieces.partition_point(|p| p.at + p.len <= words.start);
        let pieces = &self.layout.pieces[from..];
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
        self.octet() * BLOCK.min(self.layout.columns / OCTET)
    }

    /// The octets of columns of each block.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let octets = self.layout.columns / OCTET;
        (0..octets).step_by(BLOCK).map(move |start| start..octets.min(start + BLOCK))
    }

    /// These octets in stretches, in each of which the same is used and goes to places side by
    /// side; and each lies in one piece, if its octets do.
    fn stretches(&self, octets: Range<usize>) -> impl Iterator<Item = (Range<usize>, Used)> {
        let Layout { pieces, used, places, .. } = &self.layout;
        let mut rest = octets;
        let kind = |octet: usize| {
            let words = octet * self.octet()..(octet + 1) * self.octet();
            let piece = pieces.partition_point(|p| p.at + p.len <= words.start);
            let whole = |p: &Piece| p.at <= words.start && words.end <= p.at + p.len;
            let Place { octet: place, joins } = places[octet];
            (
                pieces.get(piece).is_some_and(whole).then_some(piece),
                used[octet],
                joins,
                octet - place,
            )
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
            let columns = octets.start * OCTET..octets.end * OCTET;
            let uses = |used: &Used| multiplies(used) != [false; 2];
            // Where no products count, the claims are all there is.
            let computes = room > 0 && self.layout.used[octets.clone()].iter().any(uses);
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
            A::weigh(&mut parts, &challenges[columns]);
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
        self.layout.places.last().map_or(0, |last| last.octet + 1) * OCTET * A::LANES
    }

    /// Adds the claim at the point `at`, times `factor`, to one that has room for it
    /// from element `start` on.
    pub fn add_claim<A: Algebra>(
        &self,
        claim: &mut Claim,
        start: usize,
        challenges: &[u64],
        values: Shared,
        (at, factor): (&[u64], u64),
    ) {
        let mut z = grid::evaluate::<A>(values, at);
        z.update(|z| A::scale(z, factor));
        claim.z.combine(&z, A::add);
        let weights = [factor, 1].map(|factor| {
            line::weigh_components::<A>(self.party, &grid::weights::<A>(at, factor))
                .map(|of_component| A::weights(&of_component))
        });
        let octet = OCTET * A::LANES;
        let mut copies = [(); 4].map(|()| Words::zeroed(self.block()));
        let mut more = Words::zeroed(BLOCK * octet * A::WIDTH);
        for octets in self.blocks() {
            for (stretch, used) in self.stretches(octets) {
                let challenges = &challenges[stretch.start * OCTET..stretch.end * OCTET];
                let rows = stretch.start * self.octet()..stretch.end * self.octet();
                let Place { octet: place, joins } = self.layout.places[stretch.start];
                let words = (start + place * octet) * A::WIDTH;
                let words = words..words + challenges.len() * A::LANES * A::WIDTH;
                // Where the second factor is there already, that is all there is to do for it.
                for vector in if joins { 0..1 } else { 0..2 } {
                    let components = (0..2).filter(|component| used[2 * vector + component]);
                    let coefficients: Vec<(&[u64], &A::Weights)> = components
                        .zip(copies.chunks_exact_mut(2))
                        .map(|(component, copies)| {
                            let [copy, coefficients] = copies else { unreachable!("pairs") };
                            let number = 2 * vector + component;
                            let corners = self.component(copy, rows.clone(), number);
                            let coefficients = &mut coefficients[..corners.len()];
                            A::coefficients(coefficients, corners, self.rows());
                            (&*coefficients, &weights[vector][component])
                        })
                        .collect();
                    if coefficients.is_empty() {
                        continue;
                    }
                    if vector == 0 && joins {
                        let more = &mut more[..words.len()];
                        A::combine(more, &coefficients);
                        A::mul_challenges(more, challenges);
                        A::add(claim.part::<A>(vector, &words), more);
                        continue;
                    }
                    let to = claim.room::<A>(vector, &words);
                    A::combine(to, &coefficients);
                    if vector == 0 {
                        A::mul_challenges(to, challenges);
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
