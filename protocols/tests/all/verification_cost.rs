//! What the verification of products costs, to the byte: the steps of `docs/VERIFICATION.md`.

use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::net::Traffic;
use mpc_core::ring::Z64;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Bin, Words};
use mpc_core::testing::run3_with_cost;
use protocols::and::and;
use protocols::mul::{Operand, matmul, mul};
use protocols::verify::verify;

/// Bytes of an element of the Galois ring, and of `GF(2^64)`.
const OF_WORDS: u64 = 48 * 8;
const OF_BITS: u64 = 8;

/// What a verification consists of.
struct Steps {
    /// Bytes of an element, and how many elements are sent for tables, for each ring.
    rings: &'static [(u64, u64)],
    /// The elements that each fold sends, for each ring.
    folds: &'static [&'static [u64]],
}

impl Steps {
    /// Rounds, and bytes that a party sends.
    fn cost(&self) -> (u64, u64) {
        const COIN: u64 = 16;
        const DIGEST: u64 = 32;
        // Barrier, same coins, opening, verdict.
        let (mut rounds, mut bytes) = (4, 2 * DIGEST + 2 * DIGEST + 2);
        // Rings go side by side: the longest counts.
        rounds += self.folds.iter().map(|folds| 5 + 2 * folds.len() as u64).max().unwrap_or(0);
        for ((width, in_tables), folds) in self.rings.iter().zip(self.folds) {
            let coins = 3 + folds.len() as u64;
            let sacrificed_and_opened = 2 + 2 * 3;
            let elements = in_tables + folds.iter().sum::<u64>() + sacrificed_and_opened;
            bytes += COIN * coins + width * elements;
        }
        (rounds, bytes)
    }
}

fn ones(len: usize, ctx: &Ctx<impl Security>) -> Arith<Z64> {
    Arith::public(ctx.party(), [1, len], vec![1; len])
}

/// Products of words one by one, a matrix product of inner length `inner`, and ANDs.
async fn products<S: Security>(ctx: &Ctx<S>, [single, inner, ands]: [usize; 3]) -> Result<()> {
    let x = ones(single, ctx);
    mul(&ctx.step("single"), &x, &x).await?;
    if inner > 0 {
        let x = ones(inner, ctx);
        matmul(&ctx.step("matrix"), Operand::plain(&x), Operand::transposed(&x)).await?;
    }
    if ands > 0 {
        let words = vec![0; ands / 64];
        let bits = Bin::from_components(ands, 1, Words::from(words.clone()), Words::from(words));
        and(&ctx.step("and"), &bits, &bits).await?;
    }
    Ok(())
}

/// Rounds, and bytes of party 0.
fn difference(with: Traffic, without: Traffic) -> (u64, u64) {
    (with.rounds - without.rounds, with.payload_bytes - without.payload_bytes)
}

fn assert_cost(counts: [usize; 3], steps: &Steps) {
    let plain =
        run3_with_cost::<SemiHonest, _, _>(1, |ctx| async move { products(&ctx, counts).await });
    let verified = run3_with_cost::<Malicious, _, _>(1, |ctx| async move {
        products(&ctx, counts).await?;
        verify(&ctx).await
    });
    for (((), with), ((), without)) in verified.into_iter().zip(plain) {
        assert_eq!(difference(with.traffic, without.traffic), steps.cost(), "{counts:?}");
    }
}

#[test]
fn single_products() {
    // 640 elements, 80 groups of eight: 20, 5, 1 groups, then one element.
    assert_cost([640, 0, 0], &Steps { rings: &[(OF_WORDS, 0)], folds: &[&[8, 8, 26, 26]] });
}

#[test]
fn a_table() {
    // Four rows of 2500 words, in 2504 columns: 313 groups, then 79, 20, 5, 1. Nine points.
    assert_cost([10_000, 0, 0], &Steps { rings: &[(OF_WORDS, 5)], folds: &[&[8, 8, 8, 26, 26]] });
}

#[test]
fn a_matrix_product() {
    assert_cost([1, 64, 0], &Steps { rings: &[(OF_WORDS, 0)], folds: &[&[8, 8, 26]] });
}

#[test]
fn words_and_bits_side_by_side() {
    // Four rows of 25 words of bits: 1600 elements, then 400, 50, 7, 1.
    assert_cost(
        [8, 0, 64 * 100],
        &Steps { rings: &[(OF_BITS, 5), (OF_WORDS, 0)], folds: &[&[8, 26, 26, 26], &[26]] },
    );
}
