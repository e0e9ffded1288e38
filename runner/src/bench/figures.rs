//! Which figures of a summary are shown, under which name and in which unit: one list for
//! all tables, comparisons and plots.

use super::clocks::ClockKind;
use super::plan::{Op, Protocol, Task};
use super::summary::Summary;
use crate::job::Multiplication;
use clap::ValueEnum;
use indicatif::{DecimalBytes, HumanCount};

/// A figure that is shown.
pub struct Figure {
    /// Its name for people.
    pub name: &'static str,
    /// Its name in files, with the unit.
    pub key: &'static str,
    /// Its value in basic units.
    pub of: fn(&Summary) -> f64,
    /// How people read it.
    pub text: fn(f64) -> String,
}

/// The figures of any measurement.
pub const FIGURES: [Figure; 10] = [
    Figure {
        name: "time, median",
        key: "seconds",
        of: |s| s.seconds_per_iteration,
        text: milliseconds,
    },
    Figure {
        name: "time, fastest",
        key: "seconds_fastest",
        of: |s| s.seconds_spread[0],
        text: milliseconds,
    },
    Figure {
        name: "time, slowest",
        key: "seconds_slowest",
        of: |s| s.seconds_spread[1],
        text: milliseconds,
    },
    Figure {
        name: "time, one after another",
        key: "seconds_sustained",
        of: |s| s.seconds_per_iteration_sustained,
        text: milliseconds,
    },
    Figure { name: "rounds", key: "rounds", of: |s| s.rounds_per_iteration as f64, text: count },
    Figure {
        name: "messages of a party",
        key: "messages",
        of: |s| most(s.messages_per_party_per_iteration),
        text: |x| format!("{x:.1}"),
    },
    Figure {
        name: "sent by a party",
        key: "bytes_sent",
        of: |s| most(s.bytes_sent_per_party_per_iteration),
        text: bytes,
    },
    Figure {
        name: "processor time of a party",
        key: "cpu_seconds",
        of: |s| most(s.cpu_seconds_per_party_per_iteration),
        text: milliseconds,
    },
    Figure {
        name: "waiting of a party",
        key: "waiting_seconds",
        of: |s| most(s.waiting_seconds_per_party_per_iteration),
        text: milliseconds,
    },
    Figure {
        name: "peak memory of a process",
        key: "peak_rss_bytes",
        of: |s| most(s.peak_rss_bytes.map(|x| x as f64)),
        text: bytes,
    },
];

/// What was measured, in words.
pub fn title(task: &Task) -> String {
    let counted = |n: usize, unit| format!("{} {unit}", HumanCount(n as u64));
    match task {
        Task::Op { op, n } => format!("{}, {}", op_name(*op), counted(*n, op.unit())),
        Task::Protocol { protocol, n } => {
            format!("{}, {}", protocol_name(*protocol), counted(*n, protocol.unit()))
        }
        Task::Train { net, batch, multiplication, data } => {
            let triples = match multiplication {
                Multiplication::Replicated => "",
                Multiplication::Beaver => ", with triples that were made before",
            };
            let data = data.as_ref().map(|data| format!(", on {}", data.name()));
            let data = data.unwrap_or_default();
            format!("iteration of {net}, batch {batch}{triples}{data}")
        }
        Task::Infer { net, batch, answer } => {
            format!("prediction of {answer} by {net}, batch {batch}")
        }

        Task::Link { bytes } => format!("round of {} to both", DecimalBytes(*bytes as u64)),
    }
}

/// Under which conditions, as far as they are not the usual ones.
pub fn conditions(summary: &Summary) -> String {
    let mut parts = vec![summary.security.name().to_owned()];
    parts.extend(summary.link.map(|link| link.to_string()));
    match summary.clock {
        ClockKind::Wall => {}
        ClockKind::Simulated => parts.push("simulated".into()),
        ClockKind::Links => parts.push("links alone".into()),
    }
    if summary.threads > 1 {
        parts.push(format!("{} threads", summary.threads));
    }
    parts.join(", ")
}

/// The name of a task without its size, and the size.
pub fn family(task: &Task) -> (String, usize) {
    match task {
        Task::Op { op, n } => (op_name(*op), *n),
        Task::Protocol { protocol, n } => (protocol_name(*protocol), *n),
        Task::Link { bytes } => ("round of messages".into(), *bytes),
        Task::Train { batch, .. } | Task::Infer { batch, .. } => {
            let title = title(task);
            (title.replace(&format!(", batch {batch}"), ""), *batch)
        }
    }
}

/// The name of a protocol on the command line.
pub fn op_name(op: Op) -> String {
    op.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The name of a building block on the command line.
pub fn protocol_name(protocol: Protocol) -> String {
    protocol.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn most(figures: [f64; 3]) -> f64 {
    figures.into_iter().fold(0.0, f64::max)
}

/// Seconds as people read them.
pub fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// Bytes as people read them.
pub fn bytes(count: f64) -> String {
    DecimalBytes(count.round() as u64).to_string()
}

fn count(figure: f64) -> String {
    HumanCount(figure as u64).to_string()
}
