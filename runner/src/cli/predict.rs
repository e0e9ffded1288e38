//! `tercet predict`: answers for new rows.

use super::opened::{ModelArgs, read_rows};
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::prediction::predict;
use serde_json::json;
use std::path::PathBuf;

/// Predict the label of new rows with an opened model.
///
/// Writes the rows that came in, with a column `prediction` and, where the label
/// is a class, a column `probability_CLASS` for each class. The rows may lack the
/// label's column. A cell that does not fit the schema is named, and nothing is
/// written then.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet predict model --data rows.csv --schema schema.toml -o predictions.csv")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The rows, with a header line.
    #[arg(long, value_name = "ROWS.csv")]
    data: PathBuf,
    /// The file to write; it is replaced if it is there.
    #[arg(short, long, value_name = "FILE", default_value = "predictions.csv")]
    output: PathBuf,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    if files::is_same(&args.data, &args.output) {
        let message = format!("{} would be replaced by its predictions", args.data.display());
        return Err(Failure::new(message).with_hint("name another file with -o"));
    }
    let (model, schema) = args.model.load()?;
    let table = read_rows(&args.data, &schema)?;
    let predictions = predict(&model, &schema, &table)?;
    files::write_atomic(&args.output, &predictions.csv)?;
    let report = &predictions.report;
    let value = json!({
        "predictions": args.output,
        "rows": report.rows,
        "filled": report.filled,
        "clipped": report.clipped,
        "unused": report.unused,
    });
    out.result(&value, || {
        let filled: usize = report.filled.iter().map(|column| column.cells).sum();
        let clipped: usize = report.clipped.iter().map(|column| column.cells).sum();
        format!(
            "Wrote predictions for {} rows to {} ({filled} missing cells filled in, {clipped} \
             clipped to their bounds).",
            report.rows,
            args.output.display()
        )
    });
    Ok(())
}
