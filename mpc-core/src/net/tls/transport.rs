//! The transport between processes: two TLS connections, served by one loop.
//!
//! A round runs on the thread of the protocol and never blocks on one link
//! while it could make progress on the other, or write while it could read.

use super::handshake::TlsStream;
use super::link::Link;
use crate::error::{NetFault, Result};
use crate::net::framing::{Attempt, Fault, Framed, Side, already_failed};
use crate::net::{Round, RoundTag, SessionId, Traffic, Transport};
use crate::party::PartyId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a sleep lasts at most, so that a request to stop is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// The links of one party to its neighbours, over mutual TLS 1.3.
///
/// Dropped after a success it closes the sessions in order; dropped after a
/// failure, or by a panic, it hangs up, and the neighbours notice at once.
pub struct TlsTransport {
    party: PartyId,
    session: SessionId,
    deadline: Duration,
    spin: Duration,
    /// In the order of [`Side::BOTH`].
    links: [Link; 2],
    /// Counters other than those of the links.
    traffic: Traffic,
    cancel: Arc<AtomicBool>,
    failed: bool,
}

impl TlsTransport {
    /// Runs rounds over two established connections.
    ///
    /// Both ends of a connection must have checked who the other is, and agreed
    /// on `session`. `deadline` bounds each round; large messages get a second
    /// more for each MiB.
    ///
    /// # Errors
    /// If a socket cannot be configured.
    pub fn new(
        party: PartyId,
        session: SessionId,
        deadline: Duration,
        prev: TlsStream,
        next: TlsStream,
    ) -> io::Result<Self> {
        Ok(TlsTransport {
            party,
            session,
            deadline,
            spin: Duration::ZERO,
            links: [Link::new(party.prev(), prev)?, Link::new(party.next(), next)?],
            traffic: Traffic::default(),
            cancel: Arc::default(),
            failed: false,
        })
    }

    /// Sets how long a round looks for its messages before it sleeps; at first not at all.
    ///
    /// Looking saves the time it takes to wake up, some microseconds a round, but only
    /// where each party has a processor to itself: on shared ones, a party that wakes up
    /// is preferred to one that has been looking, and rounds take up to twice the time.
    pub fn with_spin(mut self, spin: Duration) -> Self {
        self.spin = spin;
        self
    }

    /// Ends a waiting round soon after `cancel` becomes true.
    pub fn cancel_with(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = cancel;
        self
    }

    fn run(&mut self, framed: &mut Framed<'_>) -> Attempt<()> {
        let end = Instant::now() + framed.limit;
        let mut idle_since = None;
        loop {
            let mut progress = false;
            for side in Side::BOTH.map(|side| side as usize) {
                progress |= self.links[side].send(&mut framed.outgoing[side])?;
                progress |= self.links[side].receive(&mut framed.incoming[side])?;
            }
            let done = !framed.awaits_any() && !self.is_sending(framed);
            if !progress && !done {
                let now = Instant::now();
                let since = *idle_since.get_or_insert(now);
                if self.cancel.load(Ordering::Relaxed) {
                    return Err(Fault::Cancelled);
                } else if now >= end {
                    return Err(self.overdue(framed));
                } else if now - since < self.spin {
                    std::thread::yield_now();
                } else {
                    self.sleep(framed, LONGEST_SLEEP.min(end - now))?;
                }
            } else {
                if let Some(since) = idle_since.take() {
                    self.traffic.waiting += since.elapsed();
                }
                if done {
                    return Ok(());
                }
            }
        }
    }

    /// Sleeps until a socket is ready, a neighbour hangs up or the time is over.
    fn sleep(&mut self, framed: &Framed<'_>, limit: Duration) -> Attempt<()> {
        let interest: [PollFlags; 2] = std::array::from_fn(|side| {
            self.links[side].interest(&framed.outgoing[side], &framed.incoming[side])
        });
        // A link that has ended would wake us without end.
        let watched: Vec<usize> = (0..2).filter(|&side| !interest[side].is_empty()).collect();
        let mut sockets: Vec<PollFd<'_>> = watched
            .iter()
            .map(|&side| PollFd::new(self.links[side].socket(), interest[side]))
            .collect();
        let timeout = Timespec::try_from(limit).ok();
        match poll(&mut sockets, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let text = io::Error::from(error).to_string();
                return Err(Fault::Net(self.party.prev(), NetFault::Io(text)));
            }
        }
        let ends = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut hung_up = [false; 2];
        for (&side, socket) in watched.iter().zip(&sockets) {
            hung_up[side] = socket.revents().intersects(ends);
        }
        for ((link, incoming), hung_up) in self.links.iter_mut().zip(&framed.incoming).zip(hung_up)
        {
            if hung_up && incoming.is_complete() {
                link.look_for_end()?;
            }
        }
        Ok(())
    }

    fn is_sending(&self, framed: &Framed<'_>) -> bool {
        self.links.iter().zip(&framed.outgoing).any(|(link, outgoing)| link.is_sending(outgoing))
    }

    /// Names the neighbour that made the round exceed its deadline.
    fn overdue(&self, framed: &Framed<'_>) -> Fault {
        let silent = framed.incoming.iter().position(|frame| !frame.is_complete());
        let stuck = || {
            let sending = |(link, outgoing): (&Link, _)| link.is_sending(outgoing);
            self.links.iter().zip(&framed.outgoing).position(sending)
        };
        let side = silent.or_else(stuck).unwrap_or(0);
        Fault::Net(self.links[side].peer(), NetFault::Timeout(framed.limit))
    }
}

impl Transport for TlsTransport {
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
        self.traffic.rounds += 1;
        for outgoing in &framed.outgoing {
            self.traffic.messages += u64::from(!outgoing.is_empty());
            self.traffic.payload_bytes += outgoing.payload_len() as u64;
        }
        self.run(&mut framed).map_err(|fault| {
            self.failed = true;
            fault.at(&tag)
        })
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            bytes_sent: self.links.iter().map(Link::sent).sum(),
            bytes_received: self.links.iter().map(Link::received).sum(),
            ..self.traffic
        }
    }
}

impl Drop for TlsTransport {
    fn drop(&mut self) {
        if !self.failed && !std::thread::panicking() {
            self.links.iter_mut().for_each(Link::close);
        }
    }
}

#[cfg(test)]
mod tests;
