//! `tercet verify-evidence`: check what a party signed of a session that broke off.

use crate::consortium::Consortium;
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::output::Output;
use serde_json::json;
use std::path::PathBuf;

/// Check what a party has written down of a session that broke off.
///
/// Works offline: the party's key is in consortium.toml. Fails unless the party
/// signed exactly this.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet verify-evidence 5f0c...e1.json --consortium consortium.toml")]
pub struct Args {
    /// The file, from `evidence/` in the data directory of a node.
    evidence: PathBuf,
    /// The consortium file.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let consortium = Consortium::load(&args.consortium)?;
    let evidence = Evidence::load(&args.evidence)?;
    evidence.verify(&consortium)?;
    out.result(&json!({ "genuine": true, "evidence": evidence }), || {
        let suspect = evidence.suspect.map_or("nobody: nothing is proved".into(), |party| {
            format!("{} ({party})", consortium.party(party).card.name())
        });
        format!(
            "Genuine: {} ({}) signed this.\n\n\
             Session     {}\n\
             Fault       {}\n\
             Suspected   {suspect}\n\
             Heard       {}\n\
             Step        {}, after {} rounds\n\
             Transcript  {}\n\
             Job         {}\n\
             Agreement   {}\n\
             Ended       {}",
            evidence.party_name,
            evidence.party,
            evidence.session,
            evidence.message,
            evidence.heard.as_deref().unwrap_or("nothing"),
            evidence.step.as_deref().unwrap_or("none"),
            evidence.rounds,
            evidence.transcript,
            evidence.job,
            evidence.agreement,
            evidence.ended,
        )
    });
    Ok(())
}
