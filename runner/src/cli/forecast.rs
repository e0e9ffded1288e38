//! `tercet forecast`: what a job will take, before it runs.

use crate::bench::ClockKind;
use crate::bench::figures::bytes;
use crate::bench::forecast::{Forecast, REHEARSALS, Training, forecast};
use crate::evaluation::table;
use crate::failure::Failure;
use crate::job::Job;
use crate::model;
use crate::output::Output;
use mpc_core::net::LinkSpec;
use std::path::PathBuf;

/// Foretell rounds, bytes, time and memory of a job before it runs.
///
/// A few batches are rehearsed on made-up rows, in this process. Rounds and bytes do not
/// depend on the data. The time is that of parties with a core each, as fast as one of this
/// machine, and links as they are given; of parties that share cores, or have slower ones,
/// it is less than the truth.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet forecast job.toml --rows 60000
  tercet forecast job.toml --rows 60000 --link wan
  tercet forecast job.toml --rows 60000 --link latency=20ms,bandwidth=1gbit --json > forecast.json
  tercet train job.toml --forecast forecast.json ...    # compares, at the end")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// Rows that all members together will have submitted.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// The links between the parties: lan, wan, intercontinental, or for instance
    /// latency=20ms,bandwidth=1gbit,jitter=2ms. [default: as fast as can be]
    #[arg(long, value_name = "LINK")]
    link: Option<LinkSpec>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let (job, schema) = Job::load(&args.job)?;
    let blueprint =
        model::blueprint(job.spec(), &schema, args.rows as usize).map_err(Failure::new)?;
    let training = Training {
        blueprint,
        security: job.security(),
        multiplication: job.multiplication(),
        check: job.check_inputs(),
    };
    let bar = out.bar(REHEARSALS, "rehearsing [{bar:30}] {pos}/{len}, {elapsed} gone");
    let forecast =
        forecast(&training, args.link, ClockKind::Simulated, |done| bar.set_position(done));
    bar.finish_and_clear();
    let forecast = forecast?;
    out.result(&forecast, || text(job.name(), &forecast));
    Ok(())
}

fn text(job: &str, forecast: &Forecast) -> String {
    let most = forecast.bytes_sent_per_party.into_iter().fold(0.0, f64::max);
    let link = forecast.link.map_or("as fast as can be".into(), |link| link.to_string());
    let rows = [
        ("iterations", forecast.iterations.to_string()),
        ("rounds", format!("{:.0}", forecast.rounds)),
        ("sent by a party", bytes(most)),
        ("time", format!("{:.1} s", forecast.seconds)),
        ("of it before the first iteration", format!("{:.1} s", forecast.seconds_before)),
        ("time of an iteration", format!("{:.1} ms", forecast.seconds_per_iteration * 1e3)),
        ("memory of a party", bytes(forecast.peak_bytes as f64)),
        ("links", link),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    table(vec![format!("{job}, before it runs"), "forecast".into()], rows)
}
