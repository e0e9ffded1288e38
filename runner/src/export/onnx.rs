//! The network as an ONNX graph: raw features in, classes and probabilities out.
//!
//! ```text
//! features (rows x F, 32-bit floats)
//!   -> Sub min, Mul 2 / (max - min), Sub 1, Clip to [-1, 1]     the schema's mapping
//!   -> Gemm, Conv, MaxPool, Relu and so on                      the layers
//!   -> Softmax, or Sigmoid and its complement -> probabilities  (rows x classes)
//!      ArgMax                                 -> class          (rows, 64-bit integers)
//! ```
//!
//! A regression ends with `prediction` (rows), in the units of the label. A zero-or-one
//! feature passes the mapping unchanged.

use super::onnx_proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType, tensor_shape_proto, type_proto,
};
use super::{ExportError, in_file_order, metadata, narrow};
use crate::model::{ReleasedModel, tensors};
use crate::schema::{FeatureKind, Label, Schema};
use nn::blueprint::LayerShape;
use nn::loss::Loss;
use nn::volume::{Volume, Windows};
use prost::Message;

/// Version of the intermediate representation.
const IR_VERSION: i64 = 8;
/// Version of the operators: 13 is what every runtime of the last years has.
const OPERATORS: i64 = 13;

/// The model as the bytes of an ONNX file.
///
/// # Errors
/// When a weight has no 32-bit float.
pub fn onnx(model: &ReleasedModel) -> Result<Vec<u8>, ExportError> {
    let mut graph = Graph::default();
    let features = graph.input("features", model.schema.feature_columns());
    let mapped = graph.mapped(&features, &model.schema)?;
    let logits = graph.layers(mapped, model)?;
    graph.outputs(&logits, model)?;
    let props = metadata(model)
        .into_iter()
        .map(|(key, value)| StringStringEntryProto { key: Some(key.into()), value: Some(value) });
    let file = ModelProto {
        ir_version: Some(IR_VERSION),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(OPERATORS) }],
        producer_name: Some("tercet".into()),
        producer_version: Some(crate::CODE_VERSION.into()),
        graph: Some(graph.finish(&model.release.terms.job_name)),
        metadata_props: props.collect(),
        ..ModelProto::default()
    };
    Ok(file.encode_to_vec())
}

/// A graph under construction; values are known by their names.
#[derive(Default)]
struct Graph {
    proto: GraphProto,
}

impl Graph {
    fn finish(mut self, name: &str) -> GraphProto {
        self.proto.name = Some(name.into());
        self.proto
    }

    /// A matrix of any number of rows that comes in.
    fn input(&mut self, name: &str, columns: usize) -> String {
        self.proto.input.push(value_info(name, DataType::Float, &[columns]));
        name.into()
    }

    /// Says that a value comes out.
    fn output(&mut self, name: &str, kind: DataType, columns: &[usize]) {
        self.proto.output.push(value_info(name, kind, columns));
    }

