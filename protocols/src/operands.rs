//! The bits of an arithmetic sharing as binary operands.
//!
//! Each component `x_i` of a replicated sharing is known to two parties, so its bits *are*
//! a replicated binary sharing with two zero components (ABY3: Mohassel, Rindal, CCS 2018,
//! section 5.3). A value is the sum of three such operands, of which a helper, who knows two,
//! makes one: it puts in the carries of their sum, one claim a bit ([`crate::thirds`]).

use crate::thirds::{Known, Thirds, input_planes, lanes_in};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Ring;
use mpc_core::ring::bits::{plane_words, to_planes_into};
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Bin, Words};

/// A value as the sum of two binary operands: the value's bits with carries, of which the two
/// components that the helper of a lane knows are one operand, and the bits of the component that
/// it lacks, the other one. What else there is does not count.
pub struct Addends {
    /// The first operand, in the components that the helper knows; all components together are the
    /// `xor` of both operands.
    pub known: Bin,
    /// The second operand, in the component that the helper lacks.
    pub lacking: Bin,
}

/// The low `width` bits of `x` as the sum of two binary operands modulo `2^width`, one lane an
/// element.
///
/// # Cost
/// One round; `width - 1` bits an element from its helper, so a third of that a party.
///
/// # Security
/// Carry `j + 1` is the majority of the two bits `j` and of carry `j`. That is recorded as one
/// AND, `c' ^ c = (a ^ c) & (b ^ c)`, which by induction leaves the helper no choice.
pub async fn addends<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
) -> Result<Addends> {
    addends_claiming(ctx, x, width, known_carries(ctx.party(), x, width)).await
}

/// The carries into bits 1 to `width - 1` of `x_h + x_{h+1}`, plane by plane, for the elements
/// with which `party` helps.
pub fn known_carries<R: Ring>(party: PartyId, x: &Arith<R>, width: usize) -> Words {
    let words = Thirds::new(party, x.len().div_ceil(64)).own();
    let lanes = 64 * words.start..64 * words.start + lanes_in(x.len(), &words);
    let [first, second] = [x.first(), x.second()].map(|words| &words[lanes.clone()]);
    let carries = Words::zip(first, second, |a, b| (a.wrapping_add(b) ^ a ^ b) >> 1);
    planes_of(&carries, width - 1)
}

/// The lowest `width` bit planes of words.
fn planes_of(words: &[u64], width: usize) -> Words {
    let len = width * plane_words(words.len());
    Words::overwritten(len, |planes| to_planes_into(words, width, planes))
}

/// [`addends`], given what this party puts in as a helper: in the hands of an adversary
/// that may be anything.
pub async fn addends_claiming<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
    known: Words,
) -> Result<Addends> {
    let lanes = x.len();
    let [first, second] = [x.first(), x.second()].map(|words| planes_of(words, width));
    let x = Bin::from_components(lanes, width, first, second);
    let carries = input_planes(ctx, lanes, width - 1, known).await?;
    ctx.record(|| {
        let thirds = Thirds::new(ctx.party(), lanes.div_ceil(64));
        let [a, b] = [Known::First, Known::Second].map(|part| thirds.xor_known(&carries, &x, part));
        let steps = carries.clone().xor_from(1, &carries, carries.planes().saturating_sub(1));
        Product::And {
            supports: [Support::KNOWN; 2],
            operands: [(&a).into(), (&b).into(), (&steps).into()],
        }
    });
    Ok(Addends { known: x.clone().xor_from(1, &carries, width - 1), lacking: x })
}
