//! The last step: one product, checked against a random triple that is used up.
//!
//! Let `z = x y` be claimed. With random `a`, `b` that nobody knows and their product `c`,
//! the lines through `x`, `a` and through `y`, `b` have a product of degree two, whose
//! values at 0 and 1 are `z` and `c`; the parties compute that at infinity. At a random
//! point other than 0 all three are opened and compared: `a` and `b` hide `x` and `y`. Of all
//! these each party has one share ([`line`]), and products carry the factor `X (X - 1)`.

use super::algebra::Algebra;
use super::coin::Coins;
use super::compress::Claim;
use super::grid;
use super::line;
use super::shared::Shared;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Words;

/// Shares that are ready to be opened: of two factors and what must be their product.
pub struct Opening {
    /// This party's shares of the three elements, one after the other.
    pub shares: Words,
    /// What follows from the shares of all parties, given the width.
    pub verdict: fn([&[u64]; 3], u32) -> Verdict,
    /// Bits of a word that count.
    pub width: u32,
}

/// How a check ends.
pub enum Verdict {
    /// The product is right.
    Holds,
    /// The product is wrong.
    WrongProduct,
    /// Somebody sent a wrong share.
    WrongShare,
}

/// Prepares the check of a claim on vectors of at most one element.
///
/// # Cost
/// Two rounds; two elements and 16 bytes per party.
///
/// # Security
/// If the claim is wrong, the opened values are, except with probability `2 / (2^D - 1)`.
/// `r` is a unit, so `x + r (a - x)` is uniform, and so is `y + r (b - y)`; the third value
/// is their product but for errors that a corrupt party knows.
pub async fn sacrifice<A: Algebra, S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    claim: Claim,
    width: u32,
) -> Result<Opening> {
    let Claim { mut x, mut y, z, .. } = claim;
    for vector in [&mut x, &mut y] {
        if vector.is_empty() {
            *vector = Words::zeroed(A::WIDTH);
        }
    }
    // Step 1: a random triple, and the value at infinity.
    let (party, mut draw) = (ctx.party(), ctx.draw());
    let [a, b] = [(); 2].map(|()| {
        let random = Shared::random(&mut draw, A::WIDTH);
        line::share::<A>(party, &random.first, &random.second)
    });
    let difference = |from: &Words, to: &Words| {
        let mut difference = to.clone();
        A::sub(&mut difference, from);
        difference
    };
    let (along_x, along_y) = (difference(&x, &a), difference(&y, &b));
    let local = [(&a, &b), (&along_x, &along_y)].map(|(x, y)| {
        let mut product = A::mul(x, y);
        line::weigh_product::<A>(party, &mut product);
        product
    });
    let computed = A::reshare(&ctx.step("triple"), local.concat().into()).await?;
    // Step 2: everything at a random point.
    let r = coins.toss().await.next_unit::<A>();
    let product = grid::evaluate::<A>(Shared::concat(&[z, computed]), &[r]);
    grid::move_along::<A>(&mut x, &a, r);
    grid::move_along::<A>(&mut y, &b, r);
    let product = line::share::<A>(party, &product.first, &product.second);
    let shares = [&x[..], &y, &product].into_iter().collect();
    Ok(Opening { shares, verdict: verdict::<A>, width })
}

fn verdict<A: Algebra>(shares: [&[u64]; 3], width: u32) -> Verdict {
    let Some(opened) = line::value::<A>(shares, width) else { return Verdict::WrongShare };
    let (factors, product) = opened.split_at(2 * A::WIDTH);
    let mut expected = A::mul(&factors[..A::WIDTH], &factors[A::WIDTH..]);
    line::scale::<A>(&mut expected);
    match line::equal(&expected, product, width) {
        true => Verdict::Holds,
        false => Verdict::WrongProduct,
    }
}

impl Opening {
    /// The shares without the bits that do not count: they belong to this party's computation.
    pub fn masked(&self) -> Words {
        let mask = u64::MAX >> (64 - self.width);
        Words::map(&self.shares, |x| x & mask)
    }
}
