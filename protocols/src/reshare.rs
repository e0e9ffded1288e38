//! Re-sharing: from the local part of a product to a replicated sharing.
//!
//! Araki, Furukawa, Lindell, Nof, Ohara, "High-throughput semi-honest secure
//! three-party computation with an honest majority", CCS 2016, protocol 3.2. This is
//! the only place where the words of an [`Additive`] leave a party, and they leave it
//! masked by a fresh sharing of zero.
//!
//! Indices: here `P_i` holds `(x_i, x_{i+1})` and sends to `P_{i-1}`.

use crate::wire::{
    AT_A_TIME, malformed, pack_mapped, pack_shared_planes, pass, pass_planes, unpack_changed,
};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::ring::bits::tail_mask;
use mpc_core::ring::{Ring, elementwise};
use mpc_core::security::Security;
use mpc_core::share::{Additive, AdditiveBits, Arith, Bin, Words};
use std::ops::Range;
use std::sync::Arc;

/// Turns `z = z_0 + z_1 + z_2` into a replicated sharing.
///
/// # Preconditions
/// All local parts are multiples of `2^granularity`; then the masks are as well, and
/// only the upper bits travel.
///
/// # Cost
/// One round; `k - granularity` bits an element and party in a ring of `k` bits.
///
/// # Security
/// Perfect, given the PRF: what `P_{i-1}` receives is uniform to it. A corrupt sender
/// can add an error of its choice to a consistent sharing, and nothing else.
pub async fn reshare<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    z: Additive<R>,
    granularity: u32,
) -> Result<Arith<R>> {
    reshare_computing(ctx, z, granularity, |_, _| {}).await
}

/// [`reshare`] of local parts that are computed as they are masked, some at a time: `compute`
/// overwrites those that lie in a range. What it is given holds what `z` does.
///
/// # Preconditions
/// Those of [`reshare`] for what is computed.
pub(crate) async fn reshare_computing<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    z: Additive<R>,
    granularity: u32,
    compute: impl Fn(Range<usize>, &mut [u64]),
) -> Result<Arith<R>> {
    let shape = z.shape();
    let mut words = z.into_words();
    // Step 1: mask with a sharing of zero, F(k_{i+1}) - F(k_i).
    let (mut draw, len, width) = (ctx.draw(), words.len(), R::BITS - granularity);
    let mut mask = Words::unset(if granularity > 0 { len.min(AT_A_TIME) } else { 0 });
    for (part, words) in words.chunks_mut(AT_A_TIME).enumerate() {
        let start = part * AT_A_TIME;
        compute(start..start + words.len(), words);
        if granularity == 0 {
            draw.with_next.add_words(words);
            draw.with_prev.sub_words(words);
            continue;
        }
        let mask = &mut mask[..words.len()];
        draw.with_next.fill_words(mask);
        draw.with_prev.sub_words(mask);
        elementwise::update_with(words, mask, |z, mask| z.wrapping_add(mask << granularity));
    }
    // An error is the same one before the mask and after it.
    ctx.deviate(&mut words, granularity..R::BITS);
    // Step 2: send z_i to P_{i-1}.
    let first = Arc::new(words);
    let packed = match width {
        u64::BITS => Payload::of_words(first.clone()),
        _ => pack_mapped(&first, width, |z| z >> granularity),
    };
    let (received, next) = (pass(ctx, packed).await, ctx.party().next());
    let second = match width {
        u64::BITS => received.into_words(len).ok_or_else(|| malformed(ctx, next))?,
        _ => unpack_changed(ctx, next, &received, (len, width), |_, z| {
            elementwise::update(z, |z| z << granularity);
        })?,
    };
    Ok(Arith::from_components(shape, first, second))
}

/// Turns `z = z_0 ^ z_1 ^ z_2` into a replicated sharing of bits.
///
/// # Cost
/// One round; one bit a lane, plane and party.
///
/// # Security
/// As [`reshare`].
pub async fn reshare_bits<S: Security>(ctx: &Ctx<S>, z: AdditiveBits) -> Result<Bin> {
    let (lanes, planes) = (z.lanes(), z.planes());
    let mut words = z.into_words();
    let tail = tail_mask(lanes);
    ctx.deviate(&mut words, 0..tail.count_ones());
    // Step 1: mask, keeping the bits past the last lane zero.
    let mut draw = ctx.draw();
    draw.with_next.xor_words(&mut words);
    draw.with_prev.xor_words(&mut words);
    words
        .chunks_exact_mut(lanes.div_ceil(64).max(1))
        .for_each(|plane| plane[plane.len() - 1] &= tail);
    // Step 2: send z_i to P_{i-1}.
    let words = Arc::new(words);
    let second = pass_planes(ctx, pack_shared_planes(&words, lanes), planes, lanes).await?;
    Ok(Bin::from_components(lanes, planes, words, second))
}
