//! Rows of several data sets, one below the other, as they come out of share files: component by
//! component, and cut anywhere.

use super::sealed_rows::SealedRows;
use crate::sharefile::Held;
use mpc_core::share::{Arith, Fixed, Words};
use nn::rows::Rows;
use std::io;
use std::path::Path;

/// Words that are gathered until whole rows of them are put away, or one row.
const GATHERED: usize = 1 << 15;

/// A table that is being filled.
pub(super) struct Table {
    shape: [usize; 2],
    place: Place,
    /// Of either component.
    gathered: [Gathered; 2],
}

/// Where rows go.
enum Place {
    Memory([Words; 2]),
    File(Box<SealedRows>),
}

/// Words that wait for the end of their row.
struct Gathered {
    words: Words,
    len: usize,
    /// The row that they begin.
    row: usize,
}

impl Table {
    /// Room for rows of this shape: in memory if both components are at most so many bytes, else in a
    /// file in `dir`.
    ///
    /// # Errors
    /// When there can be no file.
    pub(super) fn new(shape: [usize; 2], in_memory: u64, dir: &Path) -> io::Result<Table> {
        let [rows, columns] = shape;
        let words = rows.checked_mul(columns).ok_or(io::ErrorKind::OutOfMemory)?;
        let bytes = 2 * size_of::<u64>() as u64 * words as u64;
        let place = match bytes <= in_memory {
            true => Place::Memory([Words::zeroed(words), Words::zeroed(words)]),
            false => Place::File(SealedRows::create(dir, shape)?.into()),
        };
        let room = columns * (GATHERED / columns.max(1)).clamp(1, rows.max(1));
        let gathered = || Gathered { words: Words::zeroed(room), len: 0, row: 0 };
        Ok(Table { shape, place, gathered: [gathered(), gathered()] })
    }

    /// Takes the words of a component that come next.
    ///
    /// # Errors
    /// When they cannot be written, or are more than there is room for.
    pub(super) fn append(&mut self, held: Held, mut words: &[u64]) -> io::Result<()> {
        while !words.is_empty() {
            let Gathered { words: room, len, .. } = &mut self.gathered[held as usize];
            let now = words.len().min(room.len() - *len);
            if now == 0 {
                return Err(io::Error::other("a table without columns has no words"));
            }
            let (taken, rest) = words.split_at(now);
            room[*len..*len + now].copy_from_slice(taken);
            (*len, words) = (*len + now, rest);
            if *len == room.len() {
                self.put_away(held)?;
            }
        }
        Ok(())
    }

    /// Puts away what was gathered, which ends with a row.
    fn put_away(&mut self, held: Held) -> io::Result<()> {
        let [rows, columns] = self.shape;
        let Gathered { words, len, row } = &mut self.gathered[held as usize];
        let (first, count) = (*row, *len / columns.max(1));
        if *len > (rows - first) * columns {
            return Err(io::Error::other("there are more rows than were announced"));
        }
        let words = &words[..*len];
        match &mut self.place {
            Place::Memory(all) => {
                all[held as usize][first * columns..][..words.len()].copy_from_slice(words);
            }
            Place::File(file) => file.put(held as usize, first, words)?,
        }
        (*len, *row) = (0, first + count);
        Ok(())
    }

    /// The rows, at their scale.
    ///
    /// # Errors
    /// When the last ones cannot be written, or are fewer than were announced.
    pub(super) fn finish(mut self, scale: u32) -> io::Result<Rows<Fixed>> {
        let [rows, columns] = self.shape;
        for held in [Held::First, Held::Second] {
            let Gathered { len, row, .. } = self.gathered[held as usize];
            if row * columns + len < rows * columns {
                return Err(io::Error::other("there are fewer rows than were announced"));
            }
            self.put_away(held)?;
        }
        Ok(match self.place {
            Place::Memory([first, second]) => {
                let share = Arith::from_components(self.shape, first, second);
                Rows::InMemory(Fixed::new(share, scale))
            }
            Place::File(rows) => Rows::Stored { rows, scale },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The words of all rows, one component after the other.
    fn words(rows: Rows<Fixed>, shape: [usize; 2]) -> Vec<u64> {
        let all: Vec<usize> = (0..shape[0]).collect();
        let Fixed { share, scale } = match rows {
            Rows::InMemory(all) => all,
            Rows::Stored { rows, scale } => Fixed { scale, ..rows.read(&all).unwrap() },
        };
        assert_eq!((share.shape(), scale), (shape, 20));
        [share.first(), share.second()].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn rows_come_whole_out_of_any_pieces(
            sets in proptest::collection::vec(1..300usize, 1..4),
            columns in prop_oneof![1..9usize, 40_000..40_003usize],
            piece in 1..70_000usize,
            in_memory: bool,
        ) {
            // Wide rows are few.
            let sets: Vec<usize> = match columns {
                1..9 => sets.iter().map(|rows| 50 * rows).collect(),
                _ => sets.iter().map(|rows| 1 + rows % 3).collect(),
            };
            let dir = tempfile::tempdir().unwrap();
            let shape = [sets.iter().sum(), columns];
            let bytes = (16 * shape[0] * columns) as u64;
            let limit = if in_memory { bytes } else { bytes - 1 };
            let mut table = Table::new(shape, limit, dir.path()).unwrap();
            let mut next = [0u64, 1 << 32];
            for rows in sets {
                for held in [Held::First, Held::Second] {
                    let from = next[held as usize];
                    next[held as usize] += (rows * columns) as u64;
                    let of_set: Vec<u64> = (from..next[held as usize]).collect();
                    for piece in of_set.chunks(piece) {
                        table.append(held, piece).unwrap();
                    }
                }
            }
            let rows = table.finish(20).unwrap();
            prop_assert_eq!(matches!(&rows, Rows::InMemory(_)), in_memory);
            let expected = (0..next[0]).chain(1 << 32..next[1]);
            prop_assert!(words(rows, shape).into_iter().eq(expected));
        }
    }

    #[test]
    fn more_or_less_than_was_announced_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for in_memory in [0, 1 << 20] {
            let mut table = Table::new([2, 3], in_memory, dir.path()).unwrap();
            table.append(Held::First, &[0; 6]).unwrap();
            let refused =
                table.append(Held::First, &[0; 3]).and_then(|()| table.finish(20).map(drop));
            assert!(refused.unwrap_err().to_string().contains("more rows"));
            for [first, second] in [[6, 5], [3, 6], [0, 0]] {
                let mut table = Table::new([2, 3], in_memory, dir.path()).unwrap();
                table.append(Held::First, &vec![0; first]).unwrap();
                table.append(Held::Second, &vec![0; second]).unwrap();
                assert!(table.finish(20).unwrap_err().to_string().contains("fewer rows"));
            }
            let mut table = Table::new([2, 0], in_memory, dir.path()).unwrap();
            assert!(table.append(Held::First, &[1]).is_err());
            table.finish(20).unwrap();
        }
    }
}
