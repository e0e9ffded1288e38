//! The logarithm of a sum of exponentials, which a cross-entropy is made of.
//!
//! With `m` the maximum of a row, `log sum_k e^z_k = m + log s` for `s = sum_k e^(z_k - m)`
//! between 1 and the number of columns. The highest bit of `s`, kept secret, brings it to `[1,
//! 2)`, as in [`crate::inv_sqrt`], where a polynomial is close to the logarithm.

use crate::exp::{EXP_SCALE, exp_neg};
use crate::inject::inject;
use crate::inv_sqrt::highest_one;
use crate::max::max_of_rows;
use crate::mul::mul;
use crate::sign::bit_decompose;
use crate::trunc::rescale;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed, fixed_word};
use std::f64::consts::LN_2;

/// Fractional bits at which logits are compared and exponentiated.
const LOGIT_SCALE: u32 = 16;
/// Fractional bits of the result.
pub const LOG_SCALE: u32 = EXP_SCALE;
/// The most columns that can be summed.
const MAX_COLUMNS: usize = 4096;

/// `log(3/2 + t)` for `|t| <= 1/2`, by interpolation at the Chebyshev nodes: error below 1.7e-6.
const POLYNOMIAL: [f64; 7] = [
    0.405_465_108_108_164_4,
    0.666_683_390_401_441_5,
    -0.222_232_021_597_143_7,
    0.098_236_101_033_587_32,
    -0.049_072_643_888_402_906,
    0.030_434_345_850_169_093,
    -0.017_029_610_589_202_854,
];

/// `log sum_k e^z_k` of each row, `rows x 1` with [`LOG_SCALE`] fractional bits; the error is
/// below 1e-4 for ten columns, and grows with their number by 2e-5 each at most.
///
/// # Preconditions
/// `|z| < 2^14`; up to 4096 columns.
///
/// # Cost
/// For ten columns 56 rounds and 218 bytes per element and party: those of [`rescale`],
/// [`max_of_rows`] and [`exp_neg`], and 26 rounds for the logarithm of the sum, which is one
/// element a row.
///
/// # Security
/// Products and ANDs of shares; nothing is opened.
///
/// # Errors
/// `Misuse` when there are no columns or too many.
pub async fn log_sum_exp<S: Security>(ctx: &Ctx<S>, z: &Fixed) -> Result<Fixed> {
    let [_, columns] = z.shape();
    if !(1..=MAX_COLUMNS).contains(&columns) {
        return Err(Error::Misuse(format!("the sum of {columns} exponentials")));
    }
    let z = rescale(&ctx.step("rescale"), z, LOGIT_SCALE).await?;
    let max = max_of_rows(&ctx.step("max"), &z.share).await?;
    let below = Fixed::new(max.repeat_cols(columns).sub(&z.share)?, LOGIT_SCALE);
    let exp = exp_neg(&ctx.step("exp"), &below).await?;
    let log = log(&ctx.step("log"), &exp.share.sum_cols(), columns).await?;
    Fixed::new(max, LOGIT_SCALE).upscale(LOG_SCALE).plus(&log)
}

/// `log s` for `1 <= s <= max` up to rounding, all at [`LOG_SCALE`].
async fn log<S: Security>(ctx: &Ctx<S>, s: &Arith<Z64>, max: usize) -> Result<Fixed> {
    // Step 1: the highest bit, from that of 1/2 on, for rounding may have left a bit less
    // than 1, to that of the maximum and what rounding may have added.
    let lowest = LOG_SCALE as usize - 1;
    let width = LOG_SCALE as usize + (max + 1).next_power_of_two().ilog2() as usize + 1;
    let bits = bit_decompose(&ctx.step("bits"), s, width).await?;
    let highest = highest_one(&ctx.step("highest"), bits.slice(lowest..width)).await?;
    let highest = inject(&ctx.step("inject"), &highest, 0).await?;
    let places = highest.rows();
    let weighted = |weight: &dyn Fn(usize) -> u64| -> Result<Arith<Z64>> {
        let mut sum = Arith::zeros([1, highest.cols()]);
        for place in 0..places {
            sum = sum.add(&highest.select_rows(&[place])?.scale(weight(place)))?;
        }
        sum.reshape(s.shape())
    };
    // Step 2: t = a - 3/2 for the argument a in [1, 2).
    let normalise = weighted(&|place| 1 << (places - 1 - place))?;
    let a = mul(&ctx.step("normalise"), s, &normalise).await?;
    let a = Fixed::new(a, LOG_SCALE - 1 + places as u32 - 1);
    let a = rescale(&ctx.step("argument"), &a, LOG_SCALE).await?;
    let t = a.add_public(ctx.party(), -1.5);
    // Step 3: Horner, and the logarithm of the power of two.
    let constant = |value: f64| fixed_word(value, LOG_SCALE);
    let [lower @ .., top] = POLYNOMIAL;
    let mut sum = Arith::zeros(t.shape()).add_public(ctx.party(), constant(top));
    for coefficient in lower.iter().rev() {
        let ctx = ctx.step("horner");
        let product = mul(&ctx.step("product"), &sum, &t.share).await?;
        let product = Fixed::new(product, 2 * LOG_SCALE);
        let rounded = rescale(&ctx.step("rescale"), &product, LOG_SCALE).await?;
        sum = rounded.share.add_public(ctx.party(), constant(*coefficient));
    }
    let power = weighted(&|place| constant((place as f64 - 1.0) * LN_2))?;
    Ok(Fixed::new(sum.add(&power)?, LOG_SCALE))
}
