//! What it takes to judge a network by the rows that are kept back.
//!
//! Outputs are computed some rows at a time, so a full block and the last one tell what all
//! take. Figures are made of the outputs of all rows together; of more than [`MAX_ROWS`] they
//! are extrapolated from two numbers of rows. An AUC compares all pairs of rows, block by
//! block, and is extrapolated from one and two blocks.

use super::clocks::{Reading, Sample};
use super::cost::{Cost, Extent};
use super::rehearsal::{Phases, meet};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use nn::blueprint::Blueprint;
use nn::engine::{Engine, Mpc};
use nn::spec::Metric;
use nn::train::Trainer;
use protocols::concordance::PAIRS_AT_A_TIME;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rows whose figures are rehearsed, and fewer where there are many classes.
const MAX_ROWS: usize = 1 << 14;
/// So many in any case.
const MIN_ROWS: usize = 1 << 7;
/// Most full blocks whose outputs are rehearsed. The first one does not count if it is not alone:
/// where a party does not wait for what it sends, blocks overlap. In the three others each party has
/// had every turn to help.
const MAX_BLOCKS: usize = 4;
/// Most comparisons of two classes of a row.
const MAX_COMPARISONS: usize = 1 << 19;

/// How a training judges its network.
#[derive(Clone, Debug)]
pub(super) struct Judging {
    /// Rows that are kept back.
    rows: usize,
    /// Of these, rows whose outputs are computed at a time.
    at_a_time: usize,
    /// Most rows whose figures are rehearsed.
    rehearsed: usize,
    /// How often each set of figures is told.
    told: [Told; 2],
}

/// Figures that are told so many times.
#[derive(Clone, Debug)]
struct Told {
    times: usize,
    has_auc: bool,
    /// The others.
    figures: BTreeSet<Metric>,
}

/// Numbers of rows that are rehearsed.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Rows whose outputs are computed, and how many times.
    block: usize,
    blocks: usize,
    /// Rows whose figures are made, an AUC aside; none where those of other rows tell all.
    figures: usize,
    /// Rows whose AUC is made.
    auc: usize,
}

/// What judging a network took at a party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The outputs of a block of rows.
    pub outputs: Sample,
    /// Of outputs the figures that are told after each epoch and at the end, without an AUC.
    pub figures: [Sample; 2],
    /// The AUC.
    pub auc: Sample,
}

/// Which of the two rehearsals it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Few,
    More,
}

/// Rows all pairs of which make so many blocks.
fn rows_of(blocks: usize) -> usize {
    (2 * blocks * PAIRS_AT_A_TIME).isqrt()
}

fn pairs(rows: usize) -> usize {
    rows * rows.saturating_sub(1) / 2
}

/// The pairs of so many rows, as they are compared.
fn pairs_of(rows: usize) -> Extent {
    let amount = pairs(rows);
    Extent { blocks: amount.div_ceil(PAIRS_AT_A_TIME), amount }
}

impl Judging {
    /// How a job judges, if it does.
    pub(super) fn of(blueprint: &Blueprint) -> Option<Judging> {
        let validation = blueprint.validation()?;
        let classes = blueprint.data().target.columns();
        let of_row = pairs(classes).max(classes).max(1);
        let told = |times, metrics: &BTreeSet<Metric>| {
            let mut figures = metrics.clone();
            let has_auc = figures.remove(&Metric::Auc);
            Told { times: if metrics.is_empty() { 0 } else { times }, has_auc, figures }
        };
        let epochs = blueprint.spec().training.epochs;
        let before_last = epochs.saturating_sub(1);
        Some(Judging {
            rows: blueprint.validation_rows(),
            at_a_time: blueprint.judged_at_a_time(),
            rehearsed: (MAX_COMPARISONS / of_row).clamp(MIN_ROWS, MAX_ROWS),
            told: [told(before_last, &validation.each_epoch), told(1, &validation.metrics)],
        })
    }

    /// How often the network is judged, unless the training ends early.
    pub(super) fn times(&self) -> usize {
        self.told.iter().map(|told| told.times).sum()
    }

