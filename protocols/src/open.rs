//! Opening: the only way from shares to values.
//!
//! Each party lacks one component and gets it from the one of its holders that precedes
//! it on the ring, `P_{i+1}` to `P_i`.

use crate::wire::pass_words;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::security::Security;
use mpc_core::share::Arith;

/// The values of `x` at all parties, modulo the ring.
///
/// # Cost
/// One round; one ring element per element and party.
///
/// # Security
/// Reveals the values and nothing else. Training opens nothing: the model goes to its
/// receiver as shares.
pub async fn open<S: Security, R: Ring>(ctx: &Ctx<S>, x: &Arith<R>) -> Result<Vec<u64>> {
    let third = pass_words(ctx, x.second(), R::BITS).await?;
    let sum = |((a, b), c): ((&u64, &u64), &u64)| a.wrapping_add(*b).wrapping_add(*c) & R::MASK;
    Ok(x.first().iter().zip(x.second()).zip(&*third).map(sum).collect())
}
