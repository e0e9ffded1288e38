//! What every transport shares: a round as frames, and frames out of a byte stream.

use super::frame::{FRAME_HEADER_BYTES, FrameHeader, MAX_PAYLOAD_BYTES, SessionId};
use super::{Round, RoundTag};
use crate::error::{Error, Misbehaviour, NetFault, Result};
use crate::party::PartyId;
use std::time::Duration;

/// Slowest pace at which a message counts as still arriving, in bytes a second.
///
/// A large message on a slow link is given this much more time than the
/// deadline, while a peer that lets bytes trickle still runs into it.
const SLOWEST_PACE: u64 = 1 << 20;

/// One of the two links of a party; `[T; 2]` holds something for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Prev,
    Next,
}

impl Side {
    pub(super) const BOTH: [Side; 2] = [Side::Prev, Side::Next];

    /// The party at the other end of this link of `party`.
    pub(super) fn peer(self, party: PartyId) -> PartyId {
        match self {
            Side::Prev => party.prev(),
            Side::Next => party.next(),
        }
    }
}

/// A round as the transports see it, both sides in the order of [`Side::BOTH`].
pub(super) struct Framed<'a> {
    /// Frames to send.
    pub(super) outgoing: [Outgoing<'a>; 2],
    /// Frames to receive.
    pub(super) incoming: [Incoming<'a>; 2],
    /// Time within which all of it has to happen.
    pub(super) limit: Duration,
}

impl<'a> Framed<'a> {
    /// Frames the messages of a round.
    ///
    /// # Errors
    /// `Misuse` if a message is longer than [`MAX_PAYLOAD_BYTES`].
    pub(super) fn new(
        session: SessionId,
        deadline: Duration,
        tag: &RoundTag<'_>,
        round: Round<'a>,
    ) -> Result<Self> {
        let Round { to_prev, to_next, from_prev, from_next } = round;
        let lengths = [to_prev.len(), to_next.len(), from_prev.len(), from_next.len()];
        if let Some(length) = lengths.iter().find(|&&length| length > MAX_PAYLOAD_BYTES) {
            return Err(Error::Misuse(format!(
                "step {} has a message of {length} bytes; the longest is {MAX_PAYLOAD_BYTES}",
                tag.name
            )));
        }
        let header = |payload: &[u8]| FrameHeader {
            session,
            step: tag.step,
            round: tag.round,
            length: payload.len() as u32,
        };
        let outgoing = [to_prev, to_next].map(|payload| Outgoing::new(header(payload), payload));
        let incoming =
            [from_prev, from_next].map(|payload| Incoming::new(header(payload), payload));
        let bytes: usize = lengths.iter().sum();
        let limit = deadline + Duration::from_secs(bytes as u64 / SLOWEST_PACE);
        Ok(Framed { outgoing, incoming, limit })
    }

    /// Whether a message is expected from either side.
    pub(super) fn awaits_any(&self) -> bool {
        self.incoming.iter().any(|frame| !frame.is_complete())
    }
}

/// One frame on its way out, taken piece by piece.
pub(super) struct Outgoing<'a> {
    header: [u8; FRAME_HEADER_BYTES],
    payload: &'a [u8],
    /// Bytes of header and payload that have been taken.
    taken: usize,
}

impl<'a> Outgoing<'a> {
    fn new(header: FrameHeader, payload: &'a [u8]) -> Self {
        Outgoing { header: header.encode(), payload, taken: 0 }
    }

    /// Length of the payload, taken or not.
    pub(super) fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Whether nothing is left to take; true at once where there is no message.
    pub(super) fn is_empty(&self) -> bool {
        self.payload.is_empty() || self.taken == FRAME_HEADER_BYTES + self.payload.len()
    }

    /// The next bytes: of the header and of the payload, together at most `limit`
    /// and a header.
    pub(super) fn front(&self, limit: usize) -> [&[u8]; 2] {
        if self.is_empty() {
            return [&[], &[]];
        }
        let header = &self.header[self.taken.min(FRAME_HEADER_BYTES)..];
        let payload = &self.payload[self.taken.saturating_sub(FRAME_HEADER_BYTES)..];
        [header, &payload[..payload.len().min(limit)]]
    }

    /// Takes note that the first `count` bytes of [`Outgoing::front`] have been taken.
    pub(super) fn advance(&mut self, count: usize) {
        self.taken += count;
    }
}

/// One frame on its way in, filled from a byte stream piece by piece.
pub(super) struct Incoming<'a> {
    expected: FrameHeader,
    header: [u8; FRAME_HEADER_BYTES],
    payload: &'a mut [u8],
    /// Bytes of header and payload that have arrived.
    filled: usize,
}

impl<'a> Incoming<'a> {
    fn new(expected: FrameHeader, payload: &'a mut [u8]) -> Self {
        Incoming { expected, header: [0; FRAME_HEADER_BYTES], payload, filled: 0 }
    }

    /// Whether nothing more has to arrive; true at once where there is no message.
    pub(super) fn is_complete(&self) -> bool {
        self.payload.is_empty() || self.filled == FRAME_HEADER_BYTES + self.payload.len()
    }

    /// Where the next bytes of the stream belong; empty once the frame is complete.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.is_complete() {
            &mut []
        } else if self.filled < FRAME_HEADER_BYTES {
            &mut self.header[self.filled..]
        } else {
            &mut self.payload[self.filled - FRAME_HEADER_BYTES..]
        }
    }

    /// Takes note of `count` bytes written to the front of [`Incoming::space`].
    ///
    /// # Errors
    /// The difference from the expected header, as soon as the header is there.
    pub(super) fn advance(&mut self, count: usize) -> std::result::Result<(), Misbehaviour> {
        let before = self.filled;
        self.filled += count;
        if before < FRAME_HEADER_BYTES && self.filled >= FRAME_HEADER_BYTES {
            FrameHeader::decode(&self.header).check(&self.expected)?;
        }
        Ok(())
    }
}

/// The result of a part of a round.
pub(super) type Attempt<T> = std::result::Result<T, Fault>;

/// A failed round, before it is told which step it belonged to.
#[derive(Debug)]
pub(super) enum Fault {
    Net(PartyId, NetFault),
    Misbehaved(PartyId, Misbehaviour),
    Cancelled,
}

impl Fault {
    /// The error a caller of the transport sees.
    pub(super) fn at(self, tag: &RoundTag<'_>) -> Error {
        let step = tag.name.to_string();
        match self {
            Fault::Net(peer, kind) => Error::Net { peer, step, kind },
            Fault::Misbehaved(peer, kind) => Error::PeerMisbehaved { peer, step, kind },
            Fault::Cancelled => Error::Cancelled { step },
        }
    }
}

/// What a transport answers after it has failed once.
pub(super) fn already_failed(tag: &RoundTag<'_>) -> Error {
    Error::Misuse(format!(
        "step {} uses the links of a session that has failed; start a new session",
        tag.name
    ))
}
