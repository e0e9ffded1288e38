//! What was done to a holder's cells on the way, for its own eyes.

use crate::schema::{Column, Schema};
use crate::table::Table;
use serde::Serialize;

/// What the policies of a schema did to a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Data rows.
    pub rows: usize,
    /// Columns with missing values that were filled in, and how many.
    pub filled: Vec<ColumnCount>,
    /// Columns with values that were clipped to their bounds, and how many.
    pub clipped: Vec<ColumnCount>,
    /// Columns of the file of which nothing is shared.
    pub unused: Vec<String>,
}

/// How often something happened in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnCount {
    /// Name of the column.
    pub column: String,
    /// How many cells.
    pub cells: usize,
}

impl Report {
    pub(super) fn new(table: &Table, schema: &Schema) -> Self {
        let shared = |name: &String| {
            schema.label().name() == name
                || schema
                    .columns()
                    .iter()
                    .any(|column| column.name() == name && !matches!(column, Column::Ignore(_)))
        };
        let unused = table.columns().iter().filter(|name| !shared(name)).cloned().collect();
        Report { rows: table.rows(), filled: Vec::new(), clipped: Vec::new(), unused }
    }

    pub(super) fn filled(&mut self, column: &str, cells: usize) {
        count(&mut self.filled, column, cells);
    }

    pub(super) fn clipped(&mut self, column: &str, cells: usize) {
        count(&mut self.clipped, column, cells);
    }
}

fn count(list: &mut Vec<ColumnCount>, column: &str, cells: usize) {
    if cells > 0 {
        list.push(ColumnCount { column: column.to_owned(), cells });
    }
}
