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
    /// How many elements count: those after them are zero.
    pub elements: usize,
}

impl Claim {
    /// The claim that an inner product of `elements` zeros is zero, with room for the first
    /// fold.
    pub fn zero<A: Algebra>(elements: usize) -> Claim {
        let words = padded_words::<A>(elements);
        let (x, y) = (Shared::zeroed(words), Shared::zeroed(words));
        Claim { x, y, z: Shared::zeroed(A::WIDTH), elements }
    }
}

/// Words of each part that are folded or multiplied in one go: what is expanded stays in
/// cache.
const BLOCK: usize = 1536;

/// Variables of a step. Two halve the rounds of one for a third more work.
const VARIABLES: usize = 2;

/// Reduces a claim to one on lists of at most one element.
///
/// # Cost
/// Two rounds and `3^2 - 1` elements (and 16 bytes) per party for each factor of four in the
/// number of groups; at the end as much for a group of two elements, three times as much for
/// one of eight.
///
/// # Security
/// What is sent is masked. If the claim is wrong, so is the one that is left, except with
/// probability `2 v / #challenges` for a step of `v` variables: the values at the corners add
/// up to the claim, so the polynomial that the parties computed is not the product.
pub async fn compress<A: Algebra, S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    mut claim: Claim,
) -> Result<Claim> {
    while claim.elements > 1 {
        let ctx = ctx.step("fold");
        let variables = variables_for::<A>(claim.elements);
        if claim.elements <= A::GROUP {
            claim.x.update(|words| *words = spread::<A>(words, variables));
            claim.y.update(|words| *words = spread::<A>(words, variables));
        }
        // Step 1: the products on the grid; the claim gives one of the corners.
        let known = Known::Sum(claim.z);
        let local = grid_products::<A>(&claim.x, &claim.y, variables, &known.missing(variables));
        let values = known.complete::<A>(variables, &A::reshare(&ctx, local).await?);
        // Step 2: everything at a random point.
        let at = coins.toss().await.next::<A>(variables);
        claim.z = grid::evaluate::<A>(values, &at);
        let part = (claim.x.first.len() / A::WIDTH) >> variables;
        claim.elements = if claim.elements <= A::GROUP { 1 } else { claim.elements.min(part) };
        let words = padded_words::<A>(claim.elements);
        for vector in [&mut claim.x, &mut claim.y] {
            vector.update(|from| *from = at_point::<A>(from, &at, words));
        }
    }
    for vector in [&mut claim.x, &mut claim.y] {
        vector.update(|words| *words = A::list(words, claim.elements));
    }
    Ok(claim)
}

/// Variables of the next step: one group becomes one element at once.
fn variables_for<A: Algebra>(elements: usize) -> usize {
    match elements.div_ceil(A::GROUP) {
        0 | 1 => elements.next_power_of_two().ilog2() as usize,
        2 => 1,
        _ => VARIABLES,
    }
}

/// Words of a vector that can be cut into equal parts for the next step.
fn padded_words<A: Algebra>(elements: usize) -> usize {
    let groups = elements.div_ceil(A::GROUP);
    let parts = if groups > 1 { 1 << variables_for::<A>(elements) } else { 1 };
    groups.next_multiple_of(parts) * A::GROUP * A::WIDTH
}

/// The elements of one group, each in a group of its own.
fn spread<A: Algebra>(group: &Words, variables: usize) -> Words {
    let mut groups = Words::zeroed(group.len() << variables);
    let count = 1 << variables;
    for (at, word) in group.iter().enumerate().filter(|(at, _)| at % A::GROUP < count) {
        let element = at % A::GROUP;
        groups[element * group.len() + at - element] = *word;
    }
    groups
}

/// The multilinear polynomial whose corners are the parts of a vector, at a point; with room
/// for `words` words.
fn at_point<A: Algebra>(vector: &Words, at: &[u64], words: usize) -> Words {
    let (part, half) = (vector.len() >> at.len(), 1 << at.len() >> 1);
    let mut folded = Words::zeroed(words);
    let mut block = Words::zeroed(part.min(BLOCK) * half);
    for start in (0..part).step_by(BLOCK) {
        let mut len = part.min(start + BLOCK) - start;
        let corner = |at: usize| &vector[at * part + start..][..len];
        let block = &mut block[..len * half];
        for (low, to) in block.chunks_exact_mut(len).enumerate() {
            to.copy_from_slice(corner(low));
            A::fold(to, corner(low + half), at[0]);
        }
        len *= half;
        for &r in &at[1..] {
            let (low, high) = block[..len].split_at_mut(len / 2);
            A::fold(low, high, r);
            len /= 2;
        }
        folded[start..start + len].copy_from_slice(&block[..len]);
    }
    folded
}

/// The local parts of the products at some points of the grid: a list.
fn grid_products<A: Algebra>(x: &Shared, y: &Shared, variables: usize, points: &[usize]) -> Words {
    let part = x.first.len() >> variables;
    let mut dots: Vec<A::Dot> = points.iter().map(|_| A::Dot::default()).collect();
    let size = grid::points(variables) * part.min(BLOCK);
    let [mut x0, mut x1, mut y0, mut y_sum] = [(); 4].map(|()| Words::zeroed(size));
    for start in (0..part).step_by(BLOCK) {
        let len = BLOCK.min(part - start);
        let load = |grid: &mut [u64], vector: &Words, f: fn(&mut [u64], &[u64])| {
            for (corner, from) in vector.chunks_exact(part).enumerate() {
                f(&mut grid[grid::corner_point(corner) * len..][..len], &from[start..start + len]);
            }
        };
        let size = grid::points(variables) * len;
        load(&mut x0[..size], &x.first, <[u64]>::copy_from_slice);
        load(&mut x1[..size], &x.second, <[u64]>::copy_from_slice);
        load(&mut y0[..size], &y.first, <[u64]>::copy_from_slice);
        load(&mut y_sum[..size], &y.first, <[u64]>::copy_from_slice);
        load(&mut y_sum[..size], &y.second, A::add);
        for grid in [&mut x0, &mut x1, &mut y0, &mut y_sum] {
            A::expand(&mut grid[..size], variables);
        }
        for (point, dot) in points.iter().zip(&mut dots) {
            let at = point * len..(point + 1) * len;
            // x_i (y_i + y_{i+1}) + x_{i+1} y_i
            A::add_dot(dot, &x0[at.clone()], &y_sum[at.clone()]);
            A::add_dot(dot, &x1[at.clone()], &y0[at]);
        }
    }
    dots.into_iter().flat_map(A::finish_dot).collect()
}
