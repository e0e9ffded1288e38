//! One training iteration of network A (784-128-128-10, batch 128), three parties in
//! this process over in-memory links: computation without sockets.

use benches::network_a::{blueprint, data, rows_of};
use criterion::{Criterion, criterion_group, criterion_main};
use mpc_core::net::Traffic;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::testing::run3_with_cost;
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::Trainer;
use std::time::{Duration, Instant};

/// Seconds of `iterations` steps at the slowest party.
fn train<S: Security>(iterations: u64) -> Duration {
    train_with_cost::<S>(iterations).0
}

/// Seconds of `iterations` steps at the slowest party, and what each party sent in all.
fn train_with_cost<S: Security>(iterations: u64) -> (Duration, [Traffic; 3]) {
    let blueprint = blueprint();
    let blueprint = &blueprint;
    let parties = run3_with_cost::<S, _, _>(1, |ctx| async move {
        let data = data(ctx.party());
        let engine = Mpc::new(ctx);
        let mut trainer = Trainer::new(&engine, blueprint, data, &Seed::from_number(1)).await?;
        let start = Instant::now();
        for batch in 0..iterations as usize {
            trainer = trainer.batch(&engine, &rows_of(batch)).await?;
        }
        Ok(start.elapsed())
    });
    let slowest = parties.iter().map(|(elapsed, _)| *elapsed).max().expect("three parties");
    (slowest, parties.map(|(_, outcome)| outcome.traffic))
}

/// Prints what an iteration costs and measures its time.
fn iteration_in<S: Security>(c: &mut Criterion) {
    let ((_, none), (_, one)) = (train_with_cost::<S>(0), train_with_cost::<S>(1));
    // Two sessions: what they waited for differs by chance.
    let [rounds, bytes] = [|t: &Traffic| t.rounds, |t: &Traffic| t.payload_bytes]
        .map(|count| count(&one[0]) - count(&none[0]));
    println!("an iteration, {}: {rounds} rounds, {bytes} bytes sent a party", S::NAME);
    let mut group = c.benchmark_group("iteration");
    group.sample_size(10);
    let name = format!("network-a/{}/in-process", S::NAME);
    group.bench_function(name, |b| b.iter_custom(train::<S>));
    group.finish();
}

criterion_group!(benches, iteration_in::<SemiHonest>, iteration_in::<Malicious>);
criterion_main!(benches);
