//! Verification of every product, for security with abort against one malicious party.
//!
//! A corrupt party can add an error of its choice to a product when it re-shares it
//! (the sharing stays consistent), lie in an opening, withhold, or send what is malformed.
//! The last two end in typed errors below this level, lies in openings are found by
//! comparing views; so what remains is to verify that all recorded products are right,
//! before anything that depends on them is opened. `docs/VERIFICATION.md` has the
//! protocol as a whole, its proof and its error bound.
//!
//! 1. `views::agree`: a barrier; all products are delivered.
//! 2. [`batch`]: with challenges from [`mod@coin`], the products of each ring become one claim
//!    on an inner product: single products and inner products by `table`, as `layout` lays
//!    them out, matrix products by [`matrices`]. From here on parties hold shares on a `line`.
//! 3. [`compress`]: the inner product becomes a single product.
//! 4. [`mod@sacrifice`]: that one is checked against a random triple, and opened.
//! 5. `views::confirm`: nobody goes on unless all parties are content.

pub mod algebra;
pub mod batch;
pub mod coin;
pub mod compress;
mod grid;
mod layout;
mod line;
pub mod matrices;
pub mod sacrifice;
pub mod shared;
mod table;
pub(crate) mod views;

use algebra::{Algebra, Bits, Words64};
use coin::Coins;
use compress::Claim;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, try_join_all};
use mpc_core::ctx::Ctx;
use mpc_core::error::{FailedCheck, Result};
use mpc_core::ring::gemm::Reading;
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::Words;
use sacrifice::{Opening, Verdict, sacrifice};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Degree of the Galois ring: a wrong product escapes with a probability below `2^-41`.
pub const DEGREE: usize = 48;

/// Verifies all products since the last time; nothing in the semi-honest mode.
///
/// # Preconditions
/// No other verification of the session is under way.
///
/// # Cost
/// `9 + 2 k` rounds for `k` folds: 11 for one product, about `log2 n` for many of `n` words. Traffic
/// grows with `log n` beyond a share of at most an eighth of that of the products.
///
/// # Security
/// If any recorded product is wrong, the honest parties abort, but for a probability of
/// less than `2^-41` for the whole session; see `docs/VERIFICATION.md`.
///
/// # Errors
/// `Abort` when a product is wrong or the parties' views differ, and what the network
/// brings.
pub async fn verify<S: Security>(ctx: &Ctx<S>) -> Result<()> {
    verify_in_degree::<DEGREE, S>(ctx).await
}

/// Words of a component that wait for verification when [`relieve`] verifies them: what they
/// take is then worth more than the rounds.
const MUCH: usize = 3 << 20;

/// Verifies what waits, if that is much: for memory's sake alone, in the course of a long
/// computation. What is opened later verifies the rest.
///
/// # Cost
/// None, or that of [`verify`]; which one is public.
///
/// # Errors
/// As for [`verify`].
pub async fn relieve<S: Security>(ctx: &Ctx<S>) -> Result<()> {
    if ctx.waiting_for_verification() < MUCH || !ctx.may_verify() {
        return Ok(());
    }
    verify(&ctx.step("relieve")).await
}

/// [`verify`] with a Galois ring of another degree: in degree 4 the error probability is
/// large enough to be measured.
///
/// # Errors
/// As for [`verify`].
pub async fn verify_in_degree<const D: usize, S: Security>(ctx: &Ctx<S>) -> Result<()> {
    let products = ctx.begin_verification()?;
    if !products.is_empty() {
        check::<D, S>(&ctx.step("verify"), &products).await?;
    }
    ctx.end_verification();
    Ok(())
}

/// What is left of the products of one ring, and the transcript of its challenges.
type Reduced = (Opening, [u8; 32]);

