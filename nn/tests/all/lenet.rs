//! An iteration of LeNet on shares: what it costs.

use mpc_core::exec::Outcome;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::Fixed;
use mpc_core::testing::{deal, run3_with_cost};
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::engine::Mpc;
use nn::loss::Loss;
use nn::seed::Seed;
use nn::spec::{ModelSpec, Spec, lenet};
use nn::train::{DATA_SCALE, Dataset, Trainer};

const PIXELS: usize = 28 * 28;

fn blueprint(batch: usize) -> Blueprint {
    let training = format!(
        "[model]\nlayers = [{{ dense = 1 }}]\nloss = \"mean-squared\"\n\
         [training]\nepochs = 1\nbatch = {batch}\nlearning_rate = 0.1\n\
         [features]\nscaling = \"none\""
    );
    let spec = Spec::from_toml(&training).unwrap();
    let input = Some([28, 28, 1].into());
    let model = ModelSpec { input, layers: lenet(), loss: Loss::SoftmaxCrossEntropy };
    let columns = vec![Column::Bounded; PIXELS];
    let data = DataShape { rows: batch, columns, target: Target::Classes(10) };
    Blueprint::new(Spec { model, ..spec }, data).unwrap()
}

/// What the parties sent until the end of so many iterations.
fn outcomes<S: Security>(batch: usize, iterations: usize) -> [Outcome; 3] {
    let blueprint = blueprint(batch);
    let pixels: Vec<u64> =
        (0..(batch * PIXELS) as u64).map(|i| (i * 7919) % (1 << DATA_SCALE)).collect();
    let one_hot: Vec<u64> = (0..batch * 10).map(|i| u64::from(i / 10 % 10 == i % 10)).collect();
    let features = deal(1, [batch, PIXELS], &pixels);
    let labels = deal(2, [batch, 10], &one_hot);
    run3_with_cost::<S, _, _>(3, |ctx| {
        let at = ctx.party().index();
        let data = Dataset {
            features: Fixed::new(features[at].clone(), DATA_SCALE),
            labels: Fixed::new(labels[at].clone(), 0),
        };
        let blueprint = &blueprint;
        async move {
            let engine = Mpc::new(ctx.step("train"));
            let seed = Seed::from_number(1);
            let mut trainer = Trainer::new(&engine, blueprint, data, &seed).await?;
            let rows: Vec<usize> = (0..batch).collect();
            for iteration in 0..iterations {
                let stage = Mpc::new(ctx.step(&format!("iteration-{iteration}")));
                let started = std::time::Instant::now();
                trainer = trainer.batch(&stage, &rows).await?;
                if at == 0 {
                    println!("iteration {iteration}: {:?}", started.elapsed());
                }
            }
            Ok(())
        }
    })
    .map(|(_, outcome)| outcome)
}

/// Rounds, and megabytes that a party sends in the mean, of one iteration.
fn cost<S: Security>(batch: usize) -> (u64, f64) {
    let [before, after] = [0, 1].map(|iterations| outcomes::<S>(batch, iterations));
    let sent = |outcomes: &[Outcome; 3]| -> u64 {
        outcomes.iter().map(|outcome| outcome.traffic.payload_bytes).sum()
    };
    let rounds = after[0].traffic.rounds - before[0].traffic.rounds;
    (rounds, (sent(&after) - sent(&before)) as f64 / 3e6)
}

/// The gradients of the weights cost the same for any batch, 3.4 MB.
#[test]
fn an_iteration_of_few_rows() {
    let (rounds, megabytes) = cost::<SemiHonest>(4);
    println!("4 rows: {rounds} rounds, {megabytes:.3} MB");
    assert_eq!(rounds, 131);
    assert!((6.14..6.17).contains(&megabytes), "{megabytes} MB");
}

#[test]
#[ignore = "minutes: cargo test --release -p nn --test all lenet -- --ignored --nocapture"]
fn an_iteration_of_128_rows() {
    let (rounds, megabytes) = cost::<SemiHonest>(128);
    println!("semi-honest: {rounds} rounds, {megabytes:.2} MB");
    assert_eq!(rounds, 134);
    assert!((87.5..88.0).contains(&megabytes), "{megabytes} MB");
    let (rounds, megabytes) = cost::<Malicious>(128);
    println!("malicious: {rounds} rounds, {megabytes:.2} MB");
    assert_eq!(rounds, 428);
    assert!((90.5..91.5).contains(&megabytes), "{megabytes} MB");
}
