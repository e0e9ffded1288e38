//! Sums of words weighted by challenges.
//!
//! Coefficient `j` of `sum_k c_k x_k` is the sum of the words whose challenge has bit `j`. As
//! in the 'method of the four Russians' (Arlazarov, Dinic, Kronrod, Faradzev 1970), all 16
//! sums of four words are tabulated, and four bits of a coefficient look one up: 12
//! additions and a table of 11 in place of 4 x 48 products. Challenges are public, so what
//! is looked up where is no secret.

use super::super::bits::to_planes_into;
use super::super::gemm::{MatRef, pack};
use super::super::lanes::{Aligned, LANES, Octet, ZERO, octets_mut, vectorised, wipe};
use super::super::simd::Level;
use super::GaloisRing;

/// Rows that are added up in one go: as many as a bit plane has lanes in a word.
const ROWS: usize = 64;
/// Rows that have a table together.
const GROUP: usize = 4;
/// Tables in use at a time.
const TABLES: usize = ROWS / GROUP;

/// All sums of each group of rows; the first is zero.
type Tables = [[Octet; 1 << GROUP]; TABLES];

/// For each coefficient the sums to look up, one a table.
type Lookups = [[u8; TABLES]; 64];

impl<const D: usize> GaloisRing<D> {
    /// Adds to each of `sums`, in octets, the sum of a column of `matrix`, each row weighted
    /// by its challenge.
    ///
    /// # Panics
    /// If there is not one challenge a row, and an octet for each eight columns.
    pub fn add_weighted(sums: &mut [u64], matrix: MatRef<'_>, challenges: &[u64]) {
        assert_eq!(matrix.rows(), challenges.len(), "one challenge a row");
        assert_eq!(sums.len(), matrix.cols().div_ceil(LANES) * LANES * D, "one sum a column");
        let level = Level::best();
        let mut panel = Aligned([ZERO; ROWS]);
        let mut tables = Aligned([[ZERO; 1 << GROUP]; TABLES]);
        for (row, challenges) in (0..).step_by(ROWS).zip(challenges.chunks(ROWS)) {
            let lookups = lookups::<D>(challenges);
            for (column, sums) in (0..).step_by(LANES).zip(sums.chunks_exact_mut(LANES * D)) {
                let columns = LANES.min(matrix.cols() - column);
                if columns < LANES {
                    panel.0.fill(ZERO);
                }
                let block = matrix.block(row, challenges.len(), column, columns);
                pack::<LANES>(level, panel.0.as_flattened_mut(), ROWS * LANES, LANES, block);
                add_chosen::<D>(level, sums, &mut tables.0, &panel.0, &lookups);
            }
        }
        wipe(&mut panel.0);
        wipe(tables.0.as_flattened_mut());
    }
}

/// What to look up for at most [`ROWS`] challenges; nothing for those that are missing.
fn lookups<const D: usize>(challenges: &[u64]) -> Lookups {
    let mut planes = [0; 64];
    to_planes_into(challenges, D, &mut planes[..D]);
    planes.map(|plane: u64| std::array::from_fn(|table| (plane >> (GROUP * table) & 15) as u8))
}

vectorised! {
    fn add_chosen<const D: usize>(
        simd, sums: &mut [u64], tables: &mut Tables, panel: &[Octet; ROWS], lookups: &Lookups,
    ) {
        for (table, rows) in tables.iter_mut().zip(panel.chunks_exact(GROUP)) {
            for (bit, row) in rows.iter().enumerate() {
                let row = simd.load(row);
                for lower in 0..1 << bit {
                    let sum = simd.add(simd.load(&table[lower]), row);
                    simd.store(&mut table[1 << bit | lower], sum);
                }
            }
        }
        for (sum, lookups) in octets_mut(sums).iter_mut().zip(&lookups[..D]) {
            let mut totals = [simd.load(sum), simd.splat(0)];
            for (pair, lookups) in tables.chunks_exact(2).zip(lookups.chunks_exact(2)) {
                for ((total, table), lookup) in totals.iter_mut().zip(pair).zip(lookups) {
                    *total = simd.add(*total, simd.load(&table[usize::from(lookup & 15)]));
                }
            }
            simd.store(sum, simd.add(totals[0], totals[1]));
        }
    }
}
