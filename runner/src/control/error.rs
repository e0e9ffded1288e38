//! What can go wrong on a control connection.

use super::{Reason, Refusal};
use crate::failure::Explain;
use mpc_core::net::tls::HandshakeError;
use mpc_core::party::PartyId;
use std::io;
use std::time::Duration;

/// Why a request to a node, or to a client, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nobody answers at the address.
    #[error("cannot reach {party} at {address}: {source}")]
    Unreachable {
        /// The party that was dialled.
        party: PartyId,
        /// Its address in the consortium file.
        address: String,
        /// What the system reported.
        source: io::Error,
    },
    /// Somebody answers, but TLS fails.
    #[error("cannot talk to {party} at {address}: {source}")]
    Handshake {
        /// The party that was dialled.
        party: PartyId,
        /// Its address in the consortium file.
        address: String,
        /// What TLS reported.
        source: HandshakeError,
    },
    /// TLS failed on an established connection.
    #[error("the connection failed: {0}")]
    Tls(HandshakeError),
    /// The node at the address is another party.
    #[error("{expected} was dialled, but the node answers as {found}")]
    OtherParty {
        /// The party that was dialled.
        expected: PartyId,
        /// The party that the node claims to be.
        found: PartyId,
    },
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer did not answer in time.
    #[error("the peer was silent for {:.0} s", .0.as_secs_f64())]
    Silent(Duration),
    /// A message or a chunk is longer than allowed.
    #[error("a message is longer than allowed")]
    TooLong,
    /// The peer sent something that is no message of this protocol.
    #[error("the peer does not speak the control protocol: {0}")]
    Malformed(&'static str),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// The node refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            return ControlError::Tls(error.into());
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => ControlError::Closed,
            _ => ControlError::Io(error),
        }
    }
}

impl Explain for Refusal {
    fn hint(&self) -> Option<String> {
        let general = match self.reason {
            Reason::Version => "install the same version of tercet everywhere",
            Reason::Consortium => "use the same consortium.toml at every participant",
            _ => return self.hint.clone(),
        };
        self.hint.clone().or_else(|| Some(general.into()))
    }
}

impl Explain for ControlError {
    fn hint(&self) -> Option<String> {
        match self {
            ControlError::Unreachable { party, address, .. } => Some(format!(
                "is the node of {party} running, and does a firewall let {address} through?"
            )),
            ControlError::Handshake { source, .. } | ControlError::Tls(source) => tls_hint(source),
            ControlError::OtherParty { .. } => {
                Some("check the order of the addresses in consortium.toml".into())
            }
            ControlError::Silent(_) => Some("is the node overloaded or suspended?".into()),
            ControlError::Refused(refusal) => refusal.hint(),
            _ => None,
        }
    }
}

fn tls_hint(error: &HandshakeError) -> Option<String> {
    let hint = match error {
        HandshakeError::UnknownCertificate { .. } | HandshakeError::Refused(_) => {
            "compare the fingerprints in consortium.toml on both sides; \
             after a renewal the new file is needed everywhere"
        }
        HandshakeError::Expired { .. } => {
            "its owner renews it with: tercet keygen --renew NAME.key"
        }
        HandshakeError::NotYetValid { .. } => "check the clocks of both machines",
        _ => return None,
    };
    Some(hint.into())
}
