//! `tercet train`: train a model on what the members have submitted.

use super::following::follow;
use super::participant::ParticipantArgs;
use super::range_counts;
use super::rehearsing::measured_forecast;
use super::training_bar::TrainingBar;
use crate::bench::figures::bytes;
use crate::bench::forecast::Forecast;
use crate::bench::tables::ratio;
use crate::control::EpochFigures;
use crate::evaluation::table;
use crate::failure::Failure;
use crate::files;
use crate::job::Job;
use crate::output::Output;
use crate::session::{self, TrainEvent, TrainReport};
use nn::watch::RangeCount;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Train a model on the members' shares.
///
/// The three parties check that they hold the same job, data, consortium and
/// version before they compute. Ctrl-C ends the session at all of them; pressed
/// again, it does not wait for them.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet train job.toml --consortium trial/consortium.toml \\
      --identity trial/members/analyst/analyst.key
  tercet train job.toml --rehearse ...    # with a forecast, compared at the end

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
    /// What `tercet forecast --json` printed for the job: compared at the end.
    #[arg(long, value_name = "FILE")]
    forecast: Option<PathBuf>,
    /// Let the parties rehearse the job before, as `tercet forecast --measured` does, and
    /// compare at the end.
    #[arg(long, conflicts_with = "forecast")]
    rehearse: bool,
    /// Refused: see `no_seed`.
    #[arg(long, hide = true, value_parser = no_seed)]
    seed: Option<String>,
}

/// Refuses `--seed`, which only measurements have, and says why.
fn no_seed(_: &str) -> Result<String, String> {
    Err("keys and shares of real data are never made from a seed: whoever knows it could open \
         every share; start weights and the order of rows have a seed in the job file, \
         `seed` in [training], and made-up data in `tercet bench --seed`"
        .into())
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
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<Forecast>,
    /// What was revealed after the last epoch, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<serde_json::Value>,
    /// What left its range, layer by layer, where the job counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    range_violations: Option<Vec<RangeCount>>,
    /// The same for people.
    #[serde(skip)]
    range_text: Option<String>,
}

impl Summary {
    fn new(job: &Job, report: &TrainReport, forecast: Option<Forecast>) -> Self {
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
            forecast,
            figures: report.figures.last().map(named),
            range_violations: report.range.clone(),
            range_text: job.spec().debug.count_range_violations.then(|| match &report.range {
                Some(counts) => range_counts::text(job, counts),
                None => {
                    "No two parties tell the same of what left its range: look into the logs of \
                         the nodes."
                        .into()
                }
            }),
        }
    }

    /// The forecast beside what came.
    fn compared(&self) -> Option<String> {
        let forecast = self.forecast.as_ref()?;
        let mean = |bytes: [f64; 3]| bytes.into_iter().sum::<f64>() / 3.0;
        let memory = self.peak_rss_bytes.into_iter().max().unwrap_or_default();
        type Figure = (&'static str, f64, f64, fn(f64) -> String);
        let figures: [Figure; 5] = [
            ("iterations", forecast.iterations as f64, self.iterations as f64, |x| x.to_string()),
            ("rounds", forecast.rounds, self.rounds as f64, |x| format!("{x:.0}")),
            (
                "sent by a party, mean",
                mean(forecast.bytes_sent_per_party),
                mean(self.bytes_sent_per_party.map(|bytes| bytes as f64)),
                bytes,
            ),
            ("time", forecast.seconds, self.seconds, |x| format!("{x:.1} s")),
            ("memory of a party", forecast.peak_bytes as f64, memory as f64, bytes),
        ];
        let rows = figures.map(|(name, forecast, actual, text)| {
            vec![name.to_owned(), text(forecast), text(actual), ratio(actual, forecast)]
        });
        let header = ["", "forecast", "actual", "ratio"].map(str::to_owned).to_vec();
        Some(table(header, rows))
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
        if let Some(counted) = &self.range_text {
            text += &format!("\n{counted}");
        }
        text += &match self.compared() {
            Some(table) => format!("\n{table}"),
            None => "\nWith --rehearse or --forecast FILE, a forecast stands beside these figures."
                .into(),
        };
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
    let forecast = match (args.rehearse, args.forecast.as_deref()) {
        (true, _) => {
            let forecast = measured_forecast(&participation, (&job, &schema), None, out)?;
            out.event(&json!({ "event": "forecast", "forecast": forecast }));
            Some(forecast)
        }
        (false, file) => file.map(read_forecast).transpose()?,
    };
    let request = || session::training(job.to_toml(), schema.to_toml());
    let bar = TrainingBar::new(out);
    let report = follow(&participation, request, |event| show(event, &bar, out));
    bar.finish();
    let summary = Summary::new(&job, &report?, forecast);
    out.result(&summary, || summary.text());
    Ok(())
}

fn read_forecast(path: &Path) -> Result<Forecast, Failure> {
    serde_json::from_str(&files::read_text(path)?).map_err(|e| {
        Failure::new(format!("{} is no forecast: {e}", path.display()))
            .with_hint("make one with: tercet forecast job.toml --rows N --json > FILE")
    })
}

fn show(event: TrainEvent, bar: &TrainingBar, out: Output) {
    match event {
        TrainEvent::Running { agreement } => {
            out.event(&json!({ "event": "running", "agreement": agreement }));
            bar.note(format!("The parties agree: {}", agreement.short()));
        }
        TrainEvent::Checking(checked) => bar.rows_checked(checked),
        TrainEvent::Progress(progress) => bar.batch_done(progress),
        TrainEvent::Figures(figures) => {
            out.event(&json!({
                "event": "figures",
                "epoch": figures.epoch,
                "figures": named(&figures),
            }));
            bar.note(format!("After epoch {}: {}", figures.epoch, text_of(&figures)));
        }
        // A training makes no triples.
        TrainEvent::Forecast(_) => {}
        TrainEvent::Incomplete { reason } => {
            out.event(&json!({ "event": "incomplete", "reason": reason }));
            bar.note(format!("Trying again, as a submission may be under way: {reason}"));
        }
        TrainEvent::Cancelling => {
            out.event(&json!({ "event": "cancelling" }));
            out.note("Stopping at the parties ...");
        }
    }
}

/// Figures by name: a number, or the rows of a table one after the other.
fn named(figures: &EpochFigures) -> serde_json::Value {
    let value = |values: &[f64]| match values {
        [value] => json!(value),
        values => json!(values),
    };
    let by_name = figures.figures.iter().map(|f| (f.metric.name().to_owned(), value(&f.values)));
    by_name.collect::<serde_json::Map<_, _>>().into()
}

/// Figures in a line.
fn text_of(figures: &EpochFigures) -> String {
    let number = |values: &[f64]| match values {
        [value] => format!("{value:.4}"),
        values => values.iter().map(|count| format!("{count:.0}")).collect::<Vec<_>>().join(" "),
    };
    let figures = figures.figures.iter().map(|f| format!("{} {}", f.metric, number(&f.values)));
    figures.collect::<Vec<_>>().join(", ")
}