    /// A constant of floats.
    fn constant(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> String {
        self.proto.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(DataType::Float as i32),
            raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            ..TensorProto::default()
        });
        name.into()
    }

    /// An operation, whose result is called `name`.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        name: &str,
        attributes: Vec<AttributeProto>,
    ) -> String {
        self.proto.node.push(NodeProto {
            op_type: Some(operator.into()),
            name: Some(name.into()),
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![name.into()],
            attribute: attributes,
            ..NodeProto::default()
        });
        name.into()
    }

    /// The schema's mapping of raw features, in an order that is exact near the bounds.
    fn mapped(&mut self, features: &str, schema: &Schema) -> Result<String, ExportError> {
        let schema_features = schema.features();
        // A feature without bounds is 0 or 1: minus 0, times 1, minus 0.
        let of_each = |value: fn(f64, f64) -> f64, without: f64| {
            let values = schema_features.iter().map(|feature| match feature.kind {
                FeatureKind::Number(bounds) => value(bounds.min(), bounds.max()),
                FeatureKind::Indicator => without,
            });
            narrow(0, &values.collect::<Vec<f64>>())
        };
        let shape = [1, schema_features.len()];
        let min = self.constant("features.min", &shape, of_each(|min, _| min, 0.0)?);
        let factor =
            self.constant("features.factor", &shape, of_each(|min, max| 2.0 / (max - min), 1.0)?);
        let offset = self.constant("features.offset", &shape, of_each(|_, _| 1.0, 0.0)?);
        let lowest = self.constant("features.lowest", &[], vec![-1.0]);
        let highest = self.constant("features.highest", &[], vec![1.0]);
        let above = self.node("Sub", &[features, &min], "features.above", vec![]);
        let scaled = self.node("Mul", &[&above, &factor], "features.scaled", vec![]);
        let centred = self.node("Sub", &[&scaled, &offset], "features.centred", vec![]);
        Ok(self.node("Clip", &[&centred, &lowest, &highest], "features.mapped", vec![]))
    }

    /// The layers one after the other, named by their numbers.
    ///
    /// Here the channels of a pixel stand side by side, in ONNX one after the other. So an image
    /// is turned where one is first needed, and stays so until a dense layer takes it as a row,
    /// whose weights have the order of a file.
    fn layers(&mut self, input: String, model: &ReleasedModel) -> Result<String, ExportError> {
        let layers = model.model.layers();
        let mut shapes = tensors(layers).into_iter();
        let mut parameters = model.model.parameters();
        let (mut value, mut is_image) = (input, false);
        for (index, layer) in layers.iter().enumerate() {
            let mut inputs = Vec::new();
            let missing = || ExportError::Misfit(format!("none for layer {index}"));
            for _ in layer.pairs() {
                let of_layer = parameters.next().ok_or_else(missing)?;
                for values in [of_layer.weights, of_layer.bias] {
                    let shape = shapes.next().ok_or_else(missing)?;
                    let words = in_file_order(index, &shape, values)?;
                    inputs.push(self.constant(&shape.name, &shape.file_shape(), words));
                }
            }
            if let (Some(image), false) = (input_image(layer), is_image) {
                value = self.turned(&value, image, index);
                is_image = true;
            }
            if is_image && matches!(layer, LayerShape::Dense { .. }) {
                value = self.node("Flatten", &[&value], &format!("{index}.row"), vec![]);
                is_image = false;
            }
            let (operator, attributes) = match layer {
                LayerShape::Dense { .. } => ("Gemm", vec![int("transB", 1)]),
                LayerShape::Conv { windows, .. } => ("Conv", sliding(windows)),
                LayerShape::MaxPool(windows) => ("MaxPool", sliding(windows)),
                LayerShape::AvgPool(windows) => {
                    let mut attributes = sliding(windows);
                    attributes.push(int("count_include_pad", 1));
                    ("AveragePool", attributes)
                }
                LayerShape::BatchNorm { spec, .. } => {
                    let numbers = [("epsilon", spec.epsilon), ("momentum", 1.0 - spec.momentum)];
                    let attributes = numbers.map(|(name, value)| float(name, value as f32));
                    ("BatchNormalization", attributes.to_vec())
                }
                LayerShape::Relu => ("Relu", vec![]),
                LayerShape::LeakyRelu(slope) => ("LeakyRelu", vec![float("alpha", *slope as f32)]),
                LayerShape::Sigmoid => ("Sigmoid", vec![]),
                LayerShape::Tanh => ("Tanh", vec![]),
                LayerShape::Dropout(_) | LayerShape::Flatten => continue,
            };
            let inputs: Vec<&str> =
                std::iter::once(&value).chain(&inputs).map(String::as_str).collect();
            value = self.node(operator, &inputs, &format!("{index}.output"), attributes);
        }
        if is_image {
            value = self.node("Flatten", &[&value], "row", vec![]);
        }
        Ok(value)
    }

    /// A row of pixels as an image with its channels one after the other.
    fn turned(&mut self, row: &str, image: Volume, layer: usize) -> String {
        let sizes = [-1, image.height as i64, image.width as i64, image.channels as i64];
        let name = format!("{layer}.sizes");
        self.proto.initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: vec![sizes.len() as i64],
            data_type: Some(DataType::Int64 as i32),
            raw_data: Some(sizes.iter().flat_map(|size| size.to_le_bytes()).collect()),
            ..TensorProto::default()
        });
        let pixels = self.node("Reshape", &[row, &name], &format!("{layer}.pixels"), vec![]);
        let turn = ints("perm", [0, 3, 1, 2]);
        self.node("Transpose", &[&pixels], &format!("{layer}.image"), vec![turn])
    }

    /// What the outputs of the last layer mean.
    fn outputs(&mut self, logits: &str, model: &ReleasedModel) -> Result<(), ExportError> {
        let (name, classes) = ("probabilities", model.schema.label().classes());
        match (model.model.loss(), model.schema.label()) {
            (Loss::SoftmaxCrossEntropy, Label::Class(_)) => {
                self.node("Softmax", &[logits], name, vec![int("axis", 1)]);
            }
            (Loss::Logistic, Label::Class(_)) => {
                let second = self.node("Sigmoid", &[logits], "probabilities.second", vec![]);
                let one = self.constant("one", &[], vec![1.0]);
                let first = self.node("Sub", &[&one, &second], "probabilities.first", vec![]);
                self.node("Concat", &[&first, &second], name, vec![int("axis", 1)]);
            }
            (Loss::MeanSquared | Loss::Huber(_), Label::Number(label)) => {
                let (min, max) = (label.bounds.min(), label.bounds.max());
                let half = narrow(0, &[(max - min) / 2.0])?;
                let middle = narrow(0, &[f64::midpoint(min, max)])?;
                let half = self.constant("label.half", &[], half);
                let middle = self.constant("label.middle", &[], middle);
                let scaled = self.node("Mul", &[logits, &half], "label.scaled", vec![]);
                self.node("Add", &[&scaled, &middle], "prediction", vec![]);
                self.output("prediction", DataType::Float, &[1]);
                return Ok(());
            }
            (loss, label) => {
                let what = format!("loss {loss} with the label {}", label.name());
                return Err(ExportError::Misfit(what));
            }
        }
        self.node("ArgMax", &[name], "class", vec![int("axis", 1), int("keepdims", 0)]);
        self.output("class", DataType::Int64, &[]);
        self.output(name, DataType::Float, &[classes.map_or(0, <[String]>::len)]);
        Ok(())
    }
}