    fn sizes(&self, size: Size) -> Sizes {
        let full = self.rows.min(self.at_a_time);
        let (few, more) = (rows_of(1), rows_of(2));
        match size {
            Size::Few => Sizes {
                block: Some(self.rows % self.at_a_time).filter(|&rows| rows > 0).unwrap_or(full),
                blocks: 1,
                figures: if self.rows > self.rehearsed { self.rehearsed / 2 } else { 0 },
                auc: if self.rows > more { few } else { 0 },
            },
            Size::More => Sizes {
                block: full,
                blocks: (self.rows / self.at_a_time).clamp(1, MAX_BLOCKS),
                figures: self.rows.min(self.rehearsed),
                auc: self.rows.min(more),
            },
        }
    }

    /// Judges the network of a training by some of its `rows`, over and over.
    pub(super) async fn rehearse<S: Security>(
        &self,
        size: Size,
        ctx: &Ctx<S>,
        trainer: &Trainer<'_, Mpc<S>>,
        rows: usize,
        take: impl Fn() -> Reading,
    ) -> Result<Judgement> {
        let sizes = self.sizes(size);
        let first = |count: usize, of: usize| (0..count).map(|row| row % of).collect::<Vec<_>>();
        let mut judged = Judgement::default();
        let engine = Mpc::new(ctx.step("network"));
        let of_block = first(sizes.block, rows);
        meet(ctx, "outputs").await;
        let mut begun = take();
        let mut scores = trainer.scores(&engine.step("outputs-0"), &of_block).await?;
        if sizes.blocks > 1 {
            begun = take();
            for number in 1..sizes.blocks {
                let stage = engine.step(&format!("outputs-{number}"));
                scores = trainer.scores(&stage, &of_block).await?;
            }
        }
        judged.outputs = take().since(begun).divided((sizes.blocks - 1).max(1));
        let make = async |name: &str, count: usize, metrics: &BTreeSet<Metric>| {
            if count == 0 || metrics.is_empty() {
                return Ok(Sample::default());
            }
            let scores = engine.select_rows(&scores, &first(count, sizes.block))?;
            meet(ctx, name).await;
            let begun = take();
            trainer.figures(&engine.step(name), scores, &first(count, rows), metrics).await?;
            Ok::<_, mpc_core::error::Error>(take().since(begun))
        };
        for ((told, sample), name) in
            self.told.iter().zip(&mut judged.figures).zip(["each-epoch", "at-the-end"])
        {
            if told.times > 0 {
                *sample = make(name, sizes.figures, &told.figures).await?;
            }
        }
        if self.told.iter().any(|told| told.times > 0 && told.has_auc) {
            judged.auc = make("auc", sizes.auc, &BTreeSet::from([Metric::Auc])).await?;
        }
        Ok(judged)
    }

    /// What all of it takes; a round of short messages takes `latency`.
    pub(super) fn cost(&self, few: &[Phases; 3], more: &[Phases; 3], latency: f64) -> Cost {
        let (small, large) = (self.sizes(Size::Few), self.sizes(Size::More));
        let both = |phase: fn(&Judgement) -> Sample| {
            [few, more].map(|parties| Cost::of(parties, |phases| phase(&phases.judged)))
        };
        let [last, full] = both(|judged| judged.outputs);
        let mut outputs = full.times((self.rows / self.at_a_time) as f64);
        if !self.rows.is_multiple_of(self.at_a_time) {
            outputs = outputs.plus(last);
        }
        let phases: [fn(&Judgement) -> Sample; 2] =
            [|judged| judged.figures[0], |judged| judged.figures[1]];
        let [few_pairs, more_pairs] = both(|judged| judged.auc);
        let few_pairs = (pairs_of(small.auc), few_pairs);
        let more_pairs = (pairs_of(large.auc), more_pairs);
        let auc = Cost::of_blocks(few_pairs, more_pairs, pairs_of(self.rows), latency);
        let costs = self.told.iter().zip(phases).map(|(told, phase)| {
            let [few, more] = both(phase);
            let figures =
                Cost::extrapolated((small.figures, few), (large.figures, more), self.rows as f64);
            let mut once = outputs.plus(Cost { rounds: more.rounds, ..figures });
            if told.has_auc {
                once = once.plus(auc);
            }
            once.times(told.times as f64)
        });
        costs.fold(Cost::default(), Cost::plus)
    }
}
