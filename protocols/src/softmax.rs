//! Softmax of each row.

use crate::exp::{EXP_SCALE, exp_neg};
use crate::max::max_of_rows;
use crate::mul::mul;
use crate::reciprocal::{MAX_RANGE, RECIPROCAL_SCALE, reciprocal};
use crate::trunc::rescale;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use mpc_core::share::Fixed;

/// Fractional bits at which logits are compared and exponentiated.
const LOGIT_SCALE: u32 = 16;

/// Fractional bits of the unrounded probabilities.
pub const SOFTMAX_SCALE: u32 = EXP_SCALE + RECIPROCAL_SCALE;

/// `e^(z_j - m) / sum_k e^(z_k - m)` in each row, `m` its maximum, unrounded at
/// [`SOFTMAX_SCALE`]; the error is about 1e-4 at most.
///
/// # Preconditions
/// `|z| < 2^14`; up to 4096 columns. The sum lies between 1 and the number of columns,
/// which is what makes a normalised reciprocal unnecessary.
///
/// # Cost
/// The rounds of [`rescale`], [`max_of_rows`], [`exp_neg`], [`reciprocal`] and a product:
/// 42 for ten classes, with 228 bytes per element and party; 51 and 217 in the malicious
/// mode.
///
/// # Security
/// As its parts; nothing is opened.
///
/// # Errors
/// `Misuse` when there are no columns or too many.
pub async fn softmax<S: Security>(ctx: &Ctx<S>, z: &Fixed) -> Result<Fixed> {
    let [_, classes] = z.shape();
    if classes == 0 || classes as f64 > MAX_RANGE {
        return Err(Error::Misuse(format!("softmax of {classes} classes")));
    }
    let z = rescale(&ctx.step("rescale"), z, LOGIT_SCALE).await?;
    let max = max_of_rows(&ctx.step("max"), &z.share).await?;
    let below = Fixed::new(max.repeat_cols(classes).sub(&z.share)?, LOGIT_SCALE);
    let exp = exp_neg(&ctx.step("exp"), &below).await?;
    let sum = Fixed::new(exp.share.sum_cols(), EXP_SCALE).upscale(RECIPROCAL_SCALE);
    let inverse = reciprocal(&ctx.step("reciprocal"), &sum, (classes as f64).max(2.0)).await?;
    let inverse = inverse.share.repeat_cols(classes);
    let probabilities = mul(&ctx.step("normalise"), &exp.share, &inverse).await?;
    Ok(Fixed::new(probabilities, SOFTMAX_SCALE))
}
