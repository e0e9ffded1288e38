//! What a helper puts in alone: every lie about the two components that it knows is caught,
//! and what changes nothing passes.
//!
//! The cheating helper computes what it puts in from other components than it has, and
//! is honest in all the rest, so that nothing else gives it away.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, FailedCheck, Result};
use mpc_core::net::{SessionId, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::bits::to_planes;
use mpc_core::security::Malicious;
use mpc_core::share::{Arith, Bin, Words};
use mpc_core::testing::{DEADLINE, deal_components, run3_on};
use protocols::inject::{inject_claiming, known_products, words_of};
use protocols::operands::{addends_claiming, known_carries};
use protocols::thirds::{claim_bits, input_words};
use protocols::trunc::Truncation;
use protocols::verify::verify;

/// Elements, of which each party helps with one.
const ELEMENTS: usize = 3;

/// Whether the parties find a fault in what `program` records.
fn caught<F: Future<Output = Result<()>>>(
    seed: u64,
    program: impl Fn(Ctx<Malicious>) -> F + Sync,
) -> bool {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    let results = run3_on::<Malicious, _, _>(network, seed, |ctx| {
        let run = program(ctx.step("lie"));
        async move {
            run.await?;
            verify(&ctx).await
        }
    });
    let verdicts = results.map(|result| match result {
        Ok(_) => false,
        Err(Error::Abort { kind: FailedCheck::Product, .. }) => true,
        Err(error) => panic!("seed {seed}: {error}"),
    });
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
    verdicts[0]
}

/// The components of a value in each party's third, of which a helper knows `known`.
fn components(helper: PartyId, known: [u64; 2]) -> [u64; 3] {
    let mut components = [0x1234_5678_9abc_def0; 3];
    components[helper.index()] = known[0];
    components[helper.next().index()] = known[1];
    components
}

/// The shares of values of which each helper knows two components.
fn shares(known: [u64; 2]) -> [Arith<Z64>; 3] {
    let elements = PartyId::ALL.map(|helper| components(helper, known));
    deal_components([1, ELEMENTS], &elements)
}

/// All pairs of what a helper knows of two bits of each component, and may believe.
fn beliefs() -> impl Iterator<Item = ([u64; 2], [u64; 2])> {
    let pairs = || (0..16).map(|at| [at >> 2, at & 3]);
    pairs().flat_map(move |real| pairs().map(move |lie| (real, lie)))
}

/// What a party believes of its shares: the truth, but for the cheat.
fn believed<T>(party: PartyId, cheat: PartyId, real: T, lie: T) -> T {
    if party == cheat { lie } else { real }
}

#[test]
fn wrong_bits_of_a_truncation_are_caught() {
    for (seed, (real, lie)) in beliefs().enumerate() {
        let cheat = PartyId::ALL[seed % 3];
        let (shares, lies) = (shares(real.map(|t| t << 62)), shares(lie.map(|t| t << 62)));
        let found = caught(seed as u64, |ctx| {
            let (party, at) = (ctx.party(), ctx.party().index());
            // The offset of a truncation would change the bits: it is taken out beforehand.
            let offset = (7u64 << 61).wrapping_add(3 << 8).wrapping_neg();
            let begin =
                |share: &Arith<Z64>| Truncation::new(&ctx, &share.add_public(party, offset), 9);
            let (real, lie) = (begin(&shares[at]).unwrap(), begin(&lies[at]).unwrap());
            let known = believed(party, cheat, &real, &lie).known(party);
            async move { real.finish_claiming(&ctx, known).await.map(|_| ()) }
        });
        // Two bits of the sum are put in.
        let differs = (real[0] + real[1]) >> 1 != (lie[0] + lie[1]) >> 1;
        assert_eq!(found, differs, "{cheat} claims {lie:?} instead of {real:?}");
    }
}

#[test]
fn what_is_no_bit_of_a_truncation_is_caught() {
    // A sum of 5 = 4 + 1, and other ways to put it together modulo 2^10.
    let claims = [[1, 0], [0, 2], [2, (1 << 10) - 2], [1 + (1 << 8), 0], [1, 1 << 9], [1, 1 << 8]];
    for (seed, claim) in claims.into_iter().enumerate() {
        let cheat = PartyId::ALL[seed % 3];
        let shares = shares([3 << 62, 2 << 62]);
        let found = caught(seed as u64, |ctx| {
            let (party, at) = (ctx.party(), ctx.party().index());
            let offset = (7u64 << 61).wrapping_add(3 << 8).wrapping_neg();
            let real = Truncation::new(&ctx, &shares[at].add_public(party, offset), 9).unwrap();
            let lie = claim.map(|word| Words::from(vec![word]));
            let known = believed(party, cheat, real.known(party), lie);
            async move { real.finish_claiming(&ctx, known).await.map(|_| ()) }
        });
        assert_eq!(found, claim != [1, 0], "{cheat} claims {claim:?}");
    }
}

#[test]
fn wrong_carries_are_caught() {
    let carries = |[a, b]: [u64; 2]| ((a + b) ^ a ^ b) & 6;
    // A word of lanes to each party.
    let spread = |shares: [Arith<Z64>; 3]| shares.map(|share| share.transpose().repeat_cols(64));
    for (seed, (real, lie)) in beliefs().enumerate() {
        let cheat = PartyId::ALL[seed % 3];
        let (shares, lies) = (spread(shares(real)), spread(shares(lie)));
        let found = caught(seed as u64, |ctx| {
            let (party, at) = (ctx.party(), ctx.party().index());
            let real = shares[at].clone();
            let known = known_carries(party, believed(party, cheat, &real, &lies[at]), 3);
            async move { addends_claiming(&ctx, &real, 3, known).await.map(|_| ()) }
        });
        assert_eq!(found, carries(real) != carries(lie), "{cheat}: {lie:?} instead of {real:?}");
    }
}

#[test]
fn a_wrong_product_of_bits_is_caught() {
    let bits = |shares: [Arith<Z64>; 3]| {
        shares.map(|share| {
            let plane = |words: &[u64]| Words::from(to_planes(words, 1));
            Bin::from_components(ELEMENTS, 1, plane(share.first()), plane(share.second()))
        })
    };
    for (seed, (real, lie)) in beliefs().enumerate() {
        let (cheat, shift) = (PartyId::ALL[seed % 3], seed as u32 / 3 % 64);
        let (shares, lies) = (bits(shares(real)), bits(shares(lie)));
        let found = caught(seed as u64, |ctx| {
            let (party, at) = (ctx.party(), ctx.party().index());
            let (real, lie) = (words_of(&shares[at]), words_of(&lies[at]));
            let known = known_products(party, believed(party, cheat, &real, &lie));
            async move { inject_claiming(&ctx, &real, shift, known).await.map(|_| ()) }
        });
        let differs = (real[0] & real[1] ^ lie[0] & lie[1]) & 1 == 1;
        assert_eq!(found, differs, "{cheat}: {lie:?} instead of {real:?}, shift {shift}");
    }
}

#[test]
fn only_bits_are_bits() {
    let width = 11;
    for (seed, value) in [0, 1, 2, 3, 4, 512, 513, 1024, 1025, 2046, 2047].into_iter().enumerate() {
        let cheat = PartyId::ALL[seed % 3];
        let found = caught(seed as u64, |ctx| async move {
            let own = if ctx.party() == cheat { value } else { 1 };
            let x = input_words(&ctx, [1, ELEMENTS], width, Words::from(vec![own])).await?;
            claim_bits(&ctx, &x, width);
            Ok(())
        });
        assert_eq!(found, value > 1, "{value} of {cheat}");
    }
}
