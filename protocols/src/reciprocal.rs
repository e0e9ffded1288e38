//! The reciprocal of numbers in a known range.
//!
//! Goldschmidt's iteration (in MPC: Catrina, Saxena, FC 2010, section 3.4) with a start
//! from Chebyshev polynomials instead of a secret normalisation, which a public range
//! makes unnecessary: with `y = (m + 1 - 2s) / (m - 1)` and `T_2(y) = 2 y^2 - 1`, the
//! residue `e = T_2(y) / T_2((m + 1) / (m - 1))` is the smallest of all `1 - s w` with linear
//! `w` on `[1, m]`. Then `1/s = w (1 + e) (1 + e^2) (1 + e^4) ...`.

use crate::mul::mul;
use crate::trunc::rescale;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use mpc_core::share::Fixed;

/// Fractional bits in between and of the result.
pub const RECIPROCAL_SCALE: u32 = 20;

/// The largest range that the start serves.
pub const MAX_RANGE: f64 = 4096.0;

/// `1 / s` for `1 <= s <= max`, with [`RECIPROCAL_SCALE`] fractional bits, within `3e-5 + 2e-6 max`.
///
/// # Preconditions
/// `1 <= s <= max` up to rounding, `2 <= max <= 4096`, at [`RECIPROCAL_SCALE`].
///
/// # Cost
/// `3 + 2 n` rounds with `n` factors, `5 + 3 n` in the malicious mode: 4 factors for a range
/// of 10, 3 for one of 2; for a range of 10, 123 bytes per element and party, or 104.
///
/// # Security
/// Products of shares; nothing is opened.
///
/// # Errors
/// `Misuse` when scale or range are out of bounds.
pub async fn reciprocal<S: Security>(ctx: &Ctx<S>, s: &Fixed, max: f64) -> Result<Fixed> {
    if s.scale != RECIPROCAL_SCALE || !(2.0..=MAX_RANGE).contains(&max) {
        let scale = s.scale;
        return Err(Error::Misuse(format!("reciprocal: scale {scale}, range {max}")));
    }
    // Residue e = (2 y^2 - 1) / t with y = a - b s, and w = (1 - e) / s, linear in s.
    let (a, b) = ((max + 1.0) / (max - 1.0), 2.0 / (max - 1.0));
    let t = 2.0 * a * a - 1.0;
    let w = s.mul_public(-2.0 * b * b / t, START_SCALE).add_public(ctx.party(), 4.0 * a * b / t);
    let y = s.mul_public(-b, START_SCALE).add_public(ctx.party(), a);
    let (start, residue) = (ctx.step("start"), ctx.step("residue"));
    let (mut w, mut e) = try_join!(rescale(&start, &w, RECIPROCAL_SCALE), async {
        let y = rescale(&residue.step("argument"), &y, RECIPROCAL_SCALE).await?;
        let square = mul(&residue.step("square"), &y.share, &y.share).await?;
        let e = Fixed::new(square, 2 * RECIPROCAL_SCALE)
            .mul_public(2.0 / t, RESIDUE_SCALE)
            .add_public(ctx.party(), -1.0 / t);
        rescale(&residue.step("residue"), &e, RECIPROCAL_SCALE).await
    })?;
    let mut left = 1.0 / t;
    while left > TARGET {
        left *= left;
        let factor = e.add_public(ctx.party(), 1.0);
        let (grow, shrink) = (ctx.step("factor"), ctx.step("square"));
        if left > TARGET {
            (w, e) = try_join!(product(&grow, &w, &factor), product(&shrink, &e, &e))?;
        } else {
            w = product(&grow, &w, &factor).await?;
        }
    }
    Ok(w)
}

/// Fractional bits of the coefficients that meet `s < 2^12` at [`RECIPROCAL_SCALE`].
const START_SCALE: u32 = 28;

/// Fractional bits of the coefficient that meets the unrounded `y^2 <= 1`.
const RESIDUE_SCALE: u32 = 19;

/// The residue at which the iteration ends.
const TARGET: f64 = 2e-5;

/// The product at [`RECIPROCAL_SCALE`]: two rounds, three in the malicious mode.
async fn product<S: Security>(ctx: &Ctx<S>, x: &Fixed, y: &Fixed) -> Result<Fixed> {
    let exact = mul(&ctx.step("exact"), &x.share, &y.share).await?;
    rescale(&ctx.step("rescale"), &Fixed::new(exact, x.scale + y.scale), RECIPROCAL_SCALE).await
}
