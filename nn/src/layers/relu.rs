//! The rectifier.

use super::Saved;
use crate::engine::Engine;
use mpc_core::error::Result;

/// `max(x, 0)`, elementwise, rounded to `scale` on the way.
#[derive(Clone, Copy, Debug)]
pub struct Relu {
    /// Scale of the output.
    pub scale: u32,
}

impl Relu {
    /// The output, and the bits that say where the input is positive.
    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let (output, bits) = engine.relu(input, self.scale).await?;
        Ok((output, vec![bits]))
    }

    /// The error passes where the input was positive.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        positive: &E::Tensor,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        engine.select(error, positive, scale).await
    }
}
