//! The bits of an arithmetic sharing as binary operands.
//!
//! Each component `x_i` of a replicated sharing is known to two parties, so its bits
//! *are* a replicated binary sharing with two zero components (ABY3: Mohassel, Rindal,
//! CCS 2018, section 5.3). A value is then the sum of three binary operands, which one
//! layer of full adders turns into two. In the semi-honest mode a helper adds up two of
//! them instead ([`crate::helper`]).

use crate::and::and;
use crate::helper::binary_addends;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Ring;
use mpc_core::ring::bits::to_planes;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};

/// A value as the sum of two binary operands: `x = a + 2^skipped * b`.
pub struct Addends {
    /// Bits of weight 1, 2, 4, ...
    pub a: Bin,
    /// Bits of weight `2^skipped` and more, as far up as `a` goes.
    pub b: Bin,
    /// How many low bits of the second operand are zero.
    pub skipped: usize,
}

/// The low `width` bits of `x` as the sum of two operands modulo `2^width`, one lane an
/// element.
///
/// # Cost
/// One round; `width - 1` bits per element and party, in the semi-honest mode `width` bits
/// from one party.
///
/// # Security
/// As [`carry_save`], in the semi-honest mode as [`binary_addends`].
pub async fn addends<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
) -> Result<Addends> {
    if S::VERIFIED {
        let CarrySave { sum, carry } = carry_save(ctx, x, 0, width, width - 1).await?;
        Ok(Addends { a: sum, b: carry, skipped: 1 })
    } else {
        let [a, b] = binary_addends(ctx, x, width).await?;
        Ok(Addends { a, b, skipped: 0 })
    }
}

/// A value as the sum of two binary operands, `x = sum + 2 * carry`.
pub struct CarrySave {
    /// Bits of weight 1, 2, 4, ...
    pub sum: Bin,
    /// Bits of weight 2, 4, 8, ...
    pub carry: Bin,
}

/// The three components of `x` as binary operands, reduced to two by full adders.
///
/// `low..low + width` are the bits of the *components* that are taken; `sum` gets
/// `width` planes and `carry` gets `carries` planes, one lane an element.
///
/// # Cost
/// One round; `carries` bits per element and party.
///
/// # Security
/// No party provides anything alone: the operands are bits that two parties know, and
/// the majority is one AND, `((a ^ c) & (b ^ c)) ^ c`.
pub async fn carry_save<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    low: u32,
    width: usize,
    carries: usize,
) -> Result<CarrySave> {
    let lanes = x.len();
    let planes = |words: &[u64]| -> Words {
        if low == 0 {
            to_planes(words, width).into()
        } else {
            let shifted: Words = words.iter().map(|x| x >> low).collect();
            to_planes(&shifted, width).into()
        }
    };
    // The operands side by side are a sharing of their XOR: component j is x_j.
    let sum = Bin::from_components(lanes, width, planes(x.first()), planes(x.second()));
    let [a, b, c] = [0, 1, 2];
    let low_planes = sum.slice(0..carries);
    let only = |keep: &[usize]| low_planes.keep_components(ctx.party(), keep);
    let product = and(ctx, &only(&[a, c]), &only(&[b, c])).await?;
    Ok(CarrySave { carry: product.xor(&only(&[c])), sum })
}
