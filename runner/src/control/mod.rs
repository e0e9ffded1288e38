//! The control plane: what members and parties ask of a node, over mutual TLS.
//!
//! A connection begins with [`Hello`] and [`Welcome`]; then the client makes one
//! request. Computation has links of its own (see [`crate::session`]).

mod client;
mod error;
mod frame;
mod message;
mod upload;

pub use client::{Client, Dialer, TlsSocket};
pub use error::ControlError;
pub use frame::{CHUNK_BYTES, Frame, Framed, MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES, decode, encode};
pub use message::{
    Answer, Checked, DataReply, DuringSession, EpochFigures, FaultKind, FinishedSession, Forecast,
    Hello, NodeStatus, Progress, Reason, Refusal, Rehearsal, Request, SessionEnd, SessionEvent,
    SessionFault, SessionStats, Upload, Welcome,
};
pub use upload::upload;

/// Version of the control protocol.
pub const CONTROL_VERSION: u16 = 4;
/// ALPN name of control connections.
pub const ALPN_CONTROL: &[u8] = b"tercet-control/1";
/// ALPN name of the links on which parties compute.
pub const ALPN_MPC: &[u8] = b"tercet-mpc/1";
