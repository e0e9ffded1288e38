//! Scaling features that nobody may see.
//!
//! Features come mapped to `[-1, 1]` by public bounds. Mean and deviation over the rows
//! of *all* holders are computed and applied here without being opened, and at the end
//! [`FeatureMap::fold`] merges them into the first layer:
//!
//! ```text
//! W ((x - m) * r) + b  =  (W diag(r)) x + (b - (W diag(r)) m)
//! ```
//!
//! so that the only thing ever opened is a model that takes the mapped features.
//!
//! # Range
//!
//! With `n <= 2^20` rows at 20 bits the sum of squares is at most `2^60` in words. It is
//! divided by `n` in two parts: `2^-ceil(log2 n)` by reading the words at another scale,
//! and the rest, between 1 and 2, as a public factor of 19 bits.

use crate::blueprint::Column;
use crate::engine::{Engine, Trans};
use crate::layers::Parameters;
use crate::rows::Rows;
use crate::spec::Scaling;
use mpc_core::error::{Error, Result};
use ndarray::Array2;

/// A column that deviates less than this from its mean (as mapped to `[-1, 1]`) is
/// divided by this instead, so that a constant column stays zero.
pub const MIN_DEVIATION: f64 = 1.0 / 512.0;

/// Fractional bits of the public part of `1 / n`.
const DIVISOR_SCALE: u32 = 19;
/// Fractional bits of a variance when its root is taken.
const VARIANCE_SCALE: u32 = 30;
/// Fractional bits of `1 / deviation`, which is 1 to 512: deviations in `[-1, 1]` are at most 1.
const FACTOR_SCALE: u32 = 12;
/// Fractional bits of the first layer's weights when they are folded.
const FOLDED_WEIGHT_SCALE: u32 = 28;
/// Fractional bits of the folded weights, which can be 512 times as large.
const RELEASED_WEIGHT_SCALE: u32 = 22;
/// Numbers that are rescaled at a time, to bound memory.
const CHUNK: usize = 1 << 20;

/// How the mapped features became the inputs of the network.
#[derive(Clone, Debug)]
pub enum FeatureMap<T> {
    /// Not at all.
    Identity,
    /// From `[-1, 1]` to `[0, 1]`, apart from indicators.
    Unit {
        /// The columns.
        columns: Vec<Column>,
    },
    /// Minus `mean`, times `factor`.
    Standardised {
        /// Mean of each column, `1 x columns`; zero for indicators.
        mean: T,
        /// `1 / deviation` of each column, `1 x columns`; one for indicators.
        factor: T,
    },
}

/// The scale at which features of scale `data` can enter a network whose activations
/// have the scale `activations`.
pub fn input_scale(scaling: Scaling, data: u32, activations: u32) -> u32 {
    match scaling {
        Scaling::Standardise => activations,
        Scaling::Unit => activations.min(data + 1),
        Scaling::None => activations.min(data),
    }
}

/// Scales all rows and rounds them to `scale`, which is at most what [`input_scale`] says.
///
/// # Errors
/// `Error::Misuse` for more rows than can be standardised, and those of the engine and of rows
/// that are stored.
pub async fn scale_features<E: Engine>(
    engine: &E,
    scaling: Scaling,
    columns: &[Column],
    features: Rows<E::Tensor>,
    scale: u32,
) -> Result<(Rows<E::Tensor>, FeatureMap<E::Tensor>)> {
    let map = match scaling {
        Scaling::None => FeatureMap::Identity,
        Scaling::Unit => FeatureMap::Unit { columns: columns.to_vec() },
        Scaling::Standardise => {
            let mean = mean(&engine.step("mean"), columns, &features).await?;
            let factor = factor(&engine.step("deviation"), columns, &features, &mean).await?;
            FeatureMap::Standardised { mean, factor }
        }
    };
    let scaled = map.apply(&engine.step("apply"), features, scale).await?;
    Ok((scaled, map))
}

/// One number a column.
fn row(columns: &[Column], value: impl Fn(Column) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((1, columns.len()), |(_, column)| value(columns[column]))
}

/// 1 for a bounded column, 0 for an indicator.
fn is_bounded(column: Column) -> f64 {
    f64::from(u8::from(column == Column::Bounded))
}

fn mask(columns: &[Column]) -> Vec<f64> {
    columns.iter().map(|&column| is_bounded(column)).collect()
}

/// `x + 1` for bounded columns and `2 x` for indicators, read with one bit more.
fn to_unit<E: Engine>(engine: &E, columns: &[Column], features: E::Tensor) -> Result<E::Tensor> {
    let scale = engine.scale(&features);
    let offset = engine.public(&row(columns, is_bounded), scale)?;
    let doubled = doubled_indicators(engine, columns, features)?;
    Ok(engine.with_scale(engine.add_row(doubled, &offset)?, scale + 1))
}

