//! Readings of all clocks and counters of a party, and what lies between two of them.

use mpc_core::ctx::Ctx;
use mpc_core::net::Traffic;
use mpc_core::net::clock::{Computation, thread_time};
use mpc_core::security::Security;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// What one repetition took at one party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// By the wall clock, or by the party's own.
    pub seconds: f64,
    /// Processor time of the party.
    pub cpu_seconds: f64,
    /// Of the seconds, spent waiting for messages.
    pub waiting_seconds: f64,
    /// Rounds.
    pub rounds: u64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes of payload sent, without frames and TLS: the same in every run.
    pub payload_bytes: u64,
    /// Bytes handed to the sockets, with frames and TLS.
    pub bytes_sent: u64,
}

/// What time is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// The clock on the wall, in a process of the party's own.
    Wall,
    /// The party's own: processor time of its thread, and waiting on simulated links.
    Simulated,
    /// The party's own, on which computation takes no time.
    Links,
}

impl ClockKind {
    /// What computation counts on the clocks of threads.
    pub(super) fn computation(self) -> Computation {
        match self {
            ClockKind::Links => Computation::Free,
            ClockKind::Wall | ClockKind::Simulated => Computation::Counted,
        }
    }
}

/// All clocks and counters of a party at one moment.
pub(super) struct Reading {
    kind: ClockKind,
    wall: Instant,
    cpu_seconds: f64,
    traffic: Traffic,
}

impl Reading {
    pub(super) fn take<S: Security>(ctx: &Ctx<S>, kind: ClockKind) -> Self {
        let cpu_seconds = match kind {
            ClockKind::Simulated | ClockKind::Links => thread_time().as_secs_f64(),
            ClockKind::Wall => {
                let cpu = clock_gettime(ClockId::ProcessCPUTime);
                cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9
            }
        };
        Reading { kind, wall: Instant::now(), cpu_seconds, traffic: ctx.traffic() }
    }

    /// What lies between two readings. Bytes received are left out: sockets are read ahead, so
    /// over links that are imitated these are no exact count.
    pub(super) fn since(self, before: Reading) -> Sample {
        let (traffic, earlier) = (self.traffic, before.traffic);
        let cpu_seconds = self.cpu_seconds - before.cpu_seconds;
        let waiting_seconds = traffic.waiting.saturating_sub(earlier.waiting).as_secs_f64();
        Sample {
            seconds: match self.kind {
                ClockKind::Wall => (self.wall - before.wall).as_secs_f64(),
                ClockKind::Simulated => cpu_seconds + waiting_seconds,
                ClockKind::Links => waiting_seconds,
            },
            cpu_seconds,
            waiting_seconds,
            rounds: traffic.rounds - earlier.rounds,
            messages: traffic.messages - earlier.messages,
            payload_bytes: traffic.payload_bytes - earlier.payload_bytes,
            bytes_sent: traffic.bytes_sent - earlier.bytes_sent,
        }
    }
}

impl Sample {
    /// A part of it, where it was for several repetitions.
    pub(super) fn divided(self, repetitions: usize) -> Sample {
        let (parts, repetitions) = (repetitions as f64, repetitions as u64);
        Sample {
            seconds: self.seconds / parts,
            cpu_seconds: self.cpu_seconds / parts,
            waiting_seconds: self.waiting_seconds / parts,
            rounds: self.rounds / repetitions,
            messages: self.messages / repetitions,
            payload_bytes: self.payload_bytes / repetitions,
            bytes_sent: self.bytes_sent / repetitions,
        }
    }
}
