//! Certificates pinned by fingerprint, in place of a certificate authority.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CommonState, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerMisbehaved, SignatureScheme,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// SHA-256 of a DER-encoded certificate; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no [`Fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate fingerprint is written as 64 hexadecimal digits")]
pub struct ParseFingerprintError;

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let digit = |c: &u8| (*c as char).to_digit(16).ok_or(ParseFingerprintError);
        if text.len() != 64 {
            return Err(ParseFingerprintError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (digit(&pair[0])? << 4 | digit(&pair[1])?) as u8;
        }
        Ok(Fingerprint(bytes))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(text: String) -> Result<Self, ParseFingerprintError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

/// The fingerprint of the certificate that the other end of a connection has proven to own.
///
/// `None` before the handshake is complete.
pub fn peer_fingerprint(connection: &CommonState) -> Option<Fingerprint> {
    if connection.is_handshaking() {
        return None;
    }
    connection.peer_certificates()?.first().map(Fingerprint::of)
}

/// A certificate that no entry of the party file matches.
#[derive(Debug, thiserror::Error)]
#[error("certificate {found} is not the expected one ({expected})")]
pub(super) struct NotPinned {
    pub(super) found: Fingerprint,
    pub(super) expected: String,
}

/// Accepts exactly the certificates with given fingerprints, from servers and clients.
#[derive(Debug)]
pub(super) struct PinnedCertificates {
    accepted: BTreeSet<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl PinnedCertificates {
    pub(super) fn new(
        accepted: impl IntoIterator<Item = Fingerprint>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        PinnedCertificates { accepted: accepted.into_iter().collect(), provider }
    }

    fn check(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        let found = Fingerprint::of(certificate);
        if !self.accepted.contains(&found) {
            let mut expected = self.accepted.iter();
            let expected = match (expected.next(), expected.len()) {
                (Some(only), 0) => only.to_string(),
                (_, others) => format!("any of {} known ones", others + 1),
            };
            let error = NotPinned { found, expected };
            return Err(CertificateError::Other(OtherError(Arc::new(error))).into());
        }
        check_dates(certificate, now)
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Refuses a certificate outside its period of validity.
fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| CertificateError::BadEncoding)?;
    if !rest.is_empty() {
        return Err(CertificateError::BadEncoding.into());
    }
    // Dates before 1970 count as 1970, which changes no comparison with the present.
    let unix = |time: x509_parser::time::ASN1Time| {
        UnixTime::since_unix_epoch(Duration::from_secs(time.timestamp().max(0) as u64))
    };
    let not_before = unix(parsed.validity().not_before);
    let not_after = unix(parsed.validity().not_after);
    if now < not_before {
        Err(CertificateError::NotValidYetContext { time: now, not_before }.into())
    } else if now > not_after {
        Err(CertificateError::ExpiredContext { time: now, not_after }.into())
    } else {
        Ok(())
    }
}

/// TLS 1.2 is not compiled in; should it ever be, its signatures are refused here as well.
fn refuse_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerMisbehaved::SelectedUnofferedCipherSuite.into())
}

impl ServerCertVerifier for PinnedCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for PinnedCertificates {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_written() {
        let fingerprint = Fingerprint(std::array::from_fn(|i| (i * 37) as u8));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.to_string().to_uppercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let short = "0".repeat(63);
        let signed = format!("+{short}");
        let multibyte = "é".repeat(32);
        for text in ["", &short, &signed, &multibyte, &"0".repeat(65)] {
            assert_eq!(text.parse::<Fingerprint>(), Err(ParseFingerprintError), "{text}");
        }
    }

    #[test]
    fn the_fingerprint_is_the_sha256_of_the_der() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let certificate = CertificateDer::from(b"abc".to_vec());
        assert_eq!(Fingerprint::of(&certificate).to_string(), expected);
    }
}
