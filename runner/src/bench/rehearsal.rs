//! A training on a few made-up rows, phase by phase: what a forecast extrapolates from.

use super::clocks::{ClockKind, Reading, Sample};
use super::made_up::dataset;
use super::training::training_blocks;
use crate::job::{CheckInputs, Multiplication};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Fixed;
use nn::blueprint::{Blueprint, DataShape};
use nn::engine::Mpc;
use nn::inputs::{Scope, broken_rules};
use nn::seed::Seed;
use nn::train::{Dataset, Trainer};
use std::ops::ControlFlow;
use std::rc::Rc;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub(super) struct Rehearsal {
    /// The training, on as many rows as are made up.
    pub(super) blueprint: Blueprint,
    pub(super) multiplication: Multiplication,
    /// What time is read off.
    pub(super) clock: ClockKind,
    pub(super) check: CheckInputs,
    /// Rows that are checked.
    pub(super) checked_rows: usize,
    /// Rows of the last batch of an epoch, where it is smaller.
    pub(super) last_batch: Option<usize>,
}

/// What each phase took at a party.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phases {
    /// Checking the rows.
    pub(super) check: Sample,
    /// Scaling the features and drawing weights.
    pub(super) start: Sample,
    /// A full batch.
    pub(super) batch: Sample,
    /// The last batch of an epoch.
    pub(super) last_batch: Sample,
    /// Putting the model together.
    pub(super) end: Sample,
}

/// Batches of either size that warm up.
const WARM_UP: usize = 1;
/// Batches of either size that count: parties take turns to help, so in three of them each
/// has had every turn.
const COUNTED: usize = 3;

impl Rehearsal {
    /// Goes through all phases.
    pub(super) async fn run<S: Security>(&self, ctx: Ctx<S>) -> Result<Phases> {
        let take = || Reading::take(&ctx, self.clock);
        let data = dataset(ctx.party(), &self.blueprint);
        let seed = Seed::from_number(1);
        let mut phases = Phases::default();

        let begun = take();
        self.check(&ctx.step("check-inputs"), &data).await?;
        phases.check = take().since(begun);

        let blocks = match self.multiplication {
            Multiplication::Replicated => None,
            Multiplication::Beaver => {
                let blocks = training_blocks(&ctx, &self.blueprint, |_| WARM_UP + COUNTED);
                Some(Rc::new(blocks.await?))
            }
        };
        let engine = Mpc::new(ctx.step("train"));
        let begun = take();
        let mut trainer = Trainer::new(&engine, &self.blueprint, data, &seed).await?;
        phases.start = take().since(begun);

        let sizes = [Some(self.blueprint.batch()), self.last_batch];
        for (size, phase) in sizes.into_iter().zip([&mut phases.batch, &mut phases.last_batch]) {
            let Some(rows) = size else { continue };
            let numbers: Vec<usize> = (0..rows).collect();
            let mut samples = Vec::new();
            for number in 0..WARM_UP + COUNTED {
                let mut stage = Mpc::new(ctx.step(&format!("batch-{number}")));
                if let Some(blocks) = &blocks {
                    stage = stage.with_triples(blocks.clone());
                }
                let begun = take();
                trainer = trainer.batch(&stage, &numbers).await?;
                samples.push(take().since(begun));
            }
            *phase = typical(&samples[WARM_UP..]);
        }

        let begun = take();
        trainer.finish().await?;
        phases.end = take().since(begun);
        Ok(phases)
    }

    /// Checks the first rows, as they would be one holder's.
    async fn check<S: Security>(&self, ctx: &Ctx<S>, data: &Dataset<Fixed>) -> Result<()> {
        let scope = match self.check {
            CheckInputs::None => return Ok(()),
            CheckInputs::Labels => Scope::Labels,
            CheckInputs::All => Scope::All,
        };
        let rows: Vec<usize> = (0..self.checked_rows).collect();
        let part = |x: &Fixed| Ok(Fixed::new(x.share.select_rows(&rows)?, x.scale));
        let data = Dataset { features: part(&data.features)?, labels: part(&data.labels)? };
        let shape = DataShape { rows: rows.len(), ..self.blueprint.data().clone() };
        let go_on = |_| ControlFlow::Continue(());
        broken_rules(ctx, &shape, &data, &[rows.len()], scope, go_on).await.map(drop)
    }
}

/// The median time with the mean of the bytes.
fn typical(samples: &[Sample]) -> Sample {
    let mut by_time = samples.to_vec();
    by_time.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let bytes: u64 = samples.iter().map(|sample| sample.bytes_sent).sum();
    let median = by_time.get(by_time.len() / 2).copied().unwrap_or_default();
    Sample { bytes_sent: bytes / samples.len().max(1) as u64, ..median }
}
