//! Why an envelope could not be made or opened.

use crate::failure::Explain;
use std::io;

/// Why an envelope could not be made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The file does not begin like an envelope of this version.
    #[error("this is not a sealed file of a known version")]
    Unknown,
    /// The envelope is of another kind.
    #[error("this is a `{found}` file, but a `{expected}` file is needed")]
    Kind {
        /// The kind that is needed.
        expected: &'static str,
        /// The kind that was found.
        found: String,
    },
    /// The file ends too early.
    #[error("the file was cut short: it ends after {length} bytes, inside its {part}")]
    CutShort {
        /// Length of the file.
        length: u64,
        /// The part that is incomplete.
        part: &'static str,
    },
    /// Something follows the last part.
    #[error("{0} bytes follow the end of the sealed data")]
    Trailing(u64),
    /// The signature is not one of the stated sender over this content.
    #[error("the signature of {0} does not verify: the file was altered, or someone else made it")]
    Signature(String),
    /// The payload is not for the holder of this key.
    #[error("the payload cannot be opened with this key: it is encrypted to someone else")]
    NotForThisKey,
    /// The sender signed a payload that does not decrypt, or is not what was announced.
    #[error("the payload is not sealed as its sender states; it was made wrongly")]
    Inconsistent,
    /// A part is longer than any honest file's.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// The recipient's key or the system's randomness cannot be used.
    #[error("cannot encrypt: {0}")]
    Encryption(String),
    /// The file could not be read or written.
    #[error("{message}")]
    Io {
        /// What sort of error the system reported.
        kind: io::ErrorKind,
        /// What the system reported.
        message: String,
    },
}

impl From<io::Error> for EnvelopeError {
    fn from(error: io::Error) -> Self {
        EnvelopeError::Io { kind: error.kind(), message: error.to_string() }
    }
}

impl Explain for EnvelopeError {
    fn hint(&self) -> Option<String> {
        match self {
            EnvelopeError::CutShort { .. }
            | EnvelopeError::Trailing(_)
            | EnvelopeError::Signature(_)
            | EnvelopeError::Inconsistent => Some("ask the sender for the file again".into()),
            EnvelopeError::NotForThisKey => {
                Some("check that the file is meant for this party or member".into())
            }
            EnvelopeError::Io { kind: io::ErrorKind::StorageFull, .. } => {
                Some("free some space on that disk and try again".into())
            }
            _ => None,
        }
    }
}
