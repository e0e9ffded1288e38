//! What can be wrong with making and reading share files.

use crate::digest::Digest;
use crate::encode::WordError;
use crate::envelope::EnvelopeError;
use crate::failure::Explain;
use crate::files::FileError;
use crate::identity::Name;
use mpc_core::party::PartyId;

/// Why a data set could not be shared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The identity is none of the consortium's members.
    #[error("{name} is not a member of the consortium '{consortium}'")]
    NotAMember {
        /// Name of the identity.
        name: Name,
        /// Name of the consortium.
        consortium: String,
    },
    /// The data set has more numbers than a share file holds.
    #[error("the data set has more than {} numbers", super::MAX_WORDS)]
    TooLarge,
    /// A number of the data set has no word in the ring.
    #[error(transparent)]
    Word(#[from] WordError),
    /// A file could not be encrypted or written.
    #[error("cannot make the share files: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A file could not be created or given its name.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Explain for ShareError {
    fn hint(&self) -> Option<String> {
        match self {
            ShareError::NotAMember { .. } => Some(
                "use the key file of a member listed in consortium.toml (not that of a party)"
                    .into(),
            ),
            ShareError::TooLarge => Some("split the file and share its parts one by one".into()),
            ShareError::Word(_) => None,
            ShareError::Envelope(error) => error.hint(),
            ShareError::File(error) => error.hint(),
        }
    }
}

/// Why a share file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareFileError {
    /// The file is damaged, not signed by its owner or not for this key.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The header is not as it should be.
    #[error("the header of the share file is malformed: {0}")]
    Header(String),
    /// The payload cannot hold what the header announces.
    #[error("the payload has {found} bytes, but the header announces data of {expected} bytes")]
    Length {
        /// Bytes that the header announces.
        expected: u64,
        /// Bytes of the payload.
        found: u64,
    },
    /// The data set is larger or smaller than what it is for.
    #[error("the data set has {found} numbers, but {expected} are needed")]
    Words {
        /// Numbers that are needed.
        expected: usize,
        /// Numbers that the header announces.
        found: usize,
    },
    /// The file was made for another consortium, or before its members or keys changed.
    #[error(
        "the share file belongs to another consortium (digest {}, ours is {})",
        found.short(), ours.short()
    )]
    OtherConsortium {
        /// Digest of the reader's consortium.
        ours: Digest,
        /// Digest in the file.
        found: Digest,
    },
    /// The owner is not a member of the consortium.
    #[error("the share file names {0} as its owner, who is not a member of the consortium")]
    UnknownOwner(Name),
    /// The file is for another party.
    #[error("the share file is meant for {name} ({party}), not for {reader}")]
    OtherParty {
        /// The party that it is meant for.
        party: PartyId,
        /// Name of that party.
        name: Name,
        /// Who tried to use it.
        reader: Name,
    },
    /// The data set was encoded by another schema.
    #[error(
        "the share file was made by another schema (digest {}, needed is {})",
        found.short(), expected.short()
    )]
    OtherSchema {
        /// Digest of the schema that is needed.
        expected: Digest,
        /// Digest in the file.
        found: Digest,
    },
    /// The owner put another component into the file than it committed to.
    #[error("component {component} in the share file is not the one that {owner} committed to")]
    Commitment {
        /// The member who made the file.
        owner: Name,
        /// Which component.
        component: usize,
    },
}

impl Explain for ShareFileError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            ShareFileError::Envelope(error) => return error.hint(),
            ShareFileError::Header(_)
            | ShareFileError::Length { .. }
            | ShareFileError::Words { .. }
            | ShareFileError::Commitment { .. } => {
                "the owner should make the share files again with `tercet share`"
            }
            ShareFileError::OtherConsortium { .. } => {
                "compare consortium.toml with the owner's; share again if members or keys changed"
            }
            ShareFileError::UnknownOwner(_) => "ask for a consortium.toml that lists this member",
            ShareFileError::OtherParty { .. } => {
                "send each party the file that has its number in the name"
            }
            ShareFileError::OtherSchema { .. } => {
                "agree on one schema.toml (`tercet schema --check` prints its digest) and share again"
            }
        };
        Some(hint.into())
    }
}
