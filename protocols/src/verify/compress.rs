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

impl Claim {
    /// The claim that an inner product of `elements` zeros is zero, with room for the first
    /// fold.
    pub fn zero<A: Algebra>(elements: usize) -> Claim {
        let vector = Shared::zeroed(padded(elements) * A::WIDTH);
        Claim { x: vector.clone(), y: vector, z: Shared::zeroed(A::WIDTH) }
    }
}

/// Elements of each part that are multiplied in one go: what is expanded stays in cache.
const BLOCK: usize = 64;

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
        let variables = variables_for(count);
        // Step 1: the products on the grid; the claim gives one of the corners.
        let known = Known::Sum(claim.z);
        let local = grid_products::<A>(&claim.x, &claim.y, variables, &known.missing(variables));
        let values = known.complete::<A>(variables, &A::reshare(&ctx, local).await?);
        // Step 2: everything at a random point.
        let at = coins.toss().await.next::<A>(variables);
        claim.z = grid::evaluate::<A>(values, &at);
        for vector in [&mut claim.x, &mut claim.y] {
            vector.update(|words| *words = at_point::<A>(words, &at));
        }
    }
}

fn variables_for(count: usize) -> usize {
    if count == 2 { 1 } else { VARIABLES }
}

/// `count`, rounded up to equal parts.
fn padded(count: usize) -> usize {
    if count <= 1 { count } else { count.next_multiple_of(1 << variables_for(count)) }
}

/// The multilinear polynomial whose corners are the parts of a vector, at a point.
fn at_point<A: Algebra>(words: &mut Words, at: &[u64]) -> Words {
    let mut len = words.len();
    for &r in at {
        let (low, high) = words[..len].split_at_mut(len / 2);
        A::fold(low, high, r);
        len /= 2;
    }
    let mut folded = Words::zeroed(padded(len / A::WIDTH) * A::WIDTH);
    folded[..len].copy_from_slice(&words[..len]);
    folded
}

/// The local parts of the products at some points of the grid.
fn grid_products<A: Algebra>(x: &Shared, y: &Shared, variables: usize, points: &[usize]) -> Words {
    let part = x.first.len() >> variables;
    let mut sums = Words::zeroed(points.len() * A::WIDTH);
    let size = grid::points(variables) * part.min(BLOCK * A::WIDTH);
    let [mut x0, mut x1, mut y0, mut y_sum] = [(); 4].map(|()| Words::zeroed(size));
    for start in (0..part).step_by(BLOCK * A::WIDTH) {
        let len = (BLOCK * A::WIDTH).min(part - start);
        let size = grid::points(variables) * len;
        let load = |grid: &mut [u64], vector: &Words, f: fn(&mut [u64], &[u64])| {
            for (to, from) in grid.chunks_exact_mut(len).zip(vector.chunks_exact(part)) {
                f(to, &from[start..start + len]);
            }
        };
        load(&mut x0[..size], &x.first, <[u64]>::copy_from_slice);
        load(&mut x1[..size], &x.second, <[u64]>::copy_from_slice);
        load(&mut y0[..size], &y.first, <[u64]>::copy_from_slice);
        load(&mut y_sum[..size], &y.first, <[u64]>::copy_from_slice);
        load(&mut y_sum[..size], &y.second, A::add);
        for grid in [&mut x0, &mut x1, &mut y0, &mut y_sum] {
            grid::expand::<A>(&mut grid[..size], variables);
        }
        for (point, sum) in points.iter().zip(sums.chunks_exact_mut(A::WIDTH)) {
            let at = point * len..(point + 1) * len;
            // x_i (y_i + y_{i+1}) + x_{i+1} y_i
            let pairs = [[&x0[at.clone()], &y_sum[at.clone()]], [&x1[at.clone()], &y0[at]]];
            A::add(sum, &A::dot(&pairs));
        }
    }
    sums
}
