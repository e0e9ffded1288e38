//! A network that is slower than the one beneath: latency, jitter and bandwidth.
//!
//! A party notes at the end of each message when it arrives over the link that is
//! imitated, and the receiver waits until then. So messages under way overlap as on a real
//! link, and a party that only sends does not wait. All parties read the same clock, which
//! is why they have to run on one machine, or on simulated clocks.
//!
//! A link is busy with one message after the other in each direction, and delivers in
//! order. What is not imitated: slow start and loss, a sender that waits because buffers
//! are full, and links that share a bottleneck. This is for measurements: the parties trust
//! each other's times.

mod link;

pub use link::{LinkSpec, PRESETS, ParseLinkError};

use super::clock::Clock;
use super::framing::Side;
use super::{FRAME_HEADER_BYTES, Round, RoundTag, SessionId, Traffic, Transport};
use crate::error::Result;
use crate::party::PartyId;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// Bytes that tell when a message arrives.
const STAMP_BYTES: usize = 8;

/// A transport whose messages arrive when they would over a link of the given kind.
pub struct Shaped<T> {
    inner: T,
    clock: Clock,
    /// In the order of [`Side::BOTH`].
    directions: [Direction; 2],
    outgoing: [Vec<u8>; 2],
    incoming: [Vec<u8>; 2],
    /// Time spent waiting for messages of the imitated links.
    waiting: Duration,
    /// Messages sent and received: each carries a stamp that is none of the protocol's.
    stamps: [u64; 2],
}

/// What leaves this party over one link.
struct Direction {
    spec: LinkSpec,
    /// Draws the jitter; the same for the same seed and parties.
    rng: ChaCha20Rng,
    /// When the last byte so far leaves.
    free: Duration,
    /// When the last message so far arrives: none overtakes it.
    arrival: Duration,
}

impl<T: Transport> Shaped<T> {
    /// Delays the messages of `inner` as both of its links would; `seed` decides the jitter.
    pub fn new(inner: T, spec: LinkSpec, clock: Clock, seed: u64) -> Shaped<T> {
        let party = inner.party();
        let directions = Side::BOTH.map(|side| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (from, to) = (party.index() as u64, side.peer(party).index() as u64);
            rng.set_stream(1 + 3 * from + to);
            Direction { spec, rng, free: Duration::ZERO, arrival: Duration::ZERO }
        });
        Shaped {
            inner,
            clock,
            directions,
            outgoing: Default::default(),
            incoming: Default::default(),
            waiting: Duration::ZERO,
            stamps: [0; 2],
        }
    }
}

impl Direction {
    /// When a message arrives that is sent now.
    fn send(&mut self, now: Duration, bytes: usize) -> Duration {
        let spec = &self.spec;
        self.free = self.free.max(now).saturating_add(spec.transmission(bytes));
        let jitter = spec.jitter.as_nanos() as u64;
        let early = if jitter == 0 { 0 } else { self.rng.next_u64() % (2 * jitter + 1) };
        let latency = spec.latency + spec.jitter - Duration::from_nanos(early);
        self.arrival = self.arrival.max(self.free.saturating_add(latency));
        self.arrival
    }
}

/// Makes room for a message and its stamp, where there is a message.
fn room(buffer: &mut Vec<u8>, len: usize) {
    buffer.resize(if len == 0 { 0 } else { len + STAMP_BYTES }, 0);
}

/// Copies a message out, and says when it arrives.
fn unstamp(stamped: &[u8], payload: &mut [u8]) -> Option<Duration> {
    let (message, stamp) = stamped.split_last_chunk::<STAMP_BYTES>()?;
    payload.copy_from_slice(message);
    Some(Duration::from_nanos(u64::from_le_bytes(*stamp)))
}

impl<T: Transport> Transport for Shaped<T> {
    fn party(&self) -> PartyId {
        self.inner.party()
    }

    fn session(&self) -> SessionId {
        self.inner.session()
    }

    fn exchange(&mut self, tag: RoundTag<'_>, round: Round<'_>) -> Result<()> {
        let now = self.clock.now();
        let Round { to_prev, to_next, from_prev, from_next } = round;
        let messages = [to_prev, to_next].into_iter().zip(&mut self.directions);
        for ((message, direction), buffer) in messages.zip(&mut self.outgoing) {
            buffer.clear();
            if !message.is_empty() {
                let arrival = direction.send(now, FRAME_HEADER_BYTES + message.len());
                buffer.extend_from_slice(message);
                let stamp = u64::try_from(arrival.as_nanos()).unwrap_or(u64::MAX);
                buffer.extend_from_slice(&stamp.to_le_bytes());
                self.stamps[0] += 1;
            }
        }
        let [prev, next] = &mut self.incoming;
        room(prev, from_prev.len());
        room(next, from_next.len());
        let [stamped_prev, stamped_next] = &self.outgoing;
        self.inner.exchange(
            tag,
            Round {
                to_prev: stamped_prev,
                to_next: stamped_next,
                from_prev: prev,
                from_next: next,
            },
        )?;
        let arrivals = [unstamp(prev, from_prev), unstamp(next, from_next)];
        let begun = self.clock.now();
        for arrival in arrivals.into_iter().flatten() {
            self.stamps[1] += 1;
            self.clock.wait_until(arrival);
        }
        self.waiting += self.clock.now().saturating_sub(begun);
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        let inner = self.inner.traffic();
        let [sent, received] = self.stamps.map(|count| count * STAMP_BYTES as u64);
        // On a simulated clock, what the network beneath takes is none of the parties' time.
        let beneath = if self.clock.is_simulated() { Duration::ZERO } else { inner.waiting };
        Traffic {
            payload_bytes: inner.payload_bytes - sent,
            bytes_sent: inner.bytes_sent - sent,
            bytes_received: inner.bytes_received.saturating_sub(received),
            waiting: beneath + self.waiting,
            ..inner
        }
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests;
