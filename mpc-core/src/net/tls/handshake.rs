//! Blocking TLS handshakes with a deadline, and what can go wrong in them.

use super::config::server_name;
use super::pin::{Fingerprint, NotPinned, peer_fingerprint};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, ServerConfig,
    ServerConnection,
};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use x509_parser::time::ASN1Time;

/// A TCP connection with an established TLS session on it.
pub struct TlsStream {
    pub(super) socket: TcpStream,
    pub(super) connection: Connection,
}

impl TlsStream {
    /// Puts a socket and its established session together.
    ///
    /// For a session that was established asynchronously, pass the two parts of
    /// the stream's `into_inner()`.
    pub fn new(socket: TcpStream, connection: impl Into<Connection>) -> Self {
        TlsStream { socket, connection: connection.into() }
    }

    /// The certificate that the other end has proven to own.
    pub fn peer_fingerprint(&self) -> Option<Fingerprint> {
        peer_fingerprint(&self.connection)
    }

    /// The protocol agreed by ALPN.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }
}

/// Starts TLS on a connected socket.
///
/// The server may still refuse this client's certificate: in TLS 1.3 that
/// shows in the first message received.
///
/// # Errors
/// See [`HandshakeError`]; `Timeout` if the handshake takes longer than `deadline`.
pub fn connect(
    socket: TcpStream,
    config: Arc<ClientConfig>,
    deadline: Duration,
) -> Result<TlsStream, HandshakeError> {
    let connection = ClientConnection::new(config, server_name())?;
    handshake(TlsStream::new(socket, connection), deadline)
}

/// Answers a client that starts TLS.
///
/// # Errors
/// See [`HandshakeError`]; `Timeout` if the handshake takes longer than `deadline`.
pub fn accept(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    deadline: Duration,
) -> Result<TlsStream, HandshakeError> {
    let connection = ServerConnection::new(config)?;
    handshake(TlsStream::new(socket, connection), deadline)
}

fn handshake(mut stream: TlsStream, deadline: Duration) -> Result<TlsStream, HandshakeError> {
    let TlsStream { socket, connection } = &mut stream;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    let end = Instant::now() + deadline;
    while connection.is_handshaking() || connection.wants_write() {
        let step = if connection.wants_write() {
            connection.write_tls(socket)
        } else {
            connection.read_tls(socket)
        };
        match step {
            Ok(0) => return Err(HandshakeError::Closed),
            Ok(_) => {
                if let Err(error) = connection.process_new_packets() {
                    // Tell the peer why, as far as it still listens.
                    let _ = connection.write_tls(socket);
                    return Err(error.into());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let events = if connection.wants_write() { PollFlags::OUT } else { PollFlags::IN };
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() || !wait(socket, events, left)? {
                    return Err(HandshakeError::Timeout(deadline));
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(stream)
}

/// Waits until the socket is ready; `false` if it is not within `limit`.
fn wait(socket: &TcpStream, events: PollFlags, limit: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(limit).ok();
    match poll(&mut [PollFd::new(socket, events)], timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Why a TLS session was not established, in words for an operator.
///
/// Made from [`rustls::Error`], or from the [`io::Error`] in which asynchronous
/// streams wrap it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The certificate is none of those listed in the party file.
    #[error("it showed certificate {found}, which is not the expected one ({expected})")]
    UnknownCertificate {
        /// Fingerprint of the certificate shown.
        found: Fingerprint,
        /// What was expected.
        expected: String,
    },
    /// The certificate's period of validity is over.
    #[error("its certificate expired on {not_after}; it has to be renewed")]
    Expired {
        /// End of the period of validity.
        not_after: String,
    },
    /// The certificate's period of validity has not begun.
    #[error("its certificate is valid only from {not_before}; is a clock wrong?")]
    NotYetValid {
        /// Begin of the period of validity.
        not_before: String,
    },
    /// The client showed no certificate.
    #[error("it showed no certificate")]
    NoCertificate,
    /// The other end offers no protocol version that is accepted here.
    #[error("it does not offer TLS 1.3")]
    OldTls,
    /// The two ends have no application protocol in common.
    #[error("it does not speak the same protocol; do both run the same version?")]
    NoCommonProtocol,
    /// The other end refused this end.
    #[error("it refused the connection: {0}")]
    Refused(String),
    /// The other end closed the connection during the handshake.
    #[error("it closed the connection during the TLS handshake")]
    Closed,
    /// The handshake took too long.
    #[error("it did not complete the TLS handshake within {:.1} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// Any other fault that TLS reports.
    #[error("TLS handshake failed: {0}")]
    Tls(rustls::Error),
    /// A fault of the socket.
    #[error("connection failed: {0}")]
    Io(io::Error),
}

impl From<rustls::Error> for HandshakeError {
    fn from(error: rustls::Error) -> Self {
        use rustls::{Error, PeerIncompatible};
        match error {
            Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
                HandshakeError::Expired { not_after: date(not_after) }
            }
            Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before, ..
            }) => HandshakeError::NotYetValid { not_before: date(not_before) },
            Error::InvalidCertificate(CertificateError::Other(ref other)) => {
                match other.0.downcast_ref::<NotPinned>() {
                    Some(NotPinned { found, expected }) => HandshakeError::UnknownCertificate {
                        found: *found,
                        expected: expected.clone(),
                    },
                    None => HandshakeError::Tls(error),
                }
            }
            Error::NoCertificatesPresented => HandshakeError::NoCertificate,
            Error::NoApplicationProtocol => HandshakeError::NoCommonProtocol,
            Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => HandshakeError::OldTls,
            Error::AlertReceived(alert) => HandshakeError::Refused(reason(alert)),
            error => HandshakeError::Tls(error),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls.clone().into();
        }
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => HandshakeError::Closed,
            _ => HandshakeError::Io(error),
        }
    }
}

/// What an alert of the other end means for the operator of this one.
pub(super) fn reason(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateUnknown => {
            "it does not know our certificate; does its party file list our fingerprint?".into()
        }
        AlertDescription::CertificateExpired => {
            "it says our certificate has expired or is not valid yet".into()
        }
        AlertDescription::CertificateRequired => "it requires a certificate".into(),
        AlertDescription::NoApplicationProtocol => {
            "it does not speak the same protocol; do both run the same version?".into()
        }
        AlertDescription::ProtocolVersion => "it does not accept our TLS version".into(),
        other => format!("TLS alert {other:?}"),
    }
}

fn date(time: UnixTime) -> String {
    match ASN1Time::from_timestamp(time.as_secs() as i64) {
        Ok(date) => date.to_string(),
        Err(_) => format!("second {} since 1970", time.as_secs()),
    }
}

#[cfg(test)]
mod tests;
