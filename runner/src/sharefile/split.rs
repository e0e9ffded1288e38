//! Splitting a data set into three share files.

use super::component::{Seed, WordHash};
use super::header::ring_bits;
use super::{DataSetId, KIND, Manifest, ShareError, ShareHeader};
use crate::consortium::Consortium;
use crate::digest::Digest;
use crate::encode::{DATA_SCALE, Encoded};
use crate::envelope::Sealer;
use crate::identity::{Identity, Name, Role};
use jiff::Timestamp;
use mpc_core::party::PartyId;
use rand_core::CryptoRng;
use std::io::Write;
use zeroize::Zeroizing;

/// Words that are computed at a time.
const BLOCK_WORDS: usize = 8192;

/// A data set and everything that its share files say about it.
#[derive(Debug)]
pub struct Sharing<'a> {
    /// The numbers to share.
    pub data: &'a Encoded,
    /// Digest of the schema by which they were encoded.
    pub schema: Digest,
    /// A name of the data set for people.
    pub name: Name,
    /// Who shares it: a member of the consortium.
    pub owner: &'a Identity,
    /// Whose parties it is shared among.
    pub consortium: &'a Consortium,
}

impl<'a> Sharing<'a> {
    /// How often the progress of [`Sharing::split`] and [`Split::write`] together
    /// is counted: twice a word.
    pub fn steps(&self) -> u64 {
        let columns = self.data.features().ncols() + self.data.labels().ncols();
        2 * (self.data.rows() * columns) as u64
    }

    /// Draws the random components and commits to them. `progress` is told how
    /// many words were worked through since it was called last.
    ///
    /// # Errors
    /// When the owner is no member, the data set is too large, or a number of it
    /// has no word.
    pub fn split(
        self,
        created: Timestamp,
        rng: &mut impl CryptoRng,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Split<'a>, ShareError> {
        let card = self.owner.card();
        let known = self.consortium.member(card.name()).map(|member| &member.card);
        if card.role() != Role::Member || !known.is_some_and(|known| known.same_identity(card)) {
            return Err(ShareError::NotAMember {
                name: card.name().clone(),
                consortium: self.consortium.name().to_owned(),
            });
        }
        let secrets =
            Secrets { seeds: [Seed::random(rng), Seed::random(rng)], blind: Seed::random(rng) };
        let mut hash = WordHash::default();
        secrets.explicit_words(self.data, &mut |bytes| {
            hash.update(bytes);
            progress(bytes.len() as u64 / 8);
            Ok(())
        })?;
        let components = [
            secrets.seeds[0].commitment(0),
            secrets.seeds[1].commitment(1),
            secrets.blind.blinded(2, hash),
        ];
        let manifest = Manifest {
            id: DataSetId::random(rng),
            name: self.name,
            owner: card.name().clone(),
            consortium: self.consortium.digest(),
            schema: self.schema,
            rows: self.data.rows() as u64,
            feature_columns: self.data.features().ncols() as u64,
            label_columns: self.data.labels().ncols() as u64,
            ring_bits: ring_bits(),
            scale: DATA_SCALE,
            created,
            components,
        };
        let manifest = manifest.checked().ok_or(ShareError::TooLarge)?;
        Ok(Split {
            data: self.data,
            owner: self.owner,
            consortium: self.consortium,
            secrets,
            manifest,
        })
    }
}

/// A data set that is split and can be written.
pub struct Split<'a> {
    data: &'a Encoded,
    owner: &'a Identity,
    consortium: &'a Consortium,
    secrets: Secrets,
    manifest: Manifest,
}

impl Split<'_> {
    /// What the share files say about the data set.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes the files of the three parties and returns the writers with the
    /// digests of the files.
    ///
    /// # Errors
    /// When a writer fails, a party's key is unusable or the system gives no
    /// randomness.
    pub fn write<W: Write>(
        self,
        outs: [W; 3],
        progress: &mut dyn FnMut(u64),
    ) -> Result<[(W, Digest); 3], ShareError> {
        let [out0, out1, out2] = outs;
        let [seed0, seed1] = &self.secrets.seeds;
        let mut file0 = self.sealer(PartyId::P0, out0)?;
        seed0.write(&mut file0)?;
        seed1.write(&mut file0)?;

        let mut file1 = self.sealer(PartyId::P1, out1)?;
        let mut file2 = self.sealer(PartyId::P2, out2)?;
        seed1.write(&mut file1)?;
        self.secrets.blind.write(&mut file1)?;
        self.secrets.blind.write(&mut file2)?;
        self.secrets.explicit_words(self.data, &mut |bytes| {
            file1.write(bytes)?;
            file2.write(bytes)?;
            progress(bytes.len() as u64 / 8);
            Ok(())
        })?;
        seed0.write(&mut file2)?;

        let signer = self.owner.signing_key();
        Ok([file0.finish(signer)?, file1.finish(signer)?, file2.finish(signer)?])
    }

    fn sealer<W: Write>(&self, party: PartyId, out: W) -> Result<Sealer<W>, ShareError> {
        let header = ShareHeader::new(party, self.manifest.clone());
        let recipient = self.consortium.party(party).card.encryption_key();
        Ok(Sealer::new(out, KIND, &header.to_json(), header.payload_length(), recipient)?)
    }
}

/// What the components are made of.
struct Secrets {
    /// Seeds of components 0 and 1.
    seeds: [Seed; 2],
    /// Blind of the commitment to component 2.
    blind: Seed,
}

impl Secrets {
    /// Computes component 2, `X - X_0 - X_1`, and passes it on in blocks of
    /// little-endian bytes. The blocks are wiped.
    fn explicit_words(
        &self,
        data: &Encoded,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ShareError>,
    ) -> Result<(), ShareError> {
        let [mut first, mut second] = [self.seeds[0].stream(), self.seeds[1].stream()];
        let mut block = Zeroizing::new(Vec::with_capacity(8 * BLOCK_WORDS));
        for word in data.words(DATA_SCALE) {
            let masked = word?.wrapping_sub(first.next_word()).wrapping_sub(second.next_word());
            block.extend_from_slice(&masked.to_le_bytes());
            if block.len() == 8 * BLOCK_WORDS {
                take(&block)?;
                block.clear();
            }
        }
        if block.is_empty() { Ok(()) } else { take(&block) }
    }
}
