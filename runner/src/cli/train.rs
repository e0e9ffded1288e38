//! `tercet train`: train a model on what the members have submitted.

use super::following::follow;
use super::participant::ParticipantArgs;
use super::training_bar::TrainingBar;
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;
use crate::session::{self, TrainEvent, TrainReport};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Train a model on the members' shares.
///
/// The three parties check that they hold the same job, data, consortium and
/// version before they compute. Ctrl-C ends the session at all of them; pressed
/// again, it does not wait for them.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet train job.toml --consortium trial/consortium.toml \\
      --identity trial/members/analyst/analyst.key

A job file:
  name = \"readmission\"
  receiver = \"analyst\"
  [data]
  schema = \"schema.toml\"
  from = [\"hospital-a\", \"hospital-b\"]
  [model]
  layers = [{ dense = 64 }, \"relu\", { dense = \"outputs\" }]
  loss = \"softmax-cross-entropy\"
  [training]
  epochs = 20
  batch = 32
  learning_rate = 0.1

With multiplication = \"beaver\" in it, the parties use triples that were made before:
see tercet preprocess --help.")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    #[command(flatten)]
    participant: ParticipantArgs,
}

/// The result of a training, as programs read it.
#[derive(Serialize)]
struct Summary {
    job: String,
    session: String,
    agreement: String,
    receiver: String,
    /// The id of the model that the parties keep, if the job says so.
    kept: Option<String>,
    #[serde(skip)]
    released: bool,
    security: crate::job::Security,
    seconds: f64,
    iterations: u64,
    rounds: u64,
    bytes_sent_per_party: [u64; 3],
    peak_rss_bytes: [u64; 3],
    pids: [u32; 3],
}

impl Summary {
    fn new(job: &Job, report: &TrainReport) -> Self {
        let [first, ..] = &report.parties;
        Summary {
            job: job.name().into(),
            session: report.session.to_string(),
            agreement: report.agreement.to_string(),
            receiver: job.receiver().to_string(),
            kept: job.inference().map(|_| report.session.to_string()),
            released: job.releases_model(),
            security: job.security(),
            seconds: report.parties.iter().map(|party| party.seconds).fold(0.0, f64::max),
            iterations: first.iterations,
            rounds: first.traffic.rounds,
            bytes_sent_per_party: report.parties.map(|party| party.traffic.bytes_sent),
            peak_rss_bytes: report.parties.map(|party| party.peak_rss_bytes),
            pids: report.parties.map(|party| party.pid),
        }
    }

    fn text(&self) -> String {
        let megabytes =
            self.bytes_sent_per_party.map(|bytes| format!("{:.1}", bytes as f64 / 1e6)).join(" / ");
        let mut text = format!(
            "Trained {} in {:.1} s: {} batches, {} rounds, {megabytes} MB sent by the parties.\n\
             Session {}.",
            self.job, self.seconds, self.iterations, self.rounds, self.session,
        );
        if self.released {
            let (receiver, session) = (&self.receiver, &self.session);
            text += &format!(
                " {receiver} can fetch the model with: tercet model fetch --session {session}"
            );
        }
        if let Some(id) = &self.kept {
            text += &format!(
                "\nThe parties keep the model and answer: tercet predict {id} --private --data \
                 rows.csv"
            );
        }
        text
    }
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let (job, schema) = Job::load(&args.job)?;
    if participation.consortium.member(job.receiver()).is_none() {
        return Err(Failure::new(format!("{} is no member of the consortium", job.receiver()))
            .with_hint("name a member as `receiver` in the job"));
    }
    let request = session::training(job.to_toml(), schema.to_toml())?;
    let bar = TrainingBar::new(out);
    let report = follow(&participation, &request, |event| show(event, &bar, out));
    bar.finish();
    let summary = Summary::new(&job, &report?);
    out.result(&summary, || summary.text());
    Ok(())
}

fn show(event: TrainEvent, bar: &TrainingBar, out: Output) {
    match event {
        TrainEvent::Running { agreement } => {
            out.event(&json!({ "event": "running", "agreement": agreement }));
            bar.note(format!("The parties agree: {}", agreement.short()));
        }
        TrainEvent::Checking(checked) => bar.rows_checked(checked),
        TrainEvent::Progress(progress) => bar.batch_done(progress),
        // A training makes no triples.
        TrainEvent::Forecast(_) => {}
        TrainEvent::Cancelling => {
            out.event(&json!({ "event": "cancelling" }));
            out.note("Stopping at the parties ...");
        }
    }
}
