//! Who a party or a member is: its keys, its certificate and its public card.
//!
//! An identity holds three keys: one signs (Ed25519), one decrypts what others
//! send it (X25519), one proves it in TLS (Ed25519 with a self-signed
//! certificate that peers pin). All secrets lie in one file `NAME.key`; the
//! public halves are `NAME.card.toml`.

mod card;
mod certificate;
mod name;

pub use card::Card;
pub use certificate::{Certificate, DEFAULT_VALIDITY_DAYS, Validity};
pub use name::{BadName, Name};

use crate::failure::Explain;
use crate::files::{self, FileError};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::SigningKey;
use mpc_core::net::tls::{Fingerprint, TlsIdentity};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

/// Version of the key file format.
const KEY_FILE_VERSION: u32 = 1;
/// How the names of card files end.
const CARD_SUFFIX: &str = ".card.toml";

/// What an identity takes part as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs one of the three compute nodes.
    Party,
    /// Submits data, starts jobs or receives models.
    Member,
}

impl Role {
    /// The role as files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Party => "party",
            Role::Member => "member",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an identity or a card could not be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file of the identity could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not have the expected form.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// A public card was given for a key file.
    #[error("{} is a public card, no key file", .0.display())]
    PublicCard(PathBuf),
    /// A field of a card or key file is not a key of its kind.
    #[error("{name}: `{field}` is not a valid value of that field")]
    Field {
        /// Whose card it is.
        name: Name,
        /// The field.
        field: &'static str,
    },
    /// The stated fingerprint is not that of the certificate.
    #[error("{name}: the certificate has fingerprint {actual}, but the card states {stated}")]
    Fingerprint {
        /// Whose card it is.
        name: Name,
        /// Fingerprint in the card.
        stated: Fingerprint,
        /// Fingerprint of the certificate in the card.
        actual: Fingerprint,
    },
    /// The card was altered after it was signed.
    #[error("{0}: the signature of the card does not verify; it was altered")]
    CardSignature(Name),
    /// A certificate cannot be read.
    #[error("not a usable certificate: {0}")]
    Certificate(String),
    /// Keys could not be generated.
    #[error("cannot generate keys: {0}")]
    Generation(String),
}

impl Explain for IdentityError {
    fn hint(&self) -> Option<String> {
        match self {
            IdentityError::File(e) => e.hint(),
            IdentityError::Fingerprint { name, .. } | IdentityError::CardSignature(name) => {
                Some(format!(
                    "ask {name} for its NAME.card.toml again, and compare fingerprints by telephone"
                ))
            }
            IdentityError::PublicCard(_) => {
                Some("give the NAME.key that was made with it, where its owner keeps it".into())
            }
            IdentityError::Malformed { .. } | IdentityError::Field { .. } => {
                Some("key and card files are made by `tercet keygen`; do not edit them".into())
            }
            _ => None,
        }
    }
}

/// The secret keys of a party or a member, with their public card.
pub struct Identity {
    signing_key: SigningKey,
    decryption_key: StaticSecret,
    tls_key: Zeroizing<Vec<u8>>,
    card: Card,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, keys withheld)", self.card.name())
    }
}

/// A key file as it lies on the disk.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KeyFile {
    version: u32,
    signing_key: String,
    decryption_key: String,
    tls_key: String,
    card: Card,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.signing_key.zeroize();
        self.decryption_key.zeroize();
        self.tls_key.zeroize();
    }
}

