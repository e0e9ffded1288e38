//! What a training job says in TOML about the network and its training.
//!
//! ```toml
//! [model]
//! layers = [{ dense = 64 }, "relu", { dense = "outputs" }]
//! loss = "softmax-cross-entropy"     # or "logistic", "mean-squared", { huber = 0.1 }
//!
//! [training]
//! epochs = 50
//! batch = 32
//! learning_rate = 0.1
//! optimiser = "sgd"                  # the default; or "adam", "adamw", or a table:
//! # optimiser = { kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 1e-4 }
//! # optimiser = { kind = "adam", beta1 = 0.9, beta2 = 0.999, epsilon = 1e-5, amsgrad = true }
//! schedule = { kind = "cosine" }     # or { kind = "step", every = 10, factor = 0.5 }; optional
//! warm_up = 100                      # batches over which the learning rate rises; optional
//! clip = { norm = 1.0 }              # gradients; or { value = 0.5 }; optional
//! order = "shuffled"                 # the default; or "file"
//! initial = "glorot-uniform"         # the default; or "he-uniform", "uniform", "zeros"
//! class_weights = [1.0, 4.0]         # errors of rows of a class count so much; optional
//! seed = 7                           # optional: the parties toss a coin without it
//!
//! [features]
//! scaling = "standardise"            # the default; or "unit", "none"
//!
//! [precision]                        # optional, see the precision plan
//! activations = 13
//! errors = 13
//! head_room = 9
//!
//! [validation]                       # optional
//! fraction = 0.2                     # of the rows are kept back; the seed decides which;
//! # sets = ["0011..."]               # or: all rows of these data sets
//! metrics = ["loss", "accuracy", "auc"]   # opened at the end
//! each_epoch = ["loss"]              # opened after each epoch; optional
//! early_stopping = { metric = "loss", patience = 5 }   # optional
//!
//! [debug]                            # optional
//! count_range_violations = true      # counted under MPC, and revealed at the end
//! ```
//!
//! Images need their shape, and their columns in its order: row by row, pixel by pixel, and
//! the channels of a pixel side by side.
//!
//! ```toml
//! [model]
//! input = [28, 28, 1]                # height, width, channels
//! layers = [
//!     { conv = 20, kernel = 5 },     # filters; stride = 1 and padding = 0 are the defaults
//!     { max-pool = 2 }, "relu",      # stride = 2 is the default
//!     { conv = 50, kernel = 5 }, { max-pool = 2 }, "relu",
//!     "flatten", { dense = 500 }, "relu", { dense = "outputs" },
//! ]
//! ```
//!
//! All layers: `dense`, `conv`, `max-pool`, `avg-pool`, `"global-avg-pool"`, `"flatten"`,
//! `"batch-norm"` or `{ batch-norm = 0.1, epsilon = 1e-5 }` (how fast its statistics follow),
//! `{ dropout = 0.5 }`, `"relu"`, `"leaky-relu"` or `{ leaky-relu = 0.01 }`, `"sigmoid"`, `"tanh"`,
//! and at the end of one with softmax cross-entropy `"softmax"`.
//!
//! Widths of the inputs come from the data; `{ dense = "outputs" }` is as wide as
//! the label needs: one output a class for softmax cross-entropy, one for logistic
//! loss, one a column of the label for mean squared loss. Unknown keys are refused,
//! and so are sizes beyond the caps of this module.

mod layer;
mod model;
mod optimiser;
mod training;
mod validation;

pub use layer::{BatchNormSpec, ConvSpec, LayerSpec, PoolSpec, Units};
pub use model::{MAX_LAYERS, MAX_UNITS, ModelSpec, lenet};
pub use optimiser::{Adam, Clip, OptimiserSpec, Schedule, Sgd};
pub use training::{
    Initial, MAX_BATCH, MAX_EPOCHS, MAX_LEARNING_RATE, MIN_LEARNING_RATE, RowOrder, TrainingSpec,
};

pub use validation::{EarlyStopping, Metric, ValidationSpec};

use crate::loss::Loss;
use serde::{Deserialize, Serialize};

/// Why a specification cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// It is not TOML, or has unknown or missing keys or values of another type.
    #[error("the specification cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value is out of the question whatever the data.
    #[error("{key}: {reason}")]
    Invalid {
        /// Where the value stands, for instance `training.batch`.
        key: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// It asks for something that the data do not fit.
    #[error("{key} does not fit the data: {reason}")]
    Data {
        /// Where the value stands.
        key: String,
        /// What does not fit.
        reason: String,
    },
}

