//! What a specification says about the training.

use super::SpecError;
use serde::{Deserialize, Serialize};

/// Most epochs of a training.
pub const MAX_EPOCHS: usize = 100_000;
/// Most rows of a batch.
pub const MAX_BATCH: usize = 1 << 20;
/// Learning rates are at least this.
pub const MIN_LEARNING_RATE: f64 = 1e-9;
/// Learning rates are below this.
pub const MAX_LEARNING_RATE: f64 = 1024.0;

/// Epochs, batches and optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Passes over all rows.
    pub epochs: usize,
    /// Rows a step; the last step of an epoch takes what is left.
    pub batch: usize,
    /// Learning rate; the gradient is averaged over the rows of the batch.
    pub learning_rate: f64,
    /// How gradients change the weights.
    #[serde(default)]
    pub optimiser: OptimiserKind,
    /// The order of the rows in an epoch.
    #[serde(default)]
    pub order: RowOrder,
    /// The weights that the training starts with.
    #[serde(default)]
    pub initial: Initial,
    /// Fixes initial weights and order; without it the parties toss a coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// How gradients change the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// Stochastic gradient descent: `w -= learning_rate * gradient`.
    #[default]
    Sgd,
}

/// The order of the rows in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowOrder {
    /// Another random order in each epoch, from the joint seed.
    #[default]
    Shuffled,
    /// As the rows come.
    File,
}

/// The weights that a training starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initial {
    /// Weights uniform in `+-sqrt(6 / (inputs + outputs))`, biases zero (Glorot, Bengio,
    /// AISTATS 2010). Of those here it learns most in the first epoch.
    #[default]
    GlorotUniform,
    /// Weights and biases uniform in `+-1 / sqrt(inputs)`.
    Uniform,
    /// All zero; only a network of one dense layer learns from there.
    Zeros,
}

impl TrainingSpec {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        let within = |key: &str, value: usize, max: usize| {
            if (1..=max).contains(&value) {
                Ok(())
            } else {
                Err(SpecError::invalid(key, format!("must be 1 to {max}, not {value}")))
            }
        };
        within("training.epochs", self.epochs, MAX_EPOCHS)?;
        within("training.batch", self.batch, MAX_BATCH)?;
        let rate = self.learning_rate;
        if (MIN_LEARNING_RATE..MAX_LEARNING_RATE).contains(&rate) {
            Ok(())
        } else {
            let reason = format!("must be {MIN_LEARNING_RATE} to {MAX_LEARNING_RATE}, not {rate}");
            Err(SpecError::invalid("training.learning_rate", reason))
        }
    }
}
