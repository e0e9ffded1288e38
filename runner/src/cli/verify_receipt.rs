//! `tercet verify-receipt`: check a receipt without asking anyone.

use crate::consortium::Consortium;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::files::FileError;
use crate::output::Output;
use crate::receipt::Receipt;
use serde_json::json;
use std::fs::File;
use std::path::PathBuf;

/// Check a receipt that a party signed for a share file.
///
/// Works offline: the party's key is in consortium.toml. Fails unless the
/// receipt is genuine and, with --file, about that very file.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet verify-receipt shares/patients.party1.receipt.json \\
      --file shares/patients.party1.tercet --consortium consortium.toml")]
pub struct Args {
    /// The receipt.
    receipt: PathBuf,
    /// The share file that it should be about.
    #[arg(long, value_name = "SHARE")]
    file: Option<PathBuf>,
    /// The consortium file.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let consortium = Consortium::load(&args.consortium)?;
    let receipt = Receipt::load(&args.receipt)?;
    receipt.verify(&consortium)?;
    if let Some(path) = &args.file {
        let digest = File::open(path)
            .and_then(Digest::of_reader)
            .map_err(|source| FileError::Read { path: path.clone(), source })?;
        receipt.require_file(digest)?;
    }
    let value = json!({
        "genuine": true,
        "file_checked": args.file.is_some(),
        "receipt": receipt,
    });
    out.result(&value, || {
        let file = match &args.file {
            Some(path) => format!("{} (checked)", path.display()),
            None => format!("SHA-256 {} (not compared with a file)", receipt.file),
        };
        format!(
            "Genuine: {} ({}) has stored this.\n\n\
             Data set  {} '{}' of {}\n\
             Rows      {}\n\
             Columns   {} features, {} of the label\n\
             File      {file}\n\
             Schema    {}\n\
             Received  {}",
            receipt.party_name,
            receipt.party,
            receipt.data_set,
            receipt.name,
            receipt.owner,
            receipt.rows,
            receipt.feature_columns,
            receipt.label_columns,
            receipt.schema,
            receipt.received,
        )
    });
    Ok(())
}
