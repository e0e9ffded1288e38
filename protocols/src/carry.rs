//! Carries of a binary addition: generate/propagate trees over bit planes.
//!
//! Parallel prefix addition (Kogge, Stone 1973; in MPC: Catrina, de Hoogh, SCN 2010,
//! protocol 'CarryOutAux'). Bit `j` generates a carry (`g`) or propagates one (`p`); two
//! neighbouring groups combine as `(g, p) = (g_hi ^ p_hi g_lo, p_hi p_lo)`.

use crate::and::{Plane, and, and_planes};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Bin;

/// The carry out of all bits, lowest plane first; nothing is carried in.
///
/// # Preconditions
/// `p` has at least as many planes as `g`, which has at least one; more do not count.
///
/// # Cost
/// `ceil(log2 m)` rounds for `m` planes; about `2 m` bits per lane and party (the `p` of
/// the lowest group is never needed).
pub async fn carry_out<S: Security>(ctx: &Ctx<S>, g: &Bin, p: &Bin) -> Result<Bin> {
    let planes = |of: &Bin| (0..g.planes()).map(|at| (of.clone(), at)).collect::<Vec<Plane>>();
    let (mut g, mut p) = (planes(g), planes(p));
    while g.len() > 1 {
        let pairs = g.len() / 2;
        let low = |of: &[Plane], from: usize| (from..pairs).map(|at| of[2 * at].clone()).collect();
        let high = |of: &[Plane], from: usize| -> Vec<Plane> {
            (from..pairs).map(|at| of[2 * at + 1].clone()).collect()
        };
        // p_hi g_lo of all groups, then p_hi p_lo of all but the lowest.
        let x = [high(&p, 0), high(&p, 1)].concat();
        let y: [Vec<Plane>; 2] = [low(&g, 0), low(&p, 1)];
        let products = and_planes(ctx, &x, &y.concat()).await?;
        let product = |at: usize| (products.clone(), at);
        let generated: Vec<Plane> = (0..pairs).map(product).collect();
        let generated = Bin::xor_of(&high(&g, 0), &generated);
        let of_pairs = (0..pairs).map(|at| (generated.clone(), at));
        g = of_pairs.chain(g.split_off(2 * pairs)).collect();
        // The lowest p is a placeholder: no carry ever passes through the lowest group.
        let of_pairs = std::iter::once(p[1].clone()).chain((pairs..2 * pairs - 1).map(product));
        p = of_pairs.chain(p.split_off(2 * pairs)).collect();
    }
    Ok(Bin::pick(g.iter().map(|(of, plane)| (of, *plane))))
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
