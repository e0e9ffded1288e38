//! What one party runs: the task again and again, with a reading after each.

use super::clocks::{ClockKind, Reading, Sample};
use super::data::Judged;
use super::plan::{Plan, Task};
use crate::digest::Digest;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use protocols::verify::verify;

/// What a party measured.
pub(super) struct Measured {
    /// One for each repetition that counts.
    pub(super) samples: Vec<Sample>,
    /// What was done beforehand, a repetition.
    pub(super) offline: Option<Sample>,
    /// Of a training, the hash of the model.
    pub(super) model: Option<Digest>,
    /// Of a training on rows of a file, how good the model is.
    pub(super) judged: Option<Judged>,
}

/// Runs the task as often as the plan says; calls `done` after each repetition.
///
/// # Errors
/// Those of the protocols.
pub(super) async fn repeat<S: Security>(
    ctx: Ctx<S>,
    plan: &Plan,
    done: impl FnMut(usize),
) -> Result<Measured> {
    let clock = plan.setting.clock;
    let samples = Vec::new();
    let (offline, model, judged) = (None, None, None);
    let mut bench = Bench { ctx, samples, done, plan, clock, offline, model, judged };
    match &plan.task {
        Task::Op { op, n } => bench.op(*op, *n).await?,
        Task::Protocol { protocol, n } => bench.protocol(*protocol, *n).await?,
        Task::Train { net, batch, multiplication, data } => {
            bench.train((net, *batch), *multiplication, data.as_ref()).await?;
        }
        Task::Infer { net, batch, answer } => bench.infer(net, *batch, *answer).await?,
        Task::Link { bytes } => bench.link(*bytes).await?,
    }
    let Bench { samples, offline, model, judged, .. } = bench;
    Ok(Measured { samples, offline, model, judged })
}

/// A measurement under way.
pub(super) struct Bench<'a, S: Security, D> {
    pub(super) ctx: Ctx<S>,
    pub(super) plan: &'a Plan,
    pub(super) offline: Option<Sample>,
    pub(super) model: Option<Digest>,
    pub(super) judged: Option<Judged>,
    samples: Vec<Sample>,
    done: D,
    clock: ClockKind,
}

/// The step of a repetition is called this, and its number.
pub(super) const REPETITION: &str = "repetition-";

impl<S: Security, D: FnMut(usize)> Bench<'_, S, D> {
    /// Repetitions, counted or not.
    pub(super) fn repetitions(&self) -> usize {
        self.plan.warm_up + self.plan.repetitions
    }

    /// Repeats `task`, with the verification of what it computed.
    pub(super) async fn run(
        &mut self,
        mut task: impl AsyncFnMut(&Ctx<S>) -> Result<()>,
    ) -> Result<()> {
        for repetition in 0..self.repetitions() {
            let (ctx, reading) = self.begin(repetition);
            task(&ctx).await?;
            verify(&ctx).await?;
            self.note(repetition, reading);
        }
        Ok(())
    }

    /// All clocks and counters now.
    pub(super) fn reading(&self) -> Reading {
        Reading::take(&self.ctx, self.clock)
    }

    /// The step of a repetition, and the clocks before it.
    pub(super) fn begin(&self, repetition: usize) -> (Ctx<S>, Reading) {
        (self.ctx.step(&format!("{REPETITION}{repetition}")), self.reading())
    }

    /// A repetition is over.
    pub(super) fn note(&mut self, repetition: usize, before: Reading) {
        let sample = self.reading().since(before);
        if repetition >= self.plan.warm_up {
            self.samples.push(sample);
        }
        (self.done)(repetition + 1);
    }
}
