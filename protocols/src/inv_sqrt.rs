//! The inverse square root of numbers of any size.
//!
//! Aly, Smart, "Benchmarking privacy preserving scientific operations", ACNS 2019, and Lu
//! et al., "Faster secure multiparty computation of the inverse square root", ePrint
//! 2020/1326: the highest set bit, kept secret, brings the argument to `[1/4, 1)`, where
//! Newton's iteration `y <- y (3 - a y^2) / 2` converges from a line.

use crate::and::and;
use crate::inject::inject;
use crate::mul::mul;
use crate::sign::bit_decompose;
use crate::trunc::rescale;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Fixed};

/// Fractional bits of the normalised argument and of the iteration.
const NORMAL_SCALE: u32 = 28;

/// Newton steps: each squares the relative error, which starts below 0.15.
const STEPS: usize = 4;

/// `1 / sqrt(v)` at `scale`, and zero where `v` is zero.
///
/// # Preconditions
/// `0 <= v < 4` at a scale of 2 to 54; the result below `2^(59 - scale)`. Meant for a few
/// values, one a column: it injects every bit.
///
/// # Cost
/// 43 rounds and 373 bytes per element and party at scale 30; 58 and 342 in the malicious
/// mode.
///
/// # Security
/// Products and ANDs of shares; the magnitude of `v` stays secret.
///
/// # Errors
/// `Misuse` when a scale is out of range.
pub async fn inv_sqrt<S: Security>(ctx: &Ctx<S>, v: &Fixed, scale: u32) -> Result<Fixed> {
    let bits = v.scale + v.scale % 2;
    if !(2..=54).contains(&v.scale) || !(1..=54).contains(&scale) {
        let from = v.scale;
        return Err(Error::Misuse(format!("inverse square root from scale {from} to {scale}")));
    }
    let v = v.upscale(bits);
    let top = bits as usize / 2;
    // Step 1: the highest pair of bits that is not zero, as a one-hot vector: where it is
    // pair p, v lies in [4^(p - top), 4^(p - top + 1)).
    let decomposed = bit_decompose(&ctx.step("bits"), &v.share, bits as usize + 2).await?;
    let pairs = pairs_or(&ctx.step("pairs"), &decomposed, top + 1).await?;
    let highest = highest_one(&ctx.step("highest"), pairs).await?;
    let highest = inject(&ctx.step("inject"), &highest, 0).await?;

    // Step 2: a = v 4^(top - p) / 4 in [1/4, 1), at NORMAL_SCALE.
    let powers = |power: &dyn Fn(usize) -> u64| -> Result<Arith<Z64>> {
        let mut sum = Arith::zeros([1, highest.cols()]);
        for pair in 0..highest.rows() {
            sum = sum.add(&highest.select_rows(&[pair])?.scale(power(pair)))?;
        }
        sum.reshape(v.shape())
    };
    let normalise = powers(&|pair| 1 << (2 * (top - pair)))?;
    let a = Fixed::new(mul(&ctx.step("normalise"), &v.share, &normalise).await?, bits + 2);
    let a = rescale(&ctx.step("argument"), &a, NORMAL_SCALE).await?;

    // Step 3: Newton, from the line through (1/4, 2) and (1, 1) lowered a little.
    let mut y = a.mul_public(-4.0 / 3.0, 20).add_public(ctx.party(), 2.28);
    y = rescale(&ctx.step("start"), &y, NORMAL_SCALE).await?;
    for _ in 0..STEPS {
        let ctx = ctx.step("newton");
        let square = product(&ctx.step("square"), &y, &y).await?;
        let ratio = product(&ctx.step("ratio"), &a, &square).await?;
        let factor = ratio.neg().add_public(ctx.party(), 3.0);
        // Half of the product: the same words with one more fractional bit.
        let twice = mul(&ctx.step("step"), &y.share, &factor.share).await?;
        let half = Fixed::new(twice, 2 * NORMAL_SCALE + 1);
        y = rescale(&ctx.step("rescale"), &half, NORMAL_SCALE).await?;
    }

    // Step 4: 1 / sqrt(v) = y 2^(top - p) / 2.
    let y = rescale(&ctx.step("result"), &y, (scale - 1).min(NORMAL_SCALE)).await?;
    let back = powers(&|pair| 1 << (top - pair))?;
    let result = Fixed::new(mul(&ctx.step("denormalise"), &y.share, &back).await?, y.scale + 1);
    Ok(result.upscale(scale))
}

async fn product<S: Security>(ctx: &Ctx<S>, x: &Fixed, y: &Fixed) -> Result<Fixed> {
    let exact = mul(&ctx.step("exact"), &x.share, &y.share).await?;
    rescale(&ctx.step("rescale"), &Fixed::new(exact, x.scale + y.scale), NORMAL_SCALE).await
}

/// `bit 2p OR bit 2p + 1` for every pair `p`.
async fn pairs_or<S: Security>(ctx: &Ctx<S>, bits: &Bin, pairs: usize) -> Result<Bin> {
    let of_pairs = |bit: usize| Bin::pick((0..pairs).map(|pair| (bits, 2 * pair + bit)));
    or(ctx, &of_pairs(0), &of_pairs(1)).await
}

async fn or<S: Security>(ctx: &Ctx<S>, x: &Bin, y: &Bin) -> Result<Bin> {
    Ok(x.xor(y).xor(&and(ctx, x, y).await?))
}

/// Keeps the highest plane that is one, in each lane.
pub(crate) async fn highest_one<S: Security>(ctx: &Ctx<S>, mut bits: Bin) -> Result<Bin> {
    let planes = bits.planes();
    // Plane p becomes the OR of the planes from p on.
    let mut reach = 1;
    while reach < planes {
        let count = planes - reach;
        let merged = or(&ctx.step("or"), &bits.slice(0..count), &bits.slice(reach..planes)).await?;
        bits = Bin::concat(&[&merged, &bits.slice(count..planes)]);
        reach *= 2;
    }
    let above = bits.slice(1..planes);
    Ok(Bin::concat(&[&bits.slice(0..planes - 1).xor(&above), &bits.slice(planes - 1..planes)]))
}