impl Identity {
    /// Makes fresh keys from the system's randomness.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(name: Name, role: Role, validity: Validity) -> Result<Self, IdentityError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut()).map_err(|e| IdentityError::Generation(e.to_string()))?;
        let signing_key = SigningKey::from_bytes(&secret);
        getrandom::fill(secret.as_mut()).map_err(|e| IdentityError::Generation(e.to_string()))?;
        let decryption_key = StaticSecret::from(*secret);
        let (certificate, tls_key) = Certificate::generate(&name, validity)?;
        let encryption_key = PublicKey::from(&decryption_key).to_bytes();
        let card = Card::sign(name, role, encryption_key, certificate, &signing_key);
        Ok(Identity { signing_key, decryption_key, tls_key, card })
    }

    /// Replaces the TLS key and certificate; the identity stays the same to all others.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn renew_certificate(&mut self, validity: Validity) -> Result<(), IdentityError> {
        let (certificate, tls_key) = Certificate::generate(self.card.name(), validity)?;
        self.tls_key = tls_key;
        self.card = Card::sign(
            self.card.name().clone(),
            self.card.role(),
            *self.card.encryption_key(),
            certificate,
            &self.signing_key,
        );
        Ok(())
    }

    /// Loads a key file, which only its owner may be able to read.
    ///
    /// # Errors
    /// When others can read it, or it is not a key file of this version.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        // By its name: to read a key file as a card would leave copies of secrets behind.
        if path.to_string_lossy().ends_with(CARD_SUFFIX) {
            return Err(IdentityError::PublicCard(path.to_owned()));
        }
        files::require_private(path)?;
        let text = Zeroizing::new(files::read_text(path)?);
        let malformed = |reason: String| IdentityError::Malformed { path: path.to_owned(), reason };
        // The parser quotes the offending line, which may hold a key: only its place is told.
        let file: KeyFile = toml::from_str(&text).map_err(|e| malformed(e.message().to_owned()))?;
        if file.version != KEY_FILE_VERSION {
            return Err(malformed(format!("format version {} is unknown", file.version)));
        }
        let wrong = |field| IdentityError::Field { name: file.card.name().clone(), field };
        let secret = |text, field| card::key_bytes(text).map(Zeroizing::new).ok_or(wrong(field));
        let signing_key = SigningKey::from_bytes(&*secret(&file.signing_key, "signing-key")?);
        let decryption_key = StaticSecret::from(*secret(&file.decryption_key, "decryption-key")?);
        let tls_key = Zeroizing::new(BASE64.decode(&file.tls_key).map_err(|_| wrong("tls-key"))?);
        if signing_key.verifying_key() != *file.card.verifying_key() {
            return Err(wrong("signing-key"));
        }
        if PublicKey::from(&decryption_key).to_bytes() != *file.card.encryption_key() {
            return Err(wrong("decryption-key"));
        }
        Ok(Identity { signing_key, decryption_key, tls_key, card: file.card.clone() })
    }

    /// Writes `NAME.key` and `NAME.card.toml` into a directory and returns their paths.
    ///
    /// # Errors
    /// When either exists already or cannot be written.
    pub fn save_new(&self, dir: &Path) -> Result<IdentityFiles, IdentityError> {
        let paths = IdentityFiles::in_dir(dir, self.card.name());
        for path in [&paths.key, &paths.card] {
            if path.exists() {
                return Err(FileError::Exists(path.clone()).into());
            }
        }
        files::create_dir(dir)?;
        files::write_new_secret(&paths.key, self.to_key_file().as_bytes())?;
        files::write_new_public(&paths.card, self.card.to_toml().as_bytes())?;
        Ok(paths)
    }

    /// Replaces the key file at `key` and the card beside it, after a renewal.
    ///
    /// # Errors
    /// When either cannot be written; the key file is replaced first and atomically.
    pub fn save_renewed(&self, key: &Path) -> Result<IdentityFiles, IdentityError> {
        let dir = key.parent().unwrap_or(Path::new("."));
        let paths =
            IdentityFiles { key: key.to_owned(), ..IdentityFiles::in_dir(dir, self.name()) };
        files::replace_secret(key, self.to_key_file().as_bytes())?;
        files::write_atomic(&paths.card, self.card.to_toml().as_bytes())?;
        Ok(paths)
    }

    fn to_key_file(&self) -> Zeroizing<String> {
        let file = KeyFile {
            version: KEY_FILE_VERSION,
            signing_key: hex::encode(self.signing_key.as_bytes()),
            decryption_key: hex::encode(self.decryption_key.as_bytes()),
            tls_key: BASE64.encode(self.tls_key.as_slice()),
            card: self.card.clone(),
        };
        let body = Zeroizing::new(toml::to_string(&file).expect("a key file is plain text fields"));
        Zeroizing::new(format!(
            "# Secret keys of {}: never share or copy this file; back it up encrypted.\n{}",
            self.card.name(),
            *body
        ))
    }

    /// Name of the identity.
    pub fn name(&self) -> &Name {
        self.card.name()
    }

    /// The public card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Signs for the identity.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// Decrypts what was encrypted to the identity.
    pub fn decryption_key(&self) -> &StaticSecret {
        &self.decryption_key
    }

    /// Certificate and private key for TLS.
    pub fn tls_identity(&self) -> TlsIdentity {
        let key = PrivatePkcs8KeyDer::from(self.tls_key.to_vec());
        TlsIdentity::new(self.card.certificate().der().clone(), key.into())
    }
}

/// Where the files of an identity lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityFiles {
    /// The secret key file.
    pub key: PathBuf,
    /// The public card.
    pub card: PathBuf,
}

impl IdentityFiles {
    /// The files of an identity named `name` in a directory.
    pub fn in_dir(dir: &Path, name: &Name) -> Self {
        IdentityFiles {
            key: dir.join(format!("{name}.key")),
            card: dir.join(format!("{name}{CARD_SUFFIX}")),
        }
    }
}

#[cfg(test)]
mod tests;
