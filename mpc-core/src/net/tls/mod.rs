//! Mutual TLS 1.3 between parties that know each other's certificates.
//!
//! There is no certificate authority: each party file lists the SHA-256
//! fingerprint of every certificate, and exactly these are accepted. The
//! configurations serve blocking links as well as an asynchronous control plane.

mod config;
mod handshake;
mod link;
mod pin;
mod transport;

#[cfg(test)]
mod testing;

pub use config::{TlsIdentity, client_config, server_config, server_name};
pub use handshake::{HandshakeError, TlsStream, accept, connect};
pub use pin::{Fingerprint, ParseFingerprintError, peer_fingerprint};
pub use transport::TlsTransport;
