//! The layers of a network, written once for all engines.
//!
//! There is no tape: `forward` hands back, beside its output, the one tensor that
//! the backward pass needs, and the backward pass asks each layer for two things that
//! do not depend on each other and can therefore share rounds: the gradient of its
//! parameters, and the error of its input.
//!
//! # Scales
//!
//! A layer takes its input at any scale and brings it to its own; it answers with the
//! exact result. So a dense layer does not round its output: the ReLU that follows
//! does, in the protocol in which it also finds the sign.

mod dense;
mod parameters;
mod relu;
mod sigmoid;

pub use dense::Dense;
pub use parameters::Parameters;
pub use relu::Relu;
pub use sigmoid::Sigmoid;

use crate::engine::Engine;
use mpc_core::error::Result;

/// One layer of a network, over tensors `T`.
#[derive(Clone, Debug)]
pub enum Layer<T> {
    /// A dense layer.
    Dense(Dense<T>),
    /// `max(x, 0)`.
    Relu(Relu),
    /// `1 / (1 + e^-x)`.
    Sigmoid(Sigmoid),
}

impl<T: Clone> Layer<T> {
    /// What training changes, in a layer that has something to change.
    pub fn parameters(&self) -> Option<&Parameters<T>> {
        match self {
            Layer::Dense(dense) => Some(&dense.parameters),
            Layer::Relu(_) | Layer::Sigmoid(_) => None,
        }
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
            Layer::Relu(_) | Layer::Sigmoid(_) => self,
        })
    }

    /// The output of the layer, and what its backward pass needs.
    ///
    /// # Errors
    /// `Error::Shape` where the input is not as wide as the layer, and those of the engine.
    pub async fn forward<E: Engine<Tensor = T>>(&self, engine: &E, input: T) -> Result<(T, T)> {
        match self {
            Layer::Dense(dense) => dense.forward(engine, input).await,
            Layer::Relu(relu) => relu.forward(engine, input).await,
            Layer::Sigmoid(sigmoid) => sigmoid.forward(engine, input).await,
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
        match self {
            Layer::Dense(_) => engine.align(error, scale).await,
            Layer::Relu(_) | Layer::Sigmoid(_) => Ok(error),
        }
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
        saved: &T,
        error: &T,
    ) -> Result<Option<Parameters<T>>> {
        match self {
            Layer::Dense(dense) => dense.gradient(engine, saved, error).await.map(Some),
            Layer::Relu(_) | Layer::Sigmoid(_) => Ok(None),
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
        saved: &T,
        error: &T,
        scale: u32,
    ) -> Result<T> {
        match self {
            Layer::Dense(dense) => dense.input_error(engine, error).await,
            Layer::Relu(relu) => relu.input_error(engine, saved, error, scale).await,
            Layer::Sigmoid(sigmoid) => sigmoid.input_error(engine, saved, error, scale).await,
        }
    }
}
