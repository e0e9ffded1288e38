//! From shared bits to ring elements.
//!
//! A bit `b = b_0 ^ b_1 ^ b_2` is put together from its components with `a ^ b = a + b - 2ab`
//! twice (ABY3: Mohassel, Rindal, CCS 2018, section 5.4). The first product is one of two
//! components that a helper knows: it puts that in ([`crate::thirds`]).

use crate::thirds::{Thirds, input_words, mul_by_lacking};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::bits::from_planes_into;
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Bin, Words};

/// `bit * 2^shift` for every bit, as a `planes x lanes` matrix over `Z_2^64`.
///
/// # Cost
/// Two rounds; `64 - shift` bits per bit and party, since all words are multiples of
/// `2^shift`.
///
/// # Security
/// Both products are recorded for verification, the first as a claim of the helper; nothing
/// is opened.
pub async fn inject<S: Security>(ctx: &Ctx<S>, bits: &Bin, shift: u32) -> Result<Arith<Z64>> {
    inject_claiming(ctx, bits, shift, &known_products(ctx.party(), bits)).await
}

/// `b_h b_{h+1}` for the bits with which `party` helps.
pub fn known_products(party: PartyId, bits: &Bin) -> Words {
    let (first, second) = (lane_words(bits, bits.first()), lane_words(bits, bits.second()));
    Thirds::new(party, first.len()).own().map(|at| first[at] & second[at]).collect()
}

/// [`inject`], given what this party puts in as a helper: in the hands of an adversary that
/// may be anything.
pub async fn inject_claiming<S: Security>(
    ctx: &Ctx<S>,
    bits: &Bin,
    shift: u32,
    known: &[u64],
) -> Result<Arith<Z64>> {
    let shape = [bits.planes(), bits.lanes()];
    let (first, second) = (lane_words(bits, bits.first()), lane_words(bits, bits.second()));
    let words = Arith::from_components(shape, first, second);
    // Step 1: d = b_h xor b_{h+1}; what is computed is d + b_{h+2}, of which a helper knows d.
    let both = input_words(&ctx.step("first"), shape, 64 - shift, known).await?.scale(1 << shift);
    let scaled = words.scale(1 << shift);
    ctx.record(|| Product::Elementwise {
        bits: 64,
        supports: [Support::FIRST, Support::SECOND],
        operands: [(&scaled).into(), (&words).into(), (&both).into()],
    });
    let sum = scaled.sub_multiple(&both, 2)?;
    // Step 2: b = d xor b_{h+2}.
    let both = mul_by_lacking(&ctx.step("second"), &sum, &words, shift).await?;
    sum.sub_multiple(&both, 2)
}

/// A component's bits as 0/1 words, plane by plane.
fn lane_words(bits: &Bin, component: &[u64]) -> Words {
    Words::overwritten(bits.planes() * bits.lanes(), |words| {
        let planes = component.chunks_exact(bits.stride().max(1));
        for (plane, words) in planes.zip(words.chunks_exact_mut(bits.lanes().max(1))) {
            from_planes_into(plane, 1, words);
        }
    })
}
