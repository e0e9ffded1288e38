//! Rows of a file to train on in a measurement, so that it tells an accuracy.
//!
//! Every party reads the whole file and shares it with a public seed: this is for public data.

use super::made_up::share_of;
use crate::encode::{Encoded, encode};
use crate::failure::Failure;
use crate::mnist::{self, Mnist};
use crate::model::data_shape;
use crate::schema::{Draft, DraftOptions};
use crate::table::Table;
use mpc_core::fixed;
use mpc_core::party::PartyId;
use mpc_core::share::Fixed;
use ndarray::Array2;
use nn::blueprint::{DataShape, Target};
use nn::metrics::argmax;
use nn::model::Model;
use nn::order::epoch_order;
use nn::seed::Seed;
use nn::spec::{RowOrder, Scaling, SpecError};
use nn::train::{DATA_SCALE, Dataset};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;

/// Of so many rows of a table, the last one is kept back.
const TEST_EVERY: usize = 5;

/// Where the rows are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A table with a column of classes. Every fifth row is kept back.
    Csv {
        /// The file.
        file: PathBuf,
        /// The column to predict.
        label: String,
    },
    /// The directory of the four files of MNIST, of which two are for tests.
    Mnist(PathBuf),
}

impl Source {
    /// Its name for people.
    pub fn name(&self) -> String {
        match self {
            Source::Csv { file, .. } => {
                file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
            }
            Source::Mnist(_) => "MNIST".into(),
        }
    }

    /// How the features are scaled before they are trained on.
    pub(super) fn scaling(&self) -> Scaling {
        match self {
            Source::Csv { .. } => Scaling::Standardise,
            Source::Mnist(_) => Scaling::Unit,
        }
    }

    /// Reads the rows, of which at most `most` to train on, the same in every run.
    ///
    /// # Errors
    /// When they cannot be read, or the label is no class.
    pub fn load(&self, most: usize) -> Result<Rows, Failure> {
        let (schema, train, test) = match self {
            Source::Mnist(dir) => {
                let Mnist { train, test } = Mnist::load_part(dir, most)?;
                (mnist::schema(), train, test)
            }
            Source::Csv { file, label } => {
                let options = DraftOptions { label: Some(label.clone()), ..Default::default() };
                let table = Table::read(file, options.file.csv_format())?;
                let schema = Draft::of(&table, &options)?.schema;
                let is_test = |row: usize| row % TEST_EVERY == TEST_EVERY - 1;
                // Files are often sorted.
                let order = epoch_order(RowOrder::Shuffled, table.rows(), &Seed::from_number(1), 0);
                let chosen: HashSet<usize> =
                    order.into_iter().filter(|&row| !is_test(row)).take(most).collect();
                let train = table.filter_rows(|row| chosen.contains(&row));
                (schema, train, table.filter_rows(is_test))
            }
        };
        let shape = data_shape(&schema, train.rows());
        if !matches!(shape.target, Target::Classes(_)) {
            return Err(Failure::new(format!("the label of {} is no class", self.name()))
                .with_hint("networks are measured that tell classes apart: name another --label"));
        }
        if test.rows() == 0 {
            let (name, least) = (self.name(), TEST_EVERY);
            return Err(Failure::new(format!("{name} has fewer than {least} rows")));
        }
        let encoded = |table| Ok::<_, Failure>(encode(table, &schema)?.0);
        Ok(Rows { train: encoded(&train)?, test: encoded(&test)?, shape })
    }
}

/// Rows to train on and rows that are kept back.
pub struct Rows {
    train: Encoded,
    test: Encoded,
    shape: DataShape,
}

impl Rows {
    /// The shape of what is trained on.
    pub fn shape(&self) -> &DataShape {
        &self.shape
    }

    /// A party's shares of the rows to train on.
    ///
    /// # Errors
    /// When a number does not fit.
    pub(super) fn share(&self, party: PartyId) -> Result<Dataset<Fixed>, Failure> {
        let tensor = |seed: u64, values: &Array2<f64>, scale: u32| {
            let words = values.iter().map(|&value| fixed::encode(value, scale));
            let words: Vec<u64> = words.collect::<Result<_, _>>().map_err(Failure::new)?;
            let shape = [values.nrows(), values.ncols()];
            Ok::<_, Failure>(Fixed::new(share_of(party, seed, shape, &words), scale))
        };
        Ok(Dataset {
            features: tensor(1, self.train.features(), DATA_SCALE)?,
            labels: tensor(2, self.train.labels(), 0)?,
        })
    }

    /// How good an opened model is on the rows that are kept back.
    ///
    /// # Errors
    /// When the model is for other rows.
    pub(super) fn judge(&self, model: &Model) -> mpc_core::error::Result<Judged> {
        let outputs = model.outputs(self.test.features())?;
        let (found, truth) = (argmax(&outputs), argmax(self.test.labels()));
        let right = found.iter().zip(&truth).filter(|(found, truth)| found == truth).count();
        let test_rows = truth.len();
        let accuracy = right as f64 / test_rows as f64;
        Ok(Judged { accuracy, test_rows, training_rows: self.shape.rows })
    }
}

/// How good the trained model is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The part of the rows that were kept back whose class is predicted.
    pub accuracy: f64,
    /// Rows that were kept back.
    pub test_rows: usize,
    /// Rows that were there to train on.
    pub training_rows: usize,
}

/// Whether a network suits rows of this shape.
///
/// # Errors
/// When it does not, with what would.
pub(super) fn fit(shape: &DataShape, rows: &DataShape) -> Result<(), SpecError> {
    let sizes = |shape: &DataShape| [shape.columns.len(), shape.target.columns()];
    let [[inputs, outputs], [features, classes]] = [sizes(shape), sizes(rows)];
    if [inputs, outputs] == [features, classes] {
        return Ok(());
    }
    Err(SpecError::Data {
        key: "the network".into(),
        reason: format!(
            "it takes {inputs} features and tells {outputs} classes apart, but the data have \
             {features} and {classes}; leave --net out, or write mlp:{features}-..-{classes}"
        ),
    })
}
