//! A specification together with the shape of the data: every size is known.

use crate::loss::Loss;
use crate::spec::{LayerSpec, MAX_UNITS, Spec, SpecError, Units, layer_key};

/// Most weights and biases of a network.
pub const MAX_PARAMETERS: usize = 1 << 26;

/// What a feature column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A number, mapped by the schema's bounds to `[-1, 1]`; it is scaled.
    Bounded,
    /// Zero or one, for instance one column of a one-hot category; it is left as it is.
    Indicator,
}

/// What the label holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of so many classes; the label tensor is one-hot.
    Classes(usize),
    /// So many numbers, mapped by the schema's bounds to `[-1, 1]`.
    Numbers(usize),
}

impl Target {
    /// Columns of the label tensor.
    pub fn columns(self) -> usize {
        match self {
            Target::Classes(columns) | Target::Numbers(columns) => columns,
        }
    }
}

/// The shape of the training data, which everybody may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// Rows of all holders.
    pub rows: usize,
    /// The feature columns, in the order of the tensor.
    pub columns: Vec<Column>,
    /// The label.
    pub target: Target,
}

/// One layer with its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerShape {
    /// A dense layer of this many inputs and outputs.
    Dense {
        /// Width of a row that enters.
        inputs: usize,
        /// Width of a row that leaves.
        outputs: usize,
    },
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
}

/// A network and its training, with every size known.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    spec: Spec,
    data: DataShape,
    layers: Vec<LayerShape>,
}

impl Blueprint {
    /// Fits a specification to the data.
    ///
    /// # Errors
    /// `SpecError::Invalid` for a specification that suits no data, `SpecError::Data`
    /// for one that does not suit these.
    pub fn new(spec: Spec, data: DataShape) -> Result<Self, SpecError> {
        spec.validate()?;
        let outputs = outputs(spec.model.loss, data.target)?;
        if data.rows == 0 {
            return Err(SpecError::data("training", "there is no row to train on"));
        }
        if !(1..=MAX_UNITS).contains(&data.columns.len()) {
            let reason = format!("1 to {MAX_UNITS} features can enter, not {}", data.columns.len());
            return Err(SpecError::data("model", reason));
        }
        let layers = layer_shapes(&spec.model.layers, data.columns.len(), outputs)?;
        let parameters: usize = layers.iter().map(LayerShape::parameters).sum();
        if parameters > MAX_PARAMETERS {
            let reason = format!("{parameters} weights are too many: at most {MAX_PARAMETERS}");
            return Err(SpecError::data("model.layers", reason));
        }
        Ok(Blueprint { spec, data, layers })
    }

    /// The specification.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The shape of the data.
    pub fn data(&self) -> &DataShape {
        &self.data
    }

    /// The layers from the input on.
    pub fn layers(&self) -> &[LayerShape] {
        &self.layers
    }

    /// Rows of a full batch.
    pub fn batch(&self) -> usize {
        self.spec.training.batch.min(self.data.rows)
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.data.rows.div_ceil(self.batch())
    }
}

impl LayerShape {
    /// Weights and biases of the layer.
    pub fn parameters(&self) -> usize {
        match self {
            LayerShape::Dense { inputs, outputs } => (inputs + 1) * outputs,
            LayerShape::Relu | LayerShape::Sigmoid => 0,
        }
    }
}

/// How wide the last layer is for this loss and label.
fn outputs(loss: Loss, target: Target) -> Result<usize, SpecError> {
    let misfit = |reason: String| Err(SpecError::data("model.loss", reason));
    match (loss, target) {
        (Loss::SoftmaxCrossEntropy, Target::Classes(classes)) if classes >= 2 => Ok(classes),
        (Loss::Logistic, Target::Classes(2)) => Ok(1),
        (Loss::MeanSquared, Target::Numbers(columns)) if columns >= 1 => Ok(columns),
        (Loss::MeanSquared, Target::Classes(_)) => {
            misfit("\"mean-squared\" needs numbers as label, but the label is a class".into())
        }
        (loss, Target::Numbers(_)) => {
            misfit(format!("\"{loss}\" needs classes as label, but the label is a number"))
        }
        (loss, Target::Classes(classes)) => {
            misfit(format!("\"{loss}\" does not suit a label of {classes} classes"))
        }
    }
}

fn layer_shapes(
    layers: &[LayerSpec],
    mut width: usize,
    outputs: usize,
) -> Result<Vec<LayerShape>, SpecError> {
    let mut shapes = Vec::with_capacity(layers.len());
    for layer in layers {
        shapes.push(match layer {
            LayerSpec::Dense(units) => {
                let units = match units {
                    Units::Count(count) => *count,
                    Units::Outputs => outputs,
                };
                let inputs = std::mem::replace(&mut width, units);
                LayerShape::Dense { inputs, outputs: units }
            }
            LayerSpec::Relu => LayerShape::Relu,
            LayerSpec::Sigmoid => LayerShape::Sigmoid,
        });
    }
    if width == outputs {
        Ok(shapes)
    } else {
        let last = layers.iter().rposition(|layer| matches!(layer, LayerSpec::Dense(_)));
        let reason =
            format!("the label needs {outputs} outputs, not {width}; \"outputs\" fits always");
        Err(SpecError::data(layer_key(last.unwrap_or_default()), reason))
    }
}