/// Columns of indicators times two.
fn doubled_indicators<E: Engine>(
    engine: &E,
    columns: &[Column],
    values: E::Tensor,
) -> Result<E::Tensor> {
    let factors: Vec<f64> = columns.iter().map(|&column| 2.0 - is_bounded(column)).collect();
    engine.mul_public_row(values, &factors, 0)
}

/// `sum / rows`, exact but for the rounding of the public factor, with
/// [`DIVISOR_SCALE`] fractional bits and `ceil(log2 rows)` read off.
fn divide_by_rows<E: Engine>(
    engine: &E,
    sum: E::Tensor,
    rows: usize,
    sum_scale: u32,
) -> Result<E::Tensor> {
    let power = rows.next_power_of_two();
    let read = engine.with_scale(sum, sum_scale + power.trailing_zeros());
    engine.mul_public(read, power as f64 / rows as f64, DIVISOR_SCALE)
}

/// The mean of each bounded column at the scale of the features, and zero for indicators.
async fn mean<E: Engine>(
    engine: &E,
    columns: &[Column],
    features: &Rows<E::Tensor>,
) -> Result<E::Tensor> {
    let (scale, [rows, _]) = (features.scale(engine), features.shape(engine));
    let room = 60u32.saturating_sub(2 * scale);
    if rows.next_power_of_two().trailing_zeros() > room {
        return Err(Error::Misuse(format!(
            "at most {} rows of scale {scale} can be standardised, not {rows}",
            1u64 << room
        )));
    }
    let mut sum = engine.public(&row(columns, |_| 0.0), scale)?;
    for part in features.parts(engine, CHUNK) {
        let part = features.select(engine, &part.collect::<Vec<_>>())?;
        sum = engine.add(sum, &engine.sum_rows(&part)?)?;
    }
    let mean = divide_by_rows(engine, sum, rows, scale)?;
    let mean = engine.rescale(mean, scale).await?;
    engine.mul_public_row(mean, &mask(columns), 0)
}

/// One over the deviation of each bounded column, and one for indicators.
async fn factor<E: Engine>(
    engine: &E,
    columns: &[Column],
    features: &Rows<E::Tensor>,
    mean: &E::Tensor,
) -> Result<E::Tensor> {
    let [rows, _] = features.shape(engine);
    let squares = sum_of_squares(&engine.step("squares"), features, mean).await?;
    let (scale, bits) = (engine.scale(&squares), rows.next_power_of_two().trailing_zeros());
    let squares = engine.step("rescale").rescale(squares, scale - bits).await?;
    let variance = divide_by_rows(engine, squares, rows, scale - bits)?;

    let floor = Array2::from_elem((1, columns.len()), MIN_DEVIATION * MIN_DEVIATION);
    let excess = engine.sub(variance.clone(), &engine.public(&floor, engine.scale(&variance))?)?;
    let (excess, _) = engine.step("floor").relu(excess, VARIANCE_SCALE).await?;
    let variance = engine.add(excess, &engine.public(&floor, VARIANCE_SCALE)?)?;

    let factor = engine.step("inverse-root").inv_sqrt(variance, FACTOR_SCALE).await?;
    let factor = engine.mul_public_row(factor, &mask(columns), 0)?;
    let ones = row(columns, |column| 1.0 - is_bounded(column));
    engine.add(factor, &engine.public(&ones, FACTOR_SCALE)?)
}

/// The sum of the squares in each column, less its mean, some rows at a time.
async fn sum_of_squares<E: Engine>(
    engine: &E,
    features: &Rows<E::Tensor>,
    mean: &E::Tensor,
) -> Result<E::Tensor> {
    let mut sum = None;
    for (stage, rows) in chunks(engine, features) {
        let part = engine.sub_row(features.select(engine, &rows)?, mean)?;
        let part = stage.column_dot(&part, &part).await?;
        stage.checkpoint().await?;
        sum = Some(match sum {
            None => part,
            Some(sum) => engine.add(sum, &part)?,
        });
    }
    sum.ok_or_else(|| Error::Misuse("no rows to scale".into()))
}

/// The rows of a data set, some at a time, each with a stage of its own.
fn chunks<'e, E: Engine>(
    engine: &'e E,
    rows: &Rows<E::Tensor>,
) -> impl Iterator<Item = (E, Vec<usize>)> + use<'e, E> {
    let parts = rows.parts(engine, CHUNK);
    parts.map(|part| (engine.step(&format!("rows-{}", part.start)), part.collect()))
}

