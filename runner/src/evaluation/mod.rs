//! How good an opened model is on rows whose labels are known.

mod text;

pub use text::table;

use crate::encode::Encoded;
use crate::schema::{Label, Schema};
use mpc_core::error::{Error, Result};
use nn::metrics::{self, Classification, Regression};
use nn::model::Model;
use serde::{Deserialize, Serialize};

/// The figures of merit of a model on a test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Evaluation {
    /// Of a model that tells classes apart.
    Classification {
        /// Rows of the test set.
        rows: usize,
        /// Names of the classes, in the order of the confusion matrix.
        classes: Vec<String>,
        /// The figures.
        #[serde(flatten)]
        figures: Classification,
    },
    /// Of a model that predicts a number.
    Regression {
        /// Rows of the test set.
        rows: usize,
        /// Root of the mean squared error, in the units of the label.
        rmse: f64,
        /// The part of the variance that is explained.
        r2: f64,
    },
}

impl Evaluation {
    /// Evaluates a model on encoded rows that follow the schema it was trained with.
    ///
    /// # Errors
    /// `Error::Shape` where rows are not as wide as the network.
    pub fn of(model: &Model, schema: &Schema, data: &Encoded) -> Result<Self> {
        let outputs = model.outputs(data.features())?;
        let rows = data.rows();
        Ok(match schema.label() {
            Label::Class(label) => {
                let probabilities = model.probabilities(&outputs).ok_or_else(|| {
                    Error::Misuse("the schema's label is a class, the model's a number".into())
                })?;
                let truth = metrics::argmax(data.labels());
                Evaluation::Classification {
                    rows,
                    classes: label.classes.clone(),
                    figures: Classification::new(&truth, &probabilities),
                }
            }
            Label::Number(label) => {
                let figures = Regression::new(data.labels(), &outputs);
                let half_width = (label.bounds.max() - label.bounds.min()) / 2.0;
                let rmse = figures.mean_squared_error.sqrt() * half_width;
                Evaluation::Regression { rows, rmse, r2: figures.r2 }
            }
        })
    }

    /// Rows of the test set.
    pub fn rows(&self) -> usize {
        match self {
            Evaluation::Classification { rows, .. } | Evaluation::Regression { rows, .. } => *rows,
        }
    }

    /// The part of the rows whose class was predicted; none for a regression.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Evaluation::Classification { figures, .. } => Some(figures.accuracy),
            Evaluation::Regression { .. } => None,
        }
    }

    /// The accuracy of the best constant answer: what a model must exceed to be of use.
    pub fn constant_accuracy(&self) -> Option<f64> {
        let Evaluation::Classification { rows, figures, .. } = self else { return None };
        let of_class = figures.confusion.iter().map(|row| row.iter().sum::<usize>());
        of_class.max().map(|most| most as f64 / *rows as f64)
    }
}
