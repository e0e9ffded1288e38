//! TLS configurations for links whose ends know each other's certificates.

use super::pin::{Fingerprint, PinnedCertificates};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, Error, ServerConfig};
use std::sync::Arc;
use zeroize::Zeroize;

/// A certificate and its private key; the key is erased from memory on drop.
#[derive(Debug)]
pub struct TlsIdentity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl TlsIdentity {
    /// Puts a self-signed certificate and its key together.
    ///
    /// Whether they belong together is checked when a configuration is made of them.
    pub fn new(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Self {
        TlsIdentity { certificate, key }
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What others list in their party file to accept this identity.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }
}

impl Drop for TlsIdentity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// The cryptography of all links: AES-128-GCM, or ChaCha20-Poly1305 if the peer insists.
///
/// AES-128 matches the strength of the other primitives and is the fastest on
/// processors with AES instructions.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..default_provider()
    })
}

/// A client that talks to the owner of one certificate only, and shows its own.
///
/// TLS 1.3, no resumption. With several `alpn` protocols the server chooses.
///
/// # Errors
/// If the key of `identity` cannot be used with its certificate.
pub fn client_config(
    identity: &TlsIdentity,
    server: Fingerprint,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let verifier = PinnedCertificates::new([server], Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous() // no certificate authority: the pinned fingerprint takes its place
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A server that talks to the owners of the given certificates only.
///
/// A client without a certificate is refused. TLS 1.3, no tickets, no early data.
///
/// # Errors
/// If the key of `identity` cannot be used with its certificate.
pub fn server_config(
    identity: &TlsIdentity,
    clients: impl IntoIterator<Item = Fingerprint>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let verifier = PinnedCertificates::new(clients, Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The name a client passes to TLS: a placeholder, neither sent nor checked.
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from("pinned.invalid").expect("a valid DNS name")
}
