//! Protocols one by one, three parties in this process over in-memory links: computation
//! without sockets, in both modes, verification included.
//!
//! `cargo bench -p benches --bench protocols -- relu/semi-honest` runs one of them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::{deal, run3};
use protocols::mul::mul;
use protocols::relu::relu;
use protocols::sign::sign;
use protocols::softmax::softmax;
use protocols::trunc::truncate;
use protocols::verify::verify;
use std::time::{Duration, Instant};

/// Elements of a measurement.
const ELEMENTS: usize = 100_000;
/// Fractional bits of operands.
const SCALE: u32 = 13;
/// Fractional bits of logits.
const LOGIT_SCALE: u32 = 16;
/// Columns of a softmax.
const CLASSES: usize = 10;

/// The three shares of numbers between plus and minus `2^bits`.
fn numbers(shape: [usize; 2], bits: u32) -> [Arith<Z64>; 3] {
    let spread = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (63 - bits);
    let values: Vec<u64> =
        (1..=(shape[0] * shape[1]) as u64).map(|i| spread(i).wrapping_sub(1 << bits)).collect();
    deal(1, shape, &values)
}

fn of(shares: &[Arith<Z64>; 3], party: PartyId) -> Arith<Z64> {
    shares[party.index()].clone()
}

/// Time of the slowest party for some repetitions of `task` on its share.
fn time<S: Security>(
    shares: &[Arith<Z64>; 3],
    repetitions: u64,
    task: impl AsyncFn(&Ctx<S>, &Arith<Z64>) -> Result<()> + Sync,
) -> Duration {
    let times = run3::<S, _, _>(1, |ctx| {
        let task = &task;
        async move {
            let share = of(shares, ctx.party());
            let begun = Instant::now();
            for repetition in 0..repetitions {
                let ctx = ctx.step(&format!("repetition-{repetition}"));
                task(&ctx, &share).await?;
                verify(&ctx).await?;
            }
            Ok(begun.elapsed())
        }
    });
    times.into_iter().max().unwrap_or_default()
}

fn protocols_in<S: Security>(c: &mut Criterion) {
    let mut bench = |name: &str,
                     shape: [usize; 2],
                     bits: u32,
                     time: &dyn Fn(&[Arith<Z64>; 3], u64) -> Duration| {
        let shares = numbers(shape, bits);
        let mut group = c.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements((shape[0] * shape[1]) as u64));
        group.bench_function(S::NAME, |b| b.iter_custom(|times| time(&shares, times)));
        group.finish();
    };
    bench("relu", [1, ELEMENTS], SCALE + 3, &|shares, times| {
        time::<S>(shares, times, async |ctx, x| {
            relu(ctx, &Fixed::new(x.clone(), SCALE), SCALE).await.map(drop)
        })
    });
    bench("compare", [1, ELEMENTS], SCALE + 3, &|shares, times| {
        time::<S>(shares, times, async |ctx, x| sign(ctx, x, 32).await.map(drop))
    });
    bench("multiply", [1, ELEMENTS], SCALE + 3, &|shares, times| {
        time::<S>(shares, times, async |ctx, x| mul(ctx, x, x).await.map(drop))
    });
    bench("truncate", [1, ELEMENTS], 2 * SCALE + 3, &|shares, times| {
        time::<S>(shares, times, async |ctx, x| truncate(ctx, x, SCALE).await.map(drop))
    });
    bench("softmax", [ELEMENTS / CLASSES / 10, CLASSES], LOGIT_SCALE + 3, &|shares, times| {
        time::<S>(shares, times, async |ctx, x| {
            softmax(ctx, &Fixed::new(x.clone(), LOGIT_SCALE)).await.map(drop)
        })
    });
}

criterion_group!(protocols, protocols_in::<SemiHonest>, protocols_in::<Malicious>);
criterion_main!(protocols);
