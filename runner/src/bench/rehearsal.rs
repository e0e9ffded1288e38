//! A training on a few made-up rows, phase by phase: what a forecast extrapolates from.
//!
//! It is gone through twice, with fewer and with more rows. Nothing of it is a secret and
//! nothing is released: rows, labels and start weights are public, and the model is dropped.

use super::clocks::{ClockKind, Reading, Sample};
use super::forecast::Training;
use super::judging::{Judgement, Judging, Size};
use super::made_up::dataset;
use super::training::training_blocks;
use crate::job::{CheckInputs, Multiplication};
use crate::memory::{peak_rss_bytes, rss_bytes};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::security::Security;
use mpc_core::share::Fixed;
use nn::blueprint::{Blueprint, DataShape};
use nn::engine::Mpc;
use nn::inputs::{Scope, broken_rules};
use nn::seed::Seed;
use nn::spec::SpecError;
use nn::train::{Dataset, MAX_BATCHES_TOGETHER, Trainer};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::rc::Rc;

/// Rows of a block that is checked, at most.
const CHECKED_ROWS: usize = 4096;
/// Bytes of the messages in a round whose time is that of the latency.
const SHORT: usize = 8;
/// Bytes of either message of a party in a round whose time tells the bandwidth.
const LONG: usize = 1 << 20;
/// How often a round of either kind is measured.
const ROUNDS: usize = 3;

/// A training that is gone through on few made-up rows, and again on more of them.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    few: Part,
    more: Part,
}

/// What a rehearsal came to at one party.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// What was measured of the links.
    pub links: MeasuredLinks,
    /// With fewer rows.
    pub few: Phases,
    /// With more rows.
    pub more: Phases,
    /// Resident memory of the process before.
    pub memory_before: u64,
    /// Largest resident memory of the process so far.
    pub memory_peak: u64,
}

/// The links between the parties, with all that surrounds them, as a party found them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredLinks {
    /// Seconds of a round of messages of a few bytes.
    pub round_seconds: f64,
    /// Bytes a second that a party sends to each of the others, both at the same time.
    pub bytes_per_second: f64,
}

impl Rehearsal {
    /// What is rehearsed of a training; time is read off that clock.
    ///
    /// # Errors
    /// When the network does not fit the rows.
    pub fn of(training: &Training, clock: ClockKind) -> std::result::Result<Self, SpecError> {
        let blueprint = &training.blueprint;
        let (shape, batch) = (blueprint.data(), blueprint.batch());
        let last_batch = Some(blueprint.training_rows() % batch).filter(|&rows| rows > 0);
        let epoch = Epoch { full: blueprint.training_rows() / batch, batch, last_batch };
        let longest = training.sets.iter().copied().max().unwrap_or(shape.rows);
        let checked_rows = training.rows_at_a_time().min(CHECKED_ROWS).min(longest).max(1);
        let judging = Judging::of(blueprint);
        // All rows that are made up are trained on; the network is judged by the same.
        let mut spec = blueprint.spec().clone();
        spec.validation = None;
        let part = |batches: usize, size| {
            let rows = batches * batch + last_batch.unwrap_or_default();
            let rows = rows.min(blueprint.training_rows());
            let blueprint = Blueprint::new(spec.clone(), DataShape { rows, ..shape.clone() })?;
            let Training { multiplication, check, .. } = *training;
            Ok::<_, SpecError>(Part {
                blueprint,
                multiplication,
                clock,
                check,
                checked: vec![checked_rows; batches],
                epoch,
                judging: judging.clone().map(|judging| (judging, size)),
            })
        };
        Ok(Rehearsal { few: part(1, Size::Few)?, more: part(2, Size::More)? })
    }

    /// Numbers that are made up for the larger of the two, rows times columns.
    pub fn numbers(&self) -> usize {
        self.more.numbers()
    }

    /// Parts in which it is gone through: groups of batches, and the network is judged.
    pub fn parts(&self) -> usize {
        let of_part =
            |part: &Part| KINDS * (WARM_UP + COUNTED) + usize::from(part.judging.is_some());
        of_part(&self.few) + of_part(&self.more)
    }

    /// Rows that are scaled, in the one and in the other.
    pub(super) fn rows(&self) -> [usize; 2] {
        [&self.few, &self.more].map(|part| part.blueprint.data().rows)
    }

