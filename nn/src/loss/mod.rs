//! What a training minimises, by its derivative at the last layer's output.

use crate::engine::Engine;
use mpc_core::error::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A loss, averaged over the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `-log softmax(z)_y` for one-hot labels `y`, with one output a class.
    SoftmaxCrossEntropy,
    /// `-log sigmoid(z)` for label 1 and `-log sigmoid(-z)` for label 0, with one output.
    Logistic,
    /// Half the squared distance of the outputs from the label's columns.
    MeanSquared,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::SoftmaxCrossEntropy => "softmax-cross-entropy",
            Loss::Logistic => "logistic",
            Loss::MeanSquared => "mean-squared",
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
            Loss::MeanSquared => stage.align(z, scale).await?,
        };
        let labels = engine.lift(labels.clone(), engine.scale(&prediction))?;
        engine.sub(prediction, &labels)
    }
}
