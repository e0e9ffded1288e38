//! A party that lies consistently inside the functions of a network: it adds the same
//! error to what it keeps and to what it sends of one product, any of those of a rectifier,
//! of a softmax or of their verification.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, FailedCheck, Result};
use mpc_core::net::{SessionId, local_network};
use mpc_core::party::PartyId;
use mpc_core::share::Fixed;
use mpc_core::testing::{DEADLINE, Lie, Lying, deal, run3_on};
use protocols::relu::relu;
use protocols::softmax::softmax;
use protocols::verify::verify;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// What is attacked.
#[derive(Clone, Copy, Debug)]
enum Function {
    Relu,
    Softmax,
}

/// Runs on one row, and verifies.
async fn program(ctx: &Ctx<Lying>, function: Function) -> Result<()> {
    // Three elements: each party helps with one.
    let words = [3 << 28, 5 << 26, 1 << 27];
    let shares = deal(1, [1, words.len()], &words);
    let z = Fixed::new(shares[ctx.party().index()].clone(), 28);
    match function {
        Function::Relu => relu(&ctx.step("relu"), &z, 14).await.map(|_| ()),
        Function::Softmax => softmax(&ctx.step("softmax"), &z).await.map(|_| ()),
    }?;
    verify(&ctx.step("check")).await
}

/// How many products each party re-shares or puts in, those of the verification included.
fn products(function: Function) -> [u64; 3] {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    let counts = run3_on::<Lying, _, _>(network, 1, |ctx| async move {
        program(&ctx, function).await?;
        Ok(ctx.reshared())
    });
    counts.map(|count| count.expect("an honest run").0)
}

/// Lies once in each of `seeds` runs; an aborted verification leaves the parties in step, so
/// all runs share one session.
fn every_lie_is_caught(function: Function, bit: u32, seeds: u64) {
    let products = products(function);
    for count in products {
        assert!(count > 15 && seeds > 3 * count, "{count} products");
    }
    let network = local_network(SessionId([0; 16]), DEADLINE);
    let caught = run3_on::<Lying, _, _>(network, 1, |ctx| async move {
        let mut caught = 0;
        for seed in 0..seeds {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let cheat = PartyId::ALL[seed as usize % 3];
            let lie = Lie {
                product: ctx.reshared() + seed / 3 % products[cheat.index()],
                word: rng.next_u64() as usize,
                bit,
            };
            if ctx.party() == cheat {
                ctx.lie(lie);
            }
            match program(&ctx.step("run"), function).await {
                Err(Error::Abort { kind: FailedCheck::Product, .. }) => caught += 1,
                other => panic!("{function:?}, seed {seed}, {cheat}: {lie:?}: {other:?}"),
            }
            ctx.forgive();
        }
        Ok(caught)
    });
    for caught in caught {
        assert_eq!(caught.expect("the session goes on").0, seeds);
    }
    println!(
        "{function:?}: 2^{bit} added to one of {products:?} products, {seeds} lies, all caught"
    );
}

#[test]
fn every_lie_in_a_rectifier_is_caught() {
    for bit in [0, 32, 63] {
        every_lie_is_caught(Function::Relu, bit, 1000);
    }
}

#[test]
fn every_lie_in_a_softmax_is_caught() {
    for bit in [0, 32, 63] {
        every_lie_is_caught(Function::Softmax, bit, 1000);
    }
}
