//! Which product comes to lie where in a table: free to choose, and public.
//!
//! Products of which the same components are zero come together, so that there is nothing to
//! do for those. Products that have a factor in common lie alike, column by column, so that
//! after the first fold they share one element: `c X(r) Y(r) + c' X'(r) Y(r)` is
//! `(c X(r) + c' X'(r)) Y(r)`.

use super::algebra::Algebra;
use super::grid;
use crate::thirds::third;
use mpc_core::party::PartyId;
use mpc_core::security::Support;
use std::collections::HashMap;
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
pub type Used = [bool; 4];

/// `len` words of the factors number `source` from word `start` on, which come `at` words
/// after the first one of the table.
pub struct Piece {
    pub at: usize,
    pub source: usize,
    pub start: usize,
    pub len: usize,
    pub used: Used,
}

/// Where an octet of columns goes after the first fold.
#[derive(Clone, Copy, PartialEq)]
pub struct Place {
    /// Which octet of elements it becomes, or is added to.
    pub octet: usize,
    /// Whether the second factor is already there: that of an octet before.
    pub joins: bool,
}

/// Pieces in ascending order, cut into rows of `columns` words, octet by octet.
pub struct Layout {
    pub pieces: Vec<Piece>,
    pub columns: usize,
    pub variables: usize,
    /// What is used in each octet of columns.
    pub used: Vec<Used>,
    /// Where each octet of columns goes.
    pub places: Vec<Place>,
}

/// Base words of a row that lie side by side.
pub const OCTET: usize = grid::LANES;

/// How many times the values on the grid may be sent for one word of each product: it
/// bounds what the first fold adds to the traffic of products by an eighth.
const GRID_SHARE: usize = 8;

/// Variables of a table of `words` products.
fn variables_for<A: Algebra>(words: usize) -> usize {
    let affordable = |v: &usize| grid::points(*v) * A::WIDTH * GRID_SHARE <= words;
    (1..=grid::MAX_VARIABLES).rev().find(affordable).unwrap_or(0)
}

/// From how many octets a third on products with a common factor lie alike: each strand fills its
/// last octet with zeros.
const JOINED_FROM: usize = 4;

/// Words of several factors that lie alike.
struct Strand {
    /// Which components count, and in which third: what is equal comes together.
    class: (Vec<[Support; 2]>, usize),
    sources: Vec<usize>,
    words: Range<usize>,
}

