//! The dense layer: every output is a weighted sum of all inputs and a bias.

use super::{Parameters, Saved};
use crate::engine::{Engine, Trans};
use mpc_core::error::Result;

/// `Z = X W^T + b`.
///
/// # Shapes
/// `X` is `rows x inputs`, `W` `outputs x inputs`, `b` `1 x outputs`, `Z` `rows x outputs`.
///
/// # Scales
/// `X` is brought to `input_scale`; `b` is kept at the scale of `Z`, which is exact.
#[derive(Clone, Debug)]
pub struct Dense<T> {
    /// `W` and `b`.
    pub parameters: Parameters<T>,
    /// Scale of the input.
    pub input_scale: u32,
}

impl<T: Clone> Dense<T> {
    /// The exact output, and the input at its scale.
    pub(super) async fn forward<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: T,
    ) -> Result<(T, Saved<T>)> {
        let input = engine.step("input").align(input, self.input_scale).await?;
        let product = engine.step("product");
        let Parameters { weights, bias } = &self.parameters;
        let output = product.matmul(&input, Trans::No, weights, Trans::Yes).await?;
        Ok((engine.add_row(output, bias)?, vec![input]))
    }

    pub(super) async fn gradient<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: &T,
        error: &T,
    ) -> Result<Parameters<T>> {
        let weights = engine.matmul(error, Trans::Yes, input, Trans::No).await?;
        Ok(Parameters { weights, bias: engine.sum_rows(error)? })
    }

    pub(super) async fn input_error<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        error: &T,
    ) -> Result<T> {
        engine.matmul(error, Trans::No, &self.parameters.weights, Trans::No).await
    }
}
