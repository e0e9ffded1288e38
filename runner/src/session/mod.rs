//! A session: one run of one job by the three parties.

mod agreement;
mod cancel;
mod checks;
mod client;
mod compute;
mod fault;
mod host;
mod inputs;
mod inquiry;
mod links;
mod loading;
mod prepare;
mod query;
mod rehearse;
mod rendezvous;
mod sealed_rows;
mod supply;
mod table;
mod train_error;

pub use agreement::{Agreement, DataSetDigest, Offer, Purpose};
pub use cancel::Cancel;
pub use client::{TrainEvent, TrainReport, follow, preprocessing, rehearsal, training};
pub use host::{JobRequest, SessionRequest, Task, host};
pub use inputs::stored_file;
pub use links::session_of;
pub use rendezvous::Rendezvous;
pub use train_error::TrainError;

use crate::control::Framed;
use mpc_core::net::SessionId;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// A link to another party, on which parties first agree and then compute.
pub type Link = Framed<TlsStream<TcpStream>>;

/// Text that is not a session id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a session id: 32 hexadecimal digits are expected")]
pub struct NotASession(String);

/// Reads a session id as it is printed.
///
/// # Errors
/// When it is not 32 hexadecimal digits.
pub fn parse_id(text: &str) -> Result<SessionId, NotASession> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id)
        .map_err(|_| NotASession(text.chars().take(80).collect()))?;
    Ok(SessionId(id))
}

/// A fresh session id.
///
/// # Errors
/// When the system gives no randomness.
pub fn fresh_id() -> Result<SessionId, getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(SessionId(id))
}
