//! TLS certificates: self-signed, pinned by fingerprint, never chained to an authority.

use super::{IdentityError, Name};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jiff::{SignedDuration, Timestamp};
use mpc_core::net::tls::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, date_time_ymd};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// Days that a new certificate is valid when nothing else is asked for.
pub const DEFAULT_VALIDITY_DAYS: u16 = 825;

/// How far a certificate reaches into the past, so that a peer's clock may lag.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

/// From when until when a certificate is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First instant.
    pub from: Timestamp,
    /// Last instant.
    pub until: Timestamp,
}

impl Validity {
    /// From now (less an allowance for clocks that lag) for a number of days.
    pub fn days_from_now(days: u16) -> Self {
        let now = Timestamp::now();
        Validity {
            from: now - CLOCK_SKEW,
            until: now + SignedDuration::from_hours(24 * i64::from(days)),
        }
    }

    /// Whether an instant lies within.
    pub fn contains(&self, instant: Timestamp) -> bool {
        (self.from..=self.until).contains(&instant)
    }
}

/// An X.509 certificate with an Ed25519 key, as it is pinned.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    validity: Validity,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

impl Certificate {
    /// Makes a key and a certificate for it; returns the key as PKCS#8 DER.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(
        name: &Name,
        validity: Validity,
    ) -> Result<(Certificate, Zeroizing<Vec<u8>>), IdentityError> {
        let failed = |e: rcgen::Error| IdentityError::Generation(e.to_string());
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name.as_str());
        let epoch = date_time_ymd(1970, 1, 1);
        let since_epoch = |t: Timestamp| Duration::from_secs(t.as_second().max(0).unsigned_abs());
        params.not_before = epoch + since_epoch(validity.from);
        params.not_after = epoch + since_epoch(validity.until);
        let certificate = params.self_signed(&key).map_err(failed)?;
        let certificate = Certificate::from_der(certificate.der().clone())?;
        Ok((certificate, Zeroizing::new(key.serialize_der())))
    }

    /// Takes a certificate in DER.
    ///
    /// # Errors
    /// When it is not exactly one X.509 certificate.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, IdentityError> {
        let (rest, parsed) = X509Certificate::from_der(&der)
            .map_err(|e| IdentityError::Certificate(e.to_string()))?;
        if !rest.is_empty() {
            return Err(IdentityError::Certificate("bytes follow the certificate".into()));
        }
        let instant = |seconds: i64| {
            Timestamp::from_second(seconds).map_err(|e| IdentityError::Certificate(e.to_string()))
        };
        let validity = Validity {
            from: instant(parsed.validity().not_before.timestamp())?,
            until: instant(parsed.validity().not_after.timestamp())?,
        };
        Ok(Certificate { der, validity })
    }

    /// Takes a certificate in PEM.
    ///
    /// # Errors
    /// When the text holds no X.509 certificate.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| IdentityError::Certificate(format!("{e:?}")))?;
        Certificate::from_der(der)
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in BASE64.encode(&self.der).as_bytes().chunks(64) {
            pem.extend(line.iter().map(|&byte| char::from(byte)));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// The certificate in DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// What a peer pins.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// From when until when it is accepted.
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> Certificate {
        let name = "p0".parse().unwrap();
        Certificate::generate(&name, Validity::days_from_now(3)).unwrap().0
    }

    #[test]
    fn pem_is_reversible_and_validity_is_what_was_asked_for() {
        let certificate = generated();
        let again = Certificate::from_pem(&certificate.to_pem()).unwrap();
        assert_eq!(again, certificate);
        assert!(again.validity().contains(Timestamp::now()));
        let in_four_days = Timestamp::now() + SignedDuration::from_hours(96);
        assert!(!again.validity().contains(in_four_days));
    }

    #[test]
    fn damaged_certificates_are_refused() {
        let der = generated().der().to_vec();
        let mut long = der.clone();
        long.push(0);
        assert!(Certificate::from_der(long.into()).is_err());
        assert!(Certificate::from_der(der[..der.len() - 1].to_vec().into()).is_err());
        assert!(Certificate::from_pem("no certificate here").is_err());
    }
}
