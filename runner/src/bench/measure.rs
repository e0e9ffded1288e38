//! What one party runs: the task again and again, with a reading after each.

use super::plan::{MATMUL_COLUMNS, MATMUL_DEPTH, Net, Op, Plan, SOFTMAX_CLASSES, Task};
use crate::job::Multiplication;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::net::Traffic;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::deal;
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::{DATA_SCALE, Dataset, Trainer};
use nn::triples::{FreshBlocks, training_needs};
use protocols::mul::{Operand, matmul, mul};
use protocols::relu::relu;
use protocols::sigmoid::sigmoid;
use protocols::sign::{bit_decompose, sign};
use protocols::softmax::softmax;
use protocols::trunc::rescale;
use protocols::verify::verify;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::time::Instant;

/// Fractional bits of operands.
const SCALE: u32 = 13;
/// Fractional bits of products.
const PRODUCT_SCALE: u32 = 2 * SCALE;
/// Fractional bits of logits.
const LOGIT_SCALE: u32 = 16;
/// Operands lie within plus and minus this.
const BOUND: u64 = 8;

/// What one repetition took at one party.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Wall clock.
    pub seconds: f64,
    /// Processor time of the process.
    pub cpu_seconds: f64,
    /// Of the wall clock, spent waiting for messages.
    pub waiting_seconds: f64,
    /// Rounds.
    pub rounds: u64,
    /// Bytes handed to the sockets, with frames and TLS.
    pub bytes_sent: u64,
}

/// Runs the task as often as the plan says; calls `done` after each repetition.
///
/// # Errors
/// Those of the protocols.
pub(super) async fn repeat<S: Security>(
    ctx: Ctx<S>,
    plan: &Plan,
    done: impl FnMut(usize),
) -> Result<Vec<Sample>> {
    let party = ctx.party();
    let mut bench = Bench { ctx, samples: Vec::new(), done, plan };
    match &plan.task {
        Task::Op { op, n } => {
            let n = *n;
            match op {
                Op::Relu => {
                    let x = numbers(party, 1, [1, n], SCALE);
                    bench.run(async |ctx| relu(ctx, &x, SCALE).await.map(drop)).await?;
                }
                Op::Compare => {
                    let x = numbers(party, 1, [1, n], SCALE).share;
                    bench.run(async |ctx| sign(ctx, &x, 32).await.map(drop)).await?;
                }
                Op::Decompose => {
                    let x = numbers(party, 1, [1, n], SCALE).share;
                    bench.run(async |ctx| bit_decompose(ctx, &x, 64).await.map(drop)).await?;
                }
                Op::Mul => {
                    let x = numbers(party, 1, [1, n], SCALE).share;
                    let y = numbers(party, 2, [1, n], SCALE).share;
                    bench
                        .run(async |ctx| {
                            let product = mul(&ctx.step("product"), &x, &y).await?;
                            rescaled(ctx, product).await
                        })
                        .await?;
                }
                Op::Matmul => {
                    let x = numbers(party, 1, [n, MATMUL_DEPTH], SCALE).share;
                    let y = numbers(party, 2, [MATMUL_DEPTH, MATMUL_COLUMNS], SCALE).share;
                    bench
                        .run(async |ctx| {
                            let (x, y) = (Operand::plain(&x), Operand::plain(&y));
                            let product = matmul(&ctx.step("product"), x, y).await?;
                            rescaled(ctx, product).await
                        })
                        .await?;
                }
                Op::Trunc => {
                    let x = numbers(party, 1, [1, n], PRODUCT_SCALE).share;
                    bench.run(async |ctx| rescaled(ctx, x.clone()).await).await?;
                }
                Op::Softmax => {
                    let z = numbers(party, 1, [n, SOFTMAX_CLASSES], LOGIT_SCALE);
                    bench.run(async |ctx| softmax(ctx, &z).await.map(drop)).await?;
                }
                Op::Sigmoid => {
                    let z = numbers(party, 1, [1, n], SCALE);
                    bench.run(async |ctx| sigmoid(ctx, &z).await.map(drop)).await?;
                }
            }
        }
        Task::Train { net, batch, multiplication } => {
            bench.train(net, *batch, *multiplication).await?;
        }
    }
    Ok(bench.samples)
}

/// A truncation of products.
async fn rescaled<S: Security>(ctx: &Ctx<S>, product: Arith<Z64>) -> Result<()> {
    rescale(&ctx.step("rescale"), &Fixed::new(product, PRODUCT_SCALE), SCALE).await.map(drop)
}

