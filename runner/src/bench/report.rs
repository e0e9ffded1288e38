//! The figures of a measurement, for people and for programs.

use super::party::PartyResult;
use super::plan::{Op, Plan, Task};
use crate::evaluation::table;
use crate::job::Multiplication;
use clap::ValueEnum;
use indicatif::{DecimalBytes, HumanCount};
use serde::Serialize;

/// What a plan came to.
///
/// An iteration is one repetition of what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was measured.
    pub task: Task,
    /// The mode.
    pub security: &'static str,
    /// Repetitions that were counted.
    pub iterations: usize,
    /// Median over the repetitions of the time at the slowest party.
    pub seconds_per_iteration: f64,
    /// Fastest and slowest repetition.
    pub seconds_spread: [f64; 2],
    /// Rounds; the same in every repetition.
    pub rounds_per_iteration: u64,
    /// Mean over the repetitions, with frames and TLS.
    pub bytes_sent_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions.
    pub cpu_seconds_per_party_per_iteration: [f64; 3],
    /// Mean over the repetitions of the time that a party waited for messages.
    pub waiting_seconds_per_party_per_iteration: [f64; 3],
    /// Largest resident memory of each party.
    pub peak_rss_bytes: [u64; 3],
    /// The processes.
    pub pids: [u32; 3],
    /// Speed of the matrix kernel on one core of this machine, in the same run.
    pub gmac_per_second_one_core: f64,
}

impl Summary {
    /// Sums up what the parties measured.
    pub fn new(plan: &Plan, gmac: f64, parties: &[PartyResult; 3]) -> Self {
        let repetitions = parties.iter().map(|p| p.samples.len()).min().unwrap_or(0);
        let slowest = |at: usize| parties.iter().map(|p| p.samples[at].seconds).fold(0.0, f64::max);
        let mut seconds: Vec<f64> = (0..repetitions).map(slowest).collect();
        seconds.sort_by(f64::total_cmp);
        let mean = |figure: fn(&super::measure::Sample) -> f64| {
            parties.each_ref().map(|party| {
                party.samples.iter().map(figure).sum::<f64>() / party.samples.len().max(1) as f64
            })
        };
        Summary {
            task: plan.task.clone(),
            security: plan.security.name(),
            iterations: repetitions,
            seconds_per_iteration: median(&seconds),
            seconds_spread: [
                seconds.first().copied().unwrap_or_default(),
                seconds.last().copied().unwrap_or_default(),
            ],
            rounds_per_iteration: parties[0].samples.first().map_or(0, |sample| sample.rounds),
            bytes_sent_per_party_per_iteration: mean(|sample| sample.bytes_sent as f64),
            cpu_seconds_per_party_per_iteration: mean(|sample| sample.cpu_seconds),
            waiting_seconds_per_party_per_iteration: mean(|sample| sample.waiting_seconds),
            peak_rss_bytes: parties.each_ref().map(|party| party.peak_rss_bytes),
            pids: parties.each_ref().map(|party| party.pid),
            gmac_per_second_one_core: gmac,
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

/// The summaries of one task side by side, a column a mode, and with two their ratio.
pub fn render(summaries: &[Summary]) -> String {
    let Some(first) = summaries.first() else { return String::new() };
    type Figure = (&'static str, fn(&Summary) -> f64, fn(f64) -> String);
    let figures: [Figure; 8] = [
        ("time, median", |s| s.seconds_per_iteration, milliseconds),
        ("time, fastest", |s| s.seconds_spread[0], milliseconds),
        ("time, slowest", |s| s.seconds_spread[1], milliseconds),
        ("rounds", |s| s.rounds_per_iteration as f64, |x| HumanCount(x as u64).to_string()),
        ("sent by a party", |s| most(s.bytes_sent_per_party_per_iteration), bytes),
        (
            "processor time of a party",
            |s| most(s.cpu_seconds_per_party_per_iteration),
            milliseconds,
        ),
        ("waiting of a party", |s| most(s.waiting_seconds_per_party_per_iteration), milliseconds),
        ("peak memory of a party", |s| most(s.peak_rss_bytes.map(|x| x as f64)), bytes),
    ];
    let both = summaries.len() == 2;
    let mut header = vec![headline(first)];
    header.extend(summaries.iter().map(|summary| summary.security.to_owned()));
    header.extend(both.then(|| "ratio".to_owned()));
    let rows = figures.map(|(name, figure, text)| {
        let mut row = vec![name.to_owned()];
        row.extend(summaries.iter().map(|summary| text(figure(summary))));
        let ratio = || figure(&summaries[1]) / figure(&summaries[0]);
        row.extend(both.then(|| format!("{:.2}", ratio())));
        row
    });
    format!(
        "{}\nmost of the three parties where they differ; {} repetitions; one core multiplies \
         matrices of words at {:.1} GMAC/s",
        table(header, rows),
        first.iterations,
        first.gmac_per_second_one_core,
    )
}

fn headline(summary: &Summary) -> String {
    match &summary.task {
        Task::Op { op, n } => format!("{}, {} {}", name(*op), HumanCount(*n as u64), op.unit()),
        Task::Train { net, batch, multiplication } => {
            let triples = match multiplication {
                Multiplication::Replicated => "",
                Multiplication::Beaver => ", with triples that were made before",
            };
            format!("iteration of {net}, batch {batch}{triples}")
        }
    }
}

/// The name of a protocol on the command line.
pub fn name(op: Op) -> String {
    op.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn most(figures: [f64; 3]) -> f64 {
    figures.into_iter().fold(0.0, f64::max)
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

fn bytes(count: f64) -> String {
    DecimalBytes(count.round() as u64).to_string()
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
