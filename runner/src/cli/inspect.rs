//! `tercet inspect`: show what a share file says about itself.

use crate::consortium::Consortium;
use crate::failure::Failure;
use crate::files::FileError;
use crate::output::Output;
use crate::sharefile::ShareFile;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

/// Show the readable header of a share file; no key is needed.
///
/// With --consortium the owner's signature is verified as well.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet inspect shares/patients.party1.tercet --consortium consortium.toml")]
pub struct Args {
    /// The share file.
    #[arg(value_name = "SHARE")]
    file: PathBuf,
    /// Verify the owner's signature by this consortium file.
    #[arg(long, value_name = "FILE")]
    consortium: Option<PathBuf>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let named = |failure: Failure| Failure {
        message: format!("{}: {}", args.file.display(), failure.message),
        ..failure
    };
    let file = File::open(&args.file)
        .map_err(|source| FileError::Read { path: args.file.clone(), source })?;
    let share = ShareFile::read(BufReader::new(file)).map_err(|error| named(error.into()))?;
    if let Some(path) = &args.consortium {
        share.verify(&Consortium::load(path)?).map_err(|error| named(error.into()))?;
    }
    let verified = args.consortium.is_some();
    let (header, digest) = (share.header(), share.digest());
    let value = json!({ "header": header, "sha256": digest, "signature_verified": verified });
    out.result(&value, || {
        let data_set = &header.data_set;
        let signature = match verified {
            true => "verified",
            false => "not verified (needs --consortium)",
        };
        format!(
            "Share file for {}\n\n\
             Data set    {} '{}'\n\
             Owner       {}, signature {signature}\n\
             Rows        {}\n\
             Columns     {} features, {} of the label\n\
             Numbers     {} fractional bits in a ring of {} bits\n\
             Created     {}\n\
             Schema      {}\n\
             Consortium  {}\n\
             SHA-256     {digest}",
            header.party,
            data_set.id,
            data_set.name,
            data_set.owner,
            data_set.rows,
            data_set.feature_columns,
            data_set.label_columns,
            data_set.scale,
            data_set.ring_bits,
            data_set.created,
            data_set.schema,
            data_set.consortium,
        )
    });
    Ok(())
}
