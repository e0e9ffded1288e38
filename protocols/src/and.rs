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
    let local = |z: &mut [u64]| {
        replicated_and(z, x.first(), x.second(), y.first(), y.second());
    };
    and_by(ctx, [x.lanes(), x.planes()], local, || [x.clone(), y.clone()]).await
}

/// The plane of that number of a sharing.
pub(crate) type Plane = (Bin, usize);

/// `x & y` of planes that need not lie side by side; cost and security as for [`and`].
pub(crate) async fn and_planes<S: Security>(ctx: &Ctx<S>, x: &[Plane], y: &[Plane]) -> Result<Bin> {
    assert_eq!(x.len(), y.len(), "and: dimensions");
    let stride = x[0].0.stride();
    let local = |z: &mut [u64]| {
        for (z, ((x, at), (y, of_y))) in z.chunks_exact_mut(stride.max(1)).zip(x.iter().zip(y)) {
            let ([x_first, x_second], [y_first, y_second]) = (x.plane(*at), y.plane(*of_y));
            replicated_and(z, x_first, x_second, y_first, y_second);
        }
    };
    let joined = |planes: &[Plane]| Bin::pick(planes.iter().map(|(of, plane)| (of, *plane)));
    and_by(ctx, [x[0].0.lanes(), x.len()], local, || [joined(x), joined(y)]).await
}

/// [`and`] of the operands, given what overwrites words with this party's part.
async fn and_by<S: Security>(
    ctx: &Ctx<S>,
    [lanes, planes]: [usize; 2],
    local: impl FnOnce(&mut [u64]),
    operands: impl Fn() -> [Bin; 2],
) -> Result<Bin> {
    match ctx.triple(|| ProductShape::And { lanes, planes })? {
        None => {}
        Some(Supply::Bits(triple)) => {
            let [x, y] = operands();
            return and_beaver(ctx, &x, &y, triple).await;
        }
        Some(Supply::Dry) => return Ok(Bin::zeros(lanes, planes)),
        Some(Supply::Words(_)) => return Err(wrong_kind(ctx)),
    }
    let local = Words::overwritten(planes * lanes.div_ceil(64), local);
    let z = reshare_bits(ctx, AdditiveBits::new(lanes, planes, local)).await?;
    ctx.record(|| {
        let [x, y] = operands();
        let operands = [(&x).into(), (&y).into(), (&z).into()];
        Product::And { supports: [Support::ALL; 2], operands }
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
