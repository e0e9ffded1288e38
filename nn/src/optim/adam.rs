//! Adam: steps of about the learning rate, whatever the size of the gradient.
//!
//! Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015; AMSGrad: Reddi, Kale,
//! Kumar, "On the convergence of Adam and beyond", ICLR 2018.
//!
//! The moments are kept without the bias of their start: with `k_t = (1 - b) / (1 - b^t)`,
//! `m_t <- m_{t-1} + k_t (x - m_{t-1})` is the mean that the paper divides by `1 - b^t`. So they
//! have the size of what they are means of from the first step on, and `k_t` is public.
//!
//! The step is `lr m / sqrt(v + epsilon^2)` where the paper has `lr m / (sqrt(v) + epsilon)`: at
//! most `sqrt(2)` times as long, where `v` is `epsilon^2`, and the same where it is much
//! larger or smaller. It saves a division.
//!
//! # Range and precision
//!
//! Averaged gradients must stay below [`MAX_GRADIENT`] in magnitude. `v` has [`SQUARE_SCALE`] bits, and its
//! rounding adds up to noise of some `sqrt(1 / (1 - beta2)) / 2` units; the least `epsilon` that a
//! specification may ask for is 16 units' root, so that what the root is taken of stays above
//! zero. Each inverse square root is right to `2e-5`.

use super::{Memory, Now, decayed, scaled, working_scale};
use crate::engine::Engine;
use crate::plan::FACTOR_SCALE;
use crate::spec::Adam;
use futures_util::try_join;
use mpc_core::error::Result;
use ndarray::Array2;

/// What averaged gradients have to stay below.
pub(super) const MAX_GRADIENT: f64 = 1.4;
/// Fractional bits of the gradient and of its mean.
const GRADIENT_SCALE: u32 = 29;
/// Fractional bits of the mean square.
const SQUARE_SCALE: u32 = 44;
/// Fractional bits of the factors by which moments follow.
const MOMENT_FACTOR_SCALE: u32 = 12;
/// Fractional bits of the inverse square root.
const ROOT_SCALE: u32 = 20;

/// The means of a gradient and of its square, and for AMSGrad the largest of the latter.
#[derive(Clone, Debug)]
pub(super) struct Moments<T> {
    mean: T,
    square: T,
    largest: Option<T>,
}

/// What to take off a tensor, and its moments.
pub(super) async fn change<E: Engine>(
    engine: &E,
    adam: Adam,
    value: &E::Tensor,
    gradient: E::Tensor,
    memory: Memory<E::Tensor>,
    now: Now,
) -> Result<(E::Tensor, Memory<E::Tensor>)> {
    let mut gradient = engine.step("gradient").align(gradient, GRADIENT_SCALE).await?;
    if adam.weight_decay > 0.0 {
        let decay = decayed(&engine.step("decay"), value, adam.weight_decay).await?;
        let decay = engine.step("decay-scale").align(decay, GRADIENT_SCALE).await?;
        gradient = engine.add(gradient, &decay)?;
    }
    let exact = engine.step("square").mul(&gradient, &gradient).await?;
    let square = engine.step("square-scale").rescale(exact, SQUARE_SCALE).await?;
    let moments = match memory {
        Memory::Moments(moments) => {
            let (on_mean, on_square) = (engine.step("mean"), engine.step("mean-square"));
            let (mean, square) = try_join!(
                follow(&on_mean, moments.mean, gradient, debiased(adam.beta1, now.steps)),
                follow(&on_square, moments.square, square, debiased(adam.beta2, now.steps)),
            )?;
            let largest = match moments.largest {
                Some(largest) => {
                    // The largest was divided by 1 - b^(t-1), and is to be by 1 - b^t.
                    let bias = |steps: usize| 1.0 - adam.beta2.powf(steps as f64);
                    let ratio = bias(now.steps) / bias(now.steps + 1);
                    let stage = engine.step("largest");
                    Some(larger(&stage, largest, ratio, &square).await?)
                }
                None => None,
            };
            Moments { mean, square, largest }
        }
        Memory::Nothing | Memory::Velocity(_) => {
            let largest = adam.amsgrad.then(|| square.clone());
            Moments { mean: gradient, square, largest }
        }
    };
    // The step.
    let square = moments.largest.as_ref().unwrap_or(&moments.square);
    let [rows, columns] = engine.shape(square);
    let epsilon = Array2::from_elem((rows, columns), adam.epsilon * adam.epsilon);
    let under_root = engine.add(engine.public(&epsilon, SQUARE_SCALE)?, square)?;
    let root = engine.step("root").inv_sqrt(under_root, ROOT_SCALE).await?;
    let direction = engine.step("direction").mul(&moments.mean, &root).await?;
    let direction = engine.step("round").align(direction, GRADIENT_SCALE).await?;
    let scale = working_scale(engine, value);
    let step = scaled(&engine.step("rate"), direction, now.rate, FACTOR_SCALE, scale).await?;
    Ok((step, Memory::Moments(moments)))
}

/// By how much a mean follows that is kept without the bias of its start.
fn debiased(beta: f64, steps_before: usize) -> f64 {
    (1.0 - beta) / (1.0 - beta.powf((steps_before + 1) as f64))
}

/// `mean + part (target - mean)`.
async fn follow<E: Engine>(
    engine: &E,
    mean: E::Tensor,
    target: E::Tensor,
    part: f64,
) -> Result<E::Tensor> {
    let scale = engine.scale(&mean);
    let way = engine.sub(target, &mean)?;
    let change = scaled(engine, way, part, MOMENT_FACTOR_SCALE, scale).await?;
    engine.add(mean, &change)
}

/// The larger of `a * ratio` and `b`.
async fn larger<E: Engine>(
    engine: &E,
    a: E::Tensor,
    ratio: f64,
    b: &E::Tensor,
) -> Result<E::Tensor> {
    let scale = engine.scale(b);
    let a = scaled(&engine.step("ratio"), a, ratio, MOMENT_FACTOR_SCALE, scale).await?;
    let above = engine.step("above").positive(&engine.sub(a, b)?).await?;
    engine.add(above, b)
}
