//! `tercet predict --private`: answers of a model that nobody has.

use super::following::{interrupted, twice_interrupted};
use super::opened::read_rows;
use super::participant::{ParticipantArgs, block_on};
use super::training_bar::TrainingBar;
use crate::encode::Encoded;
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::files;
use crate::inference::{self, AnswerTerms, Kept, ModelId};
use crate::job::Security;
use crate::model::Opened;
use crate::output::Output;
use crate::prediction::{Answers, features, written};
use crate::session::TrainEvent;
use ndarray::Array2;
use nn::infer::Answer;
use nn::metrics::argmax;
use serde_json::json;
use std::path::PathBuf;

/// A question to a kept model.
pub(super) struct Question {
    pub(super) model: ModelId,
    pub(super) data: PathBuf,
    pub(super) output: PathBuf,
    pub(super) participant: ParticipantArgs,
    pub(super) answer: Option<Answer>,
    pub(super) security: Security,
}

pub(super) fn run(question: Question, out: Output) -> Result<(), Failure> {
    let participation = question.participant.load()?;
    let asked = participation.asked();
    let kept = block_on(async { Ok(inference::describe(&asked, question.model).await?) })?;
    let answer = chosen(&kept, question.answer)?;
    let table = read_rows(&question.data, &kept.schema)?;
    let (rows, report) = features(&kept.schema, &table, answer == Answer::Probabilities)?;
    let rows = Encoded::unlabelled(rows).ok_or_else(|| Failure::new("there are no rows"))?;
    let bar = TrainingBar::new(out);
    let outcome = block_on(async {
        let on_event = |event| show(event, &bar, out);
        let question = (answer, question.security);
        tokio::select! {
            answers = inference::ask(&asked, &kept, &rows, question, interrupted(), on_event) => {
                Ok(answers?)
            }
            () = twice_interrupted() => {
                Err(Failure::new("left without waiting for the parties; they stop by themselves")
                    .with_code(EXIT_INTERRUPTED))
            }
        }
    });
    bar.finish();
    let (opened, session) = outcome?;
    let answers = answers(&opened, &kept)?;
    files::write_atomic(&question.output, &written(&kept.schema, &table, &answers)?)?;

    let parties: Vec<&str> = opened.contributions.iter().map(|by| by.name.as_str()).collect();
    let seconds = session.parties.iter().map(|party| party.seconds).fold(0.0, f64::max);
    let bytes = session.parties.map(|party| party.traffic.bytes_sent);
    let value = json!({
        "predictions": question.output,
        "rows": report.rows,
        "filled": report.filled,
        "clipped": report.clipped,
        "unused": report.unused,
        "model": kept.terms.id,
        "job": kept.terms.name,
        "answer": answer,
        "security": question.security,
        "session": session.session.to_string(),
        "agreement": session.agreement,
        "seconds": seconds,
        "rounds": session.parties[0].traffic.rounds,
        "bytes_sent_per_party": bytes,
        "signed_by": parties,
    });
    out.result(&value, || {
        format!(
            "Model {} of job \"{}\" answered {} rows in {seconds:.1} s, {:.1} MB sent by a party.\n\
             Verified: signatures of {}, equal copies of every component.\n\
             Wrote {} to {}",
            kept.terms.id,
            kept.terms.name,
            report.rows,
            bytes.iter().copied().max().unwrap_or_default() as f64 / 1e6,
            parties.join(", "),
            match answer {
                Answer::Class => "classes",
                Answer::Probabilities => "classes and probabilities",
                Answer::Numbers => "numbers",
            },
            question.output.display()
        )
    });
    Ok(())
}

/// What is asked for: the most that the model answers, unless the user wants less.
fn chosen(kept: &Kept, wanted: Option<Answer>) -> Result<Answer, Failure> {
    let (policy, loss) = (&kept.terms.policy, kept.terms.spec.model.loss);
    let most = policy.most(loss);
    match wanted {
        Some(answer) if !policy.allows(answer, loss) => {
            let message = format!("model {} answers with {most}, not with {answer}", kept.terms.id);
            Err(Failure::new(message).with_hint("leave --answer out to get what it answers with"))
        }
        wanted => Ok(wanted.unwrap_or(most)),
    }
}

/// What the opened numbers mean.
fn answers(opened: &Opened<AnswerTerms>, kept: &Kept) -> Result<Answers, Failure> {
    let wrong = || Failure::new("the answers do not have the shape that was asked for");
    let (terms, values) = (&opened.terms, opened.tensors.first().ok_or_else(wrong)?);
    let columns = terms.tensors.first().ok_or_else(wrong)?.columns as usize;
    let rows = values.len().checked_div(columns).ok_or_else(wrong)?;
    let values = Array2::from_shape_vec((rows, columns), values.clone()).map_err(|_| wrong())?;
    let classes = kept.schema.label().classes().map_or(0, <[String]>::len);
    match (terms.answer, columns) {
        (Answer::Class, 1) => {
            // A number that is no class is found when it is written.
            let classes = values.iter().map(|&class| class as usize).collect();
            Ok(Answers::Classes(classes, None))
        }
        (Answer::Probabilities, 1) => {
            let probabilities = Array2::from_shape_fn((rows, 2), |(row, class)| {
                if class == 1 { values[(row, 0)] } else { 1.0 - values[(row, 0)] }
            });
            Ok(Answers::Classes(argmax(&probabilities), Some(probabilities)))
        }
        (Answer::Probabilities, columns) if columns == classes => {
            Ok(Answers::Classes(argmax(&values), Some(values)))
        }
        (Answer::Numbers, 1) => Ok(Answers::Numbers(values.column(0).to_vec())),
        _ => Err(wrong()),
    }
}

fn show(event: TrainEvent, bar: &TrainingBar, out: Output) {
    match event {
        TrainEvent::Running { agreement } => {
            out.event(&json!({ "event": "running", "agreement": agreement }));
            bar.note(format!("The parties agree: {}", agreement.short()));
        }
        TrainEvent::Checking(checked) => bar.rows_checked(checked),
        TrainEvent::Progress(_)
        | TrainEvent::Forecast(_)
        | TrainEvent::Figures(_)
        | TrainEvent::Incomplete { .. } => {}
        TrainEvent::Cancelling => {
            out.event(&json!({ "event": "cancelling" }));
            out.note("Stopping at the parties ...");
        }
    }
}
