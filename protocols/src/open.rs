//! Opening: the only way from shares to values.
//!
//! Each party lacks one component and gets it from the one of its holders that precedes
//! it on the ring, `P_{i+1}` to `P_i`. In the malicious mode all products are verified
//! first, and the other holder sends a digest for comparison.

use crate::verify::verify;
use crate::verify::views::{abort, mismatch_of_peers, third_component};
use crate::wire::{pack_words, pass, unpack_words};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::security::Security;
use mpc_core::share::Arith;

/// The values of `x` at all parties, modulo the ring.
///
/// # Preconditions
/// In the malicious mode, no other opening or verification is under way.
///
/// # Cost
/// One round; one ring element per element and party. In the malicious mode 32 bytes more,
/// and what [`verify`] costs.
///
/// # Security
/// Reveals the values and nothing else. Of a training, figures and counts are opened that the job
/// lists, and no model: that goes to its receiver as shares. In the malicious mode a corrupt
/// party can see the values and keep an honest one from them, but cannot make it accept others.
///
/// # Errors
/// `Abort` when the verification fails or the holders of a component disagree.
pub async fn open<S: Security, R: Ring>(ctx: &Ctx<S>, x: &Arith<R>) -> Result<Vec<u64>> {
    let third = if S::VERIFIED {
        verify(ctx).await?;
        let third = third_component(ctx, x.first(), x.second(), R::BITS).await?;
        third.ok_or_else(|| abort(ctx, mismatch_of_peers(ctx.party())))?
    } else {
        let bytes = pass(ctx, pack_words(x.second(), R::BITS)).await;
        unpack_words(ctx, ctx.party().next(), bytes, x.len(), R::BITS)?
    };
    let sum = |((a, b), c): ((&u64, &u64), &u64)| a.wrapping_add(*b).wrapping_add(*c) & R::MASK;
    Ok(x.first().iter().zip(x.second()).zip(&*third).map(sum).collect())
}
