//! `tercet twin`: the same job in the clear, for comparison.

use super::opened::read_rows;
use super::training_bar::TrainingBar;
use crate::encode::{Encoded, encode};
use crate::evaluation::Evaluation;
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;
use crate::twin;
use nn::train::Event;
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Train a job in the clear and test it, to see what computing on shares changes.
///
/// The same network with the same start (if the job has a seed), on the same rows
/// in the same order, in floating point. It needs the rows of all holders, so it
/// is for public or synthetic data. Nothing leaves this machine.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet twin job.toml --data hospital-a.csv hospital-b.csv --test test.csv")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// The rows of the holders, in the order of the holders' names.
    #[arg(long, value_name = "ROWS.csv", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// The rows to test on.
    #[arg(long, value_name = "TEST.csv")]
    test: PathBuf,
}

/// What the training came to.
#[derive(Serialize)]
struct Summary {
    seconds: f64,
    #[serde(flatten)]
    evaluation: Evaluation,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let (job, schema) = Job::load(&args.job)?;
    let load = |path: &Path| -> Result<Encoded, Failure> {
        Ok(encode(&read_rows(path, &schema)?, &schema)?.0)
    };
    let holders = args.data.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
    let test = load(&args.test)?;
    let bar = TrainingBar::new(out);
    let mut observe = |event| {
        if let Event::Batch(progress) = event {
            bar.batch_done(progress.into());
        }
        ControlFlow::Continue(())
    };
    let started = Instant::now();
    let model = twin::train(&job, &schema, &holders, &mut observe)?;
    let seconds = started.elapsed().as_secs_f64();
    bar.finish();
    let evaluation = Evaluation::of(&model, &schema, &test).map_err(Failure::new)?;
    let summary = Summary { seconds, evaluation };
    out.result(&summary, || {
        format!("Trained in the clear in {seconds:.1} s.\n{}", summary.evaluation.text())
    });
    Ok(())
}
