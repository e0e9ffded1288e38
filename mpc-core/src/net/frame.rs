//! The frame around each message: which session, step and round it belongs to.

use crate::error::Misbehaviour;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names one run of one job; fresh for every run, also after an abort or a restart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Length of an encoded [`FrameHeader`].
pub const FRAME_HEADER_BYTES: usize = 16 + 8 + 8 + 4;

/// Longest payload of one frame (1 GiB).
pub const MAX_PAYLOAD_BYTES: usize = 1 << 30;

/// What precedes each payload on the wire; integers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Session the message belongs to.
    pub session: SessionId,
    /// Hash of the protocol step.
    pub step: u64,
    /// Round number in the session.
    pub round: u64,
    /// Bytes of payload that follow.
    pub length: u32,
}

impl FrameHeader {
    /// The header as it travels.
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[..16].copy_from_slice(&self.session.0);
        out[16..24].copy_from_slice(&self.step.to_le_bytes());
        out[24..32].copy_from_slice(&self.round.to_le_bytes());
        out[32..].copy_from_slice(&self.length.to_le_bytes());
        out
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> FrameHeader {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        FrameHeader {
            session: SessionId(bytes[..16].try_into().expect("16 bytes")),
            step: word(16),
            round: word(24),
            length: u32::from_le_bytes(bytes[32..].try_into().expect("4 bytes")),
        }
    }

    /// Compares a received header with the one this party expects.
    ///
    /// # Errors
    /// The first difference, in the order session, round, step, length.
    pub fn check(&self, expected: &FrameHeader) -> Result<(), Misbehaviour> {
        if self.session != expected.session {
            Err(Misbehaviour::WrongSession)
        } else if self.round != expected.round {
            Err(Misbehaviour::WrongRound { expected: expected.round, got: self.round })
        } else if self.step != expected.step {
            Err(Misbehaviour::WrongStep)
        } else if self.length != expected.length {
            Err(Misbehaviour::WrongLength {
                expected: expected.length as usize,
                got: self.length as usize,
            })
        } else {
            Ok(())
        }
    }
}
