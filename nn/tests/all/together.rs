//! In the malicious mode small batches are verified together, large ones one by one.

use mpc_core::party::PartyId;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::run3_with_cost;
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::spec::Spec;
use nn::train::{DATA_SCALE, Dataset, MAX_BATCHES_TOGETHER, train};

const COLUMNS: usize = 4;

/// What a verification takes at least: one fold, and what comes before and after.
const VERIFICATION: u64 = 11;

/// Shared zeros.
fn data(party: PartyId, rows: usize) -> Dataset<Fixed> {
    let zeros = |columns: usize, scale| {
        Fixed::new(Arith::public(party, [rows, columns], vec![0; rows * columns]), scale)
    };
    Dataset { features: zeros(COLUMNS, DATA_SCALE), labels: zeros(1, 0) }
}

/// Rounds of a training of one epoch.
fn rounds<S: Security>(batches: usize, batch: usize, width: usize) -> u64 {
    let spec = format!(
        r#"
            [model]
            layers = [{{ dense = {width} }}, "relu", {{ dense = "outputs" }}]
            loss = "mean-squared"
            [training]
            epochs = 1
            batch = {batch}
            learning_rate = 0.1
            [features]
            scaling = "none"
        "#
    );
    let rows = batches * batch;
    let columns = vec![Column::Bounded; COLUMNS];
    let shape = DataShape { rows, columns, target: Target::Numbers(1) };
    let blueprint = &Blueprint::new(Spec::from_toml(&spec).unwrap(), shape).unwrap();
    let parties = run3_with_cost::<S, _, _>(1, |ctx| async move {
        let data = data(ctx.party(), rows);
        train(&Mpc::new(ctx), blueprint, data, &Seed::from_number(1), &mut ()).await.map(drop)
    });
    parties[0].1.traffic.rounds
}

/// Rounds that the last of so many batches takes.
fn of_the_last<S: Security>(batches: usize, batch: usize, width: usize) -> u64 {
    rounds::<S>(batches, batch, width) - rounds::<S>(batches - 1, batch, width)
}

#[test]
fn small_batches_are_verified_together() {
    let last = |batches| of_the_last::<Malicious>(batches, 2, 2);
    // More products take a few more rounds of the one verification.
    let (third, sixteenth) = (last(3), last(MAX_BATCHES_TOGETHER));
    assert!(sixteenth <= third + 4, "{sixteenth} rounds, and {third}");
    let seventeenth = last(MAX_BATCHES_TOGETHER + 1);
    assert!(seventeenth >= third + VERIFICATION, "{seventeenth} rounds, and {third}");
}

#[test]
fn large_batches_are_verified_one_by_one() {
    let plain = of_the_last::<SemiHonest>(2, 128, 256);
    let verified = of_the_last::<Malicious>(2, 128, 256);
    assert!(verified >= plain + VERIFICATION, "{verified} rounds, and {plain}");
}
