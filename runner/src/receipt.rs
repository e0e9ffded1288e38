//! Receipts: what a party signs when it has stored a share file.
//!
//! A receipt is a JSON file that its owner keeps. It can be checked without
//! asking anyone, also years later: the signature is over a canonical encoding
//! of the fields, by the key that the consortium file gives for the party.

use crate::consortium::Consortium;
use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::{Identity, Name};
use crate::sharefile::{DataSetId, ShareHeader};
use ed25519_dalek::{Signature, Signer};
use jiff::Timestamp;
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the format.
const VERSION: u32 = 1;

/// A party's signed statement that it has stored a share file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    version: u32,
    /// Number of the party that signed.
    pub party: PartyId,
    /// Name of the party that signed.
    pub party_name: Name,
    /// Identity of the data set.
    pub data_set: DataSetId,
    /// Name of the data set.
    pub name: Name,
    /// Digest of the manifest, the same in the receipts of all three parties.
    pub manifest: Digest,
    /// The member whose data set it is.
    pub owner: Name,
    /// Rows.
    pub rows: u64,
    /// Columns of the features.
    pub feature_columns: u64,
    /// Columns of the labels.
    pub label_columns: u64,
    /// SHA-256 of the share file that this party received.
    pub file: Digest,
    /// Digest of the schema.
    pub schema: Digest,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// When the file was stored, by the party's clock.
    pub received: Timestamp,
    #[serde(with = "crate::signature_text")]
    signature: Signature,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no receipt.
    #[error("{} is not a receipt: {reason}", path.display())]
    Malformed {
        /// The file, or where else it came from.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The receipt was given in another consortium.
    #[error(
        "the receipt belongs to another consortium (digest {}, ours is {})",
        found.short(), ours.short()
    )]
    OtherConsortium {
        /// Digest of the reader's consortium.
        ours: Digest,
        /// Digest in the receipt.
        found: Digest,
    },
    /// The consortium has another party by this number.
    #[error("the receipt names {found} as {party}, but in the consortium that is {expected}")]
    OtherParty {
        /// Number of the party.
        party: PartyId,
        /// Name in the receipt.
        found: Name,
        /// Name in the consortium.
        expected: Name,
    },
    /// The signature is not that of the party.
    #[error(
        "the signature of {0} does not verify: the receipt was altered, or someone else made it"
    )]
    Signature(Name),
    /// The receipt is about another file.
    #[error("the receipt is about a file with SHA-256 {stated}, but this file has {actual}")]
    OtherFile {
        /// Digest in the receipt.
        stated: Digest,
        /// Digest of the file.
        actual: Digest,
    },
}

impl Explain for ReceiptError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            ReceiptError::File(error) => return error.hint(),
            ReceiptError::Malformed { .. } => {
                "receipts are made by `tercet submit`; do not edit them"
            }
            ReceiptError::OtherConsortium { .. } | ReceiptError::OtherParty { .. } => {
                "use the consortium.toml that was in force when the data set was submitted"
            }
            ReceiptError::Signature(_) => "submit again to get another receipt from the party",
            ReceiptError::OtherFile { .. } => {
                "check that it is the share file for this party, unaltered since it was submitted"
            }
        };
        Some(hint.into())
    }
}

impl Receipt {
    /// Signs for a share file that `party` has verified and stored.
    pub fn sign(header: &ShareHeader, file: Digest, received: Timestamp, party: &Identity) -> Self {
        let data_set = &header.data_set;
        let mut receipt = Receipt {
            version: VERSION,
            party: header.party,
            party_name: party.name().clone(),
            data_set: data_set.id,
            name: data_set.name.clone(),
            manifest: data_set.digest(),
            owner: data_set.owner.clone(),
            rows: data_set.rows,
            feature_columns: data_set.feature_columns,
            label_columns: data_set.label_columns,
            file,
            schema: data_set.schema,
            consortium: data_set.consortium,
            received,
            signature: Signature::from_bytes(&[0; 64]),
        };
        receipt.signature = party.signing_key().sign(&receipt.signed_digest().0);
        receipt
    }

    /// Reads a receipt file.
    ///
    /// # Errors
    /// When it cannot be read or is no receipt.
    pub fn load(path: &Path) -> Result<Self, ReceiptError> {
        let text = files::read_text(path)?;
        Receipt::from_json(text.as_bytes())
            .map_err(|reason| ReceiptError::Malformed { path: path.to_owned(), reason })
    }

