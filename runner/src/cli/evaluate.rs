//! `tercet evaluate`: how good an opened model is.

use super::opened::{ModelArgs, read_rows};
use crate::encode::encode;
use crate::evaluation::Evaluation;
use crate::failure::Failure;
use crate::output::Output;
use std::path::PathBuf;

/// Test an opened model on rows whose labels are known.
///
/// Classes: accuracy, precision, recall and F1 (means over the classes),
/// logarithmic loss and the confusion matrix. Numbers: root of the mean squared
/// error, and the part of the variance that is explained. Rows are given as they
/// came: what the model needs to know about scaling is folded into it.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet evaluate model --data test.csv --schema schema.toml")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The rows, with a header line and the label's column.
    #[arg(long, value_name = "TEST.csv")]
    data: PathBuf,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let (model, schema) = args.model.load()?;
    let (rows, _) = encode(&read_rows(&args.data, &schema)?, &schema)?;
    let evaluation = Evaluation::of(&model, &schema, &rows).map_err(Failure::new)?;
    out.result(&evaluation, || evaluation.text());
    Ok(())
}
