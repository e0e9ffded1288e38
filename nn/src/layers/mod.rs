//! The layers of a network, written once for all engines.
//!
//! There is no tape: `forward` hands back, beside its output, what the backward pass
//! needs, and the backward pass asks each layer for two things that do not depend on
//! each other and can therefore share rounds: the gradient of its parameters, and the
//! error of its input.
//!
//! # Scales
//!
//! A layer takes its input at any scale and brings it to its own; it answers with the
//! exact result. So a dense layer does not round its output: the ReLU that follows
//! does, in the protocol in which it also finds the sign. A maximum between the two does
//! not round either: it is taken of exact numbers.

mod avg_pool;
pub(crate) mod batch_norm;
mod conv;
mod dense;
mod dropout;
mod leaky_relu;
mod max_pool;
mod parameters;
mod relu;
mod sigmoid;
mod tanh;

pub use avg_pool::AvgPool;
pub(crate) use batch_norm::MAX_NORMALISED;
pub use batch_norm::{BatchNorm, Statistics};
pub use conv::Conv;
pub use dense::Dense;
pub use dropout::Dropout;
pub use leaky_relu::LeakyRelu;
pub use max_pool::MaxPool;
pub use parameters::Parameters;
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use tanh::Tanh;

use crate::blueprint::{LayerShape, Pair};
use crate::engine::Engine;
use crate::seed::Seed;
use mpc_core::error::{Error, Result};

/// What the backward pass of a layer needs of its forward pass.
pub type Saved<T> = Vec<T>;

/// One layer of a network, over tensors `T`.
#[derive(Clone, Debug)]
pub enum Layer<T> {
    /// A dense layer.
    Dense(Dense<T>),
    /// A convolution.
    Conv(Conv<T>),
    /// The maximum of each window.
    MaxPool(MaxPool),
    /// The mean of each window.
    AvgPool(AvgPool),
    /// The normalisation of batches.
    BatchNorm(BatchNorm<T>),
    /// Some of the input, in training.
    Dropout(Dropout),
    /// An image as a row, which it is anyway.
    Flatten,
    /// `max(x, 0)`.
    Relu(Relu),
    /// `max(x, slope x)`.
    LeakyRelu(LeakyRelu),
    /// `1 / (1 + e^-x)`.
    Sigmoid(Sigmoid),
    /// `tanh x`.
    Tanh(Tanh),
}

impl<T: Clone> Layer<T> {
    /// A layer that takes its input at `input_scale` and has activations at `scale`;
    /// `parameters` gives it its pairs of tensors, where it has some.
    ///
    /// # Errors
    /// Those of `parameters`.
    pub fn new(
        shape: &LayerShape,
        input_scale: u32,
        scale: u32,
        parameters: impl FnMut(Pair) -> Result<Parameters<T>>,
    ) -> Result<Self> {
        let mut given = shape.pairs().into_iter().map(parameters);
        let mut next = || given.next().unwrap_or_else(|| Err(Error::Misuse("no tensors".into())));
        Ok(match *shape {
            LayerShape::Dense { .. } => Layer::Dense(Dense { parameters: next()?, input_scale }),
            LayerShape::Conv { ref windows, filters } => {
                Layer::Conv(Conv::new(windows, filters, next()?, input_scale))
            }
            LayerShape::BatchNorm { image, spec } => {
                Layer::BatchNorm(BatchNorm::new(image, spec, next()?, next()?))
            }
            LayerShape::MaxPool(ref windows) => Layer::MaxPool(MaxPool::new(windows, scale)),
            LayerShape::AvgPool(ref windows) => Layer::AvgPool(AvgPool::new(windows, scale)),
            LayerShape::Dropout(rate) => Layer::Dropout(Dropout::new(rate, scale)),
            LayerShape::Flatten => Layer::Flatten,
            LayerShape::Relu => Layer::Relu(Relu { scale }),
            LayerShape::LeakyRelu(slope) => Layer::LeakyRelu(LeakyRelu { slope, scale }),
            LayerShape::Sigmoid => Layer::Sigmoid(Sigmoid { scale }),
            LayerShape::Tanh => Layer::Tanh(Tanh { scale }),
        })
    }

    /// The layer with its input at this scale, where it has one of its own.
    pub(crate) fn taking(mut self, scale: u32) -> Self {
        match &mut self {
            Layer::Dense(dense) => dense.input_scale = scale,
            Layer::Conv(conv) => conv.input_scale = scale,
            _ => {}
        }
        self
    }

    /// What training changes, in a layer that has something to change.
    pub fn parameters(&self) -> Option<&Parameters<T>> {
        match self {
            Layer::Dense(dense) => Some(&dense.parameters),
            Layer::Conv(conv) => Some(&conv.parameters),
            Layer::BatchNorm(norm) => Some(&norm.parameters),
            _ => None,
        }
    }

    /// All pairs of tensors of the layer, as [`LayerShape::pairs`] has them.
    pub fn pairs(&self) -> Vec<Parameters<&T>> {
        let mut pairs = Vec::new();
        if let Some(Parameters { weights, bias }) = self.parameters() {
            pairs.push(Parameters { weights, bias });
        }
        if let Layer::BatchNorm(BatchNorm { statistics: Statistics { mean, variance }, .. }) = self
        {
            pairs.push(Parameters { weights: mean, bias: variance });
        }
        pairs
    }

