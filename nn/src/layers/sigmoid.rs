//! The logistic function as a layer.

use super::Saved;
use crate::engine::Engine;
use futures_util::try_join;
use mpc_core::error::Result;

/// `y = 1 / (1 + e^-x)`, elementwise, at `scale`.
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid {
    /// Scale of the output.
    pub scale: u32,
}

impl Sigmoid {
    /// The output, twice: the backward pass needs nothing else.
    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let output = engine.sigmoid(input, self.scale).await?;
        let output = engine.step("output").align(output, self.scale).await?;
        Ok((output.clone(), vec![output]))
    }

    /// The error times `y (1 - y)`.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        output: &E::Tensor,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let (slope, rounding) = (engine.step("slope"), engine.step("error"));
        let (slope, error) =
            try_join!(self.slope(&slope, output), rounding.align(error.clone(), scale))?;
        engine.step("product").mul(&error, &slope).await
    }

    /// `y - y^2` at the scale of the output.
    async fn slope<E: Engine>(&self, engine: &E, output: &E::Tensor) -> Result<E::Tensor> {
        let square = engine.step("square").mul(output, output).await?;
        let exact = engine.sub(engine.lift(output.clone(), 2 * self.scale)?, &square)?;
        engine.step("rescale").rescale(exact, self.scale).await
    }
}
