//! Sums of chosen rows, by the 'method of the four Russians' (Arlazarov, Dinic, Kronrod,
//! Faradzev 1970).
//!
//! Given rows of words and a selector for each, sum `j` is that of the rows whose selector has
//! bit `j`. All 16 sums of four rows are tabulated, and four bits look one up: for 48 sums
//! and four rows, 48 additions and a table of 11 in place of 192 products. Selectors are
//! public, so what is looked up where is no secret.

use super::bits::to_planes_into;
use super::lanes::{LANES, Octet, Ring, ZERO, octets_mut, vectorised};
use super::scratch::Scratch;
use super::simd::Level;

/// Rows that are added up in one go: so many that their tables and the sums lie in the first-level
/// cache.
pub(super) const ROWS: usize = 32;

/// Words of a row: two octets, so that each look-up serves both.
pub(super) const WIDTH: usize = 2 * LANES;

/// Rows that have a table together.
const GROUP: usize = 4;

/// Tables for all rows.
const TABLES: usize = ROWS / GROUP;

/// Sums that grow by rows of words, each column weighted by a challenge.
pub struct Weighed<'a> {
    /// A sum a row.
    pub sums: &'a mut [u64],
    /// Number of rows.
    pub rows: usize,
    /// For each octet of columns, an octet a row.
    pub octets: &'a [&'a [u64]],
}

/// Two octets side by side.
type Pair = [Octet; 2];

/// Rows, and room for their tables: one after the other, 16 sums each, of which the first is
/// zero.
pub(super) struct Rows {
    rows: Scratch,
    tables: Scratch,
}

/// For each sum, what to look up in each table.
pub(super) struct Choice {
    lookups: [[u8; TABLES]; 64],
    sums: usize,
}

impl Choice {
    /// The choice by at most [`ROWS`] selectors for `sums <= 64` sums; rows without a selector
    /// are not chosen.
    pub(super) fn new(selectors: &[u64], sums: usize) -> Choice {
        let mut planes = [0; 64];
        to_planes_into(selectors, sums, &mut planes[..sums * selectors.len().div_ceil(64)]);
        let lookup = |plane: u64, table: usize| {
            (table << GROUP) as u8 | (plane >> (GROUP * table) & 15) as u8
        };
        let lookups = planes.map(|plane| std::array::from_fn(|table| lookup(plane, table)));
        Choice { lookups, sums }
    }
}

impl Rows {
    /// Rows of arbitrary words.
    pub(super) fn new() -> Rows {
        Rows { rows: Scratch::take(), tables: Scratch::take() }
    }

    /// All rows, [`WIDTH`] words each.
    pub(super) fn words(&mut self) -> &mut [u64] {
        self.rows.octets::<{ 2 * ROWS }>().as_flattened_mut()
    }

    /// Adds the chosen sums of the left octets and of the right octets, over the words of a ring
    /// or over bits.
    ///
    /// # Panics
    /// If there are not as many octets of sums as the choice is for.
    pub(super) fn add_chosen<const KIND: usize>(
        &mut self,
        level: Level,
        sums: [&mut [u64]; 2],
        choice: &Choice,
    ) {
        assert!(sums.iter().all(|sums| sums.len() == choice.sums * LANES), "one octet a sum");
        let Rows { rows, tables } = self;
        add_chosen::<KIND>(level, sums, tables.octets(), rows.octets(), &choice.lookups);
    }
}

vectorised! {
    fn add_chosen<const KIND: usize>(
        simd,
        sums: [&mut [u64]; 2],
        tables: &mut [Octet; (2 * TABLES) << GROUP],
        rows: &[Octet; 2 * ROWS],
        lookups: &[[u8; TABLES]; 64],
    ) {
        let ring = Ring::<S, KIND>(simd);
        let (tables, _): (&mut [Pair], _) = tables.as_chunks_mut();
        let (rows, _): (&[Pair], _) = rows.as_chunks();
        for (table, rows) in tables.chunks_exact_mut(1 << GROUP).zip(rows.chunks_exact(GROUP)) {
            table[0] = [ZERO; 2];
            for (bit, row) in rows.iter().enumerate() {
                let row = [simd.load(&row[0]), simd.load(&row[1])];
                for lower in 0..1 << bit {
                    for half in 0..2 {
                        let sum = ring.add(simd.load(&table[lower][half]), row[half]);
                        simd.store(&mut table[1 << bit | lower][half], sum);
                    }
                }
            }
        }
        let [left, right] = sums.map(octets_mut);
        for ((left, right), lookups) in left.iter_mut().zip(right).zip(lookups) {
            let mut totals = [simd.load(left), simd.load(right)];
            for lookup in lookups {
                let chosen = &tables[usize::from(*lookup)];
                for half in 0..2 {
                    totals[half] = ring.add(totals[half], simd.load(&chosen[half]));
                }
            }
            simd.store(left, totals[0]);
            simd.store(right, totals[1]);
        }
    }
}