impl<T: Clone> FeatureMap<T> {
    /// Maps all features and rounds them, some rows at a time, each of which takes its old place.
    async fn apply<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        mut features: Rows<T>,
        scale: u32,
    ) -> Result<Rows<T>> {
        if matches!(self, FeatureMap::Identity) && features.scale(engine) == scale {
            return Ok(features);
        }
        for (stage, chunk) in chunks(engine, &features) {
            let part = features.select(engine, &chunk)?;
            let part = match self {
                FeatureMap::Identity => part,
                FeatureMap::Unit { columns } => to_unit(engine, columns, part)?,
                FeatureMap::Standardised { mean, factor } => {
                    let centred = engine.sub_row(part, mean)?;
                    stage.step("product").mul_row(&centred, factor).await?
                }
            };
            let part = stage.step("rescale").rescale(part, scale).await?;
            stage.checkpoint().await?;
            // Until all rows are done, the new words are among rows of the old scale.
            features.overwrite(engine, chunk[0], part)?;
        }
        Ok(features.with_scale(engine, scale))
    }

    /// The same for windows of so many numbers over features that are all bounded.
    pub fn for_windows(self, numbers: usize) -> Self {
        match self {
            FeatureMap::Unit { .. } => FeatureMap::Unit { columns: vec![Column::Bounded; numbers] },
            others => others,
        }
    }

    /// The same for a layer that takes so many numbers, where that is fewer than there are columns.
    pub fn for_windows_of(self, numbers: usize) -> Self {
        match &self {
            FeatureMap::Unit { columns } if columns.len() != numbers => self.for_windows(numbers),
            _ => self,
        }
    }

    /// Parameters for scaled features, out of those for features as they came: what
    /// [`FeatureMap::fold`] turns into them. Local.
    ///
    /// # Errors
    /// `Error::Misuse` for standardised features, and those of the engine.
    pub fn unfold<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        first: Parameters<T>,
    ) -> Result<Parameters<T>> {
        let Parameters { weights, bias } = first;
        match self {
            FeatureMap::Identity => Ok(Parameters { weights, bias }),
            FeatureMap::Unit { columns } => {
                // x = 2 u - 1 for bounded columns, x = u for indicators.
                let of_bounded = engine.mul_public_row(weights.clone(), &mask(columns), 0)?;
                let offset = engine.sum_columns(&of_bounded)?;
                let [outputs, _] = engine.shape(&offset);
                let offset = engine.reshape(offset, [1, outputs])?;
                let scale = engine.scale(&bias).max(engine.scale(&offset));
                let (bias, offset) = (engine.lift(bias, scale)?, engine.lift(offset, scale)?);
                let weights = engine.add(weights, &of_bounded)?;
                Ok(Parameters { weights, bias: engine.sub(bias, &offset)? })
            }
            FeatureMap::Standardised { .. } => Err(Error::Misuse(
                "a training that starts from a model cannot standardise its features".into(),
            )),
        }
    }

    /// The parameters of the first trained layer for features as they came, before scaling.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn fold<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        first: Parameters<T>,
    ) -> Result<Parameters<T>> {
        let Parameters { weights, bias } = first;
        match self {
            FeatureMap::Identity => Ok(Parameters { weights, bias }),
            FeatureMap::Unit { columns } => {
                let halves = engine.public(&row(columns, |column| is_bounded(column) / 2.0), 1)?;
                let offset = engine.matmul(&halves, Trans::No, &weights, Trans::Yes).await?;
                let offset = engine.lift(offset, engine.scale(&bias))?;
                let scale = engine.scale(&weights) + 1;
                let doubled = doubled_indicators(engine, columns, weights)?;
                let weights = engine.with_scale(doubled, scale);
                Ok(Parameters { weights, bias: engine.add(bias, &offset)? })
            }
            FeatureMap::Standardised { mean, factor } => {
                let scale = engine.scale(&weights).min(FOLDED_WEIGHT_SCALE);
                let weights = engine.step("weights").rescale(weights, scale).await?;
                let weights = engine.step("product").mul_row(&weights, factor).await?;
                let scale = engine.scale(&weights).min(RELEASED_WEIGHT_SCALE);
                let weights = engine.step("rescale").rescale(weights, scale).await?;
                let step = engine.step("offset");
                let offset = step.matmul(mean, Trans::No, &weights, Trans::Yes).await?;
                let bias = engine.step("bias").align(bias, engine.scale(&offset)).await?;
                Ok(Parameters { weights, bias: engine.sub(bias, &offset)? })
            }
        }
    }
}
