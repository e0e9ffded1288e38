//! The normalisation of batches.
//!
//! Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing internal
//! covariate shift", ICML 2015. In training, `y = g (x - mean) / sqrt(variance + epsilon) + b` with
//! mean and variance of the batch, channel by channel; a model that predicts has running means of
//! both instead. All of it stays secret.
//!
//! With `n` numbers a channel, `c = x - mean`, `r = 1 / sqrt(variance + epsilon)`, and `e` the error of
//! `y`, the way back is
//!
//! ```text
//! error of b = sum e        error of g = r sum e c
//! error of x = g r (e - sum e / n) - c g r^2 (error of g) / n
//! ```
//!
//! Inverse square root, means and all factors are one number a channel. Of the batch itself, `x` is
//! rounded once and multiplied once on the way forth, and multiplied twice in one round on the way back.
//!
//! # Range
//!
//! Numbers that enter must be below 512 in magnitude, and `n` times their variance below `2^31`, for
//! the sum of their squares has 30 bits. Then the variance is below `2^18`, and with `epsilon` of
//! `1e-5` or more `r` is between `2^-9` and `2^8.4`. `tercet range` tries it out.

use super::{Parameters, Saved};
use crate::engine::Engine;
use crate::optim::scaled;
use crate::spec::BatchNormSpec;
use crate::volume::Volume;
use futures_util::try_join;
use mpc_core::error::{Error, Result};
use ndarray::Array2;

/// Fractional bits of the input and its mean.
pub(crate) const INPUT_SCALE: u32 = 15;
/// Fractional bits of the factor `g`.
const GAIN_SCALE: u32 = 26;
/// Fractional bits of the inverse deviation `r`, and of `g r`.
const FACTOR_SCALE: u32 = 20;
/// Fractional bits of the output, and of the offset `b`.
const OUTPUT_SCALE: u32 = INPUT_SCALE + FACTOR_SCALE;
/// Fractional bits of a variance.
const VARIANCE_SCALE: u32 = 25;
/// Most numbers of which a mean and a variance are taken: each counts at least one unit of that
/// scale.
pub(crate) const MAX_NORMALISED: usize = 1 << VARIANCE_SCALE;
/// By `2^-ROOT_BITS` a variance is brought below 4.
const ROOT_BITS: u32 = 16;
/// Fractional bits of the running mean.
const MEAN_SCALE: u32 = 24;
/// Fractional bits of the public part of `1 / n`, and of other public factors.
const DIVISOR_SCALE: u32 = 16;
/// Fractional bits of the sum of errors times inputs.
const DOT_SCALE: u32 = 16;
/// Fractional bits of means of errors.
const MEAN_ERROR_SCALE: u32 = 22;
/// Fractional bits of `g r^2`.
const SLOPE_SCALE: u32 = 18;

/// Scales at which training keeps factor and offset.
pub(crate) const SCALING: [u32; 2] = [GAIN_SCALE, OUTPUT_SCALE];
/// Scales at which training keeps mean and variance.
pub(crate) const STATISTICS: [u32; 2] = [MEAN_SCALE, VARIANCE_SCALE];

/// Mean and variance of each channel, `1 x channels`.
#[derive(Clone, Debug)]
pub struct Statistics<T> {
    /// Means.
    pub mean: T,
    /// Variances, without `epsilon`.
    pub variance: T,
}

/// Each channel less its mean, by its deviation, times a factor, plus an offset.
///
/// # Shapes
/// `rows x image` to the same. A channel has a number in each row and pixel.
///
/// # Scales
/// The input is brought to `INPUT_SCALE`, the output is exact at `OUTPUT_SCALE`. The tensors of the layer
/// can have any scale; at those that training gives them they are taken as they are.
#[derive(Clone, Debug)]
pub struct BatchNorm<T> {
    /// Factor and offset of each channel, `1 x channels`.
    pub parameters: Parameters<T>,
    /// What a model that predicts uses: running means over the batches.
    pub statistics: Statistics<T>,
    spec: BatchNormSpec,
    channels: usize,
    places: usize,
    /// Whether mean and variance are those of the batch.
    training: bool,
}

impl<T: Clone> BatchNorm<T> {
    /// The layer as it predicts.
    pub fn new(
        image: Volume,
        spec: BatchNormSpec,
        parameters: Parameters<T>,
        statistics: Parameters<T>,
    ) -> Self {
        let (channels, places) = (image.channels, image.height * image.width);
        let statistics = Statistics { mean: statistics.weights, variance: statistics.bias };
        BatchNorm { parameters, statistics, spec, channels, places, training: false }
    }

    /// The layer in a step of training, or as it predicts.
    pub(super) fn in_training(self, training: bool) -> Self {
        BatchNorm { training, ..self }
    }

