//! `tercet approve`: let a job use one's data, or no longer.

use super::participant::{ParticipantArgs, Participation, block_on};
use crate::approval::Approval;
use crate::control::{Answer, ControlError, Request};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;
use crate::schema::Schema;
use jiff::Timestamp;
use mpc_core::party::PartyId;
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Let a job use your data, or take that back.
///
/// The parties train on your data only for jobs that you have approved, or that you start
/// yourself. What you sign is the digest of the job file with its schema: network, data,
/// receiver and what is opened. It counts for any number of trainings until it is taken
/// back; trainings that run go on.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet approve job.toml --identity hospital-b.key
  tercet approve job.toml --identity hospital-b.key --withdraw --yes")]
pub struct Args {
    /// The job file.
    job: PathBuf,
    /// Take an earlier approval back.
    #[arg(long)]
    withdraw: bool,
    /// Do not ask before signing.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    participant: ParticipantArgs,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let (job, schema) = Job::load(&args.job)?;
    let Participation { consortium, identity, .. } = &participation;
    if consortium.member(identity.name()).is_none() {
        return Err(Failure::new(format!("{} is a party: only members approve", identity.name())));
    }
    if !args.yes {
        confirm(&job, &schema, args.withdraw)?;
    }
    let granted = !args.withdraw;
    let approval = Approval::sign((&job, &schema), consortium, identity, granted, Timestamp::now());
    let statement = approval.to_json();
    let kept = block_on(async {
        let [a, b, c] = PartyId::ALL.map(|party| send(&participation, party, &statement));
        let (a, b, c) = tokio::join!(a, b, c);
        Ok([a, b, c])
    })?;
    let failed: Vec<String> = PartyId::ALL
        .iter()
        .zip(kept)
        .filter_map(|(party, kept)| kept.err().map(|error| format!("{party}: {error}")))
        .collect();
    let verb = if granted { "approved" } else { "withdrawn" };
    if !failed.is_empty() {
        let message = format!("not {verb} at {} of 3 parties: {}", failed.len(), failed.join("; "));
        return Err(Failure::new(message).with_hint("repeat the command when they can be reached"));
    }
    let value = json!({ "job": approval.job, "job_name": job.name(), "owner": approval.owner, "granted": granted });
    out.result(&value, || {
        format!(
            "Job \"{}\" ({}) is {verb} for the data of {}.",
            job.name(),
            approval.job.short(),
            approval.owner
        )
    });
    Ok(())
}

/// Brings the statement to one party.
async fn send(
    participation: &Participation,
    party: PartyId,
    statement: &[u8],
) -> Result<(), ControlError> {
    let client = participation.dialer().control(party).await?;
    match client.ask(&Request::Approve(statement.to_vec())).await? {
        Answer::Approval => Ok(()),
        _ => Err(ControlError::Malformed("it answered something else")),
    }
}

/// Shows a person what is about to be signed, and asks.
fn confirm(job: &Job, schema: &Schema, withdraw: bool) -> Result<(), Failure> {
    let nothing = |why: &str| Err(Failure::new(format!("nothing was signed: {why}")));
    if !io::stdin().is_terminal() {
        return nothing("give --yes where nobody can be asked");
    }
    eprintln!("{}\ndigest {}\n", job.to_toml().trim_end(), job.digest(schema));
    let question =
        if withdraw { "Take your approval of this job back" } else { "Let this job use your data" };
    eprint!("{question}? [y/N] ");
    let mut answer = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer));
    read.map_err(|e| Failure::new(format!("cannot read the answer: {e}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => nothing("you did not say yes"),
    }
}
