//! What training changes in a layer.

use crate::engine::Engine;
use mpc_core::error::Result;

/// Weights and bias of a layer; or their gradients, or the changes made of these.
#[derive(Clone, Debug)]
pub struct Parameters<T> {
    /// What inputs are multiplied by.
    pub weights: T,
    /// What is added to the products, one row, at their scale.
    pub bias: T,
}

impl<T: Clone> Parameters<T> {
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
