//! Three parties in one process: for tests and for benches without sockets.
//!
//! The links carry the same byte stream as the wire does, so a message that is
//! lost, repeated, cut or forged gives the same errors here as there. Two things
//! are kinder to tests than a real network:
//! * a deadline that is certain to expire, because all parties wait and nothing
//!   is under way, expires at once; a withheld message costs no time;
//! * [`LocalTransport::with_tamper`] puts an adversary between a party and its links.

use super::framing::{Attempt, Fault, Framed, Side, already_failed};
use super::{Round, RoundTag, SessionId, Traffic, Transport};
use crate::error::{NetFault, Result};
use crate::party::PartyId;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Connects three parties in memory; entry `i` belongs to party `i`.
///
/// `deadline` bounds each round, as on the wire.
pub fn local_network(session: SessionId, deadline: Duration) -> [LocalTransport; 3] {
    let hub = Arc::new(Hub::default());
    PartyId::ALL.map(|party| LocalTransport {
        party,
        session,
        deadline,
        hub: Arc::clone(&hub),
        arrived: Default::default(),
        spare: Vec::new(),
        traffic: Traffic::default(),
        tamper: None,
        failed: false,
    })
}

/// The links of one party of a [`local_network`].
///
/// Dropping it closes the links: a peer that waits for this party then fails
/// with [`NetFault::Closed`].
pub struct LocalTransport {
    party: PartyId,
    session: SessionId,
    deadline: Duration,
    hub: Arc<Hub>,
    /// Bytes taken from the hub but not yet consumed, by side.
    arrived: [VecDeque<Chunk>; 2],
    /// Buffers of consumed frames, for the next ones to send: fresh memory is slow.
    spare: Vec<Vec<u8>>,
    traffic: Traffic,
    tamper: Option<Tamper>,
    failed: bool,
}

/// A frame on its way out of a corrupt party, to be changed at will.
pub struct TamperedMessage<'a> {
    /// How many messages this party has sent before.
    pub index: u64,
    /// Step and round of the message.
    pub tag: RoundTag<'a>,
    /// The receiver.
    pub to: PartyId,
    /// What is delivered instead, in order; at first the one honest frame, header
    /// and payload. Empty it to drop the message, or to deliver it with a later one.
    pub frames: Vec<Vec<u8>>,
}

type Tamper = Box<dyn FnMut(&mut TamperedMessage<'_>) + Send>;

impl LocalTransport {
    /// Lets `tamper` change each message that this party sends, in order.
    ///
    /// The counters keep counting what an honest party sends.
    pub fn with_tamper(
        mut self,
        tamper: impl FnMut(&mut TamperedMessage<'_>) + Send + 'static,
    ) -> Self {
        self.tamper = Some(Box::new(tamper));
        self
    }

    fn send(&mut self, tag: &RoundTag<'_>, framed: &Framed<'_>) -> Attempt<()> {
        for (side, outgoing) in Side::BOTH.into_iter().zip(&framed.outgoing) {
            if outgoing.is_empty() {
                continue;
            }
            let to = side.peer(self.party);
            let mut frame = self.spare.pop().unwrap_or_default();
            frame.clear();
            outgoing.front(usize::MAX).iter().for_each(|part| frame.extend_from_slice(part));
            let sent = frame.len() as u64;
            let frames = match &mut self.tamper {
                None => vec![frame],
                Some(tamper) => {
                    let index = self.traffic.messages;
                    let mut message = TamperedMessage { index, tag: *tag, to, frames: vec![frame] };
                    tamper(&mut message);
                    message.frames
                }
            };
            self.traffic.messages += 1;
            self.traffic.payload_bytes += outgoing.payload_len() as u64;
            self.traffic.bytes_sent += sent;
            self.hub.deliver(self.party, to, frames)?;
        }
        Ok(())
    }

    /// Moves arrived bytes into the frames that want them.
    fn consume(&mut self, framed: &mut Framed<'_>) -> Attempt<()> {
        for (side, incoming) in Side::BOTH.into_iter().zip(&mut framed.incoming) {
            let arrived = &mut self.arrived[side as usize];
            while let Some(chunk) = arrived.front_mut() {
                let copied = chunk.read(incoming.space());
                if chunk.is_empty() {
                    let done = arrived.pop_front();
                    self.spare.extend(done.map(|chunk| chunk.bytes));
                    // The largest ones are kept, and used first.
                    self.spare.sort_by_key(Vec::capacity);
                    let surplus = self.spare.len().saturating_sub(2 * Side::BOTH.len());
                    self.spare.drain(..surplus);
                } else if copied == 0 {
                    break;
                }
                self.traffic.bytes_received += copied as u64;
                incoming
                    .advance(copied)
                    .map_err(|kind| Fault::Misbehaved(side.peer(self.party), kind))?;
            }
        }
        Ok(())
    }

    fn run(&mut self, tag: &RoundTag<'_>, framed: &mut Framed<'_>) -> Attempt<()> {
        self.traffic.rounds += 1;
        self.send(tag, framed)?;
        if !framed.awaits_any() {
            return Ok(());
        }
        let start = Instant::now();
        let expiry = Expiry { limit: framed.limit, at: start + framed.limit };
        loop {
            self.consume(framed)?;
            if !framed.awaits_any() {
                self.traffic.waiting += start.elapsed();
                return Ok(());
            }
            let awaited = Side::BOTH.map(|side| !framed.incoming[side as usize].is_complete());
            self.hub.wait(self.party, awaited, &expiry, &mut self.arrived)?;
        }
    }
}

impl Transport for LocalTransport {
    fn party(&self) -> PartyId {
        self.party
    }

    fn session(&self) -> SessionId {
        self.session
    }

    fn exchange(&mut self, tag: RoundTag<'_>, round: Round<'_>) -> Result<()> {
        if self.failed {
            return Err(already_failed(&tag));
        }
        let mut framed = Framed::new(self.session, self.deadline, &tag, round)?;
        self.run(&tag, &mut framed).map_err(|fault| {
            self.failed = true;
            fault.at(&tag)
        })
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }
}

impl Drop for LocalTransport {
    fn drop(&mut self) {
        let in_order = !self.failed && !std::thread::panicking();
        self.hub.leave(self.party, if in_order { Standing::Left } else { Standing::Died });
    }
}

/// A frame, or what is left of it.
struct Chunk {
    bytes: Vec<u8>,
    read: usize,
}

impl Chunk {
    /// Copies as much as fits.
    fn read(&mut self, space: &mut [u8]) -> usize {
        let rest = &self.bytes[self.read..];
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        count
    }

    fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }
}

/// When a wait ends.
struct Expiry {
    limit: Duration,
    at: Instant,
}

/// What a party is doing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Standing {
    /// It computes, or something has happened that it has yet to look at.
    #[default]
    Busy,
    /// It waits for a message and has seen all that happened.
    Waiting,
    /// It waits for a message that nobody is left to send.
    Stalled,
    /// It closed its links in order.
    Left,
    /// It failed, or its thread panicked.
    Died,
}