impl SpecError {
    pub(crate) fn invalid(key: impl Into<String>, reason: impl Into<String>) -> Self {
        SpecError::Invalid { key: key.into(), reason: reason.into() }
    }

    pub(crate) fn data(key: impl Into<String>, reason: impl Into<String>) -> Self {
        SpecError::Data { key: key.into(), reason: reason.into() }
    }
}

/// The network and its training, as specified; see the [module](self) for the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Layers and loss.
    pub model: ModelSpec,
    /// Epochs, batches and optimiser.
    pub training: TrainingSpec,
    /// How features are scaled.
    #[serde(default)]
    pub features: FeatureSpec,
    /// Overrides of the precision plan.
    #[serde(default, skip_serializing_if = "PrecisionSpec::is_default")]
    pub precision: PrecisionSpec,
    /// Rows that are kept back to judge the model by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationSpec>,
    /// What is looked at to find out whether the training is sound.
    #[serde(default, skip_serializing_if = "DebugSpec::is_default")]
    pub debug: DebugSpec,
}

/// What is looked at to find out whether a training is sound, at a cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebugSpec {
    /// Whether numbers that leave their range are counted, see [`crate::watch`].
    #[serde(default)]
    pub count_range_violations: bool,
}

impl DebugSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How features are scaled before they enter the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// The kind of scaling.
    #[serde(default)]
    pub scaling: Scaling,
}

/// A scaling of features; indicator columns are left as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Minus the mean, divided by the deviation, over all rows of all holders.
    #[default]
    Standardise,
    /// From `[-1, 1]`, to which the schema's bounds are mapped, to `[0, 1]`.
    Unit,
    /// As mapped by the schema's bounds, to `[-1, 1]`.
    None,
}

/// Overrides of the precision plan, in bits; see [`crate::plan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionSpec {
    /// Fractional bits of activations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<u32>,
    /// Fractional bits of back-propagated errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u32>,
    /// Integer bits kept free in every product that is rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_room: Option<u32>,
}

impl PrecisionSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Spec {
    /// Reads a specification and checks all that can be checked without the data.
    ///
    /// # Errors
    /// `SpecError::Toml` with line and column, `SpecError::Invalid` with the key.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let spec: Spec = toml::from_str(text)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks all that can be checked without the data.
    ///
    /// # Errors
    /// `SpecError::Invalid` with the key.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.model.validate()?;
        self.training.validate()?;
        self.validate_folding()?;
        if let Some(validation) = &self.validation {
            validation.validate(&self.model)?;
        }
        let classifies = matches!(self.model.loss, Loss::SoftmaxCrossEntropy | Loss::Logistic);
        if !self.training.class_weights.is_empty() && !classifies {
            let reason = format!("loss \"{}\" has no classes to weight", self.model.loss);
            return Err(SpecError::invalid("training.class_weights", reason));
        }
        let trained = self.model.layers.iter().filter(|layer| layer.is_trained()).count();
        if self.training.initial == Initial::Zeros && trained > 1 {
            return Err(SpecError::invalid(
                "training.initial",
                "a network of more than one dense layer learns nothing from \"zeros\"",
            ));
        }
        Ok(())
    }

    /// The scaling of the features must fit into the first layer.
    fn validate_folding(&self) -> Result<(), SpecError> {
        let reason = match (self.features.scaling, &self.model.layers[0]) {
            (Scaling::None, _) | (_, LayerSpec::Dense(_)) => return Ok(()),
            (Scaling::Unit, LayerSpec::Conv(conv)) if conv.padding == 0 => return Ok(()),
            (Scaling::Unit, LayerSpec::Conv(_)) => {
                "a convolution with padding cannot take the scaling of the features in; set \
                 features.scaling to \"none\", or padding to 0"
            }
            (Scaling::Standardise, LayerSpec::Conv(_)) => {
                "a convolution cannot take in that every pixel is standardised by itself; set \
                 features.scaling to \"unit\" or \"none\""
            }
            _ => {
                "the first layer must be dense, because the scaling of the features is folded \
                 into it; or set features.scaling to \"none\""
            }
        };
        Err(SpecError::invalid(layer_key(0), reason))
    }
}

/// The key of a layer, counted from 1 as people do.
pub(crate) fn layer_key(index: usize) -> String {
    format!("model.layers, layer {}", index + 1)
}
