//! The public card of an identity: what others need to know about it, signed by itself.

use super::{Certificate, IdentityError, Name, Role};
use crate::digest::{Canonical, Digest};
use crate::files;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use mpc_core::net::tls::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The public half of an identity.
///
/// A card is signed by its own signing key, so the certificate and the
/// encryption key in it cannot be exchanged without that key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CardText", into = "CardText")]
pub struct Card {
    name: Name,
    role: Role,
    verifying_key: VerifyingKey,
    encryption_key: [u8; 32],
    certificate: Certificate,
    signature: Signature,
}

/// A card as its TOML file holds it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CardText {
    name: Name,
    role: Role,
    verifying_key: String,
    encryption_key: String,
    fingerprint: Fingerprint,
    signature: String,
    certificate: String,
}

impl Card {
    /// Makes and signs a card.
    pub(super) fn sign(
        name: Name,
        role: Role,
        encryption_key: [u8; 32],
        certificate: Certificate,
        signing_key: &SigningKey,
    ) -> Card {
        let verifying_key = signing_key.verifying_key();
        let digest = signed_digest(&name, role, &verifying_key, &encryption_key, &certificate);
        let signature = signing_key.sign(&digest.0);
        Card { name, role, verifying_key, encryption_key, certificate, signature }
    }

    /// Reads and verifies a card file.
    ///
    /// # Errors
    /// When it cannot be read, is malformed or its signature is wrong.
    pub fn load(path: &Path) -> Result<Card, IdentityError> {
        let text = files::read_text(path)?;
        toml::from_str(&text)
            .map_err(|e| IdentityError::Malformed { path: path.to_owned(), reason: e.to_string() })
    }

    /// The card as a TOML file.
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("a card is plain text fields");
        format!(
            "# Public card of {}: hand it to whoever assembles the consortium.\n{body}",
            self.name
        )
    }

    /// Name of the identity.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the identity takes part as.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Verifies signatures of the identity.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// X25519 public key to encrypt to.
    pub fn encryption_key(&self) -> &[u8; 32] {
        &self.encryption_key
    }

    /// The certificate that the identity presents in TLS.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whether both cards are of one identity, which may have renewed its certificate.
    pub fn same_identity(&self, other: &Card) -> bool {
        self.identity_fields() == other.identity_fields()
    }

    fn identity_fields(&self) -> (&Name, Role, &[u8; 32], &[u8; 32]) {
        (&self.name, self.role, self.verifying_key.as_bytes(), &self.encryption_key)
    }

    /// Appends what identifies the holder (not the certificate, which is renewed) to a digest.
    pub(crate) fn append_identity(&self, to: Canonical) -> Canonical {
        let (name, role, verifying_key, encryption_key) = self.identity_fields();
        to.text(name.as_str()).text(role.as_str()).bytes(verifying_key).bytes(encryption_key)
    }
}

/// What the signature of a card covers.
fn signed_digest(
    name: &Name,
    role: Role,
    verifying_key: &VerifyingKey,
    encryption_key: &[u8; 32],
    certificate: &Certificate,
) -> Digest {
    Canonical::new("tercet/card/1")
        .text(name.as_str())
        .text(role.as_str())
        .bytes(verifying_key.as_bytes())
        .bytes(encryption_key)
        .bytes(certificate.der())
        .finish()
}

impl From<Card> for CardText {
    fn from(card: Card) -> CardText {
        CardText {
            name: card.name,
            role: card.role,
            verifying_key: hex::encode(card.verifying_key.as_bytes()),
            encryption_key: hex::encode(card.encryption_key),
            fingerprint: card.certificate.fingerprint(),
            signature: hex::encode(card.signature.to_bytes()),
            certificate: card.certificate.to_pem(),
        }
    }
}

impl TryFrom<CardText> for Card {
    type Error = IdentityError;

    fn try_from(text: CardText) -> Result<Card, IdentityError> {
        let wrong = |field| IdentityError::Field { name: text.name.clone(), field };
        let verifying_key = VerifyingKey::from_bytes(
            &key_bytes(&text.verifying_key).ok_or_else(|| wrong("verifying-key"))?,
        )
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or_else(|| wrong("verifying-key"))?;
        let encryption_key =
            key_bytes(&text.encryption_key).ok_or_else(|| wrong("encryption-key"))?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&text.signature, &mut signature).map_err(|_| wrong("signature"))?;
        let signature = Signature::from_bytes(&signature);
        let certificate = Certificate::from_pem(&text.certificate)?;
        if certificate.fingerprint() != text.fingerprint {
            return Err(IdentityError::Fingerprint {
                name: text.name,
                stated: text.fingerprint,
                actual: certificate.fingerprint(),
            });
        }
        let digest =
            signed_digest(&text.name, text.role, &verifying_key, &encryption_key, &certificate);
        if verifying_key.verify_strict(&digest.0, &signature).is_err() {
            return Err(IdentityError::CardSignature(text.name));
        }
        Ok(Card {
            name: text.name,
            role: text.role,
            verifying_key,
            encryption_key,
            certificate,
            signature,
        })
    }
}

/// Decodes a key of 32 bytes in hexadecimal.
pub(super) fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
