//! What was done to a holder's cells on the way, for its own eyes.

use crate::schema::{Column, Schema};
use crate::table::Table;
use ndarray::ArrayView1;
use nn::scaling::MIN_DEVIATION;
use serde::Serialize;

/// What the policies of a schema did to a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Data rows.
    pub rows: usize,
    /// Columns with missing values that were filled in, and how many.
    pub filled: Vec<ColumnCount>,
    /// Columns with values that were clipped to their bounds, and how many.
    pub clipped: Vec<ColumnCount>,
    /// Columns of the file of which nothing is shared.
    pub unused: Vec<String>,
    /// Columns whose values lie so close together within their bounds that training makes
    /// less of them than of others.
    pub narrow: Vec<ColumnSpread>,
}

/// How far the values of a column spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnSpread {
    /// Name of the column.
    pub column: String,
    /// Standard deviation of this file's values, as a part of `max - min` of the schema.
    pub deviation: f64,
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
        let rows = table.rows();
        Report { rows, filled: Vec::new(), clipped: Vec::new(), unused, narrow: Vec::new() }
    }

    /// Notes a numeric column, given its values as mapped to [-1, 1]. One that is constant
    /// cannot be told from one that is so at this holder only, and is left out.
    pub(super) fn spread(&mut self, column: &str, mapped: ArrayView1<'_, f64>) {
        let deviation = mapped.std(0.0);
        if deviation > 0.0 && deviation < MIN_DEVIATION {
            let deviation = deviation / 2.0;
            self.narrow.push(ColumnSpread { column: column.to_owned(), deviation });
        }
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
