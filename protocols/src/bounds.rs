//! Whether shared integers are what they are claimed to be: bits that are set where one
//! is not, and their conjunction over many elements.

use crate::and::{and, and_all};
use crate::inject::inject;
use crate::mul::mul;
use crate::sign::sign;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};

/// Planes with a bit set where `x` does not lie in `low..=high`, one lane an element.
///
/// Of `x - low` and `high - x` modulo `2^64` one is negative for every other `x`, whatever
/// word was shared.
///
/// # Preconditions
/// `0 <= high - low < 2^63`.
///
/// # Cost
/// That of two signs of 64 bits an element.
///
/// # Security
/// As [`sign`]; nothing is opened.
///
/// # Errors
/// `Misuse` for bounds that are too far apart.
pub async fn outside<S: Security>(
    ctx: &Ctx<S>,
    x: &Arith<Z64>,
    low: i64,
    high: i64,
) -> Result<Bin> {
    if high.checked_sub(low).is_none_or(i64::is_negative) {
        return Err(Error::Misuse(format!("there are no bounds from {low} to {high}")));
    }
    let x = x.reshape([1, x.len()])?;
    let above = x.add_public(ctx.party(), (low as u64).wrapping_neg());
    let below = x.neg().add_public(ctx.party(), high as u64);
    let signs = sign(ctx, &Arith::concat_rows(&[&above, &below])?, 64).await?;
    Ok(signs.split_plane(2, x.len()))
}

/// Planes with a bit set where `x` is neither 0 nor `2^scale`, one lane an element.
///
/// Between the two, `x (x - 2^scale)` is negative.
///
/// # Preconditions
/// `scale <= 31`.
///
/// # Cost
/// That of [`outside`], beside a product and a sign of `2 scale + 2` bits.
///
/// # Security
/// As [`outside`].
///
/// # Errors
/// `Misuse` for a scale that is too large.
pub async fn not_a_bit<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>, scale: u32) -> Result<Bin> {
    if scale > 31 {
        return Err(Error::Misuse(format!("bits are checked at scales up to 31, not {scale}")));
    }
    let (range, between) = (ctx.step("range"), ctx.step("between"));
    let (outside, between) = try_join!(outside(&range, x, 0, 1 << scale), async {
        let less = x.add_public(ctx.party(), (1u64 << scale).wrapping_neg());
        let product = mul(&between.step("product"), x, &less).await?;
        sign(&between.step("sign"), &product, 2 * scale as usize + 2).await
    })?;
    Ok(Bin::concat(&[&outside, &between]))
}

/// Ones where `x` is not below its bound in magnitude, and zeros elsewhere, `1 x elements`; there
/// is a bound for each element.
///
/// Of `x + (bound - 1)` and `(bound - 1) - x` modulo `2^64` one is negative for every such `x`, and
/// both where `x` is close to `2^63`; so the bits are put together by an OR.
///
/// # Preconditions
/// Bounds are from 1 to `2^62`.
///
/// # Cost
/// That of two signs of 64 bits an element, an AND and an injected bit.
///
/// # Security
/// As [`sign`] and [`inject`]; nothing is opened.
///
/// # Errors
/// `Misuse` for other bounds, or more or fewer of them than there are elements.
pub async fn beyond<S: Security>(
    ctx: &Ctx<S>,
    x: &Arith<Z64>,
    bounds: &[u64],
) -> Result<Arith<Z64>> {
    if bounds.len() != x.len() || bounds.iter().any(|bound| !(1..=1 << 62).contains(bound)) {
        return Err(Error::Misuse("elements need a bound each, from 1 to 2^62".into()));
    }
    let x = x.reshape([1, x.len()])?;
    let highest: Vec<u64> = bounds.iter().map(|bound| bound - 1).collect();
    let above = x.add_public_matrix(ctx.party(), &highest)?;
    let below = x.neg().add_public_matrix(ctx.party(), &highest)?;
    let signs = sign(&ctx.step("signs"), &Arith::concat_rows(&[&above, &below])?, 64).await?;
    let signs = signs.split_plane(2, x.len());
    let (low, high) = (signs.slice(0..1), signs.slice(1..2));
    let both = and(&ctx.step("both"), &low, &high).await?;
    inject(&ctx.step("inject"), &low.xor(&high).xor(&both), 0).await
}

/// Where all bits are zero, a plane of 64 ones; otherwise some of them are zero.
///
/// # Cost
/// `ceil(log2(planes * words))` rounds, a bit for each of `planes * lanes` bits and party.
///
/// # Security
/// As [`and_all`]; nothing is opened.
pub async fn none_set<S: Security>(ctx: &Ctx<S>, bits: &Bin) -> Result<Bin> {
    let words = bits.planes() * bits.stride();
    let plane_by_plane = |words: &[u64]| Words::from(words.to_vec());
    let (first, second) = (plane_by_plane(bits.first()), plane_by_plane(bits.second()));
    // A plane of 64 lanes is a word, so all words of all planes are read as planes. Lanes
    // that are padding are zero.
    let set = Bin::from_components(64, words, first, second);
    and_all(ctx, set.not(ctx.party())).await
}
