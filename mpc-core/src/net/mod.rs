//! How messages travel: one [`Transport::exchange`] is one round of the protocol.
//!
//! A round is lock-step: a party hands over what it sends to either neighbour
//! and the exact number of bytes it expects of either, and gets them or a typed
//! error within the deadline. A message exists where its length is not zero.

pub mod clock;
mod frame;
mod framing;
mod keys;
mod local;
mod payload;
mod shaped;
pub mod tls;
mod traffic;

pub use frame::{FRAME_HEADER_BYTES, FrameHeader, MAX_PAYLOAD_BYTES, SessionId};
pub use keys::{KEY_AGREEMENT_ROUNDS, Key, PairKeys, agree_keys};
pub use local::{LocalTransport, TamperedMessage, local_network};
pub use payload::Payload;
pub use shaped::{LinkSpec, PRESETS as LINK_PRESETS, ParseLinkError, Shaped};
pub use traffic::Traffic;

use crate::error::Result;
use crate::party::PartyId;
use std::time::Duration;

/// What one party sends and receives in one round.
pub struct Round<'a> {
    /// Payload for the previous party.
    pub to_prev: &'a [u8],
    /// Payload for the next party.
    pub to_next: &'a [u8],
    /// Buffer of exactly the length expected from the previous party.
    pub from_prev: &'a mut [u8],
    /// Buffer of exactly the length expected from the next party.
    pub from_next: &'a mut [u8],
}

/// Where in the computation a round happens.
#[derive(Clone, Copy)]
pub struct RoundTag<'a> {
    /// Hash of the steps that send in this round; equal at all honest parties.
    pub step: u64,
    /// Number of the round in its session, from 0.
    pub round: u64,
    /// Name of the step for messages to people.
    pub name: &'a dyn std::fmt::Display,
}

/// The links of one party to its two neighbours, for one session.
pub trait Transport: Send {
    /// This party.
    fn party(&self) -> PartyId;

    /// The session that the frames of this transport belong to.
    fn session(&self) -> SessionId;

    /// Sends both payloads and fills both buffers, or fails within the deadline.
    ///
    /// Both sends are posted before either receive is awaited, and receiving
    /// goes on while sending is blocked, so messages of any size cannot deadlock.
    ///
    /// # Errors
    /// `Net` when a peer is gone or silent past the deadline, `PeerMisbehaved`
    /// when its frame has another session, step, round or length.
    fn exchange(&mut self, tag: RoundTag<'_>, round: Round<'_>) -> Result<()>;

    /// What has been sent and received so far.
    fn traffic(&self) -> Traffic;

    /// The time, for whoever measures: the same clock at all parties that can be compared.
    fn now(&self) -> Duration {
        clock::wall_time()
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn party(&self) -> PartyId {
        (**self).party()
    }

    fn session(&self) -> SessionId {
        (**self).session()
    }

    fn exchange(&mut self, tag: RoundTag<'_>, round: Round<'_>) -> Result<()> {
        (**self).exchange(tag, round)
    }

    fn traffic(&self) -> Traffic {
        (**self).traffic()
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}