async fn check<const D: usize, S: Security>(ctx: &Ctx<S>, products: &[Product]) -> Result<()> {
    // Step 1: a barrier, before anybody learns a challenge.
    views::agree(&ctx.step("begin"), &digest(products)).await?;

    // Step 2: one product for each ring.
    let mut batches: Vec<LocalBoxFuture<'_, Result<Reduced>>> = Vec::new();
    if products.iter().any(|product| matches!(product, Product::And { .. })) {
        let ctx = ctx.step("bits");
        batches.push(
            async move {
                let mut coins = Coins::new(ctx.step("coins"));
                let claim = batch::bits(&ctx, &mut coins, products).await?;
                finish::<Bits, S>(&ctx, coins, claim, u64::BITS).await
            }
            .boxed_local(),
        );
    }
    for width in widths(products) {
        let ctx = ctx.step("words");
        batches.push(
            async move {
                let mut coins = Coins::new(ctx.step("coins"));
                let claim = batch::words::<D, S>(&ctx, &mut coins, products, width).await?;
                finish::<Words64<D>, S>(&ctx, coins, claim, width).await
            }
            .boxed_local(),
        );
    }
    let (openings, transcripts): (Vec<_>, Vec<_>) =
        try_join_all(batches).await?.into_iter().unzip();

    // Step 3: all parties worked with the same challenges.
    let transcript = Sha256::digest(transcripts.concat()).into();
    views::agree(&ctx.step("challenges"), &transcript).await?;

    // Step 4: the products that are left.
    let shares: Vec<Words> = openings.iter().map(Opening::masked).collect();
    let shares: Words = shares.iter().map(|shares| &shares[..]).collect();
    let shares = views::of_all(&ctx.step("open"), shares).await?;
    let verdict = match all_hold(&openings, &shares) {
        Verdict::Holds => None,
        Verdict::WrongShare => Some(views::mismatch_of_peers(ctx.party())),
        Verdict::WrongProduct => Some(FailedCheck::Product),
    };

    // Step 5: all parties are content.
    views::confirm(&ctx.step("end"), verdict).await
}

async fn finish<A: Algebra, S: Security>(
    ctx: &Ctx<S>,
    mut coins: Coins<S>,
    claim: Claim,
    width: u32,
) -> Result<Reduced> {
    let opening = sacrifice::<A, S>(&ctx.step("sacrifice"), &mut coins, claim, width).await?;
    Ok((opening, coins.transcript()))
}

/// Whether all claims hold, given the shares of their openings that the parties hold.
fn all_hold(openings: &[Opening], shares: &[Words; 3]) -> Verdict {
    let mut at = 0;
    for opening in openings {
        let range = at..at + opening.shares.len();
        at = range.end;
        let of_all = shares.each_ref().map(|shares| &shares[range.clone()]);
        match (opening.verdict)(of_all, opening.width) {
            Verdict::Holds => {}
            fails => return fails,
        }
    }
    Verdict::Holds
}

/// The widths of the rings of words, in the order in which they first occur.
fn widths(products: &[Product]) -> Vec<u32> {
    let mut widths = Vec::new();
    for product in products {
        let (Product::Elementwise { bits, .. }
        | Product::Matrix { bits, .. }
        | Product::ColumnDot { bits, .. }) = product
        else {
            continue;
        };
        if !widths.contains(bits) {
            widths.push(*bits);
        }
    }
    widths
}

/// A digest of what is to be verified: kinds, shapes, which components count, and which factors
/// are the same, in order.
fn digest(products: &[Product]) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(b"tercet products v5");
    let mut factors = HashMap::new();
    for product in products {
        let (kind, bits, readings, operands) = match product {
            Product::Elementwise { bits, operands, .. } => (0, *bits, None, operands),
            Product::Matrix { bits, readings, operands, .. } => {
                (1, *bits, Some(readings), operands)
            }
            Product::ColumnDot { bits, operands } => (2, *bits, None, operands),
            Product::And { operands, .. } => (3, 1, None, operands),
        };
        digest.update([kind, bits as u8]);
        for reading in readings.into_iter().flatten() {
            digest.update(match reading {
                Reading::Plain => [0; 8],
                Reading::Transposed => [0xff; 8],
                Reading::Unfolded { width, .. } => (*width as u64).to_le_bytes(),
            });
        }
        if let Product::Elementwise { supports, .. } | Product::And { supports, .. } = product {
            digest.update(supports.map(Support::code));
            for factor in &operands[..2] {
                // What layouts go by, as a number that does not depend on the party.
                let buffers = [&factor.first, &factor.second].map(Arc::as_ptr);
                let next = factors.len() as u64;
                digest.update(factors.entry(buffers).or_insert(next).to_le_bytes());
            }
        }
        for length in operands.iter().flat_map(|operand| operand.shape) {
            digest.update((length as u64).to_le_bytes());
        }
    }
    digest.finalize().into()
}
