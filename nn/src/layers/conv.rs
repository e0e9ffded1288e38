//! The convolution: every output is a weighted sum of a window of an image and a bias.

use super::{Parameters, Saved};
use crate::engine::Engine;
use crate::volume::Windows;
use mpc_core::error::Result;
use mpc_core::ring::RowMap;
use std::sync::Arc;

/// A dense layer over each window of an image.
///
/// All windows side by side, gathered along a public map, are one matrix with a window a row;
/// what a dense layer makes of them, a row of filters for each window, is the output image as
/// it stands in a row ([`crate::volume`]). The way back is the adjoint.
///
/// # Shapes
/// An image a row: `rows x image` to `rows x output image`. `W` is `filters x window`, the
/// numbers of a window row by row, pixel by pixel, channels side by side; `b` is `1 x filters`.
///
/// # Scales
/// As those of [`super::Dense`].
#[derive(Clone, Debug)]
pub struct Conv<T> {
    /// `W` and `b`.
    pub parameters: Parameters<T>,
    /// Scale of the input.
    pub input_scale: u32,
    filters: usize,
    /// Windows of an image.
    places: usize,
    windows: Arc<RowMap>,
}

impl<T: Clone> Conv<T> {
    /// A convolution with the given weights.
    pub fn new(
        windows: &Windows,
        filters: usize,
        parameters: Parameters<T>,
        input_scale: u32,
    ) -> Self {
        let places = windows.output(1).len();
        let windows = Arc::new(windows.side_by_side());
        Conv { parameters, input_scale, filters, places, windows }
    }

    /// The exact output, and the input at its scale: windows overlap, so they are not kept.
    pub(super) async fn forward<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: T,
    ) -> Result<(T, Saved<T>)> {
        let input = engine.step("input").align(input, self.input_scale).await?;
        let [rows, _] = engine.shape(&input);
        let Parameters { weights, bias } = &self.parameters;
        let output = engine.step("product").matmul_windows(&input, &self.windows, weights).await?;
        let output = engine.add_row(output, bias)?;
        let output = engine.reshape(output, [rows, self.places * self.filters])?;
        Ok((output, vec![input]))
    }

    /// The error as a row of filters for each window.
    fn by_window<E: Engine<Tensor = T>>(&self, engine: &E, error: &T) -> Result<T> {
        let [rows, _] = engine.shape(error);
        engine.reshape(error.clone(), [rows * self.places, self.filters])
    }

    pub(super) async fn gradient<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: &T,
        error: &T,
    ) -> Result<Parameters<T>> {
        let error = self.by_window(engine, error)?;
        let window = self.windows.long() / self.places;
        let weights = engine.matmul_by_windows(&error, input, &self.windows, window).await?;
        Ok(Parameters { weights, bias: engine.sum_rows(&error)? })
    }

    pub(super) async fn input_error<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        error: &T,
    ) -> Result<T> {
        let error = self.by_window(engine, error)?;
        engine.matmul_scattered(&error, &self.parameters.weights, &self.windows).await
    }
}
