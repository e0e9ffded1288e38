//! `tercet model import`: a model that a member has, for the parties to keep.

use super::participant::{ParticipantArgs, block_on};
use crate::encode::Encoded;
use crate::failure::Failure;
use crate::files;
use crate::inference;
use crate::job::Job;
use crate::model::{self, WEIGHT_FILE};
use crate::output::Output;
use ndarray::Array2;
use serde_json::json;
use std::path::PathBuf;

/// Longest weight file that is imported (8 GiB).
const MAX_BYTES: u64 = 8 << 30;

/// Share a model among the parties, which keep it to answer `tercet predict --private`.
///
/// No party learns a weight. The job says what the network is ([model] and the schema), and
/// in its section [inference] who may ask for what; its [training] is not used. The file holds
/// the tensors of the network with the names that PyTorch's Sequential gives them, `0.weight`,
/// `0.bias` and so on, as 32- or 64-bit floats. They take features mapped by the schema's
/// bounds to [-1, 1].
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet model import model/model.safetensors --job job.toml --identity analyst.key

In the job:
  [inference]
  members = [\"ward-a\", \"ward-b\"]   # all members if left out
  answer = \"class\"                 # or \"probabilities\"")]
pub struct Args {
    /// The weights, or a directory with model.safetensors.
    #[arg(value_name = "WEIGHTS.safetensors")]
    weights: PathBuf,
    /// The job.
    #[arg(long, value_name = "JOB.toml")]
    job: PathBuf,
    #[command(flatten)]
    participant: ParticipantArgs,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let (job, schema) = Job::load(&args.job)?;
    if job.inference().is_none() {
        return Err(Failure::new(format!("{} has no section [inference]", args.job.display()))
            .with_hint("it says who may ask the model: tercet model import --help"));
    }
    let path = match args.weights.is_dir() {
        true => args.weights.join(WEIGHT_FILE),
        false => args.weights,
    };
    let blueprint = model::blueprint(job.spec(), &schema, 1).map_err(Failure::new)?;
    let shapes = model::tensors(blueprint.layers());
    let unfit = |reason: String| {
        Failure::new(format!("{}: {reason}", path.display()))
            .with_hint("the network of the job and the file have to be the same")
    };
    let tensors = model::decode_weights(&shapes, &files::read_capped(&path, MAX_BYTES)?);
    let values = tensors.map_err(unfit)?.concat();
    let weights = Array2::from_shape_vec((1, values.len()), values).map_err(Failure::new)?;
    let weights = Encoded::unlabelled(weights).ok_or_else(|| unfit("no weights".into()))?;
    let asked = participation.asked();
    let kept = block_on(async { Ok(inference::keep(&asked, &job, &schema, &weights).await?) })?;
    let terms = &kept.terms;
    let count = weights.features().len();
    let answer = terms.policy.most(terms.spec.model.loss);
    let value = json!({
        "model": terms.id,
        "job": terms.name,
        "weights": count,
        "members": terms.policy.members,
        "answer": answer,
    });
    out.result(&value, || {
        format!(
            "The parties keep model {} of job \"{}\": {count} weights.\nIt answers with {answer}: \
             tercet predict {} --private --data rows.csv",
            terms.id, terms.name, terms.id
        )
    });
    Ok(())
}
