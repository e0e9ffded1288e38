//! The maximum of each window of an image.

use super::Saved;
use crate::engine::Engine;
use crate::volume::Windows;
use mpc_core::error::Result;
use mpc_core::ring::RowMap;
use std::sync::Arc;

/// The maximum of each window, channel by channel; what it takes exact it leaves exact.
///
/// # Shapes
/// An image a row: `rows x image` to `rows x output image`.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// Scale at which numbers are compared.
    pub scale: u32,
    /// Pixels of a window.
    pixels: usize,
    candidates: Arc<RowMap>,
    /// The way back, where windows do not overlap and leave nothing out.
    back: Option<Arc<RowMap>>,
}

impl MaxPool {
    /// The maximum of these windows.
    pub fn new(windows: &Windows, scale: u32) -> Self {
        let candidates = Arc::new(windows.by_pixel());
        let back = candidates.inverse().map(Arc::new);
        MaxPool { scale, pixels: windows.pixels(), candidates, back }
    }

    /// The maxima, and who won the matches of each level of the tournament.
    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        let candidates = engine.gather(&input, &self.candidates)?;
        drop(input);
        engine.max_of_parts(candidates, self.pixels, self.scale).await
    }

    /// The error goes back to the winners.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        levels: &Saved<E::Tensor>,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        let mut error = engine.step("round").align(error.clone(), scale).await?;
        for won in levels.iter().rev() {
            let ([_, matches], [_, left]) = (engine.shape(won), engine.shape(&error));
            let of_matches = engine.select_columns(&error, 0..matches)?;
            let firsts = engine.step("match").mul(&of_matches, won).await?;
            let seconds = engine.sub(of_matches, &firsts)?;
            let unmatched = engine.select_columns(&error, matches..left)?;
            error = engine.concat_columns(&[&firsts, &seconds, &unmatched])?;
        }
        match &self.back {
            Some(back) => engine.gather(&error, back),
            None => engine.scatter_add(&error, &self.candidates),
        }
    }
}