    /// Whether training changes the layer.
    pub fn is_trained(&self) -> bool {
        self.parameters().is_some()
    }

    /// The layer after a change, which is taken off its parameters.
    ///
    /// # Errors
    /// `Error::Shape` and `Error::Misuse` for a change that does not fit.
    pub fn subtract<E: Engine<Tensor = T>>(
        self,
        engine: &E,
        change: &Parameters<T>,
    ) -> Result<Self> {
        Ok(match self {
            Layer::Dense(dense) => {
                let parameters = dense.parameters.subtract(engine, change)?;
                Layer::Dense(Dense { parameters, ..dense })
            }
            Layer::Conv(mut conv) => {
                conv.parameters = conv.parameters.subtract(engine, change)?;
                Layer::Conv(conv)
            }
            Layer::BatchNorm(mut norm) => {
                norm.parameters = norm.parameters.subtract(engine, change)?;
                Layer::BatchNorm(norm)
            }
            untrained => untrained,
        })
    }

    /// The layer as it predicts, also between steps of training.
    pub fn predicting(self) -> Self {
        match self {
            Layer::Dropout(Dropout { rate, scale, .. }) => {
                Layer::Dropout(Dropout::new(rate, scale))
            }
            Layer::BatchNorm(norm) => Layer::BatchNorm(norm.in_training(false)),
            same => same,
        }
    }

    /// The layer as it is in a step of training: both counted from zero.
    pub fn in_step(self, seed: &Seed, layer: u32, step: u32) -> Self {
        match self {
            Layer::Dropout(dropout) => Layer::Dropout(dropout.in_step(seed, layer, step)),
            Layer::BatchNorm(norm) => Layer::BatchNorm(norm.in_training(true)),
            same => same,
        }
    }

    /// The layer with what it learnt in the forward pass of a step, beside its parameters.
    pub fn after_forward(self, saved: &Saved<T>) -> Self {
        match self {
            Layer::BatchNorm(norm) => Layer::BatchNorm(norm.with_statistics(saved)),
            same => same,
        }
    }

    /// The output of the layer, and what its backward pass needs.
    ///
    /// # Errors
    /// `Error::Shape` where the input is not as wide as the layer, and those of the engine.
    pub async fn forward<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: T,
    ) -> Result<(T, Saved<T>)> {
        match self {
            Layer::Dense(dense) => dense.forward(engine, input).await,
            Layer::Conv(conv) => conv.forward(engine, input).await,
            Layer::MaxPool(pool) => pool.forward(engine, input).await,
            Layer::AvgPool(pool) => pool.forward(engine, input).await,
            Layer::BatchNorm(norm) => norm.forward(engine, input).await,
            Layer::Dropout(dropout) => dropout.forward(engine, input).await,
            Layer::Flatten => Ok((input, Vec::new())),
            Layer::Relu(relu) => relu.forward(engine, input).await,
            Layer::LeakyRelu(relu) => relu.forward(engine, input).await,
            Layer::Sigmoid(sigmoid) => sigmoid.forward(engine, input).await,
            Layer::Tanh(tanh) => tanh.forward(engine, input).await,
        }
    }

    /// Brings the error of the output to `scale` where the layer uses it more than once.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn receive_error<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        error: T,
        scale: u32,
    ) -> Result<T> {
        if self.is_trained() { engine.align(error, scale).await } else { Ok(error) }
    }

    /// The exact gradient of the parameters, summed over the rows, where there are any.
    ///
    /// `saved` is what [`Layer::forward`] handed back.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn gradient<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        saved: &Saved<T>,
        error: &T,
    ) -> Result<Option<Parameters<T>>> {
        match self {
            Layer::Dense(dense) => dense.gradient(engine, &saved[0], error).await.map(Some),
            Layer::Conv(conv) => conv.gradient(engine, &saved[0], error).await.map(Some),
            Layer::BatchNorm(norm) => norm.gradient(engine, saved, error).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The error of the input, at `scale` or more.
    ///
    /// `saved` is what [`Layer::forward`] handed back.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn input_error<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        saved: &Saved<T>,
        error: &T,
        scale: u32,
    ) -> Result<T> {
        match self {
            Layer::Dense(dense) => dense.input_error(engine, error).await,
            Layer::Conv(conv) => conv.input_error(engine, error).await,
            Layer::MaxPool(pool) => pool.input_error(engine, saved, error, scale).await,
            Layer::AvgPool(pool) => pool.input_error(engine, error, scale).await,
            Layer::BatchNorm(norm) => norm.input_error(engine, saved, error).await,
            Layer::Dropout(dropout) => dropout.input_error(engine, error, scale).await,
            Layer::Flatten => Ok(error.clone()),
            Layer::Relu(relu) => relu.input_error(engine, &saved[0], error, scale).await,
            Layer::LeakyRelu(relu) => relu.input_error(engine, &saved[0], error, scale).await,
            Layer::Sigmoid(sigmoid) => sigmoid.input_error(engine, &saved[0], error, scale).await,
            Layer::Tanh(tanh) => tanh.input_error(engine, &saved[0], error, scale).await,
        }
    }
}
