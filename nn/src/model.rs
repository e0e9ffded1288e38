//! The opened model: what the receiver has, and predicts with, in floating point.

use crate::blueprint::{LayerShape, Pair, Role};
use crate::engine::{PlainFloat, PlainTensor, finish, sigmoid, softmax_in_place};
use crate::layers::{Layer, Parameters};
use crate::loss::Loss;
use mpc_core::error::{Error, Result};
use ndarray::Array2;

/// A variance that is rounded can be this far below zero; every `epsilon` is larger.
const LEAST_VARIANCE: f64 = -5e-6;

/// A trained network in the clear.
///
/// It takes features as holders share them: mapped by the schema's bounds, not scaled.
#[derive(Clone, Debug)]
pub struct Model {
    shapes: Vec<LayerShape>,
    layers: Vec<Layer<PlainTensor<f64>>>,
    loss: Loss,
}

impl Model {
    /// Puts opened parameters into the layers they belong to.
    ///
    /// # Errors
    /// `Error::Misuse` where there are more or fewer than the layers need, or where one
    /// has another shape.
    pub fn new(
        layers: &[LayerShape],
        loss: Loss,
        parameters: Vec<Parameters<Array2<f64>>>,
    ) -> Result<Self> {
        let given = parameters.len();
        let mut parameters = parameters.into_iter();
        let mut built = Vec::with_capacity(layers.len());
        for (index, shape) in layers.iter().enumerate() {
            built.push(Layer::new(shape, 0, 0, |pair| {
                let parameters = parameters.next().ok_or_else(|| {
                    Error::Misuse(format!("weights of layer {} are missing", index + 1))
                })?;
                checked(index, pair, parameters)
            })?);
        }
        match parameters.len() {
            0 => Ok(Model { shapes: layers.to_vec(), layers: built, loss }),
            left => Err(Error::Misuse(format!(
                "{given} pairs of weights and biases, but the network has {}",
                given - left
            ))),
        }
    }

    /// The layers from the input on.
    pub fn layers(&self) -> &[LayerShape] {
        &self.shapes
    }

    /// What the training minimised; it says how outputs are to be read.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The pairs of tensors of each layer that has some: weights (`outputs x inputs`) and bias
    /// (`1 x outputs`), or see [`LayerShape::pairs`].
    pub fn parameters(&self) -> impl Iterator<Item = Parameters<&Array2<f64>>> {
        self.layers.iter().flat_map(Layer::pairs).map(|parameters| Parameters {
            weights: &parameters.weights.values,
            bias: &parameters.bias.values,
        })
    }

    /// Outputs of the network for each row: probabilities of the classes for softmax
    /// cross-entropy, the probability of class 1 for logistic loss, and numbers on the
    /// label's mapped scale for the losses of regression.
    ///
    /// # Errors
    /// `Error::Shape` where rows are not as wide as the network.
    pub fn outputs(&self, features: &Array2<f64>) -> Result<Array2<f64>> {
        let mut value = PlainTensor { values: features.clone(), scale: 0 };
        for layer in &self.layers {
            (value, _) = finish(layer.forward(&PlainFloat, value))?;
        }
        let mut outputs = value.values;
        match self.loss {
            Loss::SoftmaxCrossEntropy => {
                outputs.rows_mut().into_iter().for_each(softmax_in_place);
            }
            Loss::Logistic => outputs.mapv_inplace(sigmoid),
            Loss::MeanSquared | Loss::Huber(_) => {}
        }
        Ok(outputs)
    }

    /// The most probable class for each row of [`Model::outputs`]; none for a regression.
    pub fn classes(&self, outputs: &Array2<f64>) -> Option<Vec<usize>> {
        match self.loss {
            Loss::SoftmaxCrossEntropy => Some(crate::metrics::argmax(outputs)),
            Loss::Logistic => Some(outputs.column(0).mapv(|p| usize::from(p > 0.5)).to_vec()),
            Loss::MeanSquared | Loss::Huber(_) => None,
        }
    }

    /// The probability of each class for each row of [`Model::outputs`], one column a
    /// class; none for a regression.
    pub fn probabilities(&self, outputs: &Array2<f64>) -> Option<Array2<f64>> {
        match self.loss {
            Loss::SoftmaxCrossEntropy => Some(outputs.clone()),
            Loss::Logistic => Some(Array2::from_shape_fn((outputs.nrows(), 2), |(row, class)| {
                if class == 1 { outputs[(row, 0)] } else { 1.0 - outputs[(row, 0)] }
            })),
            Loss::MeanSquared | Loss::Huber(_) => None,
        }
    }
}

/// Tensors of the shapes that a layer needs, without anything that is no number.
fn checked(
    index: usize,
    Pair { role, shapes: [first, second] }: Pair,
    parameters: Parameters<Array2<f64>>,
) -> Result<Parameters<PlainTensor<f64>>> {
    let Parameters { weights, bias } = parameters;
    let found = [&weights, &bias].map(|tensor| [tensor.nrows(), tensor.ncols()]);
    if found != [first, second] {
        let [wanted, found] =
            [[first, second], found].map(|[[a, b], [c, d]]| format!("{a} x {b} and {c} x {d}"));
        return Err(Error::Misuse(format!(
            "layer {} needs tensors of {wanted}, not {found}",
            index + 1
        )));
    }
    if role == Role::Statistics && bias.iter().any(|variance| *variance < LEAST_VARIANCE) {
        return Err(Error::Misuse(format!("a variance of layer {} is negative", index + 1)));
    }
    if weights.iter().chain(&bias).any(|weight| !weight.is_finite()) {
        return Err(Error::Misuse(format!("a weight of layer {} is not a number", index + 1)));
    }
    let plain = |values| PlainTensor { values, scale: 0 };
    Ok(Parameters { weights: plain(weights), bias: plain(bias) })
}