    /// The layer with the statistics that the forward pass of a step left.
    pub(super) fn with_statistics(mut self, saved: &Saved<T>) -> Self {
        if let [.., mean, variance] = saved.as_slice() {
            self.statistics = Statistics { mean: mean.clone(), variance: variance.clone() };
        }
        self
    }

    /// The output; and in training `c`, `r`, `g r`, and the statistics after this batch.
    pub(super) async fn forward<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        input: T,
    ) -> Result<(T, Saved<T>)> {
        let shape = engine.shape(&input);
        let input = engine.step("input").align(input, INPUT_SCALE).await?;
        let input = engine.reshape(input, [shape[0] * self.places, self.channels])?;
        let numbers = shape[0] * self.places;
        let of_batch = engine.step("batch");
        let (centred, mean, variance) = if self.training {
            measured(&of_batch, input, numbers).await?
        } else {
            let Statistics { mean, variance } = &self.statistics;
            let (on_mean, on_variance) = (engine.step("mean"), engine.step("variance"));
            let (mean, variance) = try_join!(
                on_mean.align(mean.clone(), INPUT_SCALE),
                on_variance.align(variance.clone(), VARIANCE_SCALE),
            )?;
            (engine.sub_row(input, &mean)?, mean, variance)
        };
        let (on_factor, on_followed) = (engine.step("factor"), engine.step("statistics"));
        let ((inverse, factor), followed) =
            try_join!(self.factor(&on_factor, variance.clone()), async {
                match self.training {
                    true => self.followed(&on_followed, mean, variance, numbers).await.map(Some),
                    false => Ok(None),
                }
            })?;
        let output = engine.step("product").mul_row(&centred, &factor).await?;
        let offset = self.parameters.bias.clone();
        let offset = engine.step("offset").align(offset, OUTPUT_SCALE).await?;
        let output = engine.add_row(output, &offset)?;
        let saved = match followed {
            Some(Statistics { mean, variance }) => {
                vec![centred, inverse, factor, mean, variance]
            }
            None => Vec::new(),
        };
        Ok((engine.reshape(output, shape)?, saved))
    }

    /// `r` and `g r`.
    async fn factor<E: Engine<Tensor = T>>(&self, engine: &E, variance: T) -> Result<(T, T)> {
        let epsilon = Array2::from_elem((1, self.channels), self.spec.epsilon);
        let under_root = engine.add(variance, &engine.public(&epsilon, VARIANCE_SCALE)?)?;
        // Of 2^-ROOT_BITS times the variance, which is 2^(ROOT_BITS / 2) times what is wanted.
        let small = engine.with_scale(under_root, VARIANCE_SCALE + ROOT_BITS);
        let (root, on_gain) = (engine.step("root"), engine.step("gain"));
        let (large, gain) = try_join!(
            root.inv_sqrt(small, FACTOR_SCALE),
            on_gain.align(self.parameters.weights.clone(), GAIN_SCALE),
        )?;
        let inverse = engine.with_scale(large, FACTOR_SCALE + ROOT_BITS / 2);
        let inverse = engine.step("inverse").rescale(inverse, FACTOR_SCALE).await?;
        let factor = engine.step("product").mul(&gain, &inverse).await?;
        let factor = engine.step("rescale").rescale(factor, FACTOR_SCALE).await?;
        Ok((inverse, factor))
    }

    /// The statistics of the layer after a batch of these; the variance counts without bias.
    async fn followed<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        mean: T,
        variance: T,
        numbers: usize,
    ) -> Result<Statistics<T>> {
        let unbiased = if numbers > 1 { numbers as f64 / (numbers as f64 - 1.0) } else { 1.0 };
        let (on_mean, on_variance) = (engine.step("mean"), engine.step("variance"));
        let Statistics { mean: old_mean, variance: old_variance } = self.statistics.clone();
        let (mean, variance) = try_join!(
            async {
                let old = on_mean.step("old").align(old_mean, MEAN_SCALE).await?;
                let way = on_mean.sub(on_mean.lift(mean, MEAN_SCALE)?, &old)?;
                self.towards(&on_mean, old, way).await
            },
            async {
                let stage = on_variance.step("unbiased");
                let new = scaled(&stage, variance, unbiased, DIVISOR_SCALE, VARIANCE_SCALE).await?;
                let old = on_variance.step("old").align(old_variance, VARIANCE_SCALE).await?;
                let way = on_variance.sub(new, &old)?;
                self.towards(&on_variance, old, way).await
            },
        )?;
        Ok(Statistics { mean, variance })
    }

    /// `old` and a part of the `way`.
    async fn towards<E: Engine<Tensor = T>>(&self, engine: &E, old: T, way: T) -> Result<T> {
        let (scale, part) = (engine.scale(&old), self.spec.momentum);
        let change = scaled(&engine.step("follow"), way, part, DIVISOR_SCALE, scale).await?;
        engine.add(old, &change)
    }

    /// The errors of factor and offset.
    pub(super) async fn gradient<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        saved: &Saved<T>,
        error: &T,
    ) -> Result<Parameters<T>> {
        let error = self.by_channel(engine, error)?;
        let [centred, inverse, ..] = in_training(saved)?;
        let dot = engine.step("dot").column_dot(&error, centred).await?;
        let dot = engine.step("rescale").align(dot, DOT_SCALE).await?;
        let weights = engine.step("product").mul(&dot, inverse).await?;
        Ok(Parameters { weights, bias: engine.sum_rows(&error)? })
    }

    /// The error of the input, exact.
    pub(super) async fn input_error<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        saved: &Saved<T>,
        error: &T,
    ) -> Result<T> {
        let [centred, inverse, factor] = in_training(saved)?;
        let (shape, scale) = (engine.shape(error), engine.scale(error));
        let numbers = shape[0] * self.places;
        let exact = scale + FACTOR_SCALE;
        let (on_gradient, on_slope) = (engine.step("gradient"), engine.step("slope"));
        let (Parameters { weights, bias }, slope) =
            try_join!(self.gradient(&on_gradient, saved, error), async {
                let slope = on_slope.step("product").mul(factor, inverse).await?;
                on_slope.step("rescale").rescale(slope, SLOPE_SCALE).await
            })?;
        let (on_mean, on_tilt) = (engine.step("mean-error"), engine.step("tilt"));
        let (mean_error, tilt) = try_join!(
            async {
                let mean = mean_of(&on_mean, bias, numbers, MEAN_ERROR_SCALE).await?;
                let mean = on_mean.step("product").mul(&mean, factor).await?;
                on_mean.step("scale").align(mean, exact).await
            },
            async {
                let part = mean_of(&on_tilt, weights, numbers, MEAN_ERROR_SCALE).await?;
                let tilt = on_tilt.step("product").mul(&part, &slope).await?;
                on_tilt.step("scale").align(tilt, exact - INPUT_SCALE).await
            },
        )?;
        let error = self.by_channel(engine, error)?;
        let (on_error, on_centred) = (engine.step("error"), engine.step("centred"));
        let (passed, tilted) =
            try_join!(on_error.mul_row(&error, factor), on_centred.mul_row(centred, &tilt))?;
        let error = engine.sub_row(engine.sub(passed, &tilted)?, &mean_error)?;
        engine.reshape(error, shape)
    }

    /// A row for each place, a channel a column.
    fn by_channel<E: Engine<Tensor = T>>(&self, engine: &E, x: &T) -> Result<T> {
        let [rows, _] = engine.shape(x);
        engine.reshape(x.clone(), [rows * self.places, self.channels])
    }
}

