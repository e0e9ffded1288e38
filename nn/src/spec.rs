//! What a training job says in TOML about the network and its training.
//!
//! ```toml
//! [model]
//! layers = [{ dense = 64 }, "relu", { dense = "outputs" }]
//! loss = "softmax-cross-entropy"     # or "logistic", "mean-squared"
//!
//! [training]
//! epochs = 50
//! batch = 32
//! learning_rate = 0.1
//! optimiser = "sgd"                  # the default
//! order = "shuffled"                 # the default; or "file"
//! initial = "glorot-uniform"         # the default; or "uniform", "zeros"
//! seed = 7                           # optional: the parties toss a coin without it
//!
//! [features]
//! scaling = "standardise"            # the default; or "unit", "none"
//!
//! [precision]                        # optional, see the precision plan
//! activations = 13
//! errors = 13
//! head_room = 9
//! ```
//!
//! Widths of the inputs come from the data; `{ dense = "outputs" }` is as wide as
//! the label needs: one output a class for softmax cross-entropy, one for logistic
//! loss, one a column of the label for mean squared loss. Unknown keys are refused,
//! and so are sizes beyond the caps of this module.

mod training;

pub use training::{
    Initial, MAX_BATCH, MAX_EPOCHS, MAX_LEARNING_RATE, MIN_LEARNING_RATE, OptimiserKind, RowOrder,
    TrainingSpec,
};

use crate::loss::Loss;
use serde::{Deserialize, Serialize};

/// Most layers of a model.
pub const MAX_LAYERS: usize = 64;
/// Most units of a layer.
pub const MAX_UNITS: usize = 1 << 16;

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
}

/// Layers and loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The layers from the input on.
    pub layers: Vec<LayerSpec>,
    /// What the training minimises.
    pub loss: Loss,
}

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerSpec {
    /// Every output is a weighted sum of all inputs and a bias.
    Dense(Units),
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
}

/// How many units a layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UnitsText", into = "UnitsText")]
pub enum Units {
    /// So many.
    Count(usize),
    /// As many as the label needs, written `"outputs"`.
    Outputs,
}

/// How [`Units`] are written.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of units or \"outputs\" is needed")]
enum UnitsText {
    Count(usize),
    Word(String),
}

impl TryFrom<UnitsText> for Units {
    type Error = String;
    fn try_from(text: UnitsText) -> Result<Self, String> {
        match text {
            UnitsText::Count(count) => Ok(Units::Count(count)),
            UnitsText::Word(word) if word == "outputs" => Ok(Units::Outputs),
            UnitsText::Word(word) => {
                Err(format!("a number of units or \"outputs\" is needed, not \"{word}\""))
            }
        }
    }
}

impl From<Units> for UnitsText {
    fn from(units: Units) -> Self {
        match units {
            Units::Count(count) => UnitsText::Count(count),
            Units::Outputs => UnitsText::Word("outputs".into()),
        }
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
        if self.features.scaling != Scaling::None && !is_dense(&self.model.layers[0]) {
            return Err(SpecError::invalid(
                layer_key(0),
                "the first layer must be dense, because the scaling of the features is folded \
                 into it; or set features.scaling to \"none\"",
            ));
        }
        let dense = self.model.layers.iter().filter(|layer| is_dense(layer)).count();
        if self.training.initial == Initial::Zeros && dense > 1 {
            return Err(SpecError::invalid(
                "training.initial",
                "a network of more than one dense layer learns nothing from \"zeros\"",
            ));
        }
        Ok(())
    }
}

impl ModelSpec {
    fn validate(&self) -> Result<(), SpecError> {
        let layers = &self.layers;
        if layers.is_empty() || layers.len() > MAX_LAYERS {
            let reason = format!("1 to {MAX_LAYERS} layers are needed, not {}", layers.len());
            return Err(SpecError::invalid("model.layers", reason));
        }
        for (index, layer) in layers.iter().enumerate() {
            let invalid = |reason| Err(SpecError::invalid(layer_key(index), reason));
            match layer {
                LayerSpec::Dense(Units::Count(units)) if !(1..=MAX_UNITS).contains(units) => {
                    return invalid(format!(
                        "a dense layer has 1 to {MAX_UNITS} units, not {units}"
                    ));
                }
                LayerSpec::Dense(Units::Outputs) if layers[index + 1..].iter().any(is_dense) => {
                    return invalid("only the last dense layer can be \"outputs\" wide".into());
                }
                _ => {}
            }
        }
        self.validate_end()
    }

    /// The loss must find the layer that it expects.
    fn validate_end(&self) -> Result<(), SpecError> {
        if !self.layers.iter().any(is_dense) {
            return Err(SpecError::invalid("model.layers", "there is no dense layer to train"));
        }
        let brings_own_activation = self.loss != Loss::MeanSquared;
        if brings_own_activation && !self.layers.last().is_some_and(is_dense) {
            return Err(SpecError::invalid(
                layer_key(self.layers.len() - 1),
                format!(
                    "loss \"{}\" needs a dense layer at the end: it has its activation built in",
                    self.loss
                ),
            ));
        }
        Ok(())
    }
}

/// The key of a layer, counted from 1 as people do.
pub(crate) fn layer_key(index: usize) -> String {
    format!("model.layers, layer {}", index + 1)
}

fn is_dense(layer: &LayerSpec) -> bool {
    matches!(layer, LayerSpec::Dense(_))
}
