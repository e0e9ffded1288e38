//! From shared bits to ring elements.
//!
//! A bit `b = b_0 ^ b_1 ^ b_2` is put together from free sharings of its components
//! with `a xor b = a + b - 2ab` twice (ABY3, section 5.4; the arithmetic of Araki et al.,
//! S&P 2017). No party provides anything alone, so it serves both security modes.

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
/// `2^shift`.
///
/// # Security
/// Products of free sharings, recorded for verification; nothing is opened.
pub async fn inject<S: Security>(ctx: &Ctx<S>, bits: &Bin, shift: u32) -> Result<Arith<Z64>> {
    let [b0, b1, b2] = components(ctx.party(), bits);
    let scaled = b0.scale(1 << shift);
    // Step 1: d = b_0 xor b_1.
    let both = mul_multiples(&ctx.step("first"), &scaled, &b1, shift).await?;
    let d = scaled.add(&b1.scale(1 << shift))?.sub(&both.scale(2))?;
    // Step 2: b = d xor b_2.
    let both = mul_multiples(&ctx.step("second"), &d, &b2, shift).await?;
    d.add(&b2.scale(1 << shift))?.sub(&both.scale(2))
}

/// The components of shared bits as three free sharings of 0/1 words.
fn components(party: PartyId, bits: &Bin) -> [Arith<Z64>; 3] {
    let shape = [bits.planes(), bits.lanes()];
    let words = |planes: &[u64]| -> Words {
        planes
            .chunks_exact(bits.stride().max(1))
            .flat_map(|plane| from_planes(plane, 1, bits.lanes()))
            .collect()
    };
    PartyId::ALL.map(|component| {
        let own = if component == party {
            words(bits.first())
        } else if component == party.next() {
            words(bits.second())
        } else {
            Words::zeroed(shape[0] * shape[1])
        };
        Arith::known(party, component, shape, own)
    })
}