    /// The batches of an epoch of the training.
    pub(super) fn epoch(&self) -> Epoch {
        self.more.epoch
    }

    /// Rows of a block that is checked.
    pub(super) fn checked_rows(&self) -> usize {
        self.few.checked.iter().sum()
    }

    /// Goes through it; `go_on` hears how many parts are done and may break it off, upon which
    /// there is no result.
    ///
    /// # Errors
    /// Those of the protocols.
    pub async fn run<S: Security>(
        &self,
        ctx: &Ctx<S>,
        mut go_on: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Rehearsed>> {
        let memory_before = rss_bytes();
        let links = measure_links(ctx, self.more.clock).await?;
        let mut done = 0;
        let mut part = || {
            done += 1;
            go_on(done)
        };
        let few = self.few.run(&ctx.step("few"), &mut part).await?;
        let Some(few) = few else { return Ok(None) };
        let more = self.more.run(&ctx.step("more"), &mut part).await?;
        Ok(more.map(|more| Rehearsed {
            links,
            few,
            more,
            memory_before,
            memory_peak: peak_rss_bytes(),
        }))
    }
}

/// A round in which each party sends so many bytes to each other one.
async fn exchange<S: Security>(ctx: &Ctx<S>, bytes: usize) {
    let [to_prev, to_next] = [(); 2].map(|()| Payload::written(bytes, |zeros| zeros.fill(0)));
    ctx.exchange(Message { to_prev, to_next, expect_prev: bytes, expect_next: bytes }).await;
}

/// Waits for the others: what is measured next does not tell how far ahead one was.
pub(super) async fn meet<S: Security>(ctx: &Ctx<S>, name: &str) {
    exchange(&ctx.step("meet").step(name), SHORT).await;
}

/// Times rounds of short and of long messages.
async fn measure_links<S: Security>(ctx: &Ctx<S>, clock: ClockKind) -> Result<MeasuredLinks> {
    let mut medians = [0.0; 2];
    for (median, bytes) in medians.iter_mut().zip([SHORT, LONG]) {
        let step = ctx.step(&format!("links-{bytes}"));
        let mut samples = Vec::new();
        // The first one wakes everybody up.
        for round in 0..=ROUNDS {
            let step = step.step(&format!("round-{round}"));
            let begun = Reading::take(ctx, clock);
            exchange(&step, bytes).await;
            samples.push(Reading::take(ctx, clock).since(begun));
        }
        *median = typical(&samples[1..]).seconds;
    }
    let [short, long] = medians;
    let bytes_per_second = (LONG - SHORT) as f64 / (long - short).max(1e-9);
    Ok(MeasuredLinks { round_seconds: short, bytes_per_second })
}

/// One of the two times that a training is gone through.
#[derive(Clone, Debug)]
struct Part {
    /// The training, on as many rows as are made up.
    blueprint: Blueprint,
    multiplication: Multiplication,
    /// What time is read off.
    clock: ClockKind,
    check: CheckInputs,
    /// Rows of the data sets that are checked.
    checked: Vec<usize>,
    /// The batches of an epoch of the training.
    epoch: Epoch,
    /// How the network is judged, if it is.
    judging: Option<(Judging, Size)>,
}

/// The batches of an epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    /// Full batches.
    full: usize,
    /// Rows of a full batch.
    batch: usize,
    /// Rows of the last one, where it is smaller.
    last_batch: Option<usize>,
}

impl Epoch {
    /// Rows of each batch from number `first` on: of so many as are verified together at most.
    fn group(&self, first: usize) -> Vec<usize> {
        let sizes = std::iter::repeat_n(self.batch, self.full).chain(self.last_batch);
        sizes.skip(first).take(MAX_BATCHES_TOGETHER).collect()
    }

    /// How many whole groups there are, of so many batches each, and the number of the first
    /// batch after them.
    pub(super) fn groups(&self, together: usize) -> (usize, usize) {
        let batches = self.full + usize::from(self.last_batch.is_some());
        // Where the small one at the end is among them, a group is the whole epoch.
        let groups = if together > self.full { batches / together } else { self.full / together };
        (groups, groups * together)
    }
}

