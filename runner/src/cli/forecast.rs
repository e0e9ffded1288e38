//! `tercet forecast`: what a job will take, before it runs.

use super::participant::ParticipantArgs;
use super::rehearsing::{Rows, measured_forecast, training};
use crate::bench::ClockKind;
use crate::bench::figures::{bytes, milliseconds};
use crate::bench::forecast::{Forecast, Links, MeasuredLinks, forecast};
use crate::evaluation::table;
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;
use mpc_core::net::LinkSpec;
use std::path::PathBuf;

/// Foretell rounds, bytes, time and memory of a job before it runs.
///
/// A few batches are rehearsed on made-up rows. Rounds and bytes do not depend on the data.
///
/// Without --measured they are rehearsed in this process: the time is that of parties with a
/// core each, as fast as one of this machine, and of links as they are given; of parties that
/// share cores, or have slower ones, it is less than the truth.
///
/// With --measured the three parties of the consortium rehearse, over their own links: the time
/// is theirs. They use no data and release nothing. A rehearsal takes two minutes at most, is
/// refused while a party computes something else, and is stopped when something else begins.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet forecast job.toml --rows 60000
  tercet forecast job.toml --rows 60000 --link wan
  tercet forecast job.toml --rows 60000 --validation-rows 10000    # with validation.sets
  tercet forecast job.toml --measured --consortium consortium.toml --identity analyst.key
  tercet forecast job.toml --rows 60000 --link latency=20ms,bandwidth=1gbit --json > forecast.json
  tercet train job.toml --forecast forecast.json ...    # compares, at the end")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// Rows that all members together will have submitted, or those of each data set with commas
    /// between; with --measured, those that are submitted if left out.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), value_delimiter = ',', required_unless_present = "measured")]
    rows: Vec<u32>,
    /// Beside those, rows of the data sets that the job names in validation.sets, with commas
    /// between; with --measured, those that are submitted.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), value_delimiter = ',', conflicts_with = "measured")]
    validation_rows: Vec<u32>,
    /// The links between the parties: lan, wan, intercontinental, or for instance
    /// latency=20ms,bandwidth=1gbit,jitter=2ms. [default: as fast as can be]
    #[arg(long, value_name = "LINK", conflicts_with = "measured")]
    link: Option<LinkSpec>,
    /// Let the parties of the consortium rehearse, over their own links.
    #[arg(long, requires = "identity")]
    measured: bool,
    /// The consortium file, with --measured.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
    /// Your secret key file, with --measured.
    #[arg(long, value_name = "NAME.key", env = "TERCET_IDENTITY")]
    identity: Option<PathBuf>,
    /// Seconds to wait for a party that does not answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let (job, schema) = Job::load(&args.job)?;
    let forecast = match (args.measured, args.identity) {
        (true, Some(identity)) => {
            let participant = ParticipantArgs::new(args.consortium, identity, args.timeout);
            let rows = args.rows.iter().copied().map(u64::from).reduce(|sum, rows| sum + rows);
            measured_forecast(&participant.load()?, (&job, &schema), rows, out)?
        }
        _ => {
            let rows = rows(&job, &args.rows, &args.validation_rows)?;
            let training = training(&job, &schema, rows)?;
            let bar = out.bar(0, "rehearsing [{bar:30}] {pos}/{len} batches, {elapsed} gone");
            let forecast = forecast(&training, args.link, ClockKind::Simulated, |done, of| {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            forecast?
        }
    };
    out.result(&forecast, || text(job.name(), &forecast));
    Ok(())
}

/// The rows that are given, of which the job may want some to judge by.
fn rows(job: &Job, rows: &[u32], validation: &[u32]) -> Result<Rows, Failure> {
    match (job.validation_sets().is_empty(), validation.is_empty()) {
        (false, true) => Err(Failure::new("the job judges by data sets of unknown length")
            .with_hint("give the rows of its validation.sets with --validation-rows")),
        (true, false) => Err(Failure::new("the job names no data sets to judge by")
            .with_hint("leave --validation-rows out: a validation.fraction is one of --rows")),
        _ => {
            let sets = rows.iter().chain(validation).map(|&rows| rows as usize).collect();
            let kept_back = validation.iter().map(|&rows| rows as usize).sum();
            Ok(Rows { sets, kept_back })
        }
    }
}

fn text(job: &str, forecast: &Forecast) -> String {
    let mean = forecast.bytes_sent_per_party.into_iter().sum::<f64>() / 3.0;
    let mut rows = vec![
        ("iterations", forecast.iterations.to_string()),
        ("rounds", format!("{:.0}", forecast.rounds)),
        ("sent by a party, mean", bytes(mean)),
        ("time", format!("{:.1} s", forecast.seconds)),
        ("of it before the first iteration", format!("{:.1} s", forecast.seconds_before)),
        ("time of an iteration", milliseconds(forecast.seconds_per_iteration)),
    ];
    if forecast.evaluations > 0 {
        let (times, seconds) = (forecast.evaluations, forecast.seconds_evaluating);
        rows.push(("figures on kept rows", format!("{times} times, {seconds:.1} s in all")));
    }
    rows.push(("memory of a party", bytes(forecast.peak_bytes as f64)));
    rows.push(("links", links(&forecast.links)));
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table(vec![format!("{job}, before it runs"), "forecast".into()], rows)
}

fn links(links: &Links) -> String {
    match links {
        Links::Unlimited => "as fast as can be".into(),
        Links::Shaped(link) => link.to_string(),
        Links::Measured(parties) => {
            let slowest = parties.iter().map(|party| party.round_seconds).fold(0.0, f64::max);
            let rate = |party: &MeasuredLinks| party.bytes_per_second;
            let narrowest = parties.iter().map(rate).fold(f64::INFINITY, f64::min);
            format!(
                "measured: a short round {}, {:.0} Mbit/s to each other party",
                milliseconds(slowest),
                narrowest * 8.0 / 1e6
            )
        }
    }
}