impl Layout {
    /// The products one after the other, as `party` sees them. Of products with a common factor
    /// this is the second one afterwards.
    pub fn consecutive<A: Algebra>(party: PartyId, factors: &mut [Factors<'_>]) -> Layout {
        let variables = variables_for::<A>(factors.iter().map(|f| f.x[0].len()).sum());
        let octet = OCTET << variables;
        let mut strands = Vec::with_capacity(factors.len());
        for sources in families(factors, JOINED_FROM * octet) {
            let Factors { x, row, .. } = factors[sources[0]];
            let supports: Vec<_> = sources.iter().map(|source| factors[*source].supports).collect();
            let mut add = |number, words| {
                let class = (supports.clone(), number);
                strands.push(Strand { class, sources: sources.clone(), words });
            };
            if supports.iter().all(|supports| *supports == [Support::ALL; 2]) {
                add(0, 0..x[0].len());
                continue;
            }
            for start in (0..x[0].len()).step_by(row.max(1)) {
                for number in 0..3 {
                    let words = third(row, number);
                    add(number, start + words.start..start + words.end);
                }
            }
        }
        // Those that lie alike come first, each from a new octet on.
        strands.sort_by_cached_key(|strand| (strand.sources.len() == 1, strand.class.clone()));
        let (mut at, mut pieces, mut places, mut elements) = (0, Vec::new(), Vec::new(), 0);
        for Strand { class: (supports, number), sources, words } in strands {
            let octets = words.len().div_ceil(octet);
            for (member, (source, supports)) in sources.iter().zip(supports).enumerate() {
                let [[x0, x1], [y0, y1]] = supports.map(|support| support.held(party, number));
                let (start, len, used) = (words.start, words.len(), [x0, x1, y0, y1]);
                pieces.push(Piece { at, source: *source, start, len, used });
                at += words.len();
                if sources.len() > 1 {
                    at = at.next_multiple_of(octet);
                    let place = |octet| Place { octet: elements + octet, joins: member > 0 };
                    places.extend((0..octets).map(place));
                }
            }
            elements = places.last().map_or(0, |last| last.octet + 1);
        }
        let columns = at.div_ceil(octet) * OCTET;
        Layout::new(pieces, columns, variables, places)
    }

    /// Matrices of `widths[i]` columns, each cut into parts of whole matrix rows, so that
    /// a column of the table belongs to one column of a matrix. Also tells in which columns
    /// each matrix lies.
    pub fn aligned<A: Algebra>(
        factors: &[Factors<'_>],
        widths: &[usize],
    ) -> (Layout, Vec<Range<usize>>) {
        let variables = variables_for::<A>(factors.iter().map(|f| f.x[0].len()).sum());
        let rows = 1 << variables;
        let (mut columns, mut pieces, mut ranges) = (0, Vec::new(), Vec::new());
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
            ranges.push(columns..columns + part);
            columns += part.next_multiple_of(OCTET);
        }
        (Layout::new(pieces, columns, variables, Vec::new()), ranges)
    }

    /// Octets after those with a place get places of their own.
    fn new(pieces: Vec<Piece>, columns: usize, variables: usize, mut places: Vec<Place>) -> Layout {
        let (mut used, octet) = (vec![[false; 4]; columns / OCTET], OCTET << variables);
        for piece in pieces.iter().filter(|piece| piece.len > 0) {
            for all in &mut used[piece.at / octet..(piece.at + piece.len).div_ceil(octet)] {
                all.iter_mut().zip(piece.used).for_each(|(all, used)| *all |= used);
            }
        }
        let next = places.last().map_or(0, |last| last.octet + 1);
        let own = (next..).map(|octet| Place { octet, joins: false });
        places.extend(own.take(used.len() - places.len()));
        Layout { pieces, columns, variables, used, places }
    }
}

/// The numbers of all factors, those together that have one in common which thirds of at least
/// `words` words make up; it becomes the second one.
///
/// A factor is the same if it lies in the same two buffers. That is so at all parties or at none:
/// what yields another value takes a new buffer for a component of it, at each party.
fn families(factors: &mut [Factors<'_>], words: usize) -> Vec<Vec<usize>> {
    let mut families: Vec<Vec<usize>> = Vec::with_capacity(factors.len());
    // The factors that others may join, and which one of the first member each is.
    let mut known = HashMap::new();
    for source in 0..factors.len() {
        let Factors { x, y, supports, row, .. } = &factors[source];
        if third(*row, 0).len().min(third(*row, 2).len()) < words {
            families.push(vec![source]);
            continue;
        }
        let key = |factor: &[&[u64]; 2], support| (factor.map(<[u64]>::as_ptr), support, *row);
        let keys = [key(y, supports[1]), key(x, supports[0])];
        let Some(side) = keys.iter().position(|key| known.contains_key(key)) else {
            for (side, key) in keys.into_iter().enumerate().rev() {
                known.insert(key, (families.len(), side));
            }
            families.push(vec![source]);
            continue;
        };
        let (family, side_of_first) = known[&keys[side]];
        if families[family].len() == 1 {
            known.retain(|key, (of, _)| *of != family || *key == keys[side]);
            factors[families[family][0]].bring_second(side_of_first);
        }
        factors[source].bring_second(side);
        families[family].push(source);
    }
    families
}

impl Factors<'_> {
    /// Exchanges the factors unless the one in question is the second already, number 0.
    fn bring_second(&mut self, side: usize) {
        if side == 1 {
            std::mem::swap(&mut self.x, &mut self.y);
            self.supports.swap(0, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::algebra::Words64;
    use super::*;

    /// The layout of products of these operands: of all components, or as those of a helper.
    fn layout(operands: &[Vec<u64>], products: &[([usize; 2], [Support; 2])]) -> Layout {
        let mut factors: Vec<Factors<'_>> = products
            .iter()
            .map(|([x, y], supports)| {
                let [x, y] = [x, y].map(|operand| [&operands[*operand][..]; 2]);
                Factors { x, y, z: x, supports: *supports, row: x[0].len() }
            })
            .collect();
        Layout::consecutive::<Words64<48>>(PartyId::P0, &mut factors)
    }

    fn elements(layout: &Layout) -> usize {
        layout.places.last().map_or(0, |last| last.octet + 1)
    }

    #[test]
    fn products_with_a_common_factor_share_elements() {
        let (all, known) = (Support::ALL, Support::KNOWN);
        let operands: Vec<Vec<u64>> = (0..4).map(|_| vec![0; 240]).collect();
        let of = |products: &[([usize; 2], [Support; 2])]| elements(&layout(&operands, products));
        let one = of(&[([0, 1], [all; 2])]);
        assert_eq!(one, 240 / OCTET);
        // Whichever factor of which product it is.
        for products in [[[0, 1], [2, 1]], [[0, 1], [1, 2]], [[1, 0], [1, 2]], [[1, 1], [0, 1]]] {
            assert_eq!(of(&products.map(|product| (product, [all; 2]))), one, "{products:?}");
        }
        // One of a product's factors is shared, not both; and the same components must count.
        assert_eq!(of(&[[0, 1], [1, 2], [0, 3]].map(|product| (product, [all; 2]))), 2 * one);
        assert_eq!(of(&[([0, 1], [all; 2]), ([2, 1], [all, known])]), 2 * one);
        let parts = [[&operands[0][..], &operands[1]], [&operands[0], &operands[2]]];
        let mut half = parts.map(|x| {
            let y = [&operands[3][..], x[1]];
            Factors { x, y, z: x, supports: [all; 2], row: 240 }
        });
        let half = Layout::consecutive::<Words64<48>>(PartyId::P0, &mut half);
        assert_eq!(elements(&half), 2 * one, "one component in common does not count");
        assert_eq!(of(&[([0, 1], [known; 2]), ([1, 2], [known, Support::LACKING])]), one);
    }

    #[test]
    fn few_products_share_none() {
        let operands = vec![vec![0; 48]; 3];
        let products = [[0, 1], [1, 2]].map(|product| (product, [Support::ALL; 2]));
        assert_eq!(elements(&layout(&operands, &products)), 2 * 48 / OCTET);
    }

    /// Every word of every product lies in one place, and what joins lies as what it joins.
    #[test]
    fn pieces_cover_all_products_and_correspond() {
        let operands: Vec<Vec<u64>> = (0..4).map(|_| vec![0; 1000]).collect();
        let supports = [Support::KNOWN; 2];
        let products = [[0, 1], [1, 2], [2, 3], [0, 0]].map(|product| (product, supports));
        let layout = layout(&operands, &products);
        let octet = OCTET << layout.variables;
        assert!(layout.variables > 0 && elements(&layout) < layout.places.len());
        let mut covered = vec![0; 4 * 1000];
        let mut end = 0;
        for Piece { at, source, start, len, .. } in &layout.pieces {
            assert!(*at >= end, "pieces overlap");
            end = at + len;
            covered[source * 1000 + start..][..*len].iter_mut().for_each(|times| *times += 1);
        }
        assert_eq!(covered, vec![1; 4 * 1000]);
        assert!(end <= layout.columns << layout.variables);
        let starts = |joins: bool| -> Vec<(usize, usize, usize)> {
            let place = |piece: &Piece| layout.places[piece.at / octet];
            let begins = |piece: &&Piece| piece.at.is_multiple_of(octet);
            let pieces = layout.pieces.iter().filter(begins);
            let pieces = pieces.filter(|piece| place(piece).joins == joins);
            pieces.map(|piece| (place(piece).octet, piece.start, piece.len)).collect()
        };
        let (first, joined) = (starts(false), starts(true));
        assert!(!joined.is_empty() && joined.iter().all(|joined| first.contains(joined)));
    }
}
