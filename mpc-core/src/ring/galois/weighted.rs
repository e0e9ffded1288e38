//! Sums of words weighted by challenges: coefficient `j` of `sum_k c_k x_k` is the sum of the
//! words whose challenge has bit `j`.

use super::super::chosen::{Choice, ROWS, Rows, WIDTH, Weighed};
use super::super::gemm::{MatRef, pack};
use super::super::lanes::{LANES, Octet, Simd, WORDS, ZERO, octets, octets_mut, vectorised};
use super::super::simd::Level;
use super::GaloisRing;
use crate::share::Words;

impl<const D: usize> GaloisRing<D> {
    /// Adds to each of `sums`, in octets, the sum of a column of `matrix`, each row weighted
    /// by its challenge.
    ///
    /// # Panics
    /// If there is not one challenge a row, and an octet of sums for each eight columns.
    pub fn add_weighted(sums: &mut [u64], matrix: MatRef<'_>, challenges: &[u64]) {
        assert_eq!(matrix.rows(), challenges.len(), "one challenge a row");
        assert_eq!(sums.len(), matrix.cols().div_ceil(LANES) * LANES * D, "one sum a column");
        let level = Level::best();
        let mut rows = Rows::new();
        for (row, challenges) in (0..).step_by(ROWS).zip(challenges.chunks(ROWS)) {
            let choice = Choice::new(challenges, D);
            Self::for_pairs(sums, |pair, sums| {
                let column = pair * WIDTH;
                let columns = WIDTH.min(matrix.cols() - column);
                if columns < WIDTH {
                    rows.words().fill(0);
                }
                let block = matrix.block(row, challenges.len(), column, columns);
                pack::<WIDTH>(level, rows.words(), ROWS * WIDTH, WIDTH, block);
                rows.add_chosen::<WORDS>(level, sums, &choice);
            });
        }
    }

    /// Adds to each of the sums, in octets, the sum of a row of words, each column weighted by
    /// its challenge.
    ///
    /// # Panics
    /// If there is not one challenge a column, and an octet of sums for each eight rows.
    pub fn add_weighted_rows(parts: &mut [Weighed<'_>], challenges: &[u64]) {
        assert!(challenges.len().is_multiple_of(LANES), "octets of columns");
        for Weighed { sums, rows, octets } in &*parts {
            assert_eq!(octets.len() * LANES, challenges.len(), "one challenge a column");
            assert!(octets.iter().all(|octet| octet.len() == rows * LANES), "one octet a row");
            assert_eq!(sums.len(), rows.div_ceil(LANES) * LANES * D, "one sum a row");
        }
        let level = Level::best();
        let mut columns = Rows::new();
        for (at, challenges) in (0..).step_by(ROWS / LANES).zip(challenges.chunks(ROWS)) {
            let choice = Choice::new(challenges, D);
            for Weighed { sums, octets, .. } in &mut *parts {
                let octets = &octets[at..at + challenges.len() / LANES];
                Self::for_pairs(sums, |pair, sums| {
                    turn(level, columns.words(), octets, pair * WIDTH);
                    columns.add_chosen::<WORDS>(level, sums, &choice);
                });
            }
        }
    }

    /// Calls `work` for all pairs of octets of `sums`; the last may be followed by a spare one.
    fn for_pairs(sums: &mut [u64], mut work: impl FnMut(usize, [&mut [u64]; 2])) {
        let mut spare = Words::default();
        for (pair, sums) in sums.chunks_mut(2 * LANES * D).enumerate() {
            let (left, right) = sums.split_at_mut(LANES * D);
            if right.is_empty() {
                spare = Words::zeroed(LANES * D);
                work(pair, [left, &mut spare]);
            } else {
                work(pair, [left, right]);
            }
        }
        drop(spare);
    }
}

vectorised! {
    /// Overwrites rows of `columns`, one a column, with its words in the rows from `first` on;
    /// zeros where there are no more.
    fn turn(simd, columns: &mut [u64], terms: &[&[u64]], first: usize) {
        let (columns, _) = columns.as_chunks_mut::<WIDTH>();
        for (terms, columns) in terms.iter().zip(columns.chunks_exact_mut(LANES)) {
            for half in 0..2 {
                let rows = octets(terms).get(first + half * LANES..).unwrap_or_default();
                match rows.first_chunk() {
                    Some(rows) => turn_octets(simd, rows, columns, half),
                    None => {
                        let mut some = [ZERO; LANES];
                        some[..rows.len()].copy_from_slice(rows);
                        turn_octets(simd, &some, columns, half);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn turn_octets<S: Simd>(simd: S, rows: &[Octet; LANES], columns: &mut [[u64; WIDTH]], half: usize) {
    let mut words = [simd.splat(0); LANES];
    for (words, row) in words.iter_mut().zip(rows) {
        *words = simd.load(row);
    }
    for (column, words) in columns.iter_mut().zip(&simd.transpose(words)) {
        simd.store(&mut octets_mut(column)[half], *words);
    }
}
