//! Re-sharing: from the local part of a product to a replicated sharing.
//!
//! Araki, Furukawa, Lindell, Nof, Ohara, "High-throughput semi-honest secure
//! three-party computation with an honest majority", CCS 2016, protocol 3.2. This is
//! the only place where the words of an [`Additive`] leave a party, and they leave it
//! masked by a fresh sharing of zero.
//!
//! Indices: here `P_i` holds `(x_i, x_{i+1})` and sends to `P_{i-1}`.

use crate::wire::{pass_planes, pass_words};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::ring::bits::tail_mask;
use mpc_core::security::Security;
use mpc_core::share::{Additive, AdditiveBits, Arith, Bin, Words};

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
    let shape = z.shape();
    let mut words = z.into_words();
    ctx.deviate(&mut words, granularity..R::BITS);
    // Step 1: mask with a sharing of zero, F(k_{i+1}) - F(k_i).
    let mut draw = ctx.draw();
    if granularity == 0 {
        draw.with_next.add_words(&mut words);
        draw.with_prev.sub_words(&mut words);
    } else {
        let mut mask = Words::zeroed(words.len());
        draw.with_next.add_words(&mut mask);
        draw.with_prev.sub_words(&mut mask);
        words.iter_mut().zip(&*mask).for_each(|(z, m)| *z = z.wrapping_add(m << granularity));
    }
    // Step 2: send z_i to P_{i-1}.
    let second = if granularity == 0 {
        pass_words(ctx, &words, R::BITS).await?
    } else {
        let upper = Words::map(&words, |z| z >> granularity);
        let mut second = pass_words(ctx, &upper, R::BITS - granularity).await?;
        second.iter_mut().for_each(|z| *z <<= granularity);
        second
    };
    Ok(Arith::from_components(shape, words, second))
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
    let second = pass_planes(ctx, &words, lanes).await?;
    Ok(Bin::from_components(lanes, planes, words, second))
}
