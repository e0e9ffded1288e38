//! Conjunction of shared bits.
//!
//! Araki et al., CCS 2016, protocol 3.2 over GF(2), 64 lanes a word; with triples
//! where the session has some ([`and_beaver`]).

use crate::beaver::{and_beaver, wrong_kind};
use crate::reshare::reshare_bits;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::elementwise::replicated_and;
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{AdditiveBits, Bin, Words};
use mpc_core::triples::{ProductShape, Supply};

/// `x & y`, bit by bit.
///
/// # Preconditions
/// Equal numbers of lanes and planes.
///
/// # Cost
/// One round; one bit per AND and party.
///
/// # Security
/// As [`reshare_bits`]; the product is recorded for verification.
pub async fn and<S: Security>(ctx: &Ctx<S>, x: &Bin, y: &Bin) -> Result<Bin> {
    assert_eq!((x.lanes(), x.planes()), (y.lanes(), y.planes()), "and: dimensions");
    match ctx.triple(|| ProductShape::And { lanes: x.lanes(), planes: x.planes() })? {
        None => {}
        Some(Supply::Bits(triple)) => return and_beaver(ctx, x, y, triple).await,
        Some(Supply::Dry) => return Ok(Bin::zeros(x.lanes(), x.planes())),
        Some(Supply::Words(_)) => return Err(wrong_kind(ctx)),
    }
    let local = Words::overwritten(x.first().len(), |z| {
        replicated_and(z, x.first(), x.second(), y.first(), y.second());
    });
    let z = reshare_bits(ctx, AdditiveBits::new(x.lanes(), x.planes(), local)).await?;
    ctx.record(|| Product::And {
        supports: [Support::ALL; 2],
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
}

/// The conjunction of all planes: one plane.
///
/// # Cost
/// `ceil(log2 planes)` rounds; `planes - 1` bits per lane and party.
pub async fn and_all<S: Security>(ctx: &Ctx<S>, x: Bin) -> Result<Bin> {
    let mut x = x;
    while x.planes() > 1 {
        let half = x.planes() / 2;
        let product = and(ctx, &x.slice(0..half), &x.slice(half..2 * half)).await?;
        x = Bin::concat(&[&product, &x.slice(2 * half..x.planes())]);
    }
    Ok(x)
}
