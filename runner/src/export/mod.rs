//! A released model in the formats of other programs.

mod onnx;
#[rustfmt::skip]
mod onnx_proto;
mod safetensors;

pub use self::safetensors::safetensors;
pub use onnx::onnx;

use crate::failure::Explain;
use crate::model::{ReleasedModel, TensorShape};
use crate::schema::{Feature, FeatureKind, Schema};
use ndarray::Array2;
use serde_json::{Value, json};

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A weight is too large for the 32 bits that the format has for it.
    #[error("a weight of layer {layer} is too large for a 32-bit float")]
    TooLarge {
        /// The layer, from 0.
        layer: usize,
    },
    /// The weights do not fit the layers.
    #[error("the weights do not fit the layers of the network: {0}")]
    Misfit(String),
}

impl Explain for ExportError {}

/// A format that a model can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A graph that takes raw features and answers with classes and probabilities.
    Onnx,
    /// The weights in 32 bits, with the names that PyTorch's Sequential gives them.
    Safetensors,
}

impl Format {
    /// The name of the format, which is also the end of a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Safetensors => "safetensors",
        }
    }

    /// The model as a file of this format.
    ///
    /// # Errors
    /// When it cannot be expressed in it.
    pub fn write(self, model: &ReleasedModel) -> Result<Vec<u8>, ExportError> {
        match self {
            Format::Onnx => onnx(model),
            Format::Safetensors => safetensors(model),
        }
    }
}

/// What becomes of one feature before it enters the first layer: `x * scale + offset`, which
/// maps its bounds to `[-1, 1]`; a zero or one stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// Name of the feature: that of its column, or `COLUMN=CATEGORY` for a zero or one.
    pub name: String,
    /// What it is multiplied by.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

/// The features of a schema in the order in which the network takes them.
pub fn mappings(schema: &Schema) -> Vec<Mapping> {
    let mapping = |feature: Feature| {
        let (scale, offset) = match feature.kind {
            FeatureKind::Number(bounds) => {
                let scale = 2.0 / (bounds.max() - bounds.min());
                (scale, -1.0 - bounds.min() * scale)
            }
            FeatureKind::Indicator => (1.0, 0.0),
        };
        Mapping { name: feature.name, scale, offset }
    };
    schema.features().into_iter().map(mapping).collect()
}

/// What programs can read in the file about the model: keys and values.
fn metadata(model: &ReleasedModel) -> Vec<(&'static str, String)> {
    let terms = &model.release.terms;
    let mappings = mappings(&model.schema);
    let of_each = |value: fn(&Mapping) -> Value| {
        Value::from(mappings.iter().map(value).collect::<Vec<_>>()).to_string()
    };
    let classes = model.schema.label().classes();
    let mut entries = vec![
        ("tercet.features", of_each(|mapping| json!(mapping.name))),
        ("tercet.scale", of_each(|mapping| json!(mapping.scale))),
        ("tercet.offset", of_each(|mapping| json!(mapping.offset))),
        ("tercet.label", model.schema.label().name().to_owned()),
        ("tercet.loss", terms.spec.model.loss.to_string()),
        ("tercet.job", terms.job_name.clone()),
        ("tercet.session", terms.session.to_string()),
        ("tercet.schema", terms.schema.to_string()),
    ];
    entries.extend(classes.map(|classes| ("tercet.classes", json!(classes).to_string())));
    entries
}

/// Weights in 32 bits.
fn narrow<'a>(
    layer: usize,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<Vec<f32>, ExportError> {
    let narrow = |&value: &f64| {
        let narrow = value as f32;
        if narrow.is_finite() { Ok(narrow) } else { Err(ExportError::TooLarge { layer }) }
    };
    values.into_iter().map(narrow).collect()
}

/// The weights of a tensor in 32 bits, as they stand in a file.
fn in_file_order(
    layer: usize,
    shape: &TensorShape,
    values: &Array2<f64>,
) -> Result<Vec<f32>, ExportError> {
    let order = shape.file_order();
    if [shape.rows, shape.columns] != [values.nrows(), values.ncols()] {
        return Err(ExportError::Misfit(format!("{} has another shape", shape.name)));
    }
    let columns = shape.columns;
    narrow(layer, order.iter().map(|at| &values[(at / columns, at % columns)]))
}
