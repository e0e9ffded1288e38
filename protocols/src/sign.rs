//! Sign, comparison and bit decomposition.
//!
//! The three components are binary operands for free ([`crate::operands`]); the sum of
//! the two that remain is formed by a carry tree ([`crate::carry`]). Comparing needs the
//! top carry alone.

use crate::and::and;
use crate::carry::{all_carries, carry_out};
use crate::operands::{CarrySave, carry_save};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin};

/// The top bit of `x mod 2^width`, one lane an element: 1 where `x < 0`.
///
/// # Preconditions
/// `-2^(width-1) <= x < 2^(width-1)`, else the result is the top bit of the reduced
/// value. `2 <= width <= k` in a ring of `k` bits: a value that is known to be small is
/// compared by its low bits, which halves the work for 32 of 64.
///
/// # Cost
/// `2 + ceil(log2(width - 2))` rounds; `4 width - 10` ANDs at the most, so about 14.6
/// bytes per element and party for 32 bits, in 7 rounds.
///
/// # Security
/// ANDs of free operands: nothing is opened, no party provides anything alone.
pub async fn sign<S: Security, R: Ring>(ctx: &Ctx<S>, x: &Arith<R>, width: usize) -> Result<Bin> {
    let CarrySave { sum, carry } =
        carry_save(&ctx.step("operands"), x, 0, width, width - 1).await?;
    // Operands of weight 1..width-1: bit 0 of the second is zero and generates nothing.
    let top = sum.slice(width - 1..width).xor(&carry.slice(width - 2..width - 1));
    if width == 2 {
        return Ok(top);
    }
    let (a, b) = (sum.slice(1..width - 1), carry.slice(0..width - 2));
    let g = and(&ctx.step("generate"), &a, &b).await?;
    let carried = carry_out(&ctx.step("carry"), g, a.xor(&b)).await?;
    Ok(top.xor(&carried))
}

/// All bits of `x mod 2^width`, lowest plane first, one lane an element.
///
/// # Cost
/// `2 + ceil(log2(width - 2))` rounds; about `2 width (1 + log2 width)` bits per element
/// and party.
pub async fn bit_decompose<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
) -> Result<Bin> {
    let CarrySave { sum, carry } =
        carry_save(&ctx.step("operands"), x, 0, width, width - 1).await?;
    let bottom = sum.slice(0..1);
    let (a, b) = (sum.slice(1..width), carry);
    let half_sum = a.xor(&b);
    if width == 2 {
        return Ok(Bin::concat(&[&bottom, &half_sum]));
    }
    // Bit j of the result takes the carry out of the bits below it.
    let (a, b) = (a.slice(0..width - 2), b.slice(0..width - 2));
    let g = and(&ctx.step("generate"), &a, &b).await?;
    let carries = all_carries(&ctx.step("carries"), g, a.xor(&b)).await?;
    let upper = half_sum.slice(1..width - 1).xor(&carries);
    Ok(Bin::concat(&[&bottom, &half_sum.slice(0..1), &upper]))
}
