//! The mean of each window of an image.

use super::Saved;
use crate::engine::Engine;
use crate::plan::FACTOR_SCALE;
use crate::volume::Windows;
use mpc_core::error::Result;
use mpc_core::ring::RowMap;
use std::sync::Arc;

/// The mean of each window, channel by channel.
///
/// # Shapes
/// An image a row: `rows x image` to `rows x output image`.
///
/// # Scales
/// The mean of up to four pixels takes its input as it is; for more, whose sum would need
/// more room than exact products leave, it is brought to `scale`. Means of `2^k` pixels are
/// exact; else the output has the bits of a factor more.
#[derive(Clone, Debug)]
pub struct AvgPool {
    /// Scale of the input, where it is rounded.
    pub scale: u32,
    pixels: usize,
    candidates: Arc<RowMap>,
    /// From a mean to its part in each of its pixels.
    parts: Arc<RowMap>,
}

impl AvgPool {
    /// The mean of these windows.
    pub fn new(windows: &Windows, scale: u32) -> Self {
        let (pixels, means) = (windows.pixels(), windows.output(windows.input.channels).len());
        let parts = RowMap::new(means, (0..pixels).flat_map(|_| (0..means).map(Some)));
        let candidates = Arc::new(windows.by_pixel());
        AvgPool { scale, pixels, candidates, parts: Arc::new(parts) }
    }

    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let input = self.divisible(engine, input, self.scale).await?;
        let sums = engine.scatter_add(&engine.gather(&input, &self.candidates)?, &self.parts)?;
        Ok((self.divided(engine, sums)?, Vec::new()))
    }

    /// An equal part of the error for each pixel of a window.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let error = self.divisible(engine, error.clone(), scale).await?;
        // Rounded here, where a window is one number.
        let part = engine.step("round").align(self.divided(engine, error)?, scale).await?;
        engine.scatter_add(&engine.gather(&part, &self.parts)?, &self.candidates)
    }

    /// At a scale that leaves room for the factor.
    async fn divisible<E: Engine>(
        &self,
        engine: &E,
        x: E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        match self.pixels {
            // Two bits of the head-room go into the sum.
            1 | 2 | 4 => Ok(x),
            _ => engine.step("input").align(x, scale).await,
        }
    }

    fn divided<E: Engine>(&self, engine: &E, x: E::Tensor) -> Result<E::Tensor> {
        if self.pixels.is_power_of_two() {
            let scale = engine.scale(&x) + self.pixels.trailing_zeros();
            return Ok(engine.with_scale(x, scale));
        }
        engine.mul_public(x, 1.0 / self.pixels as f64, FACTOR_SCALE)
    }
}
