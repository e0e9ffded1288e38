//! From a table and a schema to the numbers that are shared.
//!
//! Every cell is checked before anything is made of it, and all bad cells are
//! reported together. Numbers are mapped by their public bounds to [-1, 1],
//! categories and classes become 0/1 columns.

mod encoder;
mod fault;
mod fill;
mod report;

pub use fault::{CellFault, CellFaultKind, EncodeError};
pub use report::{ColumnCount, ColumnSpread, Report};

use crate::schema::{Column, Schema};
use crate::table::Table;
use encoder::Encoder;
use mpc_core::fixed;
use ndarray::Array2;
use std::collections::HashMap;

/// Fractional bits of shared data: features and labels lie in [-1, 1], and the
/// schema's bounds are resolved to about one part in a million.
pub const DATA_SCALE: u32 = 20;

/// The numbers of one data set, in plain: rows of features and rows of labels.
#[derive(Clone, PartialEq)]
pub struct Encoded {
    features: Array2<f64>,
    labels: Array2<f64>,
}

/// The tensor of a data set cannot be written as words of the ring.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("row {row}, column {column} of the tensor: {fault}")]
pub struct WordError {
    /// Row of the tensor, from 1.
    pub row: usize,
    /// Column of the tensor, features before labels, from 1.
    pub column: usize,
    /// Why the number has no word.
    #[source]
    pub fault: fixed::EncodeError,
}

impl crate::failure::Explain for WordError {}

impl Encoded {
    /// Puts a data set together: as many rows of labels as of features, and one at least.
    ///
    /// Returns `None` where the shapes do not fit.
    pub fn new(features: Array2<f64>, labels: Array2<f64>) -> Option<Self> {
        let fits = features.nrows() == labels.nrows() && !features.is_empty() && !labels.is_empty();
        fits.then(|| Encoded {
            features: features.as_standard_layout().into_owned(),
            labels: labels.as_standard_layout().into_owned(),
        })
    }

    /// Rows without labels, which ask a model; `None` where there are none.
    pub fn unlabelled(features: Array2<f64>) -> Option<Self> {
        let labels = Array2::zeros((features.nrows(), 0));
        let features = features.as_standard_layout().into_owned();
        (!features.is_empty()).then_some(Encoded { features, labels })
    }

    /// The features, a row for each row of the table.
    pub fn features(&self) -> &Array2<f64> {
        &self.features
    }

    /// The labels, a row for each row of the table: one-hot classes or a mapped number.
    pub fn labels(&self) -> &Array2<f64> {
        &self.labels
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.features.nrows()
    }

    /// The words of the shared tensor at `scale`: all features row by row, then
    /// all labels row by row.
    pub fn words(&self, scale: u32) -> impl Iterator<Item = Result<u64, WordError>> + '_ {
        let matrices = [(&self.features, 0), (&self.labels, self.features.ncols())];
        matrices.into_iter().flat_map(move |(matrix, first_column)| {
            matrix.iter().enumerate().map(move |(index, &value)| {
                fixed::encode(value, scale).map_err(|fault| WordError {
                    row: index / matrix.ncols() + 1,
                    column: first_column + index % matrix.ncols() + 1,
                    fault,
                })
            })
        })
    }
}

/// A data set is a holder's secret until it is shared: only its shape is shown.
impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoded({:?} features, {:?} labels)", self.features.dim(), self.labels.dim())
    }
}

/// Encodes features and labels of a table.
///
/// # Errors
/// When columns of the schema are missing in the table, cells do not fit the
/// schema, or a mean or median is to be taken of nothing.
pub fn encode(table: &Table, schema: &Schema) -> Result<(Encoded, Report), EncodeError> {
    let places = find_columns(table, schema, Some(schema.label().name()))?;
    let mut encoder = Encoder::new(table, schema, places);
    let features = encoder.features();
    let labels = encoder.labels();
    let mut report = encoder.finish()?;
    for (feature, values) in schema.features().iter().zip(features.columns()) {
        if !feature.is_indicator() {
            report.spread(&feature.name, values);
        }
    }
    Ok((Encoded { features, labels }, report))
}

/// Encodes the features of a table that may lack the label, for predictions.
///
/// Means and medians for missing values are those of this table.
///
/// # Errors
/// As [`encode`].
pub fn encode_features(
    table: &Table,
    schema: &Schema,
) -> Result<(Array2<f64>, Report), EncodeError> {
    let places = find_columns(table, schema, None)?;
    let mut encoder = Encoder::new(table, schema, places);
    let features = encoder.features();
    let report = encoder.finish()?;
    Ok((features, report))
}

/// Where the columns that are needed stand in the table.
fn find_columns<'s>(
    table: &Table,
    schema: &'s Schema,
    label: Option<&'s str>,
) -> Result<HashMap<&'s str, usize>, EncodeError> {
    let shared = schema.columns().iter().filter(|column| !matches!(column, Column::Ignore(_)));
    let mut places = HashMap::new();
    let mut missing = Vec::new();
    for name in shared.map(Column::name).chain(label) {
        match table.column_index(name) {
            Some(index) => drop(places.insert(name, index)),
            None => missing.push(name.to_owned()),
        }
    }
    match missing.is_empty() {
        true => Ok(places),
        false => Err(EncodeError::MissingColumns { file: table.file().to_owned(), missing }),
    }
}

#[cfg(test)]
mod tests;
