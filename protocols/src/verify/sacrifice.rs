//! The last step: one product, checked against a random triple that is used up.
//!
//! Let `z = x y` be claimed. With random `a`, `b` that nobody knows and their product `c`,
//! the lines through `x`, `a` and through `y`, `b` have a product of degree two, whose
//! values at 0 and 1 are `z` and `c`; the parties compute that at infinity. At a random
//! point other than 0 all three are opened and compared: `a` and `b` hide `x` and `y`.

use super::algebra::Algebra;
use super::coin::Coins;
use super::compress::Claim;
use super::grid;
use super::shared::Shared;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Words;

/// Shares that are ready to be opened: of two factors and what must be their product.
pub struct Opening {
    /// The three elements, one after the other.
    pub shares: Shared,
    /// Whether the values are right, given all three components and the width.
    pub holds: fn([&[u64]; 3], u32) -> bool,
    /// Bits of a word that count.
    pub width: u32,
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
        if vector.first.is_empty() {
            *vector = Shared::zeroed(A::WIDTH);
        }
    }
    // Step 1: a random triple, and the value at infinity.
    let mut draw = ctx.draw();
    let [a, b] = [(); 2].map(|()| Shared::random(&mut draw, A::WIDTH));
    let difference = |from: &Shared, to: &Shared| {
        let mut difference = to.clone();
        difference.combine(from, A::sub);
        difference
    };
    let (along_x, along_y) = (difference(&x, &a), difference(&y, &b));
    let local = [
        Shared::local_product::<A>(a.views(), b.views()),
        Shared::local_product::<A>(along_x.views(), along_y.views()),
    ];
    let computed = A::reshare(&ctx.step("triple"), local.concat().into()).await?;
    // Step 2: everything at a random point.
    let r = coins.toss().await.next_unit::<A>();
    let product = grid::evaluate::<A>(Shared::concat(&[z, computed]), &[r]);
    x.combine(&a, |x, a| grid::line::<A>(x, a, &A::embed(r)));
    y.combine(&b, |y, b| grid::line::<A>(y, b, &A::embed(r)));
    Ok(Opening { shares: Shared::concat(&[x, y, product]), holds: holds::<A>, width })
}

fn holds<A: Algebra>(components: [&[u64]; 3], width: u32) -> bool {
    let mut opened = components[0].to_vec();
    A::add(&mut opened, components[1]);
    A::add(&mut opened, components[2]);
    let (factors, product) = opened.split_at(2 * A::WIDTH);
    let expected = A::mul(&factors[..A::WIDTH], &factors[A::WIDTH..]);
    expected.iter().zip(product).all(|(a, b)| (a ^ b) << (64 - width) == 0)
}

impl Opening {
    /// The shares with the bits cleared that do not count: they may differ between holders.
    pub fn masked(&self) -> Shared {
        let mask = u64::MAX >> (64 - self.width);
        let mut shares = self.shares.clone();
        shares.update(|words| *words = words.iter().map(|x| x & mask).collect::<Words>());
        shares
    }
}
