//! Reading a share file: the header first, then who made it, then the shares.

use super::component::{self, held_by};
use super::{KIND, ShareFileError, ShareHeader};
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

    /// Verifies and decrypts the file, and checks the components against the commitments in the
    /// header.
    ///
    /// # Errors
    /// Those of [`ShareFile::verify`] and [`ShareFile::require_recipient`]; when
    /// the payload does not decrypt, or a component is not what was committed to.
    pub fn check(
        self,
        consortium: &Consortium,
        identity: &Identity,
    ) -> Result<ShareHeader, ShareFileError> {
        self.read_payload(consortium, identity, false, |_, _| Ok(()))
    }

    /// The same, and hands on the words of both components, one a cell of the tensor: first the
    /// one, then the other, some words at a time. They are what was committed to only if this
    /// succeeds.
    ///
    /// # Errors
    /// Those of [`ShareFile::check`] and of `take`.
    pub fn open_into<E: From<ShareFileError>>(
        self,
        consortium: &Consortium,
        identity: &Identity,
        take: impl FnMut(Held, &[u64]) -> Result<(), E>,
    ) -> Result<ShareHeader, E> {
        self.read_payload(consortium, identity, true, take)
    }

    /// The same, into memory, of a data set that should have so many words: a file of seeds is short
    /// however many it says.
    ///
    /// # Errors
    /// [`ShareFileError::Words`], before anything is allocated, and those of [`ShareFile::check`].
    pub fn open(
        self,
        consortium: &Consortium,
        identity: &Identity,
        words: usize,
    ) -> Result<Submission, ShareFileError> {
        let found = self.header.data_set.words();
        if found != words {
            return Err(ShareFileError::Words { expected: words, found });
        }
        let mut components = [Words::zeroed(words), Words::zeroed(words)];
        let mut filled = [0; 2];
        let header = self.open_into(consortium, identity, |held, words| {
            let start = filled[held as usize];
            filled[held as usize] += words.len();
            components[held as usize][start..filled[held as usize]].copy_from_slice(words);
            Ok::<_, ShareFileError>(())
        })?;
        Ok(Submission { header, components })
    }

    fn read_payload<E: From<ShareFileError>>(
        self,
        consortium: &Consortium,
        identity: &Identity,
        expand: bool,
        mut take: impl FnMut(Held, &[u64]) -> Result<(), E>,
    ) -> Result<ShareHeader, E> {
        let owner = self.owner(consortium)?;
        let (verifying_key, name) = (owner.verifying_key(), owner.name().as_str());
        self.envelope.verify(verifying_key, name).map_err(ShareFileError::from)?;
        self.require_recipient(consortium, identity.card())?;
        let opener = self.envelope.opener(verifying_key, name, identity.decryption_key());
        let mut opener = opener.map_err(ShareFileError::from)?;
        let (data_set, indices) = (&self.header.data_set, held_by(self.header.party));
        for (held, index) in [Held::First, Held::Second].into_iter().zip(indices) {
            let take = |words: &[u64]| take(held, words);
            let commitment = component::read(&mut opener, index, data_set.words(), expand, take)?;
            if !commitment.ct_eq(&data_set.components[index]) {
                let owner = owner.name().clone();
                return Err(ShareFileError::Commitment { owner, component: index }.into());
            }
        }
        opener.finish().map_err(ShareFileError::from)?;
        Ok(self.header)
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

/// One of the two components that a party holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// That with the party's own number.
    First,
    /// The next.
    Second,
}

/// What one party holds of a data set.
#[derive(Debug)]
pub struct Submission {
    header: ShareHeader,
    components: [Words; 2],
}

impl Submission {
    /// The verified header.
    pub fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The two components, one word a cell of the tensor: all features row by
    /// row, then all labels row by row.
    pub fn into_components(self) -> (Words, Words) {
        let [first, second] = self.components;
        (first, second)
    }
}
