//! `tercet range`: whether the numbers of a job stay in range.

use super::opened::read_rows;
use super::training_bar::TrainingBar;
use crate::encode::{Encoded, encode};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;
use crate::twin;
use nn::engine::Peak;
use nn::plan::Plan;
use nn::range::RangeForecast;
use nn::spec::LayerSpec;
use nn::train::Event;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Steps that are told to people.
const TOLD: usize = 5;

/// Forecast whether a job's numbers stay in range, and with which scales.
///
/// On shares an overflow goes unseen. This runs the job in plain fixed point, with
/// the very scales that the parties would use, and says which steps come closest to
/// the end of their range. It needs rows: take public or synthetic ones that are
/// like the real ones. Nothing leaves this machine.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet range job.toml --data synthetic.csv")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// Rows like those that the job will be run on.
    #[arg(long, value_name = "ROWS.csv", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let (job, schema) = Job::load(&args.job)?;
    let load = |path: &Path| -> Result<Encoded, Failure> {
        Ok(encode(&read_rows(path, &schema)?, &schema)?.0)
    };
    let rows = args.data.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
    let bar = TrainingBar::new(out);
    let mut observe = |event| {
        if let Event::Batch(progress) = event {
            bar.batch_done(progress.into());
        }
        ControlFlow::Continue(())
    };
    let forecast = twin::forecast_range(&job, &schema, &rows, &mut observe)?;
    bar.finish();
    let value = json!({
        "plan": scales(&forecast.plan),
        "overflow": forecast.overflow,
        "advice": forecast.advice.as_ref().map(scales),
        "peaks": forecast.peaks.iter().map(|peak| json!({
            "step": peak.step,
            "layer": layer_of(&job, &peak.step).map(|(number, _)| number),
            "value": peak.value,
            "scale": peak.scale,
            "limit_bits": peak.limit,
            "room_bits": peak.room(),
        })).collect::<Vec<_>>(),
    });
    out.result(&value, || text(&job, &forecast));
    Ok(())
}

/// The layer with weights, numbered from one, to which a step of the network belongs, and
/// whether it is that layer itself and not one behind it.
fn layer_of(job: &Job, step: &str) -> Option<(usize, bool)> {
    let stage = step.split('/').next()?;
    let number = stage.strip_prefix("forward-").or_else(|| stage.strip_prefix("backward-"))?;
    let at: usize = number.parse().ok()?;
    let layers = job.spec().model.layers.get(..=at)?;
    let has_weights =
        |layer: &LayerSpec| layer.is_trained() || matches!(layer, LayerSpec::BatchNorm(_));
    let trained = layers.iter().rposition(has_weights)?;
    Some((trained + 1, trained == at))
}

fn scales(plan: &Plan) -> Value {
    json!({
        "activations": plan.activations,
        "errors": plan.errors,
        "head_room": plan.head_room,
    })
}

fn text(job: &Job, forecast: &RangeForecast) -> String {
    let of_plan = |plan: &Plan| {
        let Plan { activations, errors, head_room, .. } = plan;
        format!("activations = {activations}, errors = {errors}, head_room = {head_room}")
    };
    let mut lines = vec![format!("The job's scales: {}.", of_plan(&forecast.plan))];
    match (&forecast.overflow, &forecast.advice) {
        (Some(overflow), _) => lines.push(format!("They do not suffice: {overflow}.")),
        (None, _) => lines.push("No number left its range.".into()),
    }
    lines.push("Steps with the least room (bits between the largest value and its limit):".into());
    let layers = &job.spec().model.layers;
    let of_peak = |peak: &Peak| {
        let layer = layer_of(job, &peak.step).map(|(number, itself)| {
            let place = if itself { "" } else { "behind " };
            format!(", {place}layer {number}, {}", layers[number - 1])
        });
        format!(
            "  {:5.1} bits  {}{} ({:.3e} at scale {})",
            peak.room(),
            peak.step,
            layer.unwrap_or_default(),
            peak.value,
            peak.scale
        )
    };
    lines.extend(forecast.peaks.iter().take(TOLD).map(of_peak));
    lines.push(match &forecast.advice {
        Some(plan) => format!("Better: a section [precision] with {}.", of_plan(plan)),
        None => "The scales suit these rows.".into(),
    });
    lines.join("\n")
}
