//! Having the parties rehearse a job, to foretell what it will take.

use super::following::follow;
use super::participant::Participation;
use crate::bench::ClockKind;
use crate::bench::forecast::{Forecast, Links, Rehearsal, Rehearsed, Training};
use crate::control;
use crate::failure::Failure;
use crate::job::Job;
use crate::model;
use crate::output::{Output, style};
use crate::schema::Schema;
use crate::session::{self, TrainEvent};
use serde_json::json;

const WAITING: &str = "rehearsing at the parties, {elapsed} gone";
const PARTS: &str = "rehearsing at the parties [{bar:30}] {pos}/{len} parts, {elapsed} gone";

/// A forecast of a job with the consortium's own parties and links; without `rows`, for the rows
/// that are submitted.
///
/// # Errors
/// When a party refuses or the session fails.
pub fn measured_forecast(
    participation: &Participation,
    (job, schema): (&Job, &Schema),
    rows: Option<u64>,
    out: Output,
) -> Result<Forecast, Failure> {
    let request = || session::rehearsal(job.to_toml(), schema.to_toml(), rows);
    let bar = out.bar(0, WAITING);
    let report = follow(participation, request, |event| {
        if let TrainEvent::Progress(progress) = event {
            if bar.length() == Some(0) {
                bar.set_style(style(PARTS));
            }
            bar.set_length(progress.batches);
            bar.set_position(progress.batch);
            let (batch, batches) = (progress.batch, progress.batches);
            out.event(&json!({ "event": "rehearsing", "batch": batch, "batches": batches }));
        }
    });
    bar.finish_and_clear();
    let (rows, parties) = agreed(report?.rehearsed)?;
    let training = training(job, schema, rows)?;
    let rehearsal = Rehearsal::of(&training, ClockKind::Wall).map_err(Failure::new)?;
    let links = Links::Measured(parties.map(|party| party.links));
    Ok(Forecast::of(&training, &rehearsal, &parties, links))
}

/// Numbers of rows that a job is foretold for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Of each data set.
    pub sets: Vec<usize>,
    /// Of these, how many belong to the data sets that the job names to judge by.
    pub kept_back: usize,
}

/// What is to be foretold of a job on so many rows.
///
/// # Errors
/// When the network does not fit them.
pub fn training(job: &Job, schema: &Schema, rows: Rows) -> Result<Training, Failure> {
    let Rows { sets, kept_back } = rows;
    let rows = sets.iter().try_fold(0usize, |sum, &rows| sum.checked_add(rows));
    let rows = rows.ok_or_else(|| Failure::new("there are too many rows"))?;
    let mut blueprint = model::blueprint(job.spec(), schema, rows).map_err(Failure::new)?;
    if !job.validation_sets().is_empty() {
        // Which rows these are makes no difference to what a training takes.
        let last = rows.saturating_sub(kept_back)..rows;
        blueprint = blueprint.keeping_back(vec![last]).map_err(Failure::new)?;
    }
    Ok(Training {
        blueprint,
        security: job.security(),
        multiplication: job.multiplication(),
        check: job.check_inputs(),
        sets,
    })
}

/// The rows that all parties rehearsed for, and what each measured.
fn agreed(told: [Option<control::Rehearsal>; 3]) -> Result<(Rows, [Rehearsed; 3]), Failure> {
    let look = |message: &str| Failure::new(message).with_hint("look into the logs of the nodes");
    let [Some(first), Some(second), Some(third)] = told else {
        return Err(look("a party did not tell what it measured"));
    };
    let rows = |of: &control::Rehearsal| (of.sets.clone(), of.kept_back);
    if rows(&first) != rows(&second) || rows(&second) != rows(&third) {
        return Err(look("the parties tell different numbers of rows"));
    }
    let number = |rows: u64| usize::try_from(rows).map_err(Failure::new);
    let sets = first.sets.iter().map(|&rows| number(rows)).collect::<Result<_, _>>()?;
    let rows = Rows { sets, kept_back: number(first.kept_back)? };
    Ok((rows, [first.measured, second.measured, third.measured]))
}