/// The image that a layer needs, if it needs one.
fn input_image(layer: &LayerShape) -> Option<Volume> {
    match layer {
        LayerShape::Conv { windows, .. }
        | LayerShape::MaxPool(windows)
        | LayerShape::AvgPool(windows) => Some(windows.input),
        // Channels come second in a row of single pixels, too.
        LayerShape::BatchNorm { image, .. } => Some(*image).filter(|i| i.height * i.width > 1),
        _ => None,
    }
}

/// How windows slide over an image.
fn sliding(windows: &Windows) -> Vec<AttributeProto> {
    let Windows { kernel, stride, padding, .. } = *windows;
    vec![
        ints("kernel_shape", kernel.map(|side| side as i64)),
        ints("strides", [stride as i64; 2]),
        ints("pads", [padding as i64; 4]),
    ]
}

fn ints<const N: usize>(name: &str, values: [i64; N]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Ints as i32),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Float as i32),
        f: Some(value),
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

/// A value of any number of rows and so many columns, or with no column axis.
fn value_info(name: &str, kind: DataType, columns: &[usize]) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { value: Some(value), denotation: None };
    let rows = dimension(Value::DimParam("rows".into()));
    let columns = columns.iter().map(|&columns| dimension(Value::DimValue(columns as i64)));
    let tensor = type_proto::Tensor {
        elem_type: Some(kind as i32),
        shape: Some(TensorShapeProto { dim: std::iter::once(rows).chain(columns).collect() }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            denotation: None,
            value: Some(type_proto::Value::TensorType(tensor)),
        }),
        ..ValueInfoProto::default()
    }
}
