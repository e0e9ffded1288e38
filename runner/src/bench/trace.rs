//! Timelines of three parties as a trace that Perfetto and Chrome show.
//!
//! The format is the JSON array format of Chrome's trace events: complete events (`X`) with
//! microseconds. A party is a process with two tracks: what its steps computed, and its
//! rounds. The clocks of the parties agree, so all are on one time line.

use super::steps::repetition;
use mpc_core::timeline::Timeline;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// A bar of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What it shows.
    name: String,
    /// The track within the party: steps or rounds.
    track: u8,
    /// Microseconds by the common clock.
    start: f64,
    /// Microseconds.
    length: f64,
    /// Of a step, the bytes of payload that it sent; of a round, those handed to the sockets.
    bytes: u64,
    /// Of a round, microseconds of waiting.
    waiting: f64,
}

const STEPS: u8 = 0;
const ROUNDS: u8 = 1;

/// The bars of one party, for the repetitions from `warm_up` on.
pub(super) fn bars(timeline: &Timeline, warm_up: usize) -> Vec<Bar> {
    let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
    let mut bars = Vec::new();
    let counted = |round: &&_| repetition(round).is_none_or(|number| number >= warm_up);
    for round in timeline.rounds().iter().filter(counted) {
        // Processor time is laid out over the time that went by.
        let span = micros(round.sent.saturating_sub(round.begun));
        let computed: Duration = round.steps.iter().map(|step| step.computing).sum();
        let stretch = if computed.is_zero() { 0.0 } else { span / micros(computed) };
        let mut start = micros(round.begun);
        for step in &round.steps {
            let length = micros(step.computing) * stretch;
            let (name, bytes) = (step.path.clone(), step.payload_bytes);
            bars.push(Bar { name, track: STEPS, start, length, bytes, waiting: 0.0 });
            start += length;
        }
        let others = round.steps.len().saturating_sub(1);
        let name = match round.steps.first() {
            Some(step) if others > 0 => format!("{} (+{others})", step.path),
            Some(step) => step.path.clone(),
            None => format!("round {}", round.number),
        };
        let (start, waiting) = (micros(round.sent), micros(round.waiting));
        let length = micros(round.ended.saturating_sub(round.sent));
        let bytes = round.bytes_sent;
        bars.push(Bar { name, track: ROUNDS, start, length, bytes, waiting });
    }
    bars
}

/// The trace of three parties.
pub fn trace(parties: [&[Bar]; 3]) -> Value {
    let first = parties.iter().flat_map(|bars| bars.iter().map(|bar| bar.start));
    let origin = first.fold(f64::INFINITY, f64::min);
    let mut events = Vec::new();
    for (party, bars) in parties.into_iter().enumerate() {
        let name = |track: Option<u8>, name: String| {
            let what = if track.is_some() { "thread_name" } else { "process_name" };
            let tid = track.unwrap_or_default();
            json!({ "ph": "M", "name": what, "pid": party, "tid": tid, "args": { "name": name } })
        };
        events.push(name(None, format!("party {party}")));
        events.push(name(Some(STEPS), "steps".into()));
        events.push(name(Some(ROUNDS), "rounds".into()));
        events.extend(bars.iter().map(|bar| {
            json!({
                "ph": "X",
                "name": bar.name,
                "cat": if bar.track == STEPS { "step" } else { "round" },
                "pid": party,
                "tid": bar.track,
                "ts": bar.start - origin,
                "dur": bar.length,
                "args": { "bytes": bar.bytes, "waiting_us": bar.waiting },
            })
        }));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}
