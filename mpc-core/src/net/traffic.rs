//! Counters of what a party sent.

use serde::{Deserialize, Serialize};
use std::ops::Sub;
use std::time::Duration;

/// Exact counters of one party's traffic; differences of two readings measure a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Rounds in which any party sent: exchanges, whether or not this party waited.
    pub rounds: u64,
    /// Messages sent (at most two a round).
    pub messages: u64,
    /// Bytes of protocol payload sent, frame headers left out.
    pub payload_bytes: u64,
    /// Bytes handed to the sockets: payload, frame headers and TLS records.
    pub bytes_sent: u64,
    /// Bytes received from the sockets.
    pub bytes_received: u64,
    /// Time spent waiting for messages.
    pub waiting: Duration,
}

impl Sub for Traffic {
    type Output = Traffic;
    fn sub(self, earlier: Traffic) -> Traffic {
        Traffic {
            rounds: self.rounds - earlier.rounds,
            messages: self.messages - earlier.messages,
            payload_bytes: self.payload_bytes - earlier.payload_bytes,
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            // Sockets are read ahead, so this count can go back over links that are imitated.
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}
