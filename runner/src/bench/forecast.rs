//! What a training will take, before it runs.
//!
//! Batches of one size take the same rounds and bytes whatever the data are, so a few on
//! made-up rows tell what all take; that is counted, not estimated, and so is the time that
//! messages of these lengths need on links of the given kind. What goes through all rows
//! before the first batch, the check and the scaling, is extrapolated from two numbers of
//! rows. Computation is measured on this machine, as if every party had a core to itself.

use super::clocks::{ClockKind, Sample};
use super::in_process::three_parties;
use super::rehearsal::{Phases, Rehearsal};
use super::session::keys;
use crate::failure::Failure;
use crate::job::{CheckInputs, Multiplication, Security};
use crate::memory::{peak_rss_bytes, rss_bytes};
use mpc_core::exec::Session;
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, LinkSpec};
use mpc_core::security::{Malicious, SemiHonest};
use nn::blueprint::{Blueprint, DataShape};
use nn::inputs::{Scope, rows_at_a_time};
use serde::{Deserialize, Serialize};

/// Rows that are checked in the larger of two rehearsals, at most.
const CHECKED_ROWS: usize = 512;
/// How often a training is rehearsed.
pub const REHEARSALS: u64 = 2;
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
}

/// What a training will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Batches in all.
    pub iterations: u64,
    /// Rounds.
    pub rounds: f64,
    /// Bytes of payload and frames that each party sends.
    pub bytes_sent_per_party: [f64; 3],
    /// Time from the agreement on keys to the model.
    pub seconds: f64,
    /// Of the time, spent before the first batch.
    pub seconds_before: f64,
    /// Time of a full batch.
    pub seconds_per_iteration: f64,
    /// Most memory of a party: the data and what a batch needs.
    pub peak_bytes: u64,
    /// The links that the time is for.
    pub link: Option<LinkSpec>,
}

/// Rounds, bytes of each party and seconds of the slowest one.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    rounds: f64,
    bytes: [f64; 3],
    seconds: f64,
}

impl Cost {
    fn of(parties: &[Phases; 3], phase: fn(&Phases) -> Sample) -> Cost {
        let samples = parties.each_ref().map(phase);
        Cost {
            rounds: samples[0].rounds as f64,
            bytes: samples.map(|sample| sample.bytes_sent as f64),
            seconds: samples.iter().map(|sample| sample.seconds).fold(0.0, f64::max),
        }
    }

    /// Combines all figures of two costs.
    fn with(self, other: Cost, f: impl Fn(f64, f64) -> f64) -> Cost {
        Cost {
            rounds: f(self.rounds, other.rounds),
            bytes: std::array::from_fn(|party| f(self.bytes[party], other.bytes[party])),
            seconds: f(self.seconds, other.seconds),
        }
    }

    fn plus(self, other: Cost) -> Cost {
        self.with(other, |a, b| a + b)
    }

    fn times(self, factor: f64) -> Cost {
        self.with(Cost::default(), |a, _| a * factor)
    }

    /// The cost of `blocks` blocks of together `rows` rows, from that of one block of few
    /// rows and of one of more.
    fn extrapolated(few: (usize, Cost), more: (usize, Cost), rows: usize, blocks: usize) -> Cost {
        if few.0 >= more.0 {
            return more.1;
        }
        let span = (more.0 - few.0) as f64;
        let slope = more.1.with(few.1, |more, few| ((more - few) / span).max(0.0));
        let fixed = few.1.with(slope, |cost, slope| (cost - slope * few.0 as f64).max(0.0));
        fixed.times(blocks as f64).plus(slope.times(rows as f64))
    }
}

