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
const BATCHES: &str = "rehearsing at the parties [{bar:30}] {pos}/{len} batches, {elapsed} gone";

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
    refuse_named_sets(job)?;
    let request = || session::rehearsal(job.to_toml(), schema.to_toml(), rows);
    let bar = out.bar(0, WAITING);
    let report = follow(participation, request, |event| {
        if let TrainEvent::Progress(progress) = event {
            if bar.length() == Some(0) {
                bar.set_style(style(BATCHES));
            }
            bar.set_length(progress.batches);
            bar.set_position(progress.batch);
            let (batch, batches) = (progress.batch, progress.batches);
            out.event(&json!({ "event": "rehearsing", "batch": batch, "batches": batches }));
        }
    });
    bar.finish_and_clear();
    let (sets, parties) = agreed(report?.rehearsed)?;
    let training = training(job, schema, sets)?;
    let rehearsal = Rehearsal::of(&training, ClockKind::Wall).map_err(Failure::new)?;
    let links = Links::Measured(parties.map(|party| party.links));
    Ok(Forecast::of(&training, &rehearsal, &parties, links))
}

/// What is to be foretold of a job on data sets of so many rows.
pub fn training(job: &Job, schema: &Schema, sets: Vec<usize>) -> Result<Training, Failure> {
    refuse_named_sets(job)?;
    let rows = sets.iter().try_fold(0usize, |sum, &rows| sum.checked_add(rows));
    let rows = rows.ok_or_else(|| Failure::new("there are too many rows"))?;
    Ok(Training {
        blueprint: model::blueprint(job.spec(), schema, rows).map_err(Failure::new)?,
        security: job.security(),
        multiplication: job.multiplication(),
        check: job.check_inputs(),
        sets,
    })
}

/// A forecast does not know how many rows the data sets of a validation have.
fn refuse_named_sets(job: &Job) -> Result<(), Failure> {
    if job.validation_sets().is_empty() {
        return Ok(());
    }
    Err(Failure::new("a job with validation.sets cannot be forecast")
        .with_hint("forecast it with validation.fraction instead, or train without a forecast"))
}

/// The rows of the data sets that all parties rehearsed for, and what each measured.
fn agreed(told: [Option<control::Rehearsal>; 3]) -> Result<(Vec<usize>, [Rehearsed; 3]), Failure> {
    let look = |message: &str| Failure::new(message).with_hint("look into the logs of the nodes");
    let [Some(first), Some(second), Some(third)] = told else {
        return Err(look("a party did not tell what it measured"));
    };
    if first.sets != second.sets || second.sets != third.sets {
        return Err(look("the parties tell different numbers of rows"));
    }
    let sets = first.sets.iter().map(|&rows| usize::try_from(rows).map_err(Failure::new));
    let measured = [first.measured, second.measured, third.measured];
    Ok((sets.collect::<Result<_, _>>()?, measured))
}
