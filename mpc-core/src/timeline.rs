//! What a session did, round by round: for measurements.
//!
//! A session that is told to ([`Session::record_in`](crate::exec::Session::record_in)) notes
//! each round with the steps that sent in it. The branches of a program run one after the
//! other between two rounds, so the processor time between two messages that are posted
//! belongs to the step that posts the second: it took up its last answer and prepared this
//! message. Times are read off the transport's clock. Nothing is noted otherwise, and no
//! clock is read.

use crate::ctx::Posted;
use crate::net::clock::thread_time;
use crate::net::{Traffic, Transport};
use std::cell::RefCell;
use std::time::Duration;

/// The rounds of a session, in order.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    rounds: Vec<RoundRecord>,
}

/// One round at one party.
#[derive(Clone, Debug)]
pub struct RoundRecord {
    /// Number of the round in its session.
    pub number: u64,
    /// When the computation began that led to the round.
    pub begun: Duration,
    /// When all branches waited, and messages were sent.
    pub sent: Duration,
    /// When all messages had arrived.
    pub ended: Duration,
    /// Time spent waiting for messages.
    pub waiting: Duration,
    /// Messages sent: at most one to either neighbour.
    pub messages: u64,
    /// Bytes handed to the sockets, with frames and TLS.
    pub bytes_sent: u64,
    /// The steps that took part, in the order of the program.
    pub steps: Vec<StepRecord>,
}

/// What a step did in a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// The path of the step.
    pub path: String,
    /// Processor time of the thread until it posted its message.
    pub computing: Duration,
    /// Bytes of payload that it sent.
    pub payload_bytes: u64,
}

impl Timeline {
    /// The rounds, in order.
    pub fn rounds(&self) -> &[RoundRecord] {
        &self.rounds
    }
}

/// A round that is being recorded.
pub(crate) struct Watch<'a> {
    timeline: &'a RefCell<Timeline>,
    begun: Duration,
    sent: Duration,
    thread_time: Duration,
    traffic: Traffic,
    steps: Vec<StepRecord>,
}

impl<'a> Watch<'a> {
    /// The program is about to go on.
    pub(crate) fn begin(timeline: &'a RefCell<Timeline>, transport: &dyn Transport) -> Self {
        let (begun, traffic) = (transport.now(), transport.traffic());
        let steps = Vec::new();
        Watch { timeline, begun, sent: begun, thread_time: thread_time(), traffic, steps }
    }

    /// All of its branches wait.
    pub(crate) fn sending(mut self, posted: &[Posted], transport: &dyn Transport) -> Self {
        self.sent = transport.now();
        for post in posted {
            let at = post.at.unwrap_or(self.thread_time);
            let computing = at.saturating_sub(self.thread_time);
            self.thread_time = at;
            let payload_bytes = (post.message.to_prev.len() + post.message.to_next.len()) as u64;
            self.steps.push(StepRecord { path: post.path.to_string(), computing, payload_bytes });
        }
        self
    }

    /// Their messages have arrived.
    pub(crate) fn over(self, number: u64, transport: &dyn Transport) {
        let Watch { timeline, begun, sent, traffic, steps, .. } = self;
        let Traffic { waiting, messages, bytes_sent, .. } = transport.traffic() - traffic;
        let ended = transport.now();
        timeline.borrow_mut().rounds.push(RoundRecord {
            number,
            begun,
            sent,
            ended,
            waiting,
            messages,
            bytes_sent,
            steps,
        });
    }
}
