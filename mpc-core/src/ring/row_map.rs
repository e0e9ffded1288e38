//! Public maps between rows: which element of a long row is which of a short one.
//!
//! The windows of an image laid side by side ("im2col") are such a long row: each of its
//! elements is a pixel, some pixels occur several times, and where a window reaches over the
//! edge there is none. Reading along the map gathers; its adjoint adds everything up where
//! it came from. Both are linear, so they work on shares, component by component.

use std::ops::Range;

/// Stands for no element: a zero.
const NOWHERE: usize = usize::MAX;

/// Where each element of a long row comes from in a short one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowMap {
    short: usize,
    long: usize,
    runs: Vec<Run>,
}

/// Neighbours in the long row that are neighbours in the short one, or zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where they start in the short row, or [`NOWHERE`].
    from: usize,
    /// Where they start in the long row.
    at: usize,
    len: usize,
}

impl Run {
    fn source(&self) -> Option<Range<usize>> {
        (self.from != NOWHERE).then(|| self.from..self.from + self.len)
    }
}

impl RowMap {
    /// The map to the long row whose elements come from the given places of a row of
    /// `short` elements; `None` is a zero.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn new(short: usize, places: impl IntoIterator<Item = Option<usize>>) -> RowMap {
        let (mut runs, mut long): (Vec<Run>, _) = (Vec::new(), 0);
        for place in places {
            let from = place.unwrap_or(NOWHERE);
            assert!(place.is_none_or(|place| place < short), "a place outside of the row");
            long += 1;
            match runs.last_mut() {
                Some(run) if from == NOWHERE && run.from == NOWHERE => run.len += 1,
                Some(run) if run.from != NOWHERE && from == run.from + run.len => run.len += 1,
                _ => runs.push(Run { from, at: long - 1, len: 1 }),
            }
        }
        RowMap { short, long, runs }
    }

    /// The map back, if each element of a short row is in one place of the long one: what gathers
    /// along it is what [`RowMap::scatter_add`] would add up.
    pub fn inverse(&self) -> Option<RowMap> {
        let mut places = vec![None; self.short];
        for run in &self.runs {
            for (offset, place) in run.source()?.enumerate() {
                if places[place].replace(run.at + offset).is_some() {
                    return None;
                }
            }
        }
        let is_whole = places.iter().all(Option::is_some);
        is_whole.then(|| RowMap::new(self.long, places))
    }

    /// Elements of a short row.
    pub fn short(&self) -> usize {
        self.short
    }

    /// Elements of a long row.
    pub fn long(&self) -> usize {
        self.long
    }

    /// The long rows that belong to short ones, written over `to`.
    ///
    /// # Panics
    /// If there are not as many whole rows on both sides.
    pub fn gather<T: Copy + Default>(&self, from: &[T], to: &mut [T]) {
        for (short, long) in self.rows(from, to) {
            self.gather_part(short, 0, &self.runs, long);
        }
    }

    /// Writes over `to` what the long row of `short` has from place `start` on, which lies in
    /// the first of some runs; tells how many of these runs end there or before.
    fn gather_part<T: Copy + Default>(
        &self,
        short: &[T],
        start: usize,
        runs: &[Run],
        to: &mut [T],
    ) -> usize {
        let end = start + to.len();
        for (passed, run) in runs.iter().enumerate() {
            if run.at >= end {
                return passed;
            }
            let part = run.at.max(start)..(run.at + run.len).min(end);
            let target = &mut to[part.start - start..];
            match run.source() {
                Some(source) => {
                    let source = &short[source.start + (part.start - run.at)..];
                    copy_run(target, source, part.len());
                }
                None => target[..part.len()].fill(T::default()),
            }
            if run.at + run.len > end {
                return passed;
            }
        }
        runs.len()
    }

    /// Adds the elements of long rows to those of the short rows that they come from.
    ///
    /// # Panics
    /// If there are not as many whole rows on both sides.
    pub fn scatter_add<T: Copy>(&self, from: &[T], to: &mut [T], add: impl Fn(T, T) -> T) {
        let to = to.chunks_exact_mut(self.short.max(1));
        assert!(to.len() * self.long == from.len(), "as many rows on both sides");
        for (long, short) in from.chunks_exact(self.long.max(1)).zip(to) {
            for run in &self.runs {
                if let Some(source) = run.source() {
                    let from = &long[run.at..run.at + run.len];
                    short[source].iter_mut().zip(from).for_each(|(to, &x)| *to = add(*to, x));
                }
            }
        }
    }

    fn rows<'a, T>(
        &self,
        short: &'a [T],
        long: &'a mut [T],
    ) -> impl Iterator<Item = (&'a [T], &'a mut [T])> {
        let short = short.chunks_exact(self.short.max(1));
        assert!(short.len() * self.long == long.len(), "as many rows on both sides");
        short.zip(long.chunks_exact_mut(self.long.max(1)))
    }
}

