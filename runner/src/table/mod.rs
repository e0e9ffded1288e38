//! Tables of text: what a data holder's file says, before any interpretation.
//!
//! [`Table`] keeps every cell as trimmed text with the line it came from, so
//! that later checks can point at a cell. Numbers, categories and missing
//! values are the business of the schema.

mod faults;
pub mod idx;
mod lines;
mod quotes;
mod read;

pub use faults::Faults;
pub use read::{CsvFormat, Delimiter, Ragged, TableError, TableFault};

use std::ops::Range;

/// A rectangle of text cells with named columns, read from a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    file: String,
    columns: Vec<String>,
    text: String,
    /// Where each cell ends in `text`, row by row.
    ends: Vec<u32>,
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
    /// Returns `None` unless there are columns and the cells fill at least one
    /// row, and the last one wholly, and the text of all fits 32-bit offsets.
    pub fn from_cells<'c>(
        file: &str,
        columns: Vec<String>,
        cells: impl Iterator<Item = &'c str>,
    ) -> Option<Table> {
        let mut text = String::new();
        let mut ends = Vec::new();
        for cell in cells {
            text.push_str(cell);
            ends.push(u32::try_from(text.len()).ok()?);
        }
        let rows = ends.len().checked_div(columns.len())?;
        let whole = rows > 0 && rows * columns.len() == ends.len();
        // The line on which the row would stand below a header line.
        let lines = (2..).take(rows).collect();
        whole.then(|| Table { file: file.to_owned(), columns, text, ends, lines })
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
        assert!(column < self.columns.len(), "column {column} is outside the table");
        &self.text[self.span(row * self.columns.len() + column)]
    }

    /// The cells of a column from top to bottom.
    ///
    /// # Panics
    /// When `column` is outside the table.
    pub fn column(&self, column: usize) -> impl ExactSizeIterator<Item = &str> {
        (0..self.rows()).map(move |row| self.cell(row, column))
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
        let mut kept = Table {
            file: self.file.clone(),
            columns: self.columns.clone(),
            text: String::new(),
            ends: Vec::new(),
            lines: Vec::new(),
        };
        for row in (0..self.rows()).filter(|&row| keep(row)) {
            for column in 0..self.columns.len() {
                kept.text.push_str(self.cell(row, column));
                kept.ends.push(kept.text.len() as u32);
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

    fn span(&self, cell: usize) -> Range<usize> {
        let start = if cell == 0 { 0 } else { self.ends[cell - 1] as usize };
        start..self.ends[cell] as usize
    }
}

#[cfg(test)]
mod tests;
