//! The check of the inputs on shares: traffic and time for 1,000 values of each kind, three
//! parties in this process.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::run3_with_cost;
use nn::blueprint::{Column, DataShape, Target};
use nn::inputs::{Scope, broken_rules};
use nn::train::{DATA_SCALE, Dataset};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const ROWS: usize = 64;
const COLUMNS: usize = 1000;

/// Checks rows of features of one kind, besides a number as label; returns the time of the
/// slowest party and the bytes that one party sends.
fn check<S: Security>(kind: Column) -> (Duration, u64) {
    let shape = DataShape { rows: ROWS, columns: vec![kind; COLUMNS], target: Target::Numbers(1) };
    let shape = &shape;
    let parties = run3_with_cost::<S, _, _>(1, |ctx| async move {
        let ones = |columns| {
            let words = vec![1 << DATA_SCALE; ROWS * columns];
            Fixed::new(Arith::public(ctx.party(), [ROWS, columns], words), DATA_SCALE)
        };
        let data = Dataset { features: ones(COLUMNS), labels: ones(1) }.into();
        let (start, go_on) = (Instant::now(), |_| ControlFlow::Continue(()));
        let broken = broken_rules(&ctx, shape, &data, &[ROWS], Scope::All, go_on).await?;
        assert_eq!(broken, [false]);
        Ok(start.elapsed())
    });
    let slowest = parties.iter().map(|(elapsed, _)| *elapsed).max().expect("three parties");
    (slowest, parties[0].1.traffic.payload_bytes)
}

fn inputs_in<S: Security>(c: &mut Criterion) {
    let mut group = c.benchmark_group("check-inputs");
    group.sample_size(10).throughput(Throughput::Elements((ROWS * COLUMNS) as u64));
    for (name, kind) in [("numbers", Column::Bounded), ("bits", Column::Indicator)] {
        let (_, bytes) = check::<S>(kind);
        let each = bytes / ROWS as u64;
        println!("{name}, {}: {each} bytes a party for 1,000 values", S::NAME);
        group.bench_function(format!("{name}/{}", S::NAME), |b| {
            b.iter_custom(|runs| (0..runs).map(|_| check::<S>(kind).0).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, inputs_in::<SemiHonest>, inputs_in::<Malicious>);
criterion_main!(benches);