/// What a way back needs: `c`, `r` and `g r`.
fn in_training<T>(saved: &Saved<T>) -> Result<[&T; 3]> {
    match saved.as_slice() {
        [centred, inverse, factor, ..] => Ok([centred, inverse, factor]),
        _ => Err(Error::Misuse("a normalisation that predicts has no way back".into())),
    }
}

/// Numbers less their mean, the mean and the variance, `numbers` a channel.
async fn measured<E: Engine>(
    engine: &E,
    input: E::Tensor,
    numbers: usize,
) -> Result<(E::Tensor, E::Tensor, E::Tensor)> {
    let sum = engine.sum_rows(&input)?;
    let mean = mean_of(&engine.step("mean"), sum, numbers, INPUT_SCALE).await?;
    let centred = engine.sub_row(input, &mean)?;
    let squares = engine.step("squares").column_dot(&centred, &centred).await?;
    // Fewer bits before the factor of the mean, which takes room.
    let bits = VARIANCE_SCALE.checked_sub(numbers.next_power_of_two().trailing_zeros());
    let bits =
        bits.ok_or_else(|| Error::Misuse(format!("{numbers} numbers a channel are too many")))?;
    let squares = engine.step("rescale").rescale(squares, bits).await?;
    let variance = mean_of(&engine.step("variance"), squares, numbers, VARIANCE_SCALE).await?;
    Ok((centred, mean, variance))
}

/// A sum of so many numbers, divided by that, at `scale`.
async fn mean_of<E: Engine>(
    engine: &E,
    sum: E::Tensor,
    numbers: usize,
    scale: u32,
) -> Result<E::Tensor> {
    if numbers.is_power_of_two() {
        let read_at = engine.scale(&sum) + numbers.trailing_zeros();
        return engine.align(engine.with_scale(sum, read_at), scale).await;
    }
    scaled(engine, sum, 1.0 / numbers as f64, DIVISOR_SCALE, scale).await
}
