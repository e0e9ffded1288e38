//! Sign, comparison and bit decomposition.
//!
//! The value is the sum of two binary operands ([`crate::operands`]), which a carry tree
//! forms ([`crate::carry`]). Comparing needs the top carry alone.

use crate::carry::{all_carries, carry_out};
use crate::lacking::and_by_lacking;
use crate::operands::{Addends, addends};
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
/// `2 + ceil(log2(width - 1))` rounds; for 32 bits 7 rounds and 86 bits per element and
/// party.
///
/// # Security
/// ANDs of the operands of [`addends`]; nothing is opened.
pub async fn sign<S: Security, R: Ring>(ctx: &Ctx<S>, x: &Arith<R>, width: usize) -> Result<Bin> {
    let Addends { known, lacking } = addends(&ctx.step("operands"), x, width).await?;
    let count = width - 1;
    let top = known.slice(count..width);
    if count == 0 {
        return Ok(top);
    }
    let g = and_by_lacking(&ctx.step("generate"), &known, &lacking, count).await?;
    let carried = carry_out(&ctx.step("carry"), &g, &known).await?;
    Ok(top.xor(&carried))
}

/// All bits of `x mod 2^width`, lowest plane first, one lane an element.
///
/// # Cost
/// `2 + ceil(log2(width - 1))` rounds; about `2 width (1 + log2 width)` bits per element
/// and party.
pub async fn bit_decompose<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
) -> Result<Bin> {
    let Addends { known, lacking } = addends(&ctx.step("operands"), x, width).await?;
    let (half_sum, count) = (known.clone(), width - 1);
    if count == 0 {
        return Ok(half_sum);
    }
    // Bit j of the result takes the carry out of the bits below it.
    let g = and_by_lacking(&ctx.step("generate"), &known, &lacking, count).await?;
    let carries = all_carries(&ctx.step("carries"), g, known.slice(0..count)).await?;
    let upper = half_sum.slice(1..width).xor(&carries);
    Ok(Bin::concat(&[&half_sum.slice(0..1), &upper]))
}
