//! The exponential of non-positive numbers.
//!
//! The idea of Keller, Sun, "Secure quantized training for deep learning", ICML 2022,
//! section 4 (there to base 2): the integer part is taken bit by bit and turned into a
//! product of constants, the fraction goes through a polynomial. We stay with base e, so
//! that no product is spent on changing the base.
//!
//! For `u >= 0`: `u = 8 b_3 + 4 b_2 + 2 b_1 + b_0 + r` with `0 <= r < 1`, and zero where
//! `u >= 16`. Two bits make one factor, `1 + b_0 (e^-1 - 1) + b_1 (e^-2 - 1) + b_0 b_1
//! (1 - e^-1)(1 - e^-2)`: linear in bits and one product of bits.

use crate::inject::inject;
use crate::mul::mul;
use crate::sign::{bit_decompose, sign};
use crate::trunc::rescale;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Fixed, fixed_word};

/// Fractional bits of an exponential.
pub const EXP_SCALE: u32 = 20;

/// Bits of the integer part: from `2^INTEGER_BITS` on, `e^-u` counts as zero.
const INTEGER_BITS: u32 = 4;

/// `e^-r` on `[0, 1]`, error below 1.8e-5: the two highest coefficients are multiples of
/// `2^-COEFFICIENT_SCALE`, the others interpolate the rest at the Chebyshev nodes.
const POLYNOMIAL: [f64; 5] = [
    0.999_983_185_815_605_7,
    -0.999_523_214_478_957_3,
    0.495_854_000_327_275,
    -1262.0 / 8192.0,
    210.0 / 8192.0,
];

/// Fractional bits of the coefficients that meet a secret factor.
const COEFFICIENT_SCALE: u32 = 13;

/// Fractional bits of the factors made from the integer bits.
const FACTOR_SCALE: u32 = 15;

/// `e^-u`, with [`EXP_SCALE`] fractional bits.
///
/// # Preconditions
/// `u >= 0`, at a scale of 8 to 16, below `2^31` as an integer.
///
/// # Cost
/// 15 rounds and 141 bytes per element and party at scale 16; 17 and 135 in the malicious
/// mode.
///
/// # Security
/// Products and ANDs of shares; nothing is opened.
///
/// # Errors
/// `Misuse` for a scale out of range.
pub async fn exp_neg<S: Security>(ctx: &Ctx<S>, u: &Fixed) -> Result<Fixed> {
    let (f, shape) = (u.scale, u.shape());
    if !(8..=16).contains(&f) {
        return Err(Error::Misuse(format!("exp takes scales from 8 to 16, not {f}")));
    }
    // Step 1: the integer bits, and whether u < 16.
    let (decompose, compare) = (ctx.step("integer"), ctx.step("in-range"));
    let limit = 1u64 << (f + INTEGER_BITS);
    let excess = u.share.add_public(ctx.party(), limit.wrapping_neg());
    let (bits, in_range) = try_join!(
        bit_decompose(&decompose, &u.share, (f + INTEGER_BITS) as usize),
        sign(&compare, &excess, 32),
    )?;
    let bits = Bin::concat(&[&bits.slice(f as usize..bits.planes()), &in_range]);
    let bits = inject(&ctx.step("inject"), &bits, 0).await?;
    let bit = |at: usize| bits.select_rows(&[at])?.reshape(shape);
    let integer = [bit(0)?, bit(1)?, bit(2)?, bit(3)?];
    let in_range = bit(4)?;

    // Step 2: the factor of the integer part, and beside it that of the fraction.
    let mut fraction = u.share.clone();
    for (at, bit) in integer.iter().enumerate() {
        fraction = fraction.sub(&bit.scale(1 << (f + at as u32)))?;
    }
    let fraction = Fixed::new(fraction, f);
    let (of_integer, of_fraction) = (ctx.step("factors"), ctx.step("fraction"));
    let (factor, fraction) = try_join!(
        integer_factor(&of_integer, &integer, &in_range),
        fraction_factor(&of_fraction, &fraction),
    )?;

    // Step 3: their product.
    let product = mul(&ctx.step("product"), &factor.share, &fraction.share).await?;
    let product = Fixed::new(product, factor.scale + fraction.scale);
    rescale(&ctx.step("rescale"), &product, EXP_SCALE).await
}

/// `e^-(8 b_3 + 4 b_2 + 2 b_1 + b_0)` where `in_range` is 1, else 0.
async fn integer_factor<S: Security>(
    ctx: &Ctx<S>,
    bits: &[Arith<Z64>; 4],
    in_range: &Arith<Z64>,
) -> Result<Fixed> {
    let (low, high) = (ctx.step("low"), ctx.step("high"));
    let (low, high) = try_join!(
        pair_factor(&low, &bits[0], &bits[1], 1.0),
        pair_factor(&high, &bits[2], &bits[3], 4.0),
    )?;
    let both = mul(&ctx.step("both"), &low, &high).await?;
    let rescaled =
        rescale(&ctx.step("rescale"), &Fixed::new(both, 2 * FACTOR_SCALE), FACTOR_SCALE).await?;
    let clipped = mul(&ctx.step("clip"), &rescaled.share, in_range).await?;
    Ok(Fixed::new(clipped, FACTOR_SCALE))
}

/// `e^-(unit (b + 2 c))` at [`FACTOR_SCALE`].
async fn pair_factor<S: Security>(
    ctx: &Ctx<S>,
    b: &Arith<Z64>,
    c: &Arith<Z64>,
    unit: f64,
) -> Result<Arith<Z64>> {
    let both = mul(ctx, b, c).await?;
    let (drop_b, drop_c) = ((-unit).exp() - 1.0, (-2.0 * unit).exp() - 1.0);
    let constant = |value: f64| fixed_word(value, FACTOR_SCALE);
    let linear = b.scale(constant(drop_b)).add(&c.scale(constant(drop_c)))?;
    let sum = linear.add(&both.scale(constant(drop_b * drop_c)))?;
    Ok(sum.add_public(ctx.party(), constant(1.0)))
}

/// `e^-r` for `0 <= r < 1`, by the polynomial `c_0 + c_1 r + q (c_2 + c_3 r + c_4 q)` with
/// `q = r^2`; unrounded.
async fn fraction_factor<S: Security>(ctx: &Ctx<S>, r: &Fixed) -> Result<Fixed> {
    let f = r.scale;
    let [c0, c1, c2, c3, c4] = POLYNOMIAL;
    let square = mul(&ctx.step("square"), &r.share, &r.share).await?;
    let q = rescale(&ctx.step("rescale"), &Fixed::new(square, 2 * f), f).await?;
    let inner = r
        .mul_public(c3, COEFFICIENT_SCALE)
        .plus(&q.mul_public(c4, COEFFICIENT_SCALE))?
        .add_public(ctx.party(), c2);
    let upper = mul(&ctx.step("polynomial"), &q.share, &inner.share).await?;
    let scale = q.scale + inner.scale;
    let linear = r.mul_public(c1, scale - f).add_public(ctx.party(), c0);
    Fixed::new(upper, scale).plus(&linear)
}
