//! A party's view tells it nothing: shares and received messages are uniform.

use crate::run3;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::share::Arith;
use mpc_core::testing::deal;
use protocols::input::input;
use protocols::mul::mul;
use protocols::relu::relu;

/// Pearson's statistic of counts that should be equal.
fn chi_square(counts: &[u64]) -> f64 {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|&c| (c as f64 - mean).powi(2) / mean).sum()
}

/// Fails unless the words look uniform: each of their bytes on its own, and the pairs of
/// top nibbles.
fn assert_uniform(what: &str, first: &[u64], second: &[u64]) {
    // 255 degrees of freedom: the statistic exceeds 400 with probability below 1e-8.
    for words in [first, second] {
        for byte in 0..8 {
            let mut counts = [0; 256];
            words.iter().for_each(|w| counts[(w >> (8 * byte)) as usize & 255] += 1);
            let statistic = chi_square(&counts);
            assert!(statistic < 400.0, "{what}: byte {byte} has statistic {statistic}");
        }
    }
    let mut counts = [0; 256];
    for (a, b) in first.iter().zip(second) {
        counts[((a >> 60) << 4 | b >> 60) as usize] += 1;
    }
    let statistic = chi_square(&counts);
    assert!(statistic < 400.0, "{what}: pairs have statistic {statistic}");
}

const N: usize = 40_000;

fn assert_views(what: &str, shares: &[Arith<Z64>; 3]) {
    for party in PartyId::ALL {
        let share = &shares[party.index()];
        assert_uniform(&format!("{what} at {party}"), share.first(), share.second());
    }
}

#[test]
fn products_of_constants_are_uniform_at_each_party() {
    let (x, y) = (deal(1, [1, N], &[3; N]), deal(2, [1, N], &[5; N]));
    let z = run3(3, |ctx| {
        let at = ctx.party().index();
        let (x, y): (Arith<Z64>, Arith<Z64>) = (x[at].clone(), y[at].clone());
        async move { mul(&ctx, &x, &y).await }
    });
    assert_views("product", &z);
}

#[test]
fn rectified_constants_are_uniform_at_each_party() {
    let x = deal(1, [1, N], &[u64::MAX << 30; N]);
    let y = run3(3, |ctx| {
        let x = mpc_core::share::Fixed::new(x[ctx.party().index()].clone(), 30);
        async move { Ok(relu(&ctx, &x, 16).await?.0.share) }
    });
    assert_views("relu", &y);
}

#[test]
fn an_input_is_uniform_at_the_parties_that_do_not_own_it() {
    let shares = run3(3, |ctx| async move {
        let own = (ctx.party() == PartyId::P1).then_some([42; N]);
        input::<_, Z64>(&ctx, PartyId::P1, [1, N], own.as_ref().map(|x| x.as_slice())).await
    });
    // One component is zero by construction; what is not is uniform.
    let (mask, masked) = (shares[2].first(), shares[0].second());
    assert_uniform("input at party 2", mask, &mask[1..]);
    assert_uniform("input at party 0", masked, &masked[1..]);
}

/// The test can fail: a sharing with a zero component does not pass.
#[test]
#[should_panic(expected = "has statistic")]
fn a_sharing_that_is_not_uniform_is_noticed() {
    let shares = PartyId::ALL.map(|p| Arith::<Z64>::public(p, [1, N], vec![42; N]));
    assert_views("public", &shares);
}