    /// Reads a receipt from JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let receipt: Receipt = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match receipt.version {
            VERSION => Ok(receipt),
            version => Err(format!("version {version} is unknown")),
        }
    }

    /// The receipt as a JSON file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a receipt is plain fields");
        text.push('\n');
        text
    }

    /// Verifies that the party whose name and number the receipt bears signed it.
    ///
    /// # Errors
    /// When the consortium is another, or the signature is not that of the party.
    pub fn verify(&self, consortium: &Consortium) -> Result<(), ReceiptError> {
        let ours = consortium.digest();
        if self.consortium != ours {
            return Err(ReceiptError::OtherConsortium { ours, found: self.consortium });
        }
        let card = &consortium.party(self.party).card;
        if *card.name() != self.party_name {
            return Err(ReceiptError::OtherParty {
                party: self.party,
                found: self.party_name.clone(),
                expected: card.name().clone(),
            });
        }
        card.verifying_key()
            .verify_strict(&self.signed_digest().0, &self.signature)
            .map_err(|_| ReceiptError::Signature(self.party_name.clone()))
    }

    /// Checks that the receipt is about the file with this digest.
    ///
    /// # Errors
    /// [`ReceiptError::OtherFile`].
    pub fn require_file(&self, actual: Digest) -> Result<(), ReceiptError> {
        if self.file == actual {
            Ok(())
        } else {
            Err(ReceiptError::OtherFile { stated: self.file, actual })
        }
    }

    fn signed_digest(&self) -> Digest {
        Canonical::new("tercet/receipt/1")
            .number(self.party.index() as u64)
            .text(self.party_name.as_str())
            .bytes(&self.data_set.0)
            .text(self.name.as_str())
            .bytes(&self.manifest.0)
            .text(self.owner.as_str())
            .number(self.rows)
            .number(self.feature_columns)
            .number(self.label_columns)
            .bytes(&self.file.0)
            .bytes(&self.schema.0)
            .bytes(&self.consortium.0)
            .text(&self.received.to_string())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sharefile::tests::{TRIAL, any_header};
    use proptest::prelude::*;

    fn receipt() -> Receipt {
        let header = any_header(PartyId::P1);
        Receipt::sign(&header, Digest([9; 32]), Timestamp::UNIX_EPOCH, &TRIAL.parties[1])
    }

    #[test]
    fn a_receipt_survives_its_file_and_verifies() {
        let receipt = receipt();
        let read = Receipt::from_json(receipt.to_json().as_bytes()).unwrap();
        assert_eq!(read, receipt);
        read.verify(&TRIAL.consortium).unwrap();
        read.require_file(Digest([9; 32])).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ward.party1.receipt.json");
        std::fs::write(&path, receipt.to_json()).unwrap();
        assert_eq!(Receipt::load(&path).unwrap(), receipt);
    }

    #[test]
    fn every_altered_field_breaks_the_signature() {
        let text = receipt().to_json();
        let altered = |from: &str, to: &str| {
            assert!(text.contains(from), "{from} in {text}");
            Receipt::from_json(text.replacen(from, to, 1).as_bytes()).unwrap()
        };
        let zeros = "0".repeat(64);
        let receipt = receipt();
        for altered in [
            altered("\"rows\": 2", "\"rows\": 3"),
            altered("\"feature_columns\": 1", "\"feature_columns\": 2"),
            altered("\"label_columns\": 2", "\"label_columns\": 1"),
            altered("\"owner\": \"hospital-a\"", "\"owner\": \"hospital-b\""),
            altered("\"name\": \"ward\"", "\"name\": \"yard\""),
            altered("1970-01-01", "1970-01-02"),
            altered(&receipt.data_set.to_string(), &zeros[..32]),
            altered(&receipt.manifest.to_string(), &zeros),
            altered(&receipt.file.to_string(), &zeros),
            altered(&receipt.schema.to_string(), &zeros),
        ] {
            let refused = altered.verify(&TRIAL.consortium);
            assert!(matches!(refused, Err(ReceiptError::Signature(_))), "{altered:?}");
        }
    }

    #[test]
    fn another_file_consortium_or_party_is_told_apart() {
        let receipt = receipt();
        let other_file = receipt.require_file(Digest([8; 32])).unwrap_err().to_string();
        assert!(other_file.contains("but this file has 0808"), "{other_file}");

        let text = receipt.to_json();
        let consortium = TRIAL.consortium.digest().to_string();
        let foreign = text.replace(&consortium, &"0".repeat(64));
        let foreign = Receipt::from_json(foreign.as_bytes()).unwrap();
        let refused = foreign.verify(&TRIAL.consortium);
        assert!(matches!(refused, Err(ReceiptError::OtherConsortium { .. })));

        let renumbered = text.replace("\"party\": 1", "\"party\": 2");
        let renumbered = Receipt::from_json(renumbered.as_bytes()).unwrap();
        let refused = renumbered.verify(&TRIAL.consortium).unwrap_err().to_string();
        assert_eq!(refused, "the receipt names p1 as party 2, but in the consortium that is p2");
        let forged = Receipt::sign(
            &any_header(PartyId::P1),
            Digest([9; 32]),
            Timestamp::UNIX_EPOCH,
            &TRIAL.parties[0],
        );
        let renamed = forged.to_json().replace("\"p0\"", "\"p1\"");
        let renamed = Receipt::from_json(renamed.as_bytes()).unwrap();
        assert!(matches!(renamed.verify(&TRIAL.consortium), Err(ReceiptError::Signature(_))));
    }

    #[test]
    fn a_file_that_is_no_receipt_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for (text, reason) in [
            ("{}", "missing field"),
            ("", "EOF"),
            (
                &receipt().to_json().replace("\"version\": 1", "\"version\": 7"),
                "version 7 is unknown",
            ),
            (&format!("{} {{}}", receipt().to_json()), "trailing characters"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = Receipt::load(&path).unwrap_err().to_string();
            assert!(
                message.contains("x.json is not a receipt: ") && message.contains(reason),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_altered_receipt_panics_or_verifies(at: prop::sample::Index, byte: u8) {
            let text = receipt().to_json();
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(altered) = Receipt::from_json(&bytes) {
                // Hexadecimal digits may change their case, blanks their kind.
                prop_assert!(altered == receipt_of(&text) || altered.verify(&TRIAL.consortium).is_err());
            }
        }
    }

    fn receipt_of(text: &str) -> Receipt {
        Receipt::from_json(text.as_bytes()).unwrap()
    }
}
