//! `tercet model`: receive a trained model.

use super::participant::{ParticipantArgs, block_on};
use super::{export, import};
use crate::failure::Failure;
use crate::job::Job;
use crate::model::{self, ReleasedModel, Terms};
use crate::output::Output;
use crate::session::parse_id;
use clap::Subcommand;
use mpc_core::net::SessionId;
use serde_json::json;
use std::path::PathBuf;

/// Receive a trained model, and hand it on to other programs.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fetch(Fetch),
    Export(export::Args),
    Import(import::Args),
}

/// Fetch the three model shares, verify them and write the model.
///
/// Only the receiver that the job names can. Signatures, HMACs and the copies
/// that two parties hold of each component are checked before anything is added
/// up. Writes model.safetensors and model.json; nothing is overwritten.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet model fetch --job job.toml --identity analyst.key -o model
  tercet model fetch --session 4f5e6d7c8b9aa9b8c7d6e5f4a3b2c1d0 --identity analyst.key -o model")]
struct Fetch {
    /// The job; the model of its latest finished session is fetched.
    #[arg(long, value_name = "JOB.toml", required_unless_present = "session")]
    job: Option<PathBuf>,
    /// The session whose model is fetched.
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    session: Option<SessionId>,
    /// Directory for the two files.
    #[arg(short, long, value_name = "DIR", default_value = "model")]
    output: PathBuf,
    #[command(flatten)]
    participant: ParticipantArgs,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    match args.command {
        Command::Fetch(args) => fetch(args, out),
        Command::Export(args) => export::run(args, out),
        Command::Import(args) => import::run(args, out),
    }
}

fn fetch(args: Fetch, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let job = match &args.job {
        Some(path) => {
            let (job, schema) = Job::load(path)?;
            Some(job.digest(&schema))
        }
        None => None,
    };
    let (session, sealed) = block_on(async {
        let dialer = participation.dialer();
        let session = match (args.session, job) {
            (Some(session), _) => session,
            (None, Some(job)) => model::latest_session(&dialer, job).await?,
            (None, None) => return Err(Failure::new("--job or --session is needed")),
        };
        Ok((session, model::fetch(&dialer, session).await?))
    })?;
    let asked = |terms: &Terms| match job {
        _ if terms.session != session => Some("session"),
        Some(job) if terms.job != job => Some("job"),
        _ => None,
    };
    let opened = model::open_shares(
        sealed.each_ref().map(Vec::as_slice),
        &participation.consortium,
        &participation.identity,
        asked,
    )?;
    let released = ReleasedModel::new(opened)?;
    let [weights, card] = released.save(&args.output)?;

    let terms = &released.release.terms;
    let parties: Vec<&str> =
        released.release.parties.iter().map(|party| party.name.as_str()).collect();
    let value = json!({
        "weights": weights,
        "card": card,
        "job": terms.job_name,
        "session": terms.session.to_string(),
        "agreement": terms.agreement,
        "signed_by": parties,
    });
    out.result(&value, || {
        format!(
            "Model of job \"{}\", session {session}, trained on {} rows of {} data sets.\n\
             Verified: signatures of {}, equal copies of every component.\n\
             Wrote {} and {}",
            terms.job_name,
            terms.rows,
            terms.data.len(),
            parties.join(", "),
            weights.display(),
            card.display()
        )
    });
    Ok(())
}
