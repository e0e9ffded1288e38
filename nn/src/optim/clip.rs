//! Clipping of gradients.

use super::{MAX_WORKING_SCALE, scaled};
use crate::engine::Engine;
use crate::layers::Parameters;
use crate::plan::FACTOR_SCALE;
use futures_util::future::try_join_all;
use futures_util::try_join;
use mpc_core::error::{Error, Result};
use ndarray::Array2;

/// The gradients of all layers that have some.
type Gradients<T> = Vec<Option<Parameters<T>>>;

/// Each element brought into `-bound..=bound`.
///
/// `x - max(x - bound, 0) + max(-bound - x, 0)`: exact, whatever the size of `x`.
///
/// # Errors
/// Those of the engine.
pub async fn clamped<E: Engine>(engine: &E, x: E::Tensor, bound: f64) -> Result<E::Tensor> {
    let [rows, columns] = engine.shape(&x);
    let constant =
        |value| engine.public(&Array2::from_elem((rows, columns), value), engine.scale(&x));
    let over = engine.sub(x.clone(), &constant(bound)?)?;
    let under = engine.sub(constant(-bound)?, &x)?;
    let (on_over, on_under) = (engine.step("over"), engine.step("under"));
    let (over, under) = try_join!(on_over.positive(&over), on_under.positive(&under))?;
    engine.add(engine.sub(x, &over)?, &under)
}

/// Each component brought into `-bound..=bound`.
pub(super) async fn by_value<E: Engine>(
    engine: &E,
    gradients: Gradients<E::Tensor>,
    bound: f64,
) -> Result<Gradients<E::Tensor>> {
    each(engine, gradients, |stage, x| async move { clamped(&stage, x, bound).await }).await
}

/// Bits of the bound, in words, when norms are computed.
const BOUND_BITS: i32 = 16;
/// Fractional bits at which [`Engine::inv_sqrt`] is given the sum of squares.
const SUM_SCALE: u32 = 54;
/// Least word of the sum of squares: `2^-20` of the square of the bound, or less.
const LEAST_SUM: f64 = 4096.0;
/// Fractional bits of the inverse square root of the sum.
const ROOT_SCALE: u32 = 24;
/// Fractional bits of the factor by which gradients are shortened.
const SHORTENING_SCALE: u32 = 16;

/// What components must stay below, in bounds.
pub(super) const MAX_OF_NORM: f64 = 2048.0;

/// All components times `min(1, bound / norm)`, with the norm of all of them together.
///
/// For the norm each component is rounded to `2^-16` of the bound; it must be below 2048 times
/// the bound. The factor is rounded to `2^-16`.
pub(super) async fn by_norm<E: Engine>(
    engine: &E,
    gradients: Gradients<E::Tensor>,
    bound: f64,
) -> Result<Gradients<E::Tensor>> {
    // The word of the bound has BOUND_BITS bits and one.
    let scale = BOUND_BITS - bound.log2().floor() as i32;
    let scale = u32::try_from(scale)
        .map_err(|_| Error::Misuse(format!("gradients cannot be clipped to a norm of {bound}")))?;
    let tensors = gradients.iter().flatten().flat_map(|g| [&g.weights, &g.bias]);
    let squares = tensors.enumerate().map(|(index, tensor)| {
        let stage = engine.step(&format!("square-{index}"));
        async move {
            let rounded = stage.step("round").align(tensor.clone(), scale).await?;
            let of_columns = stage.step("dot").column_dot(&rounded, &rounded).await?;
            engine.sum_columns(&of_columns)
        }
    });
    let least = engine.public(&Array2::from_elem((1, 1), LEAST_SUM), 0)?;
    let mut sum = engine.with_scale(least, 2 * scale);
    for square in try_join_all(squares).await? {
        sum = engine.add(sum, &square)?;
    }
    // Read at SUM_SCALE, the sum is 2^(2 scale - SUM_SCALE) of what it is.
    let root = engine.step("root");
    let root = root.inv_sqrt(engine.with_scale(sum, SUM_SCALE), ROOT_SCALE).await?;
    let of_bound = bound * (f64::from(scale) - f64::from(SUM_SCALE / 2)).exp2();
    let ratio = engine.step("ratio");
    let ratio = scaled(&ratio, root, of_bound, FACTOR_SCALE, SHORTENING_SCALE).await?;
    // min(1, ratio) = 1 - max(1 - ratio, 0).
    let one = engine.public(&Array2::ones((1, 1)), SHORTENING_SCALE)?;
    let missing = engine.step("shorter").positive(&engine.sub(one.clone(), &ratio)?).await?;
    let factor = engine.sub(one, &missing)?;
    each(engine, gradients, |stage, x: E::Tensor| {
        let factor = factor.clone();
        async move {
            let scale = stage.scale(&x).min(MAX_WORKING_SCALE);
            let x = stage.step("round").align(x, scale).await?;
            let row = stage.repeat_columns(&factor, stage.shape(&x)[1])?;
            let product = stage.step("product").mul_row(&x, &row).await?;
            stage.step("rescale").rescale(product, scale).await
        }
    })
    .await
}

/// Applies a function to each tensor, all in the same rounds.
async fn each<E: Engine, F: Future<Output = Result<E::Tensor>>>(
    engine: &E,
    gradients: Gradients<E::Tensor>,
    f: impl Fn(E, E::Tensor) -> F,
) -> Result<Gradients<E::Tensor>> {
    let all = gradients.into_iter().enumerate().map(|(index, gradient)| {
        let stage = engine.step(&format!("layer-{index}"));
        let f = &f;
        async move {
            let Some(Parameters { weights, bias }) = gradient else { return Ok(None) };
            let (weights, bias) =
                try_join!(f(stage.step("weights"), weights), f(stage.step("bias"), bias))?;
            Ok(Some(Parameters { weights, bias }))
        }
    });
    try_join_all(all).await
}
