//! `tercet train`: train a model on what the members have submitted.

use super::participant::{ParticipantArgs, block_on};
use super::training_bar::TrainingBar;
use crate::failure::{EXIT_INTERRUPTED, Failure};
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
  learning_rate = 0.1")]
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
        format!(
            "Trained {} in {:.1} s: {} batches, {} rounds, {megabytes} MB sent by the parties.\n\
             Session {}. {} can fetch the model with: tercet model fetch --session {}",
            self.job,
            self.seconds,
            self.iterations,
            self.rounds,
            self.session,
            self.receiver,
            self.session
        )
    }
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let (job, schema) = Job::load(&args.job)?;
    if participation.consortium.member(job.receiver()).is_none() {
        return Err(Failure::new(format!("{} is no member of the consortium", job.receiver()))
            .with_hint("name a member as `receiver` in the job"));
    }
    let request = session::request(job.to_toml(), schema.to_toml())?;
    let bar = TrainingBar::new(out);
    let report = block_on(async {
        let on_event = |event| show(event, &bar, out);
        let training = session::train(
            &participation.consortium,
            &participation.identity,
            participation.patience,
            &request,
            interrupted(),
            on_event,
        );
        tokio::select! {
            trained = training => Ok(trained?),
            () = twice_interrupted() => {
                Err(Failure::new("left without waiting for the parties; they stop by themselves")
                    .with_code(EXIT_INTERRUPTED))
            }
        }
    });
    bar.finish();
    let summary = Summary::new(&job, &report?);
    out.result(&summary, || summary.text());
    Ok(())
}

/// Waits for Ctrl-C.
async fn interrupted() {
    // Without a handler Ctrl-C ends the process, which the parties notice as well.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits for Ctrl-C to be pressed again.
async fn twice_interrupted() {
    interrupted().await;
    interrupted().await;
}

fn show(event: TrainEvent, bar: &TrainingBar, out: Output) {
    match event {
        TrainEvent::Running { agreement } => {
            out.event(&json!({ "event": "running", "agreement": agreement }));
            bar.note(format!("The parties agree: {}", agreement.short()));
        }
        TrainEvent::Progress(progress) => bar.batch_done(progress),
        TrainEvent::Cancelling => {
            out.event(&json!({ "event": "cancelling" }));
            out.note("Stopping at the parties ...");
        }
    }
}
