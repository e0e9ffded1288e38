//! What a training will take, before it runs.
//!
//! Batches of one size take the same rounds and bytes whatever the data are, so a few on
//! made-up rows tell what all take, in groups of those that are verified together; that is
//! counted, not estimated, and so is the time that messages of these lengths need on links of
//! the given kind. What goes through all rows before the first batch, the check and the scaling,
//! is extrapolated from two numbers of rows, and so are figures of more than some rows that are
//! kept back (`judging`). The rehearsal is in this process, and then computation is measured as
//! if every party had a core of this machine to itself; or it is a session of the real parties
//! over their real links, and then it is measured there.

use super::clocks::ClockKind;
use super::cost::{Cost, Extent};
use super::in_process::three_parties;
use super::judging::Judging;
pub use super::rehearsal::{MeasuredLinks, Phases, Rehearsal, Rehearsed};
use super::session::{keys, reports};
use crate::failure::Failure;
use crate::job::{CheckInputs, Multiplication, Security};
use mpc_core::exec::Session;
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, LinkSpec};
use mpc_core::security::{Malicious, SemiHonest};
use nn::blueprint::Blueprint;
use nn::inputs::{Scope, rows_at_a_time};
use nn::train::MAX_BATCHES_TOGETHER;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Bytes of a word of a share: two components.
const SHARE_BYTES: u64 = 16;

/// A training whose cost is to be foretold.
#[derive(Clone, Debug)]
pub struct Training {
    /// Network and training, on as many rows as there will be.
    pub blueprint: Blueprint,
    /// The mode.
    pub security: Security,
    /// How it multiplies; triples are made before.
    pub multiplication: Multiplication,
    /// What is checked of the rows before.
    pub check: CheckInputs,
    /// Rows of each data set, which are checked one after the other; together all rows.
    pub sets: Vec<usize>,
}

/// What a training will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Batches in all.
    pub iterations: u64,
    /// Rounds.
    pub rounds: f64,
    /// Bytes that each party sends, with frames and, where they were measured, TLS. Which of the
    /// three sends how much depends on whose turn it is to help.
    pub bytes_sent_per_party: [f64; 3],
    /// Time from the agreement on keys to the model.
    pub seconds: f64,
    /// Of the time, spent before the first batch.
    pub seconds_before: f64,
    /// Time of a full batch, with its part of the verification.
    pub seconds_per_iteration: f64,
    /// How often the network is judged by rows that are kept back.
    #[serde(default)]
    pub evaluations: u64,
    /// Of the time, spent on that.
    #[serde(default)]
    pub seconds_evaluating: f64,
    /// Most memory of a party: the data and what a batch, or judging the network, needs.
    pub peak_bytes: u64,
    /// The links that the time is for.
    pub links: Links,
}

/// The links that a forecast is for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// As fast as can be: no message takes time.
    Unlimited,
    /// As slow as was asked for.
    Shaped(LinkSpec),
    /// Those of the real parties, as the three of them found them.
    Measured([MeasuredLinks; 3]),
}

impl Training {
    /// Rows that are checked at a time.
    pub(super) fn rows_at_a_time(&self) -> usize {
        let shape = self.blueprint.data();
        match self.check {
            CheckInputs::None => 1,
            CheckInputs::Labels => rows_at_a_time(shape, Scope::Labels),
            CheckInputs::All => rows_at_a_time(shape, Scope::All),
        }
    }
}

/// Rehearses a training in this process and foretells what the whole will take over links of
/// the given kind, on clocks of threads; `rehearsed` hears how many parts are done of how many.
///
/// # Errors
/// When the network does not fit the rows, and those of the protocols.
pub fn forecast(
    training: &Training,
    link: Option<LinkSpec>,
    clock: ClockKind,
    rehearsed: impl Fn(usize, usize) + Sync,
) -> Result<Forecast, Failure> {
    let rehearsal = Rehearsal::of(training, clock).map_err(Failure::new)?;
    let parts = rehearsal.parts();
    let parties = three_parties(link.unwrap_or_default(), 0, clock.computation(), |transport| {
        let party = transport.party();
        let go_on = |done| {
            if reports(party) {
                rehearsed(done, parts);
            }
            ControlFlow::Continue(())
        };
        let prss = keys(transport, Some(0))?;
        let session = Session::new(transport, prss, KEY_AGREEMENT_ROUNDS);
        let rehearsal = &rehearsal;
        let run = match training.security {
            Security::SemiHonest => session
                .run::<SemiHonest, _, _>(|ctx| async move { rehearsal.run(&ctx, go_on).await }),
            Security::Malicious => session
                .run::<Malicious, _, _>(|ctx| async move { rehearsal.run(&ctx, go_on).await }),
        };
        run.map(|(rehearsed, _)| rehearsed)
    })?;
    let [Some(first), Some(second), Some(third)] = parties else {
        return Err(Failure::new("the rehearsal was broken off"));
    };
    let mut parties = [first, second, third];
    // The three parties share a process, and its memory.
    for party in &mut parties {
        let taken = party.memory_peak.saturating_sub(party.memory_before);
        party.memory_peak = party.memory_before + taken / 3;
    }
    let links = link.map_or(Links::Unlimited, Links::Shaped);
    Ok(Forecast::of(training, &rehearsal, &parties, links))
}

