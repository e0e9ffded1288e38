//! What can go wrong in a protocol run, and who is known to be the cause.
//!
//! Any error ends the session: nothing is retried inside it and no randomness
//! of it is used again.

use crate::party::PartyId;
use std::time::Duration;

/// The result of a protocol step.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a protocol run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The link to a peer failed: it died, became unreachable or stopped answering.
    #[error("lost {peer} at step {step}: {kind}")]
    Net {
        /// The peer at the other end of the link.
        peer: PartyId,
        /// Path of the protocol step, for instance `epoch-0/batch-3/relu-1`.
        step: String,
        /// What the link reported.
        kind: NetFault,
    },
    /// A peer sent something that an honest party with the same job never sends.
    #[error("{peer} broke the protocol at step {step}: {kind}")]
    PeerMisbehaved {
        /// The sender of the offending message.
        peer: PartyId,
        /// Path of the protocol step.
        step: String,
        /// What was wrong with the message.
        kind: Misbehaviour,
    },
    /// A check failed, and the protocol does not prove which peer is the cause.
    #[error("aborted at step {step}: {kind}; nothing was opened")]
    Abort {
        /// Path of the protocol step.
        step: String,
        /// The check that failed.
        kind: FailedCheck,
    },
    /// Operands do not fit together: a bug or a malformed job, caught before any message.
    #[error("{op}: shapes {left:?} and {right:?} do not fit")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Rows and columns of the first operand.
        left: [usize; 2],
        /// Rows and columns of the second operand.
        right: [usize; 2],
    },
    /// The caller asked for something the protocol cannot do.
    #[error("{0}")]
    Misuse(String),
    /// There is no triple for a product, or the stock of triples cannot be used.
    #[error("triples: {0}")]
    Triples(String),
    /// This party cannot read or keep its shares of the data.
    #[error("rows of the data: {0}")]
    Rows(String),
    /// The operator stopped the run.
    #[error("stopped on request at step {step}")]
    Cancelled {
        /// Path of the protocol step that was reached.
        step: String,
    },
}

/// What a link reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetFault {
    /// The peer closed the connection or its process ended.
    #[error("it closed the connection")]
    Closed,
    /// Nothing arrived within the deadline.
    #[error("it did not answer within {:.1} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The operating system or TLS reported an error.
    #[error("{0}")]
    Io(String),
}

/// How a message differs from what an honest party sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The payload has another length than the step prescribes.
    #[error("its message has {got} bytes instead of {expected}")]
    WrongLength {
        /// Bytes the step prescribes.
        expected: usize,
        /// Bytes announced or received.
        got: usize,
    },
    /// The message belongs to another step.
    #[error("it is at another step of the computation")]
    WrongStep,
    /// The message belongs to another round: lost, repeated or swapped.
    #[error("its message is of round {got} instead of {expected}")]
    WrongRound {
        /// Round that this party is in.
        expected: u64,
        /// Round the frame names.
        got: u64,
    },
    /// The message belongs to another session.
    #[error("its message belongs to another session")]
    WrongSession,
    /// The key that the peer derived is not the one this party derived.
    #[error("it did not confirm the common key: it runs another job, or messages were changed")]
    KeyNotConfirmed,
    /// The message cannot be decoded.
    #[error("its message is malformed ({0})")]
    Malformed(&'static str),
}

/// The check that failed in an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailedCheck {
    /// Two parties showed different views of what must be the same: one of them lies, or the
    /// third told them different things.
    #[error("{} and {} have different views of what must be the same", .between[0], .between[1])]
    ViewMismatch {
        /// The two whose views were compared.
        between: [PartyId; 2],
    },
    /// A product of the computation is wrong.
    #[error("the verification of the products failed")]
    Product,
    /// A commitment was opened to another value.
    #[error("a commitment was opened to another value")]
    Commitment,
}
