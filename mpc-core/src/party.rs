//! The three compute parties and the ring they sit on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the three compute parties P0, P1, P2.
///
/// The parties sit on a ring: the next of P2 is P0. A replicated share of
/// `x = x_0 + x_1 + x_2` held by `P_i` is the pair `(x_i, x_{i+1})`, so
/// component `x_i` is known to `P_i` and to its previous party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum PartyId {
    /// The first party.
    P0,
    /// The second party.
    P1,
    /// The third party.
    P2,
}

impl PartyId {
    /// All parties, in order.
    pub const ALL: [PartyId; 3] = [PartyId::P0, PartyId::P1, PartyId::P2];

    /// The number of the party: 0, 1 or 2.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The party that follows on the ring.
    pub const fn next(self) -> PartyId {
        match self {
            PartyId::P0 => PartyId::P1,
            PartyId::P1 => PartyId::P2,
            PartyId::P2 => PartyId::P0,
        }
    }

    /// The party that precedes on the ring.
    pub const fn prev(self) -> PartyId {
        self.next().next()
    }
}

/// A number that names no party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no party {0}: parties are 0, 1 and 2")]
pub struct NoSuchParty(pub u8);

impl TryFrom<u8> for PartyId {
    type Error = NoSuchParty;
    fn try_from(n: u8) -> Result<Self, NoSuchParty> {
        match n {
            0 => Ok(PartyId::P0),
            1 => Ok(PartyId::P1),
            2 => Ok(PartyId::P2),
            n => Err(NoSuchParty(n)),
        }
    }
}

impl From<PartyId> for u8 {
    fn from(party: PartyId) -> u8 {
        party as u8
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "party {}", self.index())
    }
}
