//! From shared bits to ring elements.
//!
//! A bit `b = b_0 ^ b_1 ^ b_2` is put together from its components with `a ^ b = a + b - 2ab`
//! twice (ABY3: Mohassel, Rindal, CCS 2018, section 5.4). The first product is one of two
//! components that a helper knows: it puts that in ([`crate::thirds`]).

use crate::lacking::mul_by_lacking;
use crate::thirds::{Thirds, input_words};
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
    let words = words_of(bits);
    let known = known_products(ctx.party(), &words);
    inject_claiming(ctx, &words, shift, known).await
}

/// The components of bits as 0/1 words, a `planes x lanes` matrix.
pub fn words_of(bits: &Bin) -> Arith<Z64> {
    let [first, second] =
        [bits.first(), bits.second()].map(|component| lane_words(bits, component));
    Arith::from_components([bits.planes(), bits.lanes()], first, second)
}

/// `b_h b_{h+1}` for the bits with which `party` helps, given [`words_of`] all.
pub fn known_products(party: PartyId, words: &Arith<Z64>) -> Words {
    let own = Thirds::new(party, words.len()).own();
    Words::zip(&words.first()[own.clone()], &words.second()[own], |a, b| a & b)
}

/// [`inject`], given what this party puts in as a helper: in the hands of an adversary that
/// may be anything.
pub async fn inject_claiming<S: Security>(
    ctx: &Ctx<S>,
    words: &Arith<Z64>,
    shift: u32,
    known: Words,
) -> Result<Arith<Z64>> {
    // Step 1: d = b_h xor b_{h+1}; what is computed is d + b_{h+2}, of which a helper knows d.
    let mut both = input_words(&ctx.step("first"), words.shape(), 64 - shift, known).await?;
    if shift > 0 {
        both = both.mapped(|both| both << shift);
    }
    ctx.record(|| Product::Elementwise {
        bits: 64,
        supports: [Support::FIRST, Support::SECOND],
        operands: [(&words.scale(1 << shift)).into(), words.into(), (&both).into()],
    });
    let less = |both: u64, word: u64| (word << shift).wrapping_sub(both << 1);
    let sum = both.combine("inject", words, less)?;
    // Step 2: b = d xor b_{h+2}.
    let (second, recorded) = (ctx.step("second"), || words.clone());
    let both = mul_by_lacking(&second, &sum, words, |word| word, recorded, shift).await?;
    sum.combine("inject", &both, |sum, both| sum.wrapping_sub(both << 1))
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