/// What each phase took at a party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Checking the rows.
    pub check: Sample,
    /// Scaling the features and drawing weights.
    pub start: Sample,
    /// Batches that are verified together: the first ones of an epoch.
    pub group: Sample,
    /// How many these are.
    pub together: u64,
    /// The batches at the end of an epoch, where these are not as many, or not all full.
    pub last_group: Sample,
    /// Judging the network by rows that are kept back.
    pub judged: Judgement,
    /// Putting the model together.
    pub end: Sample,
}

/// Kinds of groups: whole ones, and the last one of an epoch.
const KINDS: usize = 2;
/// Groups of either kind that warm up.
const WARM_UP: usize = 1;
/// Groups of either kind that count: parties take turns to help, so in three of them each has
/// had every turn.
const COUNTED: usize = 3;

impl Part {
    fn numbers(&self) -> usize {
        let shape = self.blueprint.data();
        shape.rows * (shape.columns.len() + shape.target.columns())
    }

    /// Goes through all phases; nothing comes of it where it is broken off.
    async fn run<S: Security>(
        &self,
        ctx: &Ctx<S>,
        go_on: &mut impl FnMut() -> ControlFlow<()>,
    ) -> Result<Option<Phases>> {
        let take = || Reading::take(ctx, self.clock);
        let data = dataset(ctx.party(), &self.blueprint);
        let seed = Seed::from_number(1);
        let mut phases = Phases::default();

        meet(ctx, "check").await;
        let begun = take();
        self.check(&ctx.step("check-inputs"), &data).await?;
        phases.check = take().since(begun);

        let blocks = match self.multiplication {
            Multiplication::Replicated => None,
            Multiplication::Beaver => {
                let blocks = training_blocks(ctx, &self.blueprint, |_| WARM_UP + COUNTED);
                Some(Rc::new(blocks.await?))
            }
        };
        let engine = Mpc::new(ctx.step("train"));
        meet(ctx, "start").await;
        let begun = take();
        let mut trainer = Trainer::new(&engine, &self.blueprint, data, &seed).await?;
        phases.start = take().since(begun);

        let mut first = 0;
        for phase in [&mut phases.group, &mut phases.last_group] {
            let rows_of = |rows: usize| (0..rows).collect::<Vec<usize>>();
            let group: Vec<Vec<usize>> = self.epoch.group(first).into_iter().map(rows_of).collect();
            let mut samples = Vec::new();
            for number in 0..WARM_UP + COUNTED {
                if !group.is_empty() {
                    let mut stage = Mpc::new(ctx.step(&format!("group-{first}-{number}")));
                    if let Some(blocks) = &blocks {
                        stage = stage.with_triples(blocks.clone());
                    }
                    let begun = take();
                    let together;
                    (trainer, together) = trainer.group(&stage, &group, 0, |_| Ok(())).await?;
                    samples.push(take().since(begun));
                    if first == 0 {
                        phases.together = together as u64;
                    }
                }
                if go_on().is_break() {
                    return Ok(None);
                }
            }
            *phase = typical(samples.get(WARM_UP..).unwrap_or_default());
            (_, first) = self.epoch.groups((phases.together as usize).max(1));
        }
        if let Some((judging, size)) = &self.judging {
            let (stage, rows) = (ctx.step("judge"), self.blueprint.data().rows);
            phases.judged = judging.rehearse(*size, &stage, &trainer, rows, take).await?;
            if go_on().is_break() {
                return Ok(None);
            }
        }

        let begun = take();
        trainer.finish().await?;
        phases.end = take().since(begun);
        Ok(Some(phases))
    }

    /// Checks rows as if they were those of so many data sets; the rows are used again and again.
    async fn check<S: Security>(&self, ctx: &Ctx<S>, data: &Dataset<Fixed>) -> Result<()> {
        let scope = match self.check {
            CheckInputs::None => return Ok(()),
            CheckInputs::Labels => Scope::Labels,
            CheckInputs::All => Scope::All,
        };
        let there = self.blueprint.data().rows;
        let rows: Vec<usize> = (0..self.checked.iter().sum()).map(|row| row % there).collect();
        let part = |x: &Fixed| Ok(Fixed::new(x.share.select_rows(&rows)?, x.scale));
        let data = Dataset { features: part(&data.features)?, labels: part(&data.labels)? }.into();
        let shape = DataShape { rows: rows.len(), ..self.blueprint.data().clone() };
        let go_on = |_| ControlFlow::Continue(());
        broken_rules(ctx, &shape, &data, &self.checked, scope, go_on).await.map(drop)
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
