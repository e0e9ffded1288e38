//! `tercet predict`: answers for new rows.

use super::opened::{ModelArgs, read_rows};
use super::participant::ParticipantArgs;
use super::predict_private::{self, Question};
use crate::failure::Failure;
use crate::files;
use crate::inference::ModelId;
use crate::job::Security;
use crate::output::Output;
use crate::prediction::predict;
use nn::infer::Answer;
use serde_json::json;
use std::path::PathBuf;

/// Predict the label of new rows, with an opened model or one that stays with the parties.
///
/// With --private the model is one that the parties keep in shares, and the rows are shared as
/// well: nobody learns the model, the rows or the answers but for who asks, and that only the
/// answers.
///
/// Writes the rows that came in, with a column `prediction` and, where the label
/// is a class, a column `probability_CLASS` for each class. The rows may lack the
/// label's column. A cell that does not fit the schema is named, and nothing is
/// written then.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet predict model --data rows.csv --schema schema.toml -o predictions.csv
  tercet predict 4f5e6d7c8b9aa9b8c7d6e5f4a3b2c1d0 --private --data rows.csv \\
      --consortium consortium.toml --identity ward-a.key -o predictions.csv")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The rows, with a header line.
    #[arg(long, value_name = "ROWS.csv")]
    data: PathBuf,
    /// The file to write; it is replaced if it is there.
    #[arg(short, long, value_name = "FILE", default_value = "predictions.csv")]
    output: PathBuf,
    /// Ask the model with the id MODEL_DIR that the parties keep.
    #[arg(long, conflicts_with = "schema", requires = "identity")]
    private: bool,
    /// What is answered; the most that the model's job allows if left out.
    #[arg(long, value_name = "KIND", requires = "private", value_parser = answer)]
    answer: Option<Answer>,
    /// Against what the computation is protected.
    #[arg(long, value_enum, default_value = "malicious", requires = "private")]
    security: Security,
    /// The consortium file.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
    /// Your secret key file.
    #[arg(long, value_name = "NAME.key", env = "TERCET_IDENTITY")]
    identity: Option<PathBuf>,
    /// Seconds to wait for a party that does not answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

fn answer(text: &str) -> Result<Answer, String> {
    [Answer::Class, Answer::Probabilities, Answer::Numbers]
        .into_iter()
        .find(|answer| answer.name() == text)
        .ok_or_else(|| "there are `class`, `probabilities` and `numbers`".into())
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    if files::is_same(&args.data, &args.output) {
        let message = format!("{} would be replaced by its predictions", args.data.display());
        return Err(Failure::new(message).with_hint("name another file with -o"));
    }
    if let (true, Some(identity)) = (args.private, args.identity) {
        let model = args.model.dir().to_string_lossy().parse::<ModelId>().map_err(|e| {
            Failure::new(e).with_hint("`tercet train` and `tercet model import` print such ids")
        })?;
        let participant = ParticipantArgs::new(args.consortium, identity, args.timeout);
        let Args { data, output, answer, security, .. } = args;
        let question = Question { model, data, output, participant, answer, security };
        return predict_private::run(question, out);
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
