//! The rectifier, fused with the truncation before it.

use crate::inject::inject;
use crate::mul::mul;
use crate::sign::sign;
use crate::trunc::Truncation;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed};

/// `max(z, 0)` at `scale`, and the bits `z >= 0` as integers 0 and 1.
///
/// # Preconditions
/// `|z| < 2^61` as an integer at its own scale, and below `2^31` at the new one.
///
/// # Cost
/// 10 rounds where `z` is rescaled by 31 bits or less (the two of the truncation run
/// beside the sign); per element and party about `8 / 3 width` bits for the sign, `4 f / 3` for
/// the truncation by `f` bits and 16 bytes to apply the bit.
///
/// # Security
/// The sign is taken from the components after the shift, where the wrap of the
/// truncation is a multiple of `2^(64-f)` and so out of sight. Nothing is opened.
pub async fn relu<S: Security>(ctx: &Ctx<S>, z: &Fixed, scale: u32) -> Result<(Fixed, Arith<Z64>)> {
    let (value, negative) = if z.scale > scale {
        let truncation = Truncation::new(ctx, &z.share, z.scale - scale)?;
        let (trunc, signs) = (ctx.step("trunc"), ctx.step("sign"));
        let low_bits = truncation.low_bits(ctx.party());
        try_join!(
            truncation.finish_in_two_rounds(&trunc),
            sign(&signs, &low_bits, truncation.sign_width()),
        )?
    } else {
        let value = z.upscale(scale).share;
        let negative = sign(&ctx.step("sign"), &value, 32).await?;
        (value, negative)
    };
    let bits = inject(&ctx.step("bits"), &negative.not(ctx.party()), 0).await?;
    let bits = bits.reshape(value.shape())?;
    let positive = mul(&ctx.step("select"), &value, &bits).await?;
    Ok((Fixed::new(positive, scale), bits))
}

/// `max(x, 0)` of integers of any size.
///
/// # Preconditions
/// `|x| < 2^63`.
///
/// # Cost
/// 11 rounds; per element and party 38.6 bytes: a sign of 64 bits, and 16 bytes to apply it.
///
/// # Security
/// As [`sign`]; nothing is opened.
pub async fn positive_part<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    let negative = sign(&ctx.step("sign"), x, 64).await?;
    let bits = inject(&ctx.step("bits"), &negative.not(ctx.party()), 0).await?;
    mul(&ctx.step("select"), x, &bits.reshape(x.shape())?).await
}
