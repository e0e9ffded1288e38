//! From a schema to the shapes of a network, and the names of its tensors.

use crate::schema::{Label, Schema};
use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Target};
use nn::spec::{Spec, SpecError};

/// The shape of training data that follow a schema.
pub fn data_shape(schema: &Schema, rows: usize) -> DataShape {
    let column = |indicator| if indicator { Column::Indicator } else { Column::Bounded };
    DataShape {
        rows,
        columns: schema.features().iter().map(|f| column(f.is_indicator())).collect(),
        target: match schema.label() {
            Label::Class(label) => Target::Classes(label.classes.len()),
            Label::Number(_) => Target::Numbers(1),
        },
    }
}

/// Fits a specification to so many rows that follow a schema.
///
/// # Errors
/// When the specification does not suit the schema.
pub fn blueprint(spec: &Spec, schema: &Schema, rows: usize) -> Result<Blueprint, SpecError> {
    Blueprint::new(spec.clone(), data_shape(schema, rows))
}

/// A tensor of a model: its name and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// Number of the layer and what the tensor is to it, for instance `0.weight`.
    ///
    /// These are the names of `torch.nn.Sequential`.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl TensorShape {
    /// The shape in a file: a bias is a vector, as other frameworks expect.
    pub fn file_shape(&self) -> Vec<usize> {
        match self.rows {
            1 if self.name.ends_with(".bias") => vec![self.columns],
            _ => vec![self.rows, self.columns],
        }
    }
}

/// The tensors of a network: weight and bias of each layer that has some.
pub fn tensors(layers: &[LayerShape]) -> Vec<TensorShape> {
    let mut tensors = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        if let LayerShape::Dense { inputs, outputs } = *layer {
            let tensor = |part, rows, columns| TensorShape {
                name: format!("{index}.{part}"),
                rows,
                columns,
            };
            tensors.push(tensor("weight", outputs, inputs));
            tensors.push(tensor("bias", 1, outputs));
        }
    }
    tensors
}
