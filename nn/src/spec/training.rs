//! What a specification says about the training.

use super::{Clip, OptimiserSpec, Schedule, SpecError};
use serde::{Deserialize, Serialize};

/// Most epochs of a training.
pub const MAX_EPOCHS: usize = 100_000;
/// Most rows of a batch.
pub const MAX_BATCH: usize = 1 << 20;
/// Most batches over which the learning rate rises.
pub const MAX_WARM_UP: usize = 1_000_000;
/// What the errors of a class may count.
pub const CLASS_WEIGHT_BOUNDS: [f64; 2] = [0.01, 64.0];
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
    pub optimiser: OptimiserSpec,
    /// The course of the learning rate.
    #[serde(default, skip_serializing_if = "Schedule::is_constant")]
    pub schedule: Schedule,
    /// Over so many batches the learning rate rises to what it is otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm_up: usize,
    /// To what gradients are clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// The order of the rows in an epoch.
    #[serde(default)]
    pub order: RowOrder,
    /// The weights that the training starts with.
    #[serde(default)]
    pub initial: Initial,
    /// How much the errors of rows of each class count; all the same where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<f64>,
    /// Fixes initial weights and order; without it the parties toss a coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
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
    /// Weights uniform in `+-sqrt(6 / inputs)`, biases zero (He et al., ICCV 2015): for deep
    /// networks of rectifiers.
    HeUniform,
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
        self.optimiser.validate()?;
        self.schedule.validate(self.learning_rate)?;
        self.clip.as_ref().map_or(Ok(()), Clip::validate)?;
        let [min, max] = CLASS_WEIGHT_BOUNDS;
        if let Some(weight) = self.class_weights.iter().find(|w| !(min..=max).contains(*w)) {
            let reason = format!("must be {min} to {max}, not {weight}");
            return Err(SpecError::invalid("training.class_weights", reason));
        }
        if self.warm_up > MAX_WARM_UP {
            let reason = format!("must be at most {MAX_WARM_UP} batches, not {}", self.warm_up);
            return Err(SpecError::invalid("training.warm_up", reason));
        }
        let rate = self.learning_rate;
        if (MIN_LEARNING_RATE..MAX_LEARNING_RATE).contains(&rate) {
            Ok(())
        } else {
            let reason = format!("must be {MIN_LEARNING_RATE} to {MAX_LEARNING_RATE}, not {rate}");
            Err(SpecError::invalid("training.learning_rate", reason))
        }
    }

    /// Whether all batches of a size go through the same steps of computation, which is what
    /// triples can be prepared for.
    pub fn is_uniform(&self) -> bool {
        let adaptive = matches!(self.optimiser, OptimiserSpec::Adam(_) | OptimiserSpec::AdamW(_));
        self.schedule.is_constant() && self.warm_up == 0 && !adaptive
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
