//! Carries of a binary addition: generate/propagate trees over bit planes.
//!
//! Parallel prefix addition (Kogge, Stone 1973; in MPC: Catrina, de Hoogh, SCN 2010,
//! protocol 'CarryOutAux'). Bit `j` generates a carry (`g`) or propagates one (`p`); two
//! neighbouring groups combine as `(g, p) = (g_hi ^ p_hi g_lo, p_hi p_lo)`.

use crate::and::and;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Bin;

/// The carry out of all bits, lowest plane first; nothing is carried in.
///
/// # Preconditions
/// `g` and `p` have the same number of planes, at least one.
///
/// # Cost
/// `ceil(log2 m)` rounds for `m` planes; about `2 m` bits per lane and party (the `p` of
/// the lowest group is never needed).
pub async fn carry_out<S: Security>(ctx: &Ctx<S>, mut g: Bin, mut p: Bin) -> Result<Bin> {
    while g.planes() > 1 {
        let (planes, pairs) = (g.planes(), g.planes() / 2);
        let rest = 2 * pairs..planes;
        let low = |from: usize| (from..pairs).map(|pair| 2 * pair);
        let high = |from: usize| (from..pairs).map(|pair| 2 * pair + 1);
        // p_hi g_lo of all groups, then p_hi p_lo of all but the lowest.
        let x = Bin::pick(high(0).chain(high(1)).map(|plane| (&p, plane)));
        let of_g = low(0).map(|plane| (&g, plane));
        let y = Bin::pick(of_g.chain(low(1).map(|plane| (&p, plane))));
        let products = and(ctx, &x, &y).await?;
        let of_g = high(0).chain(rest.clone()).map(|plane| (&g, plane));
        g = Bin::pick(of_g).xor_from(0, &products, pairs);
        // The lowest p is a placeholder: no carry ever passes through the lowest group.
        let of_p = (pairs..2 * pairs - 1).map(|plane| (&products, plane));
        let of_p = std::iter::once((&p, 1)).chain(of_p);
        p = Bin::pick(of_p.chain(rest.map(|plane| (&p, plane))));
    }
    Ok(g)
}

/// The carry out of every prefix: plane `j` of the result is the carry out of planes
/// `0..=j`.
///
/// # Cost
/// `ceil(log2 m)` rounds for `m` planes; at most `2 m log2 m` bits per lane and party.
pub async fn all_carries<S: Security>(ctx: &Ctx<S>, mut g: Bin, mut p: Bin) -> Result<Bin> {
    let planes = g.planes();
    let mut reach = 1;
    while reach < planes {
        // Planes below `reach` are final; those from `2 * reach` on still need their p.
        let upper = reach..planes;
        let with_p = planes.saturating_sub(2 * reach);
        let p_upper = p.slice(upper.clone());
        let products = and(
            ctx,
            &Bin::concat(&[&p_upper, &p.slice(planes - with_p..planes)]),
            &Bin::concat(&[&g.slice(0..planes - reach), &p.slice(reach..reach + with_p)]),
        )
        .await?;
        let count = planes - reach;
        let g_upper = g.slice(upper).xor(&products.slice(0..count));
        g = Bin::concat(&[&g.slice(0..reach), &g_upper]);
        p = Bin::concat(&[&p.slice(0..planes - with_p), &products.slice(count..count + with_p)]);
        reach *= 2;
    }
    Ok(g)
}
