//! `tercet model export`: a released model for other programs.

use super::opened::ModelArgs;
use crate::export::Format;
use crate::failure::Failure;
use crate::files::{self, FileError};
use crate::output::Output;
use serde_json::json;
use std::path::PathBuf;

/// Write an opened model for other programs.
///
/// onnx: a graph that takes the raw features of the schema (numbers in their own units, zeros
/// and ones for categories), maps them itself, and answers with `class` and `probabilities`,
/// or with `prediction` where the label is a number. safetensors: the weights in 32 bits as
/// PyTorch loads them; the mapping of the features stands in the file's metadata.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet model export model --format onnx
  tercet model export model --format safetensors -o weights.safetensors

In Python:
  session = onnxruntime.InferenceSession(\"model.onnx\")
  classes, probabilities = session.run(None, {\"features\": rows.astype(\"float32\")})")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The format.
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write, which must not be there; MODEL_DIR.FORMAT if left out.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let released = args.model.released()?;
    let output = match args.output {
        Some(output) => output,
        None => args.model.dir().with_extension(args.format.name()),
    };
    if output.exists() {
        return Err(FileError::Exists(output).into());
    }
    let bytes = args.format.write(&released)?;
    files::write_atomic(&output, &bytes)?;
    let features: Vec<String> =
        released.schema.features().into_iter().map(|feature| feature.name).collect();
    let value = json!({
        "file": output,
        "format": args.format.name(),
        "bytes": bytes.len(),
        "features": features,
        "classes": released.schema.label().classes(),
    });
    out.result(&value, || {
        let (takes, columns) = match args.format {
            Format::Onnx => ("raw", features.len()),
            Format::Safetensors => ("mapped", features.len()),
        };
        format!(
            "Wrote {} ({} bytes). It takes rows of {columns} {takes} features:\n  {}",
            output.display(),
            bytes.len(),
            shortened(&features)
        )
    });
    Ok(())
}

/// The first names, and how many there are more.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}