/// The meeting point of the three parties.
#[derive(Default)]
struct Hub {
    state: Mutex<State>,
    changed: [Condvar; 3],
}

#[derive(Default)]
struct State {
    /// Frames under way, by receiver and then sender.
    under_way: [[VecDeque<Chunk>; 3]; 3],
    standing: [Standing; 3],
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &mut State, party: PartyId) {
        if state.standing[party.index()] == Standing::Waiting {
            state.standing[party.index()] = Standing::Busy;
        }
        self.changed[party.index()].notify_all();
    }

    fn deliver(&self, from: PartyId, to: PartyId, frames: Vec<Vec<u8>>) -> Attempt<()> {
        let mut state = self.lock();
        if matches!(state.standing[to.index()], Standing::Left | Standing::Died) {
            return Err(Fault::Net(to, NetFault::Closed));
        }
        let chunks = frames.into_iter().map(|bytes| Chunk { bytes, read: 0 });
        state.under_way[to.index()][from.index()].extend(chunks);
        self.wake(&mut state, to);
        Ok(())
    }

    fn leave(&self, party: PartyId, standing: Standing) {
        let mut state = self.lock();
        state.standing[party.index()] = standing;
        self.wake(&mut state, party.prev());
        self.wake(&mut state, party.next());
    }

    /// Takes what has arrived for `party`, waiting for it if there is nothing yet.
    fn wait(
        &self,
        party: PartyId,
        awaited: [bool; 2],
        expiry: &Expiry,
        arrived: &mut [VecDeque<Chunk>; 2],
    ) -> Attempt<()> {
        let missing = || {
            let side = if awaited[Side::Prev as usize] { Side::Prev } else { Side::Next };
            Fault::Net(side.peer(party), NetFault::Timeout(expiry.limit))
        };
        let mut state = self.lock();
        loop {
            let mut any = false;
            for side in Side::BOTH {
                let from = side.peer(party);
                let chunks = &mut state.under_way[party.index()][from.index()];
                any |= awaited[side as usize] && !chunks.is_empty();
                arrived[side as usize].append(chunks);
            }
            if any {
                return Ok(());
            }
            for side in Side::BOTH {
                let peer = side.peer(party);
                match state.standing[peer.index()] {
                    Standing::Died => return Err(Fault::Net(peer, NetFault::Closed)),
                    Standing::Left if awaited[side as usize] => {
                        return Err(Fault::Net(peer, NetFault::Closed));
                    }
                    _ => {}
                }
            }
            if state.standing[party.index()] == Standing::Stalled {
                return Err(missing());
            }
            state.standing[party.index()] = Standing::Waiting;
            if !state.standing.contains(&Standing::Busy) {
                for peer in PartyId::ALL {
                    if state.standing[peer.index()] == Standing::Waiting {
                        state.standing[peer.index()] = Standing::Stalled;
                        self.changed[peer.index()].notify_all();
                    }
                }
                return Err(missing());
            }
            let left = expiry.at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(missing());
            }
            state = self.changed[party.index()]
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests;
