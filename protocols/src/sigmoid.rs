//! The logistic function.
//!
//! `1 / (1 + e^-|z|)` by [`exp_neg`] and [`reciprocal`], whose range is `[1, 2]`, mirrored
//! where `z` is negative. No piecewise approximation: the error is about 1e-4.

use crate::exp::{EXP_SCALE, exp_neg};
use crate::inject::inject;
use crate::mul::mul;
use crate::reciprocal::{RECIPROCAL_SCALE, reciprocal};
use crate::sign::sign;
use crate::trunc::Truncation;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Fixed;

/// Fractional bits at which the argument is exponentiated.
const ARGUMENT_SCALE: u32 = 16;

/// Fractional bits of the result.
pub const SIGMOID_SCALE: u32 = RECIPROCAL_SCALE;

/// `1 / (1 + e^-z)` at [`SIGMOID_SCALE`].
///
/// # Preconditions
/// `|z| < 2^14`, and below `2^61` as an integer.
///
/// # Cost
/// 33 rounds and 250 bytes per element and party from scale 52; 39 and 232 in the malicious
/// mode.
///
/// # Security
/// As its parts; nothing is opened.
pub async fn sigmoid<S: Security>(ctx: &Ctx<S>, z: &Fixed) -> Result<Fixed> {
    let (value, negative) = if z.scale > ARGUMENT_SCALE {
        let truncation = Truncation::new(ctx, &z.share, z.scale - ARGUMENT_SCALE)?;
        let (trunc, signs) = (ctx.step("trunc"), ctx.step("sign"));
        let low_bits = truncation.low_bits(ctx.party());
        try_join!(
            truncation.finish_in_two_rounds(&trunc),
            sign(&signs, &low_bits, truncation.sign_width()),
        )?
    } else {
        let value = z.upscale(ARGUMENT_SCALE).share;
        let negative = sign(&ctx.step("sign"), &value, 32).await?;
        (value, negative)
    };
    let negative = inject(&ctx.step("bits"), &negative, 0).await?.reshape(value.shape())?;
    // |z| = z - 2 z [z < 0]
    let below = mul(&ctx.step("magnitude"), &value, &negative).await?;
    let magnitude = Fixed::new(value.sub(&below.scale(2))?, ARGUMENT_SCALE);
    let exp = exp_neg(&ctx.step("exp"), &magnitude).await?;
    let sum = exp.upscale(RECIPROCAL_SCALE.max(EXP_SCALE)).add_public(ctx.party(), 1.0);
    let upper = reciprocal(&ctx.step("reciprocal"), &sum, 2.0).await?;
    // Where z < 0 the result is 1 - upper = upper + (1 - 2 upper).
    let mirror = upper.share.scale(2).neg().add_public(ctx.party(), 1 << SIGMOID_SCALE);
    let correction = mul(&ctx.step("mirror"), &mirror, &negative).await?;
    Ok(Fixed::new(upper.share.add(&correction)?, SIGMOID_SCALE))
}