/// Rehearses a training in this process and foretells what the whole will take over links of
/// the given kind, on clocks of threads; `rehearsed` hears how many of [`REHEARSALS`] are over.
///
/// # Errors
/// When the network does not fit the rows, and those of the protocols.
pub fn forecast(
    training: &Training,
    link: Option<LinkSpec>,
    clock: ClockKind,
    mut rehearsed: impl FnMut(u64),
) -> Result<Forecast, Failure> {
    let shape = training.blueprint.data();
    let (rows, batch) = (shape.rows, training.blueprint.batch());
    let last_batch = Some(rows % batch).filter(|&rows| rows > 0);
    let checked = match training.check {
        CheckInputs::None => 1,
        CheckInputs::Labels => rows_at_a_time(shape, Scope::Labels),
        CheckInputs::All => rows_at_a_time(shape, Scope::All),
    };
    let most_checked = checked.min(CHECKED_ROWS).min(batch).max(1);
    let before = rss_bytes();
    let rehearse = |batches_of_rows: usize, checked_rows: usize| {
        let rows = (batches_of_rows * batch + last_batch.unwrap_or_default()).min(rows);
        let blueprint =
            Blueprint::new(training.blueprint.spec().clone(), DataShape { rows, ..shape.clone() })
                .map_err(Failure::new)?;
        let rehearsal = Rehearsal {
            blueprint,
            multiplication: training.multiplication,
            clock,
            check: training.check,
            checked_rows,
            last_batch,
        };
        let parties =
            three_parties(link.unwrap_or_default(), 0, clock.computation(), |transport| {
                let prss = keys(transport, Some(0))?;
                let session = Session::new(transport, prss, KEY_AGREEMENT_ROUNDS);
                let phases = match training.security {
                    Security::SemiHonest => {
                        session.run::<SemiHonest, _, _>(|ctx| rehearsal.run(ctx))
                    }
                    Security::Malicious => session.run::<Malicious, _, _>(|ctx| rehearsal.run(ctx)),
                };
                phases.map(|(phases, _)| phases)
            })?;
        Ok::<_, Failure>((rows, parties))
    };
    let few_checked = (most_checked / 2).max(1);
    let (few_rows, few) = rehearse(1, few_checked)?;
    rehearsed(1);
    let (more_rows, more) = rehearse(2, most_checked)?;
    rehearsed(2);

    let check = Cost::extrapolated(
        (few_checked, Cost::of(&few, |phases| phases.check)),
        (most_checked, Cost::of(&more, |phases| phases.check)),
        rows,
        rows.div_ceil(checked),
    );
    let start = Cost::extrapolated(
        (few_rows, Cost::of(&few, |phases| phases.start)),
        (more_rows, Cost::of(&more, |phases| phases.start)),
        rows,
        1,
    );
    let epochs = training.blueprint.spec().training.epochs as f64;
    let full = Cost::of(&more, |phases| phases.batch);
    let last = Cost::of(&more, |phases| phases.last_batch);
    let end = Cost::of(&more, |phases| phases.end);
    let epoch = full.times((rows / batch) as f64).plus(last);
    let before_first = check.plus(start);
    let latency = link.unwrap_or_default().latency.as_secs_f64();
    let agreement = Cost {
        rounds: KEY_AGREEMENT_ROUNDS as f64,
        bytes: [0.0; 3],
        seconds: KEY_AGREEMENT_ROUNDS as f64 * latency,
    };
    let whole = agreement.plus(before_first).plus(epoch.times(epochs)).plus(end);

    let words = |rows: usize| (rows * (shape.columns.len() + shape.target.columns())) as u64;
    let rehearsed_data = 3 * SHARE_BYTES * words(more_rows);
    let taken = peak_rss_bytes().saturating_sub(before).saturating_sub(rehearsed_data);
    Ok(Forecast {
        iterations: (epochs as u64) * training.blueprint.batches() as u64,
        rounds: whole.rounds,
        bytes_sent_per_party: whole.bytes,
        seconds: whole.seconds,
        seconds_before: before_first.seconds,
        seconds_per_iteration: full.seconds,
        peak_bytes: before + SHARE_BYTES * words(rows) + taken / 3,
        link,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(rounds: f64, seconds: f64) -> Cost {
        Cost { rounds, bytes: [10.0 * seconds; 3], seconds }
    }

    #[test]
    fn blocks_and_rows_are_told_apart() {
        // 7 rounds a block, and 2 s for a block and 0.5 s for a row of it.
        let (few, more) = ((10, cost(7.0, 7.0)), (20, cost(7.0, 12.0)));
        let all = Cost::extrapolated(few, more, 100, 4);
        assert_eq!((all.rounds, all.seconds, all.bytes), (28.0, 58.0, [580.0; 3]));
        // Nothing to extrapolate from: what was measured is all there is.
        assert_eq!(Cost::extrapolated(more, more, 20, 1).seconds, 12.0);
    }
}
