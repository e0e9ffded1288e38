//! From a schema to the shapes of a network, and the names of its tensors.

use crate::schema::{Label, Schema};
use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Pair, Role, Target};
use nn::spec::{Spec, SpecError};
use nn::volume::Volume;

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
    /// How it stands in a file.
    pub layout: Layout,
}

/// How a tensor stands in a file, where it should be as other frameworks expect it: they have
/// the channels of an image one after the other, not side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As it is.
    Matrix,
    /// One row: a vector.
    Vector,
    /// Each row is a window of an image: a kernel.
    Kernel(Volume),
    /// Each row has a number for each of an image: a row all the same.
    Flattened(Volume),
}

impl TensorShape {
    /// The shape in a file.
    pub fn file_shape(&self) -> Vec<usize> {
        match self.layout {
            Layout::Matrix | Layout::Flattened(_) => vec![self.rows, self.columns],
            Layout::Vector => vec![self.columns],
            Layout::Kernel(Volume { height, width, channels }) => {
                vec![self.rows, channels, height, width]
            }
        }
    }

    /// For each element in a file, which of the tensor it is.
    pub fn file_order(&self) -> Vec<usize> {
        let columns: Vec<usize> = match self.layout {
            Layout::Matrix | Layout::Vector => (0..self.columns).collect(),
            Layout::Kernel(image) | Layout::Flattened(image) => {
                let pixels = image.height * image.width;
                let of_channel = |channel| (0..pixels).map(move |at| at * image.channels + channel);
                (0..image.channels).flat_map(of_channel).collect()
            }
        };
        let of_row = |row: usize| columns.iter().map(move |column| row * self.columns + column);
        (0..self.rows).flat_map(of_row).collect()
    }
}

/// The tensors of a network: weight and bias of each layer that has some, and the running mean and
/// variance of a normalisation.
pub fn tensors(layers: &[LayerShape]) -> Vec<TensorShape> {
    let mut tensors = Vec::new();
    // The image that enters a layer, where convolutions and pools made one.
    let mut image: Option<Volume> = None;
    for (index, layer) in layers.iter().enumerate() {
        let layout = match layer {
            LayerShape::Conv { windows, .. } => {
                let [height, width] = windows.kernel;
                Layout::Kernel(Volume { height, width, ..windows.input })
            }
            _ => image.map_or(Layout::Matrix, Layout::Flattened),
        };
        for Pair { role, shapes } in layer.pairs() {
            let (names, layout) = match role {
                Role::Weights { .. } => (["weight", "bias"], layout),
                Role::Scaling => (["weight", "bias"], Layout::Vector),
                Role::Statistics => (["running_mean", "running_var"], Layout::Vector),
            };
            let layouts = [layout, Layout::Vector];
            for ((name, layout), [rows, columns]) in names.into_iter().zip(layouts).zip(shapes) {
                tensors.push(TensorShape {
                    name: format!("{index}.{name}"),
                    rows,
                    columns,
                    layout,
                });
            }
        }
        match layer {
            LayerShape::Dense { .. } => image = None,
            LayerShape::Conv { windows, filters } => image = Some(windows.output(*filters)),
            LayerShape::MaxPool(windows) | LayerShape::AvgPool(windows) => {
                image = Some(windows.output(windows.input.channels));
            }
            _ => {}
        }
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn::volume::Windows;

    #[test]
    fn files_have_channels_one_after_the_other() {
        let input = Volume { height: 3, width: 3, channels: 2 };
        let windows = Windows { input, kernel: [2, 2], stride: 1, padding: 0 };
        let layers = [
            LayerShape::Conv { windows, filters: 2 },
            LayerShape::Relu,
            LayerShape::Dense { inputs: 8, outputs: 1 },
            LayerShape::Dense { inputs: 1, outputs: 3 },
        ];
        let tensors = tensors(&layers);
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias"]);
        let shapes: Vec<Vec<usize>> = tensors.iter().map(TensorShape::file_shape).collect();
        assert_eq!(shapes[0], [2, 2, 2, 2]);
        assert_eq!(shapes[1..], [vec![2], vec![1, 8], vec![1], vec![3, 1], vec![3]]);
        // Four pixels of two channels; of the second filter the same.
        let order = [0, 2, 4, 6, 1, 3, 5, 7];
        assert_eq!(tensors[0].file_order()[..8], order);
        assert_eq!(tensors[0].file_order()[8..], order.map(|at| at + 8));
        assert_eq!(tensors[2].file_order(), order);
        assert_eq!(tensors[4].file_order(), [0, 1, 2]);
    }
}
