//! `tercet share`: split a data set into share files for the three parties.

use super::schema::report_lines;
use crate::consortium::Consortium;
use crate::encode;
use crate::failure::Failure;
use crate::identity::{Identity, Name};
use crate::output::Output;
use crate::random;
use crate::schema::Schema;
use crate::sharefile::Sharing;
use crate::table::Table;
use indicatif::HumanBytes;
use jiff::{Timestamp, Unit};
use serde_json::json;
use std::path::{Path, PathBuf};

const BAR: &str = "sharing  [{bar:40}] {percent:>3}%  {eta} left";

/// Split a CSV file into three share files, one encrypted to each party.
///
/// Nothing leaves this machine: send the files with `tercet submit` or by any
/// other way. No party learns anything from its file, and no two files may ever
/// meet in one hand.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet share patients.csv --schema schema.toml --consortium consortium.toml \\
      --identity hospital-a.key -o shares")]
pub struct Args {
    /// The CSV file.
    #[arg(value_name = "DATA.csv")]
    data: PathBuf,
    /// The schema that all members agreed on.
    #[arg(long, value_name = "FILE", default_value = "schema.toml")]
    schema: PathBuf,
    /// The consortium file.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
    /// Your secret key file.
    #[arg(long, value_name = "NAME.key", env = "TERCET_IDENTITY")]
    identity: PathBuf,
    /// Directory for the share files.
    #[arg(short, long, value_name = "DIR", default_value = "shares")]
    output: PathBuf,
    /// Name of the data set; the CSV file's name if left out.
    #[arg(long)]
    name: Option<Name>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let schema = Schema::load(&args.schema)?;
    let consortium = Consortium::load(&args.consortium)?;
    let owner = Identity::load(&args.identity)?;
    let name = match args.name {
        Some(name) => name,
        None => name_of(&args.data)?,
    };
    // The table is dropped here: from now on only its numbers are needed.
    let (data, report) = {
        let table = Table::read(&args.data, schema.file().csv_format())?;
        encode::encode(&table, &schema)?
    };
    let sharing = Sharing {
        data: &data,
        schema: schema.digest(),
        name,
        owner: &owner,
        consortium: &consortium,
    };
    let bar = out.bar(sharing.steps(), BAR);
    let mut progress = |words| bar.inc(words);
    let mut rng = random::system_rng()
        .map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))?;
    let now = Timestamp::now().round(Unit::Second).map_err(Failure::new)?;
    let split = sharing.split(now, &mut rng, &mut progress)?;
    let manifest = split.manifest().clone();
    let files = split.write_files(&args.output, &mut progress)?;
    bar.finish_and_clear();

    let listed: Vec<_> = files
        .iter()
        .map(|file| {
            json!({
                "party": file.party,
                "name": consortium.party(file.party).card.name(),
                "path": file.path,
                "bytes": file.bytes,
                "sha256": file.digest,
            })
        })
        .collect();
    let value = json!({
        "data_set": manifest.id,
        "name": manifest.name,
        "manifest": manifest.digest(),
        "schema": manifest.schema,
        "rows": manifest.rows,
        "features": manifest.feature_columns,
        "labels": manifest.label_columns,
        "report": report,
        "files": listed,
    });
    out.result(&value, || {
        let mut text = format!(
            "Data set  {} '{}'\n{}\nColumns   {} features, {} of the label\nSchema    {}\n",
            manifest.id,
            manifest.name,
            report_lines(&report),
            manifest.feature_columns,
            manifest.label_columns,
            manifest.schema,
        );
        for file in &files {
            text.push_str(&format!(
                "\n  {}  {} for {}",
                file.path.display(),
                HumanBytes(file.bytes),
                consortium.party(file.party).card.name(),
            ));
        }
        text
    });
    Ok(())
}

/// A name for a data set out of the name of its file.
fn name_of(path: &Path) -> Result<Name, Failure> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    let safe: String = stem
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    let name: String = safe.trim_matches(|c| c == '-' || c == '_').chars().take(60).collect();
    name.parse().map_err(|_| {
        Failure::new(format!("{}: no name can be made of the file's name", path.display()))
            .with_hint("name the data set with --name")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_names() {
        let name = |path: &str| name_of(path.as_ref()).map(|name| name.to_string());
        assert_eq!(name("data/Ward 7 (2024).csv").unwrap(), "ward-7--2024");
        assert_eq!(name("x.tar.csv").unwrap(), "x-tar");
        assert_eq!(name(&format!("{}.csv", "a".repeat(200))).unwrap().len(), 60);
        assert!(name("---.csv").is_err() && name("é.csv").is_err());
    }
}
