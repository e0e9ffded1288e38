//! What each step took, from a recorded timeline.

use super::measure::REPETITION;
use super::training::OFFLINE;
use mpc_core::timeline::{RoundRecord, Timeline};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a step took, a repetition, at one party or the mean of three.
///
/// A round in which several steps send belongs to all of them. Its waiting is divided among
/// them by the bytes that they sent in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepCost {
    /// The first names of the step's path.
    pub step: String,
    /// Whether it can be done before there are data.
    pub offline: bool,
    /// Rounds in which it took part.
    pub rounds: f64,
    /// Messages that it took part in.
    pub messages: f64,
    /// Bytes of payload that it sent.
    pub payload_bytes: f64,
    /// Processor time of its thread.
    pub computing_seconds: f64,
    /// Time spent waiting for messages.
    pub waiting_seconds: f64,
}

/// Where in a measurement a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before there are data.
    Offline,
    /// In the repetition of this number.
    Online(usize),
    /// What surrounds the repetitions.
    Outside,
}

/// The phase of a step, and the names of its path below that.
fn locate(path: &str) -> (Phase, &str) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if first == OFFLINE {
        return (Phase::Offline, path);
    }
    match first.strip_prefix(REPETITION).and_then(|number| number.parse().ok()) {
        Some(number) => (Phase::Online(number), rest),
        None => (Phase::Outside, path),
    }
}

/// The repetition that a round belongs to, if any: that of its first step.
pub(super) fn repetition(round: &RoundRecord) -> Option<usize> {
    match locate(&round.steps.first()?.path).0 {
        Phase::Online(number) => Some(number),
        _ => None,
    }
}

/// The first `depth` names of a path.
fn shortened(path: &str, depth: usize) -> String {
    let names: Vec<&str> = path.split('/').take(depth).collect();
    let name = names.join("/");
    if name.is_empty() { "(itself)".into() } else { name }
}

/// Sums up a timeline by steps of `depth` names, in the order in which they first occur:
/// means over the repetitions from `warm_up` on, and of the offline phase over all of them.
pub(super) fn costs(
    timeline: &Timeline,
    depth: usize,
    warm_up: usize,
    repetitions: usize,
) -> Vec<StepCost> {
    let mut costs: Vec<StepCost> = Vec::new();
    let mut places: HashMap<(bool, String), usize> = HashMap::new();
    for round in timeline.rounds() {
        let bytes: u64 = round.steps.iter().map(|step| step.payload_bytes).sum();
        // A step counts a round once, however many of its parts send in it.
        let mut seen = Vec::new();
        for step in &round.steps {
            let (phase, path) = locate(&step.path);
            let weight = match phase {
                Phase::Offline => 1.0 / (warm_up + repetitions) as f64,
                Phase::Online(number) if number >= warm_up => 1.0 / repetitions as f64,
                Phase::Online(_) | Phase::Outside => continue,
            };
            let key = (phase == Phase::Offline, shortened(path, depth));
            let place = *places.entry(key).or_insert_with_key(|(offline, name)| {
                let (step, offline) = (name.clone(), *offline);
                costs.push(StepCost { step, offline, ..StepCost::default() });
                costs.len() - 1
            });
            let share = match bytes {
                0 => 1.0 / round.steps.len() as f64,
                bytes => step.payload_bytes as f64 / bytes as f64,
            };
            let cost = &mut costs[place];
            if !seen.contains(&place) {
                seen.push(place);
                cost.rounds += weight;
                cost.messages += weight * round.messages as f64;
            }
            cost.payload_bytes += weight * step.payload_bytes as f64;
            cost.computing_seconds += weight * step.computing.as_secs_f64();
            cost.waiting_seconds += weight * share * round.waiting.as_secs_f64();
        }
    }
    costs
}

/// The mean of what the three parties measured; they all have the same steps.
pub(super) fn mean(parties: [&[StepCost]; 3]) -> Vec<StepCost> {
    let [first, others @ ..] = parties;
    let mut costs = first.to_vec();
    for cost in &mut costs {
        for other in others.iter().flat_map(|party| party.iter()) {
            if (other.offline, &other.step) == (cost.offline, &cost.step) {
                cost.rounds += other.rounds;
                cost.messages += other.messages;
                cost.payload_bytes += other.payload_bytes;
                cost.computing_seconds += other.computing_seconds;
                cost.waiting_seconds += other.waiting_seconds;
            }
        }
        cost.rounds /= 3.0;
        cost.messages /= 3.0;
        cost.payload_bytes /= 3.0;
        cost.computing_seconds /= 3.0;
        cost.waiting_seconds /= 3.0;
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_the_phase_and_the_step() {
        assert_eq!(locate("repetition-12/loss/max"), (Phase::Online(12), "loss/max"));
        assert_eq!(locate("repetition-3"), (Phase::Online(3), ""));
        assert_eq!(locate("triples/block/0"), (Phase::Offline, "triples/block/0"));
        assert_eq!(locate("train/scaling"), (Phase::Outside, "train/scaling"));
        assert_eq!(shortened("a/b/c", 2), "a/b");
        assert_eq!(shortened("", 2), "(itself)");
    }
}
