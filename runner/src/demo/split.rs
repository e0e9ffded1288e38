//! Cutting a table into a test set and the parts of the data holders.

use crate::failure::Failure;
use crate::table::Table;

/// A table, cut into pieces that have no row in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The part of each data holder, in file order one after the other.
    pub holders: Vec<Table>,
    /// The rows kept back to test the model.
    pub test: Table,
}

impl Split {
    /// Keeps back every `test_every`-th row (those whose number, counted from 0,
    /// leaves remainder `test_every - 1`) and deals out the others.
    ///
    /// # Errors
    /// When a holder or the test set would be left without rows.
    pub fn every(table: &Table, test_every: usize, deal: Deal) -> Result<Self, Failure> {
        let is_test = |row: usize| row % test_every == test_every - 1;
        let test = table.filter_rows(is_test);
        if test.rows() == 0 {
            return Err(Failure::new(format!(
                "{} has {} rows, so that with --test-every {test_every} none is left to test on",
                table.file(),
                table.rows()
            ))
            .with_hint("take a larger file, or a smaller --test-every"));
        }
        let train: Vec<usize> = (0..table.rows()).filter(|&row| !is_test(row)).collect();
        Ok(Split { holders: deal.out(table, &train)?, test })
    }

    /// Deals out all rows of `train`, where the test set is a table of its own.
    ///
    /// # Errors
    /// When a holder would be left without rows.
    pub fn given(train: &Table, test: Table, deal: Deal) -> Result<Self, Failure> {
        let rows: Vec<usize> = (0..train.rows()).collect();
        Ok(Split { holders: deal.out(train, &rows)?, test })
    }
}

/// How rows are dealt out to data holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// How many holders there are.
    pub holders: usize,
    /// How many rows they get together at most.
    pub limit: Option<usize>,
}

impl Deal {
    /// Deals out the given rows in blocks whose sizes differ by at most one.
    fn out(self, table: &Table, rows: &[usize]) -> Result<Vec<Table>, Failure> {
        let count = self.holders;
        let rows = &rows[..rows.len().min(self.limit.unwrap_or(usize::MAX))];
        if rows.len() < count {
            return Err(Failure::new(format!(
                "{}: {} rows to train on are too few for {count} holders",
                table.file(),
                rows.len()
            ))
            .with_hint("take a larger file, or fewer --holders"));
        }
        let block = |holder| &rows[holder * rows.len() / count..(holder + 1) * rows.len() / count];
        let part = |holder| {
            let block = block(holder);
            table.filter_rows(|row| block.binary_search(&row).is_ok())
        };
        Ok((0..count).map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::CsvFormat;
    use proptest::prelude::*;

    fn table(rows: usize) -> Table {
        let text: String = (0..rows).map(|row| format!("{row}\n")).collect();
        Table::parse(format!("number\n{text}").as_bytes(), "n.csv", CsvFormat::default()).unwrap()
    }

    fn deal(holders: usize, limit: Option<usize>) -> Deal {
        Deal { holders, limit }
    }

    fn numbers(table: &Table) -> Vec<usize> {
        table.column(0).map(|cell| cell.parse().unwrap()).collect()
    }

    #[test]
    fn the_rows_with_the_last_remainder_are_the_test_set() {
        let split = Split::every(&table(12), 5, deal(3, None)).unwrap();
        assert_eq!(numbers(&split.test), [4, 9]);
        let parts: Vec<_> = split.holders.iter().map(numbers).collect();
        assert_eq!(parts, [vec![0, 1, 2], vec![3, 5, 6], vec![7, 8, 10, 11]]);
        let limited = Split::every(&table(12), 5, deal(2, Some(3))).unwrap();
        assert_eq!(limited.holders.iter().map(numbers).collect::<Vec<_>>(), [vec![0], vec![1, 2]]);
        assert_eq!(numbers(&limited.test), [4, 9]);
    }

    #[test]
    fn a_test_set_of_its_own_leaves_all_rows_to_the_holders() {
        let split = Split::given(&table(5), table(2), deal(2, None)).unwrap();
        let parts: Vec<_> = split.holders.iter().map(numbers).collect();
        assert_eq!((parts, numbers(&split.test)), (vec![vec![0, 1], vec![2, 3, 4]], vec![0, 1]));
    }

    #[test]
    fn too_few_rows_are_an_error_that_says_so() {
        let none_to_test = Split::every(&table(4), 5, deal(1, None)).unwrap_err();
        assert!(none_to_test.message.contains("n.csv has 4 rows"), "{}", none_to_test.message);
        let few = Split::every(&table(5), 5, deal(5, None)).unwrap_err();
        assert!(few.message.contains("4 rows to train on are too few for 5 holders"));
    }

    proptest! {
        #[test]
        fn no_row_is_lost_or_given_twice(
            rows in 20usize..200, every in 2usize..8, holders in 1usize..6,
        ) {
            let split = Split::every(&table(rows), every, deal(holders, None)).unwrap();
            let mut all: Vec<usize> = split.holders.iter().flat_map(numbers).collect();
            prop_assert!(all.is_sorted());
            all.extend(numbers(&split.test));
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
            let sizes: Vec<usize> = split.holders.iter().map(Table::rows).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}
