//! The data schema: what every holder's file means, agreed before anyone shares.
//!
//! A `schema.toml` names the feature columns in the order of the shared tensor,
//! their kinds, public bounds or categories, what to do with missing values, and
//! the label. Values are mapped by the bounds, never by the data, so nobody needs
//! to see another holder's rows. [`Schema::digest`] goes into every share file.

mod bounds;
mod column;
mod draft;
mod features;
mod file_rules;
mod label;
mod propose;

pub use bounds::Bounds;
pub use column::{
    CategoricalColumn, CategoricalMissing, Column, IgnoredColumn, NumericColumn, NumericMissing,
    OutOfRange,
};
pub use draft::{Draft, DraftError, DraftOptions};
pub use features::{Feature, FeatureKind};
pub use file_rules::{Decimal, FileRules};
pub use label::{ClassLabel, Label, NumberLabel};

use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Version of the file format.
const FILE_VERSION: u32 = 1;
/// Longest schema file (16 MiB): room for many categories.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Most columns of the shared tensor.
const MAX_FEATURES: usize = 65_536;
/// Most categories of a column, or classes of the label.
const MAX_CATEGORIES: usize = 10_000;
/// Longest name of a column, category or class.
const MAX_TEXT_BYTES: usize = 1_000;

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML of the expected form.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// The contents contradict the rules of a schema.
    #[error("the schema is not valid: {0}")]
    Invalid(String),
}

impl Explain for SchemaError {
    fn hint(&self) -> Option<String> {
        match self {
            SchemaError::File(error) => error.hint(),
            _ => Some("draft one with `tercet schema DATA.csv` and compare".into()),
        }
    }
}

/// What the columns of the holders' files mean, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schema {
    version: u32,
    file: FileRules,
    label: Label,
    columns: Vec<Column>,
}

/// The file before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    #[serde(default)]
    file: FileRules,
    label: Label,
    columns: Vec<Column>,
}

impl Schema {
    /// Puts a schema together.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when names repeat, bounds are empty, a constant
    /// lies outside of them, nothing is left to learn from, or a cap is exceeded.
    pub fn new(file: FileRules, columns: Vec<Column>, label: Label) -> Result<Self, SchemaError> {
        let schema = Schema { version: FILE_VERSION, file, label, columns };
        schema.validate().map_err(SchemaError::Invalid)?;
        Ok(schema)
    }

    /// Loads and validates a `schema.toml`.
    ///
    /// # Errors
    /// When it cannot be read, is malformed or not valid.
    pub fn load(path: &Path) -> Result<Self, SchemaError> {
        let malformed = |reason| SchemaError::Malformed { path: path.to_owned(), reason };
        let text = String::from_utf8(files::read_capped(path, MAX_FILE_BYTES)?)
            .map_err(|_| malformed("is not UTF-8 text".into()))?;
        Schema::from_toml(&text).map_err(|error| match error {
            SchemaError::Invalid(reason) => malformed(reason),
            other => other,
        })
    }

    /// Reads a schema from the text of its file.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when it is malformed or not valid.
    pub fn from_toml(text: &str) -> Result<Self, SchemaError> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| SchemaError::Invalid(error.to_string()))?;
        if raw.version != FILE_VERSION {
            let reason = format!("format version {} is unknown", raw.version);
            return Err(SchemaError::Invalid(reason));
        }
        Schema::new(raw.file, raw.columns, raw.label)
    }

    /// The schema as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a schema is plain numbers and texts")
    }

    /// How the holder's own file is written; may differ between holders.
    pub fn file(&self) -> &FileRules {
        &self.file
    }

    /// The feature columns, ignored ones included, in the order of the tensor.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The label.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// The features that the columns become, in the order of the tensor.
    pub fn features(&self) -> Vec<Feature> {
        self.columns.iter().flat_map(features::of_column).collect()
    }

    /// How many columns the features have.
    pub fn feature_columns(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// How many columns the label has: one a class, or one for a number.
    pub fn label_columns(&self) -> usize {
        self.label.width()
    }

    /// What every holder must agree on: shared columns, bounds, categories,
    /// policies and label, each in order.
    ///
    /// Independent of what changes nothing about the shares: comments and
    /// formatting, ignored columns, and `[file]`, which says how one holder's
    /// file is written.
    pub fn digest(&self) -> Digest {
        let start = Canonical::new("tercet/schema/1");
        let shared: Vec<&Column> =
            self.columns.iter().filter(|column| column.width() > 0).collect();
        let columns = start.list(shared.into_iter(), |to, column| column.append(to));
        self.label.append(columns).finish()
    }

    fn validate(&self) -> Result<(), String> {
        self.file.validate()?;
        let mut names = HashSet::from([self.label.name()]);
        check_text("the label's name", self.label.name())?;
        for column in &self.columns {
            check_text("a column's name", column.name())?;
            if !names.insert(column.name()) {
                return Err(format!("column '{}' is described twice", column.name()));
            }
            column.validate().map_err(|fault| format!("column '{}': {fault}", column.name()))?;
        }
        self.label.validate().map_err(|fault| format!("label '{}': {fault}", self.label.name()))?;
        match self.feature_columns() {
            0 => Err("there is no feature: every column is ignored".into()),
            1..=MAX_FEATURES => Ok(()),
            width => Err(format!("it has {width} features; at most {MAX_FEATURES} are supported")),
        }
    }
}

/// Names, categories and classes: what a trimmed cell can be.
fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT_BYTES {
        let start: String = text.chars().take(40).collect();
        return Err(format!("{what} '{start}...' is longer than {MAX_TEXT_BYTES} bytes"));
    }
    if text.trim() != text {
        return Err(format!("{what} '{text}' has blanks around it, which cells never have"));
    }
    if text.is_empty() { Err(format!("{what} is empty")) } else { Ok(()) }
}

/// A list of categories or classes: not too long, no repetition.
fn check_texts(what: &str, texts: &[String]) -> Result<(), String> {
    if texts.len() > MAX_CATEGORIES {
        return Err(format!("it has {} of them; at most {MAX_CATEGORIES} fit", texts.len()));
    }
    let mut seen = HashSet::new();
    for text in texts {
        check_text(what, text)?;
        if !seen.insert(text) {
            return Err(format!("{what} '{text}' is listed twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
