//! Triples: how fast the parties make them, what a block takes on the disk, and an iteration
//! of network A (784-128-128-10, batch 128) on triples; three parties in this process over
//! in-memory links.

use benches::network_a::{BATCH, blueprint, data, rows_of};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::testing::run3;
use mpc_core::triples::ProductShape;
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::{DATA_SCALE, Trainer};
use nn::triples::{BatchNeeds, FreshBlocks, training_needs};
use protocols::beaver::stock::{Block, Needs};
use std::rc::Rc;
use std::time::{Duration, Instant};

fn one(shape: ProductShape) -> Needs {
    let mut needs = Needs::default();
    needs.add(shape);
    needs
}

/// Triples of one kind, and those of an iteration.
fn kinds<S: Security>() -> [(&'static str, Needs); 4] {
    let matrix =
        ProductShape::Matrix { left: [BATCH, 784], right: [128, 784], transposed: [false, true] };
    [
        ("words", one(ProductShape::Elementwise([1024, 128]))),
        ("bits", one(ProductShape::And { lanes: 1 << 17, planes: 32 })),
        ("matrix-128x784x128", one(matrix)),
        ("network-a", iteration::<S>().needs),
    ]
}

/// What a batch of network A needs.
fn iteration<S: Security>() -> BatchNeeds {
    let needs = training_needs::<S>(&blueprint(), [DATA_SCALE, 0]).expect("scales with room");
    needs.into_iter().next().expect("all batches are full")
}

/// Time of the slowest party to make some blocks.
fn make<S: Security>(needs: &Needs, blocks: u64) -> Duration {
    let times = run3::<S, _, _>(1, |ctx| async move {
        let start = Instant::now();
        for block in 0..blocks {
            Block::make(&ctx.step(&format!("block-{block}")), needs).await?;
        }
        Ok(start.elapsed())
    });
    times.into_iter().max().expect("three parties")
}

/// Time of the slowest party for some batches, whose triples are there.
fn train<S: Security>(batches: u64) -> Duration {
    let blueprint = blueprint();
    let (blueprint, needs) = (&blueprint, BatchNeeds { batches, ..iteration::<S>() });
    let times = run3::<S, _, _>(1, |ctx| {
        let needs = needs.clone();
        async move {
            let data = data(ctx.party());
            let blocks = FreshBlocks::make(&ctx.step("triples"), vec![needs]).await?;
            let engine = Mpc::new(ctx.step("train")).with_triples(Rc::new(blocks));
            let mut trainer = Trainer::new(&engine, blueprint, data, &Seed::from_number(1)).await?;
            let start = Instant::now();
            for batch in 0..batches as usize {
                trainer = trainer.batch(&engine, &rows_of(batch)).await?;
            }
            Ok(start.elapsed())
        }
    });
    times.into_iter().max().expect("three parties")
}

fn triples<S: Security>(c: &mut Criterion) {
    let mut group = c.benchmark_group("triples");
    group.sample_size(10);
    for (kind, needs) in kinds::<S>() {
        let (multiplications, bytes) = (needs.multiplications(), needs.block_bytes());
        let each = bytes as f64 / multiplications as f64;
        println!("{kind}: {multiplications} multiplications, {bytes} bytes, {each:.3} each");
        group.throughput(Throughput::Elements(multiplications));
        let name = format!("make/{kind}/{}", S::NAME);
        group.bench_function(name, |b| b.iter_custom(|blocks| make::<S>(&needs, blocks)));
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("train/network-a/{}", S::NAME), |b| b.iter_custom(train::<S>));
    group.finish();
}

criterion_group!(benches, triples::<SemiHonest>, triples::<Malicious>);
criterion_main!(benches);