/// This party's share of made-up numbers; all parties know them.
fn numbers(party: PartyId, seed: u64, shape: [usize; 2], scale: u32) -> Fixed {
    let range = (2 * BOUND) << scale;
    let spread = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % range;
    let values: Vec<u64> = (0..(shape[0] * shape[1]) as u64)
        .map(|i| spread(i + 1).wrapping_sub(BOUND << scale))
        .collect();
    Fixed::new(share_of(party, seed, shape, &values), scale)
}

fn share_of(party: PartyId, seed: u64, shape: [usize; 2], values: &[u64]) -> Arith<Z64> {
    let [first, second, third] = deal(seed, shape, values);
    match party {
        PartyId::P0 => first,
        PartyId::P1 => second,
        PartyId::P2 => third,
    }
}

struct Bench<'a, S: Security, D> {
    ctx: Ctx<S>,
    plan: &'a Plan,
    samples: Vec<Sample>,
    done: D,
}

impl<S: Security, D: FnMut(usize)> Bench<'_, S, D> {
    /// Repeats `task`, with the verification of what it computed.
    async fn run(&mut self, mut task: impl AsyncFnMut(&Ctx<S>) -> Result<()>) -> Result<()> {
        for repetition in 0..self.plan.warm_up + self.plan.repetitions {
            let reading = Reading::take(&self.ctx);
            let ctx = self.ctx.step(&format!("repetition-{repetition}"));
            task(&ctx).await?;
            verify(&ctx).await?;
            self.note(repetition, reading);
        }
        Ok(())
    }

    /// Repeats an iteration of training; the network goes from one to the next.
    async fn train(
        &mut self,
        net: &Net,
        batch: usize,
        multiplication: Multiplication,
    ) -> Result<()> {
        let misuse = |e: &dyn std::fmt::Display| Error::Misuse(e.to_string());
        let blueprint = Task::blueprint(net, batch).map_err(|e| misuse(&e))?;
        let (rows, party) = (blueprint.data().rows, self.ctx.party());
        let (inputs, classes) = (blueprint.data().columns.len(), blueprint.data().target.columns());
        let pixels: Vec<u64> =
            (0..(rows * inputs) as u64).map(|i| (i * 7919) % (1 << DATA_SCALE)).collect();
        let one_hot: Vec<u64> =
            (0..rows * classes).map(|i| u64::from(i / classes % classes == i % classes)).collect();
        let data = Dataset {
            features: Fixed::new(share_of(party, 1, [rows, inputs], &pixels), DATA_SCALE),
            labels: Fixed::new(share_of(party, 2, [rows, classes], &one_hot), 0),
        };
        let blocks = match multiplication {
            Multiplication::Replicated => None,
            Multiplication::Beaver => {
                let mut needs = training_needs::<S>(&blueprint, [DATA_SCALE, 0])?;
                let repetitions = self.plan.warm_up + self.plan.repetitions;
                needs.iter_mut().for_each(|needs| needs.batches = repetitions as u64);
                Some(Rc::new(FreshBlocks::make(&self.ctx.step("triples"), needs).await?))
            }
        };
        let engine = Mpc::new(self.ctx.step("train"));
        let mut trainer = Trainer::new(&engine, &blueprint, data, &Seed::from_number(1)).await?;
        for repetition in 0..self.plan.warm_up + self.plan.repetitions {
            let first = repetition * batch % rows;
            let numbers: Vec<usize> = (first..first + batch).collect();
            let reading = Reading::take(&self.ctx);
            let mut stage = Mpc::new(self.ctx.step(&format!("repetition-{repetition}")));
            if let Some(blocks) = &blocks {
                stage = stage.with_triples(blocks.clone());
            }
            trainer = trainer.batch(&stage, &numbers).await?;
            self.note(repetition, reading);
        }
        Ok(())
    }

    fn note(&mut self, repetition: usize, before: Reading) {
        let sample = Reading::take(&self.ctx).since(before);
        if repetition >= self.plan.warm_up {
            self.samples.push(sample);
        }
        (self.done)(repetition + 1);
    }
}

/// All clocks and counters at one moment.
struct Reading {
    clock: Instant,
    cpu_seconds: f64,
    traffic: Traffic,
}

impl Reading {
    fn take<S: Security>(ctx: &Ctx<S>) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        Reading { clock: Instant::now(), cpu_seconds, traffic: ctx.traffic() }
    }

    fn since(self, before: Reading) -> Sample {
        let traffic = self.traffic - before.traffic;
        Sample {
            seconds: (self.clock - before.clock).as_secs_f64(),
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            waiting_seconds: traffic.waiting.as_secs_f64(),
            rounds: traffic.rounds,
            bytes_sent: traffic.bytes_sent,
        }
    }
}
