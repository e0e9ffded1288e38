//! Reading a share file: the header first, then who made it, then the shares.

use super::component::held_by;
use super::{Component, KIND, ShareFileError, ShareHeader};
use crate::consortium::Consortium;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::identity::{Card, Identity};
use mpc_core::share::Words;
use std::io::{Read, Seek};

/// A share file whose header was read, and nothing verified.
#[derive(Debug)]
pub struct ShareFile<R> {
    envelope: Envelope<R>,
    header: ShareHeader,
}

impl<R: Read + Seek> ShareFile<R> {
    /// Reads the file once, up to its end, and takes its header.
    ///
    /// # Errors
    /// When it is not exactly one share file with a well-formed header.
    pub fn read(reader: R) -> Result<Self, ShareFileError> {
        let envelope = Envelope::read(KIND, reader)?;
        let header = ShareHeader::from_json(envelope.header()).map_err(ShareFileError::Header)?;
        let (expected, found) = (header.payload_length(), envelope.payload_length());
        if expected != found {
            return Err(ShareFileError::Length { expected, found });
        }
        Ok(ShareFile { envelope, header })
    }

    /// The header; trust it only after [`ShareFile::verify`].
    pub fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// SHA-256 of the whole file.
    pub fn digest(&self) -> Digest {
        self.envelope.file_digest()
    }

    /// Verifies that the file belongs to this consortium and is signed by the
    /// member that it names as its owner. Needs no key.
    ///
    /// # Errors
    /// When the consortium is another, the owner unknown or the signature wrong.
    pub fn verify(&self, consortium: &Consortium) -> Result<(), ShareFileError> {
        let owner = self.owner(consortium)?;
        Ok(self.envelope.verify(owner.verifying_key(), owner.name().as_str())?)
    }

    /// Checks that the data set was encoded by the schema with this digest.
    ///
    /// # Errors
    /// [`ShareFileError::OtherSchema`].
    pub fn require_schema(&self, schema: Digest) -> Result<(), ShareFileError> {
        let found = self.header.data_set.schema;
        if found == schema {
            Ok(())
        } else {
            Err(ShareFileError::OtherSchema { expected: schema, found })
        }
    }

    /// Checks that the file is meant for the party with this card.
    ///
    /// # Errors
    /// [`ShareFileError::OtherParty`].
    pub fn require_recipient(
        &self,
        consortium: &Consortium,
        reader: &Card,
    ) -> Result<(), ShareFileError> {
        let meant = &consortium.party(self.header.party).card;
        if meant.same_identity(reader) {
            return Ok(());
        }
        Err(ShareFileError::OtherParty {
            party: self.header.party,
            name: meant.name().clone(),
            reader: reader.name().clone(),
        })
    }

    /// Verifies and decrypts the file, and checks the components against the
    /// commitments in the header.
    ///
    /// # Errors
    /// Those of [`ShareFile::verify`] and [`ShareFile::require_recipient`]; when
    /// the payload does not decrypt, or a component is not what was committed to.
    pub fn open(
        self,
        consortium: &Consortium,
        identity: &Identity,
    ) -> Result<Submission, ShareFileError> {
        let owner = self.owner(consortium)?;
        let (verifying_key, name) = (owner.verifying_key(), owner.name().as_str());
        self.envelope.verify(verifying_key, name)?;
        self.require_recipient(consortium, identity.card())?;
        let mut opener = self.envelope.opener(verifying_key, name, identity.decryption_key())?;
        let words = self.header.data_set.words();
        let mut component = |index: usize| -> Result<Component, ShareFileError> {
            let (component, commitment) = Component::read(&mut opener, index, words)?;
            if commitment.ct_eq(&self.header.data_set.components[index]) {
                Ok(component)
            } else {
                Err(ShareFileError::Commitment { owner: owner.name().clone(), component: index })
            }
        };
        let [first, second] = held_by(self.header.party);
        let (first, second) = (component(first)?, component(second)?);
        opener.finish()?;
        Ok(Submission { header: self.header, first, second })
    }

    fn owner<'c>(&self, consortium: &'c Consortium) -> Result<&'c Card, ShareFileError> {
        let data_set = &self.header.data_set;
        let ours = consortium.digest();
        if data_set.consortium != ours {
            return Err(ShareFileError::OtherConsortium { ours, found: data_set.consortium });
        }
        match consortium.member(&data_set.owner) {
            Some(member) => Ok(&member.card),
            None => Err(ShareFileError::UnknownOwner(data_set.owner.clone())),
        }
    }
}

/// What one party holds of a data set.
#[derive(Debug)]
pub struct Submission {
    header: ShareHeader,
    first: Component,
    second: Component,
}

impl Submission {
    /// The verified header.
    pub fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The two components, one word a cell of the tensor: all features row by
    /// row, then all labels row by row.
    pub fn into_components(self) -> (Words, Words) {
        let words = self.header.data_set.words();
        (self.first.into_words(words), self.second.into_words(words))
    }
}
