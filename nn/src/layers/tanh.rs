//! The hyperbolic tangent as a layer.

use super::Saved;
use crate::engine::Engine;
use futures_util::try_join;
use mpc_core::error::Result;
use ndarray::Array2;

/// `y = tanh x = 2 sigmoid(2 x) - 1`, elementwise, at `scale`.
#[derive(Clone, Copy, Debug)]
pub struct Tanh {
    /// Scale of the output.
    pub scale: u32,
}

impl Tanh {
    /// The output, twice: the backward pass needs nothing else.
    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let doubled = doubled(engine, input)?;
        let sigmoid = engine.sigmoid(doubled, self.scale).await?;
        let output = self.minus_one(engine, self::doubled(engine, sigmoid)?)?;
        let output = engine.step("output").align(output, self.scale).await?;
        Ok((output.clone(), vec![output]))
    }

    fn minus_one<E: Engine>(&self, engine: &E, x: E::Tensor) -> Result<E::Tensor> {
        let [_, columns] = engine.shape(&x);
        let ones = engine.public(&Array2::ones((1, columns)), engine.scale(&x))?;
        engine.sub_row(x, &ones)
    }

    /// The error times `1 - y^2`.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        output: &E::Tensor,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let (slope, rounding) = (engine.step("slope"), engine.step("error"));
        let (less, error) =
            try_join!(self.square(&slope, output), rounding.align(error.clone(), scale))?;
        let lost = engine.step("product").mul(&error, &less).await?;
        let error = engine.lift(error, engine.scale(&lost))?;
        engine.sub(error, &lost)
    }

    /// `y^2` at the scale of the output.
    async fn square<E: Engine>(&self, engine: &E, output: &E::Tensor) -> Result<E::Tensor> {
        let square = engine.step("square").mul(output, output).await?;
        engine.step("rescale").rescale(square, self.scale).await
    }
}

/// `2 x`: a word more or a bit less of the scale.
fn doubled<E: Engine>(engine: &E, x: E::Tensor) -> Result<E::Tensor> {
    match engine.scale(&x) {
        0 => engine.mul_public(x, 2.0, 0),
        scale => Ok(engine.with_scale(x, scale - 1)),
    }
}
