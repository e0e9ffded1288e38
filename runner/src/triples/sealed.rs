//! Blocks at rest: encrypted and authenticated with the party's own keys.
//!
//! A block lies in an [`envelope`](crate::envelope) from the party to itself, whose header
//! names stock and number: it can be neither read nor altered nor put in another's place
//! without the key file.

use crate::digest::{Canonical, Digest};
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::identity::Identity;
use mpc_core::error::Error;
use protocols::beaver::stock::{Block, Needs};

/// Kind of the envelope.
const KIND: &str = "triples";

/// Why a stored block cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// It is not an envelope of this party, or it was altered.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is a block of another stock or number.
    #[error("another block lies in its place")]
    Misplaced,
    /// It does not hold what a block of its stock holds.
    #[error(transparent)]
    Content(Error),
}

/// Encrypts a block for this party alone.
///
/// # Errors
/// When the system gives no randomness.
pub fn seal(
    identity: &Identity,
    stock: &Digest,
    number: u64,
    block: &Block,
) -> Result<Vec<u8>, BlockError> {
    let (recipient, signer) = (identity.card().encryption_key(), identity.signing_key());
    let header = header(stock, number);
    Ok(envelope::seal(KIND, &header.0, &block.to_bytes(), recipient, signer)?)
}

/// Decrypts a block that [`seal`] made.
///
/// # Errors
/// When it was altered, or is not the block that is asked for.
pub fn open(
    identity: &Identity,
    stock: &Digest,
    number: u64,
    needs: &Needs,
    bytes: &[u8],
) -> Result<Block, BlockError> {
    let envelope = Envelope::parse(KIND, bytes)?;
    let (name, card) = (identity.name().as_str(), identity.card());
    let block = envelope.open(card.verifying_key(), name, identity.decryption_key())?;
    if envelope.header() != header(stock, number).0 {
        return Err(BlockError::Misplaced);
    }
    Block::from_bytes(needs, &block).map_err(BlockError::Content)
}

/// What an envelope says that it holds.
fn header(stock: &Digest, number: u64) -> Digest {
    Canonical::new("tercet/block/1").bytes(&stock.0).number(number).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Role, Validity};
    use mpc_core::triples::ProductShape;

    fn identity(name: &str) -> Identity {
        let validity = Validity::days_from_now(9);
        Identity::generate(name.parse().unwrap(), Role::Party, validity).unwrap()
    }

    #[test]
    fn a_block_opens_for_its_party_in_its_place_and_not_when_altered() {
        let (own, other) = (identity("alpha"), identity("beta"));
        let mut needs = Needs::default();
        needs.add(ProductShape::Elementwise([3, 4]));
        let bytes: Vec<u8> = (0..needs.block_bytes()).map(|at| at as u8).collect();
        let block = Block::from_bytes(&needs, &bytes).unwrap();
        let stock = Digest([5; 32]);
        let sealed = seal(&own, &stock, 7, &block).unwrap();
        assert!(!sealed.windows(16).any(|window| window == &bytes[..16]), "it is encrypted");
        let opened = open(&own, &stock, 7, &needs, &sealed).unwrap();
        assert_eq!(*opened.to_bytes(), bytes);

        let refused = |result: Result<Block, BlockError>| result.map(|_| ()).unwrap_err();
        let misplaced = [(stock, 8), (Digest([6; 32]), 7)];
        for (stock, number) in misplaced {
            let refused = refused(open(&own, &stock, number, &needs, &sealed));
            assert!(matches!(refused, BlockError::Misplaced), "{refused}");
        }
        assert!(matches!(
            refused(open(&other, &stock, 7, &needs, &sealed)),
            BlockError::Envelope(EnvelopeError::Signature(_))
        ));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&own, &stock, 7, &needs, &altered).is_err(), "byte {at}");
        }
        needs.add(ProductShape::Elementwise([1, 1]));
        let refused = refused(open(&own, &stock, 7, &needs, &sealed));
        assert!(matches!(refused, BlockError::Content(_)), "{refused}");
    }
}
