//! What training changes in a layer.

use crate::engine::Engine;
use crate::init::DenseInitial;
use mpc_core::error::Result;

/// Weights and bias of a layer; or their gradients, or the changes made of these.
#[derive(Clone, Debug)]
pub struct Parameters<T> {
    /// What inputs are multiplied by, an output a row.
    pub weights: T,
    /// What is added to the products, one row, at their scale.
    pub bias: T,
}

impl<T: Clone> Parameters<T> {
    /// Weights that everybody knows, for a layer that takes its input at `input_scale`.
    ///
    /// # Errors
    /// Those of the engine where a weight does not fit the scale.
    pub fn public<E: Engine<Tensor = T>>(
        engine: &E,
        initial: &DenseInitial,
        input_scale: u32,
        weight_scale: u32,
    ) -> Result<Self> {
        Ok(Parameters {
            weights: engine.public(&initial.weights, weight_scale)?,
            bias: engine.public(&initial.bias, input_scale + weight_scale)?,
        })
    }

    /// Takes a change of the same scales off.
    ///
    /// # Errors
    /// `Error::Shape` and `Error::Misuse` for a change that does not fit.
    pub fn subtract<E: Engine<Tensor = T>>(self, engine: &E, change: &Self) -> Result<Self> {
        Ok(Parameters {
            weights: engine.sub(self.weights, &change.weights)?,
            bias: engine.sub(self.bias, &change.bias)?,
        })
    }
}
