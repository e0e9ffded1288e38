//! What a training minimises, by its derivative at the last layer's output.

use crate::blueprint::Target;
use crate::engine::Engine;
use crate::optim::clamped;
use mpc_core::error::Result;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A loss, averaged over the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `-log softmax(z)_y` for one-hot labels `y`, with one output a class.
    SoftmaxCrossEntropy,
    /// `-log sigmoid(z)` for label 1 and `-log sigmoid(-z)` for label 0, with one output.
    Logistic,
    /// Half the squared distance of the outputs from the label's columns.
    MeanSquared,
    /// As mean squared up to this distance, and a line beyond (Huber 1964): an outlier pulls
    /// no harder than this. Labels are mapped to `[-1, 1]`.
    Huber(f64),
}

/// The least and the largest distance of a Huber loss.
pub const HUBER_BOUNDS: [f64; 2] = [1e-3, 16.0];

/// Fractional bits of the weight of a class.
const CLASS_WEIGHT_SCALE: u32 = 10;
/// Fractional bits of an error that is about to be weighted.
const WEIGHTED_SCALE: u32 = 26;

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::SoftmaxCrossEntropy => "softmax-cross-entropy",
            Loss::Logistic => "logistic",
            Loss::MeanSquared => "mean-squared",
            Loss::Huber(_) => "huber",
        })
    }
}

impl Loss {
    /// The derivative of each row's loss by the outputs `z`: prediction minus label.
    ///
    /// It comes at `scale` or more: a prediction that the engine leaves unrounded is not
    /// rounded here, since the error is about to be. It is at most one in magnitude for the
    /// two classifying losses.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn error<E: Engine>(
        self,
        engine: &E,
        z: E::Tensor,
        labels: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let scale = scale.max(engine.scale(labels));
        let stage = engine.step("prediction");
        let prediction = match self {
            Loss::SoftmaxCrossEntropy => stage.softmax(z, scale).await?,
            Loss::Logistic => stage.sigmoid(z, scale).await?,
            Loss::MeanSquared | Loss::Huber(_) => stage.align(z, scale).await?,
        };
        let labels = engine.lift(labels.clone(), engine.scale(&prediction))?;
        let error = engine.sub(prediction, &labels)?;
        match self {
            Loss::Huber(distance) => clamped(&engine.step("huber"), error, distance).await,
            Loss::SoftmaxCrossEntropy | Loss::Logistic | Loss::MeanSquared => Ok(error),
        }
    }

    /// The columns that the loss uses of a label of this target.
    pub fn label_columns(self, target: Target) -> std::ops::Range<usize> {
        match self {
            // Of one-hot labels of two classes, the second column says which it is.
            Loss::Logistic => 1..2,
            Loss::SoftmaxCrossEntropy | Loss::MeanSquared | Loss::Huber(_) => 0..target.columns(),
        }
    }

    /// The error of each row times the weight of its class.
    ///
    /// It is averaged over the rows of the batch, not over their weights: what these add up to
    /// is secret. It costs a product, beside a rounding to `WEIGHTED_SCALE` bits.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn weighted<E: Engine>(
        self,
        engine: &E,
        error: E::Tensor,
        labels: &E::Tensor,
        weights: &[f64],
    ) -> Result<E::Tensor> {
        let [rows, columns] = engine.shape(&error);
        let of_row = match self {
            Loss::Logistic => {
                // With a label of 0 or 1: the first weight, or the second.
                let more = weights[1] - weights[0];
                let of_label = engine.mul_public(labels.clone(), more, CLASS_WEIGHT_SCALE)?;
                let first = Array2::from_elem((rows, 1), weights[0]);
                let first = engine.public(&first, engine.scale(&of_label))?;
                engine.add(of_label, &first)?
            }
            Loss::SoftmaxCrossEntropy | Loss::MeanSquared | Loss::Huber(_) => {
                let of_labels =
                    engine.mul_public_row(labels.clone(), weights, CLASS_WEIGHT_SCALE)?;
                engine.sum_columns(&of_labels)?
            }
        };
        let of_row = engine.repeat_columns(&of_row, columns)?;
        let scale = engine.scale(&error).min(WEIGHTED_SCALE);
        let error = engine.step("round").align(error, scale).await?;
        engine.step("product").mul(&error, &of_row).await
    }
}
