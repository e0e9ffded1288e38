//! Tables of text: what a data holder's file says, before any interpretation.
//!
//! [`Table`] keeps every cell as trimmed text with the line it came from, so
//! that later checks can point at a cell. Numbers, categories and missing
//! values are the business of the schema.

mod cells;
mod faults;
pub mod idx;
mod lines;
mod quotes;
mod read;

pub use faults::Faults;
pub use read::{CsvFormat, Delimiter, Ragged, TableError, TableFault};

use cells::Cells;

/// Most bytes of text in a table: cells are found by 32-bit offsets.
const MAX_TEXT_BYTES: u64 = u32::MAX as u64;

/// A rectangle of text cells with named columns, read from a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    file: String,
    columns: Vec<String>,
    /// The cells of each column; the schema asks for them column by column.
    cells: Vec<Cells>,
    /// The line of the file on which each row starts.
    lines: Vec<u32>,
}

/// Where a data row stands, for messages: rows count from 1 below the header,
/// lines from 1 at the top of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// Data row, from 1.
    pub row: usize,
    /// Line of the file on which the row starts, from 1.
    pub line: u32,
}

impl std::fmt::Display for RowPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {} (line {})", self.row, self.line)
    }
}

impl Table {
    /// A table of given cells, row by row; `file` names their source in messages.
    ///
    /// Returns `None` unless there are columns, the cells fill one row or more
    /// wholly, and their text has less than 4 GiB.
    pub fn from_cells<'c>(
        file: &str,
        columns: Vec<String>,
        cells: impl Iterator<Item = &'c str>,
    ) -> Option<Table> {
        let mut table = Table::empty(file.to_owned(), columns);
        let width = table.columns.len();
        let (mut count, mut length) = (0usize, 0usize);
        for cell in cells {
            length = length.checked_add(cell.len()).filter(|&sum| sum as u64 <= MAX_TEXT_BYTES)?;
            table.cells[count.checked_rem(width)?].push(cell);
            count += 1;
        }
        let rows = count.checked_div(width)?;
        // The line on which the row would stand below a header line.
        table.lines = (2..).take(rows).collect();
        (rows > 0 && rows * width == count).then_some(table)
    }

    /// A table without rows.
    fn empty(file: String, columns: Vec<String>) -> Table {
        let cells = vec![Cells::default(); columns.len()];
        Table { file, columns, cells, lines: Vec::new() }
    }

    /// The name of the file it was read from, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The column names, in file order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The index of the column with this name.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The number of data rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The text of a cell without the blanks around it.
    ///
    /// # Panics
    /// When `row` or `column` is outside the table.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.cells[column].get(row)
    }

    /// The cells of a column from top to bottom.
    ///
    /// # Panics
    /// When `column` is outside the table.
    pub fn column(&self, column: usize) -> impl ExactSizeIterator<Item = &str> {
        let cells = &self.cells[column];
        (0..self.rows()).map(|row| cells.get(row))
    }

    /// Where a row (counted from 0) stands in the file.
    ///
    /// # Panics
    /// When `row` is outside the table.
    pub fn place(&self, row: usize) -> RowPlace {
        RowPlace { row: row + 1, line: self.lines[row] }
    }

    /// The rows (counted from 0) for which `keep` holds, in order, as a table
    /// of the same columns; each row keeps its line number.
    #[must_use]
    pub fn filter_rows(&self, mut keep: impl FnMut(usize) -> bool) -> Table {
        let mut kept = Table::empty(self.file.clone(), self.columns.clone());
        for row in (0..self.rows()).filter(|&row| keep(row)) {
            for (to, from) in kept.cells.iter_mut().zip(&self.cells) {
                to.push(from.get(row));
            }
            kept.lines.push(self.lines[row]);
        }
        kept
    }

    /// Writes the table as comma-separated values, quoted where needed.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn write_csv(&self, writer: impl std::io::Write) -> std::io::Result<()> {
        let mut csv = csv::Writer::from_writer(writer);
        csv.write_record(&self.columns)?;
        for row in 0..self.rows() {
            csv.write_record((0..self.columns.len()).map(|column| self.cell(row, column)))?;
        }
        csv.flush()
    }
}

#[cfg(test)]
mod tests;