/// What is copied in one piece where there is room: a few vectors.
const PIECE: usize = 8;

/// Copies the first `len` elements; what follows them in `to` is written later, and may be
/// overwritten.
#[inline]
fn copy_run<T: Copy>(to: &mut [T], from: &[T], len: usize) {
    match (to.first_chunk_mut::<PIECE>(), from.first_chunk::<PIECE>()) {
        (Some(to), Some(from)) if len <= PIECE => *to = *from,
        _ => to[..len].copy_from_slice(&from[..len]),
    }
}

/// Long rows, each cut into rows of some width, as one matrix that does not exist as a whole:
/// parts of it are gathered when they are needed.
#[derive(Clone, Copy)]
pub struct Unfolded<'a> {
    short: &'a [u64],
    map: &'a RowMap,
    width: usize,
}

impl<'a> Unfolded<'a> {
    /// The long rows of these short ones, cut into rows of `width`.
    ///
    /// # Panics
    /// If there are no whole rows on either side.
    pub fn new(short: &'a [u64], map: &'a RowMap, width: usize) -> Unfolded<'a> {
        assert!(short.len().is_multiple_of(map.short().max(1)), "whole short rows");
        assert!(map.long().is_multiple_of(width.max(1)), "whole rows of a long one");
        Unfolded { short, map, width }
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.short.len() / self.map.short().max(1) * (self.map.long() / self.width.max(1))
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.width
    }

    /// Whether another one takes its elements from the same places.
    pub fn is_laid_out_as(&self, other: &Unfolded<'_>) -> bool {
        std::ptr::eq(self.map, other.map)
            && (self.width, self.short.len()) == (other.width, other.short.len())
    }

    /// Some rows and columns, written over `to` row by row.
    ///
    /// # Panics
    /// If there are no such rows or columns, or `to` has another length.
    pub fn gather(&self, rows: Range<usize>, cols: Range<usize>, to: &mut [u64]) {
        assert!(rows.end <= self.rows() && cols.end <= self.width, "a part of the matrix");
        assert_eq!(to.len(), rows.len() * cols.len(), "as many elements");
        if to.is_empty() {
            return;
        }
        let (of_long, runs) = (self.map.long() / self.width, &self.map.runs);
        let start_of = |row: usize| row % of_long * self.width + cols.start;
        let before = |run: &Run| run.at + run.len <= start_of(rows.start);
        let mut next = runs.partition_point(before);
        for (row, to) in rows.zip(to.chunks_exact_mut(cols.len())) {
            let (at, start) = (row / of_long, start_of(row));
            if row % of_long == 0 {
                next = 0;
            }
            next += runs[next..].iter().take_while(|run| run.at + run.len <= start).count();
            let short = &self.short[at * self.map.short()..][..self.map.short()];
            next += self.map.gather_part(short, start, &runs[next..], to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn windows_over_the_edge_are_zeros_there() {
        let map = RowMap::new(3, [None, None, Some(0), Some(1), Some(1), Some(2), None]);
        assert_eq!((map.short(), map.long(), map.runs.len()), (3, 7, 4));
        let mut long = [9; 14];
        map.gather(&[1, 2, 3, 4, 5, 6], &mut long);
        assert_eq!(long, [0, 0, 1, 2, 2, 3, 0, 0, 0, 4, 5, 5, 6, 0]);
        let mut short = [10, 0, 0];
        map.scatter_add(&[7, 7, 1, 2, 3, 4, 7], &mut short, |a, b| a + b);
        assert_eq!(short, [11, 5, 4]);
    }

    #[test]
    fn a_permutation_has_an_inverse() {
        let map = RowMap::new(5, [3, 4, 0, 2, 1].map(Some));
        let back = map.inverse().expect("a permutation");
        let (mut there, mut and_back) = ([0; 10], [0; 10]);
        map.gather(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &mut there);
        back.gather(&there, &mut and_back);
        assert_eq!(and_back, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        for other in [&[Some(0), Some(1), Some(1)][..], &[Some(1)], &[Some(0), None, Some(1)]] {
            assert_eq!(RowMap::new(2, other.iter().copied()).inverse(), None);
        }
    }

    proptest! {
        #[test]
        fn parts_of_long_rows_are_those_of_the_whole(
            places in prop::collection::vec(prop::option::of(0usize..9), 1..50),
            width in 1usize..8,
            rows in 1usize..4,
            part: [prop::sample::Index; 4],
        ) {
            let whole = places.len().div_ceil(width) * width;
            let places = places.into_iter().chain(std::iter::repeat(None)).take(whole);
            let map = RowMap::new(9, places);
            let short: Vec<u64> = (1..=9 * rows as u64).collect();
            let mut long = vec![0; rows * whole];
            map.gather(&short, &mut long);
            let unfolded = Unfolded::new(&short, &map, width);
            prop_assert_eq!([unfolded.rows(), unfolded.cols()], [long.len() / width, width]);
            let range = |ends: &[prop::sample::Index], len: usize| {
                let [a, b] = [0, 1].map(|at| ends[at].index(len + 1));
                a.min(b)..a.max(b)
            };
            let (rows, cols) = (range(&part[..2], unfolded.rows()), range(&part[2..], width));
            let mut gathered = vec![u64::MAX; rows.len() * cols.len()];
            unfolded.gather(rows.clone(), cols.clone(), &mut gathered);
            let expected: Vec<u64> = long
                .chunks(width)
                .skip(rows.start)
                .take(rows.len())
                .flat_map(|row| &row[cols.clone()])
                .copied()
                .collect();
            prop_assert_eq!(gathered, expected);
        }

        /// `<gather(x), y> = <x, scatter(y)>` for all `x` and `y`.
        #[test]
        fn scattering_is_the_adjoint_of_gathering(
            places in prop::collection::vec(prop::option::of(0usize..12), 1..60),
            rows in 1usize..4,
            seed: u64,
        ) {
            let map = RowMap::new(12, places.iter().copied());
            let number = |i: usize| (seed ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let x: Vec<u64> = (0..rows * 12).map(number).collect();
            let y: Vec<u64> = (0..rows * map.long()).map(|i| number(i + 1000)).collect();
            let (mut long, mut short) = (vec![0; y.len()], vec![0; x.len()]);
            map.gather(&x, &mut long);
            map.scatter_add(&y, &mut short, u64::wrapping_add);
            let dot = |a: &[u64], b: &[u64]| {
                a.iter().zip(b).fold(0u64, |sum, (a, b)| sum.wrapping_add(a.wrapping_mul(*b)))
            };
            prop_assert_eq!(dot(&long, &y), dot(&x, &short));
            let at = |row: usize, place: Option<usize>| place.map_or(0, |p| x[row * 12 + p]);
            let expected: Vec<u64> =
                (0..rows).flat_map(|row| places.iter().map(move |p| at(row, *p))).collect();
            prop_assert_eq!(long, expected);
        }
    }
}
