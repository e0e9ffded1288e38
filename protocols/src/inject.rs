//! From shared bits to ring elements.
//!
//! A bit `b = b_0 ^ b_1 ^ b_2` is put together from free sharings of its components
//! with `a xor b = a + b - 2ab` twice (ABY3: Mohassel, Rindal, CCS 2018, section 5.4). No
//! party provides anything alone. In the semi-honest mode a helper, who knows two of the
//! bits, saves half of the traffic ([`crate::helper`]).

use crate::helper::inject_words;
use crate::mul::mul_multiples;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::bits::from_planes;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};

/// `bit * 2^shift` for every bit, as a `planes x lanes` matrix over `Z_2^64`.
///
/// # Cost
/// Two rounds; `2 (64 - shift)` bits per bit and party, since all words are multiples of
/// `2^shift`; half of that in the semi-honest mode.
///
/// # Security
/// Products of free sharings, recorded for verification; nothing is opened.
pub async fn inject<S: Security>(ctx: &Ctx<S>, bits: &Bin, shift: u32) -> Result<Arith<Z64>> {
    if !S::VERIFIED {
        let (first, second) = (lane_words(bits, bits.first()), lane_words(bits, bits.second()));
        let shape = [bits.planes(), bits.lanes()];
        return inject_words(ctx, shape, &first, &second, shift).await;
    }
    let [b0, b1, b2] = components(ctx.party(), bits);
    let scaled = b0.scale(1 << shift);
    // Step 1: d = b_0 xor b_1.
    let both = mul_multiples(&ctx.step("first"), &scaled, &b1, shift).await?;
    let d = scaled.add(&b1.scale(1 << shift))?.sub(&both.scale(2))?;
    // Step 2: b = d xor b_2.
    let both = mul_multiples(&ctx.step("second"), &d, &b2, shift).await?;
    d.add(&b2.scale(1 << shift))?.sub(&both.scale(2))
}

/// A component's bits as 0/1 words, plane by plane.
fn lane_words(bits: &Bin, component: &[u64]) -> Words {
    component
        .chunks_exact(bits.stride().max(1))
        .flat_map(|plane| from_planes(plane, 1, bits.lanes()))
        .collect()
}

/// The components of shared bits as three free sharings of 0/1 words.
fn components(party: PartyId, bits: &Bin) -> [Arith<Z64>; 3] {
    let shape = [bits.planes(), bits.lanes()];
    PartyId::ALL.map(|component| {
        let own = if component == party {
            lane_words(bits, bits.first())
        } else if component == party.next() {
            lane_words(bits, bits.second())
        } else {
            Words::zeroed(shape[0] * shape[1])
        };
        Arith::known(party, component, shape, own)
    })
}
