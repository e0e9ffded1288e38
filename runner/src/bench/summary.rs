//! The figures of a measurement.

use super::calibration::MatrixSpeed;
use super::clocks::{ClockKind, Sample};
use super::data::Judged;
use super::environment::Environment;
use super::plan::{Plan, Task};
use super::session::PartyResult;
use super::steps::{self, StepCost};
use crate::digest::Digest;
use crate::job::Security;
use mpc_core::net::LinkSpec;
use serde::{Deserialize, Serialize};

/// What a plan came to.
///
/// An iteration is one repetition of what was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// What was measured.
    pub task: Task,
    /// The mode.
    pub security: Security,
    /// The links, where they were shaped.
    pub link: Option<LinkSpec>,
    /// What time was read off.
    pub clock: ClockKind,
    /// Threads that a matrix product might use.
    pub threads: usize,
    /// What made everything random repeatable, if anything did.
    pub seed: Option<u64>,
    /// Repetitions that were counted.
    pub iterations: usize,
    /// Median over the repetitions of the time at the slowest party.
    pub seconds_per_iteration: f64,
    /// Fastest and slowest repetition.
    pub seconds_spread: [f64; 2],
    /// Time of all repetitions at the party that took longest, by their number. Parties go on while
    /// others still end a repetition, so one after another they can take less time than one of
    /// them. Comparable with differences between runs of N and of 2 N repetitions.
    #[serde(default)]
    pub seconds_per_iteration_sustained: f64,
    /// Rounds; the same in every repetition.
    pub rounds_per_iteration: u64,
    /// Mean over the repetitions, with frames and TLS.
    pub bytes_sent_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions, payload alone: the same in every run.
    pub payload_bytes_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions.
    pub messages_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions.
    pub cpu_seconds_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions of the time that a party waited for messages.
    pub waiting_seconds_per_party_per_iteration: [f64; 3],
    /// Largest resident memory of each party's process.
    pub peak_rss_bytes: [u64; 3],
    /// The processes.
    pub pids: [u32; 3],
    /// Speed of matrix kernels on one core of this machine, in the same run.
    #[serde(flatten)]
    pub speed: MatrixSpeed,
    /// What is done before there are data, a repetition: triples.
    pub offline: Option<Offline>,
    /// What each step took, the mean of the three parties, where that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepCost>,
    /// Of a training, the hash of the opened model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Digest>,
    /// Of a training on rows of a file, how good the model is.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// The machine and the code.
    pub environment: Environment,
}

/// What is done before there are data, a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offline {
    /// Time at the slowest party.
    pub seconds: f64,
    /// Rounds.
    pub rounds: u64,
    /// Bytes that each party sends.
    pub bytes_sent_per_party: [f64; 3],
}

impl Summary {
    /// Sums up what the parties measured.
    pub fn new(plan: &Plan, speed: &MatrixSpeed, parties: &[PartyResult; 3]) -> Self {
        let repetitions = parties.iter().map(|p| p.samples.len()).min().unwrap_or(0);
        let slowest = |at: usize| parties.iter().map(|p| p.samples[at].seconds).fold(0.0, f64::max);
        let mut seconds: Vec<f64> = (0..repetitions).map(slowest).collect();
        seconds.sort_by(f64::total_cmp);
        let mean = |figure: fn(&Sample) -> f64| {
            parties.each_ref().map(|party| {
                party.samples.iter().map(figure).sum::<f64>() / party.samples.len().max(1) as f64
            })
        };
        let setting = &plan.setting;
        let [first, second, third] = parties.each_ref().map(|party| party.offline);
        let offline = first.zip(second).zip(third).map(|((first, second), third)| {
            let parties = [first, second, third];
            Offline {
                seconds: parties.iter().map(|sample| sample.seconds).fold(0.0, f64::max),
                rounds: first.rounds,
                bytes_sent_per_party: parties.map(|sample| sample.bytes_sent as f64),
            }
        });
        Summary {
            task: plan.task.clone(),
            security: plan.security,
            link: setting.link,
            clock: setting.clock,
            threads: setting.threads,
            seed: setting.seed,
            iterations: repetitions,
            seconds_per_iteration: median(&seconds),
            seconds_spread: [
                seconds.first().copied().unwrap_or_default(),
                seconds.last().copied().unwrap_or_default(),
            ],
            seconds_per_iteration_sustained: mean(|sample| sample.seconds)
                .into_iter()
                .fold(0.0, f64::max),
            rounds_per_iteration: parties[0].samples.first().map_or(0, |sample| sample.rounds),
            bytes_sent_per_party_per_iteration: mean(|sample| sample.bytes_sent as f64),
            payload_bytes_per_party_per_iteration: mean(|sample| sample.payload_bytes as f64),
            messages_per_party_per_iteration: mean(|sample| sample.messages as f64),
            cpu_seconds_per_party_per_iteration: mean(|sample| sample.cpu_seconds),
            waiting_seconds_per_party_per_iteration: mean(|sample| sample.waiting_seconds),
            peak_rss_bytes: parties.each_ref().map(|party| party.peak_rss_bytes),
            pids: parties.each_ref().map(|party| party.pid),
            speed: speed.clone(),
            offline,
            steps: steps::mean(parties.each_ref().map(|party| party.steps.as_slice())),
            model: parties[0].model,
            judged: parties[0].judged,
            environment: Environment::here(),
        }
    }
}

/// The middle of sorted figures; of two middles their mean.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
