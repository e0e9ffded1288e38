//! The rectifier that lets a little through.

use super::Saved;
use crate::engine::Engine;
use crate::plan::FACTOR_SCALE;
use mpc_core::error::Result;

/// `x` above zero and `slope x` below, elementwise: `slope x + (1 - slope) max(x, 0)`.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    /// Between 0 and 1.
    pub slope: f64,
    /// Scale of the input; the output has the bits of the slope more.
    pub scale: u32,
}

impl LeakyRelu {
    /// The output, and the bits that say where the input is positive.
    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let input = engine.step("input").align(input, self.scale).await?;
        let (positive, bits) = engine.relu(input.clone(), self.scale).await?;
        Ok((self.mixed(engine, input, positive)?, vec![bits]))
    }

    /// The error passes where the input was positive, and `slope` of it elsewhere.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        positive: &E::Tensor,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let error = engine.step("round").align(error.clone(), scale).await?;
        let passed = engine.step("product").mul(&error, positive).await?;
        self.mixed(engine, error, passed)
    }

    /// `slope all + (1 - slope) positive`.
    fn mixed<E: Engine>(
        &self,
        engine: &E,
        all: E::Tensor,
        positive: E::Tensor,
    ) -> Result<E::Tensor> {
        let all = engine.mul_public(all, self.slope, FACTOR_SCALE)?;
        engine.add(all, &engine.mul_public(positive, 1.0 - self.slope, FACTOR_SCALE)?)
    }
}
