//! What training changes in a layer.

use crate::engine::Engine;
use mpc_core::error::Result;
use ndarray::Array2;

/// Weights and bias of a layer; or their gradients, or the changes made of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T> {
    /// What inputs are multiplied by, an output a row.
    pub weights: T,
    /// What is added to the products, one row, at their scale.
    pub bias: T,
}

impl<T: Clone> Parameters<T> {
    /// Weights and bias that everybody knows, each at its scale.
    ///
    /// # Errors
    /// Those of the engine where a weight does not fit the scale.
    pub fn public<E: Engine<Tensor = T>>(
        engine: &E,
        values: &Parameters<Array2<f64>>,
        [weights, bias]: [u32; 2],
    ) -> Result<Self> {
        Ok(Parameters {
            weights: engine.public(&values.weights, weights)?,
            bias: engine.public(&values.bias, bias)?,
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

impl<T: Clone> Parameters<&T> {
    /// Copies of both.
    pub fn cloned(self) -> Parameters<T> {
        Parameters { weights: self.weights.clone(), bias: self.bias.clone() }
    }
}
