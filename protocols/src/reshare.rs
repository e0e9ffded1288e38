//! Re-sharing: from the local part of a product to a replicated sharing.
//!
//! Araki, Furukawa, Lindell, Nof, Ohara, "High-throughput semi-honest secure
//! three-party computation with an honest majority", CCS 2016, protocol 3.2. This is
//! the only place where the words of an [`Additive`] leave a party, and they leave it
//! masked by a fresh sharing of zero.
//!
//! Indices: here `P_i` holds `(x_i, x_{i+1})` and sends to `P_{i-1}`.

use crate::wire::{pack_shared, pack_shared_planes, pack_words, pass_planes, pass_words};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::ring::bits::tail_mask;
use mpc_core::security::Security;
use mpc_core::share::{Additive, AdditiveBits, Arith, Bin, Words};
use std::sync::Arc;

/// Words that are masked at a time, by both streams: they stay in the first-level cache. An even
/// number, since a draw begins with a block of the cipher.
const AT_A_TIME: usize = 1 << 10;

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
    // Step 2: send z_i to P_{i-1}.
    let (mut draw, len, width) = (ctx.draw(), words.len(), R::BITS - granularity);
    let (first, packed) = if granularity == 0 {
        for words in words.chunks_mut(AT_A_TIME) {
            draw.with_next.add_words(words);
            draw.with_prev.sub_words(words);
        }
        let words = Arc::new(words);
        let packed = pack_shared(&words, width);
        (words, packed)
    } else {
        let upper = Words::overwritten(len, |upper| {
            let parts = words.chunks_mut(AT_A_TIME).zip(upper.chunks_mut(AT_A_TIME));
            for (words, upper) in parts {
                draw.with_next.fill_words(upper);
                draw.with_prev.sub_words(upper);
                for (z, upper) in words.iter_mut().zip(upper) {
                    *z = z.wrapping_add(*upper << granularity);
                    *upper = *z >> granularity;
                }
            }
        });
        (Arc::new(words), pack_words(&upper, width))
    };
    let mut second = pass_words(ctx, packed, len, width).await?;
    if granularity > 0 {
        second.iter_mut().for_each(|z| *z <<= granularity);
    }
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