impl Forecast {
    /// What a training will take, from what its rehearsal took at the three parties.
    pub fn of(
        training: &Training,
        rehearsal: &Rehearsal,
        parties: &[Rehearsed; 3],
        links: Links,
    ) -> Forecast {
        let blueprint = &training.blueprint;
        let shape = blueprint.data();
        let [few, more] = [parties.map(|party| party.few), parties.map(|party| party.more)];
        let [few_rows, more_rows] = rehearsal.rows();
        let latency = parties.iter().map(|party| party.links.round_seconds).fold(0.0, f64::max);
        // A block of rows was checked, and two of them. All blocks of a set but the last are as
        // large as can be; each takes as many rounds.
        let checked = |phases: &[Phases; 3], blocks: usize| {
            let extent = Extent { blocks, amount: blocks * rehearsal.checked_rows() };
            (extent, Cost::of(phases, |phases| phases.check))
        };
        let at_a_time = training.rows_at_a_time();
        let blocks = training.sets.iter().map(|rows| rows.div_ceil(at_a_time)).sum();
        let all = Extent { blocks, amount: shape.rows };
        let check = Cost::of_blocks(checked(&few, 1), checked(&more, 2), all, latency);
        let start = Cost::extrapolated(
            (few_rows, Cost::of(&few, |phases| phases.start)),
            (more_rows, Cost::of(&more, |phases| phases.start)),
            shape.rows as f64,
        );
        let epochs = blueprint.spec().training.epochs as f64;
        let group = Cost::of(&more, |phases| phases.group);
        let last = Cost::of(&more, |phases| phases.last_group);
        // The parties count alike; what they tell is not relied upon.
        let together = more[0].together.clamp(1, MAX_BATCHES_TOGETHER as u64) as usize;
        let (groups, _) = rehearsal.epoch().groups(together);
        let end = Cost::of(&more, |phases| phases.end);
        let epoch = group.times(groups as f64).plus(last);
        let before_first = check.plus(start);
        let judging = Judging::of(blueprint);
        let judged = judging.as_ref().map(|judging| judging.cost(&few, &more, latency));
        let judged = judged.unwrap_or_default();
        let rounds = KEY_AGREEMENT_ROUNDS as f64;
        let agreement = Cost { rounds, ..Cost::default() }.with_latency(latency);
        let epochs_and_figures = epoch.times(epochs).plus(judged);
        let whole = agreement.plus(before_first).plus(epochs_and_figures).plus(end);
        let peaks = parties.map(|party| {
            let words =
                |rows: usize| (rows * (shape.columns.len() + shape.target.columns())) as u64;
            let rehearsed_data = SHARE_BYTES * words(more_rows);
            let taken = party.memory_peak.saturating_sub(party.memory_before);
            let data = SHARE_BYTES.saturating_mul(words(shape.rows));
            party
                .memory_before
                .saturating_add(data)
                .saturating_add(taken.saturating_sub(rehearsed_data))
        });
        Forecast {
            iterations: (epochs as u64) * blueprint.batches() as u64,
            rounds: whole.rounds,
            bytes_sent_per_party: whole.bytes,
            seconds: whole.seconds,
            seconds_before: before_first.seconds,
            seconds_per_iteration: group.seconds / together as f64,
            evaluations: judging.map_or(0, |judging| judging.times() as u64),
            seconds_evaluating: judged.seconds,
            peak_bytes: peaks.into_iter().max().unwrap_or_default(),
            links,
        }
    }
}
