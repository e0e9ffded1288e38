//! `tercet preprocess`: make the triples that a job will use up.

use super::following::follow;
use super::participant::ParticipantArgs;
use crate::control::{Forecast, Progress};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::{Output, style};
use crate::session::{self, TrainEvent, TrainReport};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Make the triples that a job multiplies with, before it is trained.
///
/// A job that says `multiplication = "beaver"` uses up one block of triples a batch. This
/// makes the blocks that are missing and stores them, encrypted, at the three parties.
/// Interrupted, it goes on where it was when it is started again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet preprocess job.toml --consortium trial/consortium.toml \\
      --identity trial/members/analyst/analyst.key
  tercet preprocess job.toml --rows 60000    # before the data are submitted")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// Rows that the job will have; without, those that are submitted count.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    #[command(flatten)]
    participant: ParticipantArgs,
}

/// What was made, as programs read it.
#[derive(Serialize)]
struct Summary {
    job: String,
    session: String,
    blocks_needed: u64,
    blocks_made: u64,
    multiplications: u64,
    bytes_per_party: u64,
    seconds: f64,
    bytes_sent_per_party: [u64; 3],
}

impl Summary {
    fn new(job: &Job, report: &TrainReport, forecast: Forecast) -> Self {
        Summary {
            job: job.name().into(),
            session: report.session.to_string(),
            blocks_needed: forecast.needed,
            blocks_made: forecast.missing,
            multiplications: forecast.multiplications,
            bytes_per_party: forecast.bytes,
            seconds: report.parties.iter().map(|party| party.seconds).fold(0.0, f64::max),
            bytes_sent_per_party: report.parties.map(|party| party.traffic.bytes_sent),
        }
    }

    fn text(&self) -> String {
        let Summary { job, blocks_needed, blocks_made, seconds, .. } = self;
        if *blocks_made == 0 {
            return format!("All {blocks_needed} blocks of triples for {job} are in stock.");
        }
        let rate = self.multiplications as f64 / seconds.max(1e-3) / 1e6;
        format!(
            "Made {blocks_made} of the {blocks_needed} blocks of triples for {job} in {seconds:.1} s: \
             {:.2} million multiplications, {rate:.2} million a second, {:.1} MB a party.",
            self.multiplications as f64 / 1e6,
            self.bytes_per_party as f64 / 1e6,
        )
    }
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let (job, schema) = Job::load(&args.job)?;
    let request = || session::preprocessing(job.to_toml(), schema.to_toml(), args.rows);
    let mut bar = Bar::new(out);
    let report = follow(&participation, request, |event| bar.show(event));
    bar.bar.finish_and_clear();
    let report = report?;
    let forecast = bar.forecast.ok_or_else(|| {
        Failure::new("the parties did not say which triples the job needs")
            .with_hint("look into the logs of the nodes")
    })?;
    let summary = Summary::new(&job, &report, forecast);
    out.result(&summary, || summary.text());
    Ok(())
}

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(200);
const WAITING: &str = "{spinner} waiting for the first block, {elapsed} gone";
const BLOCKS: &str = "[{bar:30}] {pos}/{len} blocks, {elapsed} gone, {eta} to go";

/// How far the triples are: a bar for people, a line a block for programs.
struct Bar {
    out: Output,
    bar: ProgressBar,
    forecast: Option<Forecast>,
}

impl Bar {
    fn new(out: Output) -> Self {
        let bar = out.bar(0, WAITING);
        bar.enable_steady_tick(TICK);
        Bar { out, bar, forecast: None }
    }

    fn show(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Running { agreement } => {
                self.out.event(&json!({ "event": "running", "agreement": agreement }));
            }
            TrainEvent::Forecast(forecast) => self.foretell(forecast),
            TrainEvent::Progress(progress) => self.block_done(progress),
            // No rows are used.
            TrainEvent::Checking(_) | TrainEvent::Figures(_) => {}
            TrainEvent::Incomplete { reason } => {
                self.out.event(&json!({ "event": "incomplete", "reason": reason }));
                self.bar.println(format!("Trying again: {reason}"));
            }
            TrainEvent::Cancelling => {
                self.out.event(&json!({ "event": "cancelling" }));
                self.out.note("Stopping at the parties; blocks that are done stay in stock ...");
            }
        }
    }

    fn foretell(&mut self, forecast: Forecast) {
        self.forecast = Some(forecast);
        let Forecast { needed, missing, multiplications, bytes } = forecast;
        self.out.event(&json!({
            "event": "forecast",
            "blocks_needed": needed,
            "blocks_missing": missing,
            "multiplications": multiplications,
            "bytes_per_party": bytes,
        }));
        self.bar.println(format!(
            "{missing} of {needed} blocks are missing: {:.2} million multiplications, {:.1} MB a party",
            multiplications as f64 / 1e6,
            bytes as f64 / 1e6,
        ));
    }

    fn block_done(&self, progress: Progress) {
        if self.bar.length() == Some(0) {
            self.bar.disable_steady_tick();
            self.bar.set_style(style(BLOCKS));
        }
        self.bar.set_length(progress.batches);
        self.bar.set_position(progress.batch);
        let (block, blocks) = (progress.batch, progress.batches);
        self.out.event(&json!({ "event": "progress", "block": block, "blocks": blocks }));
    }
}
