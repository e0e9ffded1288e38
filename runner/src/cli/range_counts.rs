//! What a debug run counted, in words, and what to do about it.

use crate::evaluation::table;
use crate::job::Job;
use nn::plan::{DEFAULT_HEAD_ROOM, MAX_HEAD_ROOM};
use nn::watch::{RangeCount, Watched};

/// Bits by which head-room is to be raised.
const RAISE: u32 = 2;

/// The counts of a job's layers as a table, and which scales to choose.
pub fn text(job: &Job, counts: &[RangeCount]) -> String {
    let beyond: Vec<&RangeCount> = counts.iter().filter(|count| count.beyond > 0).collect();
    if beyond.is_empty() {
        let all: u64 = counts.iter().map(|count| count.of).sum();
        return format!(
            "No number left its range: {all} outputs, errors and gradients are counted."
        );
    }
    let rows = beyond.iter().map(|count| {
        vec![
            layer(job, count.layer),
            count.what.name().to_owned(),
            format!("{:.4e}", count.bound),
            format!("{} of {}", count.beyond, count.of),
        ]
    });
    let header = ["layer", "numbers", "must stay below", "did not"].map(str::to_owned).to_vec();
    let of_kind = |gradients: bool| {
        beyond.iter().any(|count| (count.what == Watched::Gradients) == gradients)
    };
    let mut text =
        format!("Numbers left their range, and the model may be useless:\n{}", table(header, rows));
    if of_kind(false) {
        text += &format!("\n{}", advice(job));
    }
    if of_kind(true) {
        text += "\nFor gradients: clip them, `clip = { value = 0.5 }` in [training], or take a \
                 smaller learning rate.";
    }
    text
}

fn layer(job: &Job, number: u64) -> String {
    let layers = &job.spec().model.layers;
    let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match at.and_then(|at| layers.get(at)) {
        Some(layer) => format!("{number}, {layer}"),
        None => number.to_string(),
    }
}

fn advice(job: &Job) -> String {
    let precision = job.spec().precision;
    let wanted = precision.head_room.unwrap_or(DEFAULT_HEAD_ROOM) + RAISE;
    if wanted > MAX_HEAD_ROOM {
        return "There is no more head-room to be had: take a smaller learning rate, clip gradients, \
                or put a \"batch-norm\" before the layer."
            .into();
    }
    let others = match precision.activations.or(precision.errors) {
        Some(_) => ", and `activations` and `errors` left out",
        None => "",
    };
    format!(
        "For outputs and errors: a section [precision] with head_room = {wanted}{others}; scales are \
         chosen to fit. `tercet range` finds out how much is needed on rows like these."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::JOB;

    fn count(what: Watched, beyond: u64) -> RangeCount {
        RangeCount { layer: 1, what, bound: 512.0, beyond, of: 80 }
    }

    #[test]
    fn the_layer_is_named_and_a_scale_proposed() {
        let job = |precision: &str| {
            Job::from_toml(&format!("{JOB}\n[precision]\n{precision}"), "job.toml").unwrap()
        };
        let outputs = [count(Watched::Outputs, 3), count(Watched::Gradients, 0)];
        let told = text(&job(""), &outputs);
        assert!(told.contains("1, dense 8") && told.contains("3 of 80"), "{told}");
        assert!(told.contains("head_room = 11;") && !told.contains("clip"), "{told}");
        assert!(text(&job("head_room = 12"), &outputs).contains("head_room = 14;"));
        assert!(text(&job("errors = 13"), &outputs).contains("left out"));
        assert!(text(&job("head_room = 18"), &outputs).contains("no more head-room"));
        let gradients = text(&job(""), &[count(Watched::Gradients, 1)]);
        assert!(gradients.contains("clip") && !gradients.contains("head_room"), "{gradients}");
        assert!(
            text(&job(""), &[count(Watched::Errors, 0)]).contains("No number left its range: 80")
        );
    }
}
