//! From a claim on a long inner product to one on a single product.
//!
//! Recursive folding (Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019; Goyal,
//! Song, ePrint 2020/134): the vectors are cut into `2^v` parts, read as multilinear
//! polynomials `X` and `Y`; the parties compute the products on the grid, of which the
//! corners must add up to the claim, and go on with the claim at a random point.

use super::algebra::Algebra;
use super::coin::Coins;
use super::grid::{self, Known};
use super::shared::Shared;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Words;

/// The claim that the inner product of `x` and `y` is `z`, over an extension.
pub struct Claim {
    /// A vector.
    pub x: Shared,
    /// A vector of the same length.
    pub y: Shared,
    /// One element.
    pub z: Shared,
}

/// Elements of each part that are multiplied in one go: what is expanded stays in cache.
const BLOCK: usize = 128;

/// Variables of a step. Two halve the rounds of one for a third more work.
const VARIABLES: usize = 2;

/// Reduces a claim to vectors of length one.
///
/// # Cost
/// Two rounds and at most `3^2 - 1` elements (and 16 bytes) per party for each factor of
/// four in the length.
///
/// # Security
/// What is sent is masked. If the claim is wrong, so is the one that is left, except with
/// probability `4 / #challenges` a step: the values at the corners add up to the claim,
/// so the polynomial that the parties computed is not the product.
pub async fn compress<A: Algebra, S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    mut claim: Claim,
) -> Result<Claim> {
    loop {
        let count = claim.x.first.len() / A::WIDTH;
        if count <= 1 {
            return Ok(claim);
        }
        let ctx = ctx.step("fold");
        let variables = if count == 2 { 1 } else { VARIABLES };
        let part = count.div_ceil(1 << variables);
        for vector in [&mut claim.x, &mut claim.y] {
            vector.update(|words| {
                let mut padded = Words::zeroed((part << variables) * A::WIDTH);
                padded[..words.len()].copy_from_slice(words);
                *words = padded;
            });
        }
        // Step 1: the products on the grid; the claim gives one of the corners.
        let known = Known::Sum(claim.z);
        let local = grid_products::<A>(&claim.x, &claim.y, variables, &known.missing(variables));
        let values = known.complete::<A>(variables, &A::reshare(&ctx, local).await?);
        // Step 2: everything at a random point.
        let at = coins.toss().await.next::<A>(variables);
        claim.z = grid::evaluate::<A>(values, &at);
        for vector in [&mut claim.x, &mut claim.y] {
            vector.update(|words| {
                for &r in &at {
                    let half = words.len() / 2;
                    let (low, high) = words.split_at_mut(half);
                    A::fold(low, high, r);
                    *words = low.to_vec().into();
                }
            });
        }
    }
}

/// The local parts of the products at some points of the grid.
fn grid_products<A: Algebra>(x: &Shared, y: &Shared, variables: usize, points: &[usize]) -> Words {
    let part = x.first.len() >> variables;
    let mut sums = Words::zeroed(points.len() * A::WIDTH);
    for start in (0..part).step_by(BLOCK * A::WIDTH) {
        let len = (BLOCK * A::WIDTH).min(part - start);
        let on_grid = |words: &Words| {
            let parts = words.chunks_exact(part).map(|part| &part[start..start + len]);
            grid::expand::<A>(parts.collect::<Vec<_>>().concat().into(), variables)
        };
        let x = [on_grid(&x.first), on_grid(&x.second)];
        let y = [on_grid(&y.first), on_grid(&y.second)];
        for (point, sum) in points.iter().zip(sums.chunks_exact_mut(A::WIDTH)) {
            let at = point * len..(point + 1) * len;
            let [x, y] = [&x, &y].map(|pair| pair.each_ref().map(|x| &x[at.clone()]));
            A::add(sum, &Shared::local_dot::<A>(x, y));
        }
    }
    sums
}
