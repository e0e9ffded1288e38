//! Verification in the course of a computation, for the sake of memory.

use mpc_core::error::{Error, FailedCheck, Result};
use mpc_core::net::{SessionId, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::share::Arith;
use mpc_core::testing::{DEADLINE, Lie, Lying, run3_on};
use protocols::mul::mul;
use protocols::verify::{relieve, verify};

/// Elements of a product whose three operands are three quarters of what is verified at once.
const N: usize = 1 << 19;

#[test]
fn much_is_verified_and_little_waits() {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    let outcomes = run3_on::<Lying, _, _>(network, 1, |ctx| async move {
        let x: Arith<Z64> = Arith::public(ctx.party(), [1, N], vec![3; N]);
        let round = || ctx.traffic().rounds;
        // The first product waits, with the second one it is too much.
        let mut y = mul(&ctx, &x, &x).await?;
        let before = round();
        relieve(&ctx).await?;
        assert_eq!((round(), ctx.waiting_for_verification()), (before, 3 * N));
        y = mul(&ctx, &y, &x).await?;
        relieve(&ctx).await?;
        assert!(round() > before + 15);
        assert_eq!(ctx.waiting_for_verification(), 0);
        // A verification that is under way is left alone.
        mul(&ctx, &y, &x).await?;
        mul(&ctx, &y, &y).await?;
        let products = ctx.begin_verification()?;
        relieve(&ctx).await?;
        assert_eq!(products.len(), 2);
        ctx.end_verification();
        Ok::<_, Error>(())
    });
    for outcome in outcomes {
        outcome.expect("an honest run");
    }
}

#[test]
fn a_lie_is_caught_where_it_is_verified() {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    let outcomes = run3_on::<Lying, _, _>(network, 1, |ctx| async move {
        let x: Arith<Z64> = Arith::public(ctx.party(), [1, N], vec![3; N]);
        let mut caught = 0;
        for cheat in PartyId::ALL {
            if ctx.party() == cheat {
                ctx.lie(Lie { product: ctx.reshared(), word: N / 2, bit: 63 });
            }
            let run = async || -> Result<()> {
                let y = mul(&ctx, &x, &x).await?;
                mul(&ctx, &y, &x).await?;
                relieve(&ctx).await
            };
            match run().await {
                Err(Error::Abort { kind: FailedCheck::Product, .. }) => caught += 1,
                other => panic!("{cheat}: {other:?}"),
            }
            ctx.forgive();
        }
        verify(&ctx).await?;
        Ok(caught)
    });
    for caught in outcomes {
        assert_eq!(caught.expect("the session goes on").0, 3);
    }
}
