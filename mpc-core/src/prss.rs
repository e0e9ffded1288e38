//! Correlated randomness without interaction, from pairwise PRF keys.
//!
//! Pseudo-random secret sharing (Cramer, Damgård, Ishai 2005): each pair of
//! parties shares a key, so each component of a replicated sharing can be drawn
//! by its two holders alone. Every draw has a key of its own, derived from the
//! pair's key, the step and a counter that never goes back in a session; pair
//! keys are bound to the session. So no stream is ever used twice.

use crate::ring::prg::Prg;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::cell::Cell;

/// The correlated randomness of one party in one session.
pub struct Prss {
    with_prev: Hmac<Sha256>,
    with_next: Hmac<Sha256>,
    draws: Cell<u64>,
}

/// One draw: a stream common with either neighbour.
pub struct Draw {
    /// Common with the previous party: drives the component `x_i` of `P_i`.
    pub with_prev: Prg,
    /// Common with the next party: drives the component `x_{i+1}` of `P_i`.
    pub with_next: Prg,
}

impl Prss {
    /// Takes the keys agreed with the two neighbours for this session alone.
    pub fn new(with_prev: &[u8; 32], with_next: &[u8; 32]) -> Prss {
        let keyed = |key: &[u8; 32]| Hmac::new_from_slice(key).expect("HMAC takes any key length");
        Prss { with_prev: keyed(with_prev), with_next: keyed(with_next), draws: Cell::new(0) }
    }

    /// The next draw, bound to a step.
    pub fn draw(&self, step: &[u8; 32]) -> Draw {
        let count = self.draws.replace(self.draws.get() + 1);
        let stream = |key: &Hmac<Sha256>| {
            let tag = key
                .clone()
                .chain_update(b"tercet prss v1")
                .chain_update(step)
                .chain_update(count.to_le_bytes())
                .finalize()
                .into_bytes();
            let key: &[u8; 16] = tag[..16].try_into().expect("16 of 32 bytes");
            Prg::new(key)
        };
        Draw { with_prev: stream(&self.with_prev), with_next: stream(&self.with_next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles for types that wipe themselves when they are dropped.
    fn wiped<T: zeroize::ZeroizeOnDrop>() {}

    #[test]
    fn the_hash_states_that_hold_the_keys_are_wiped_on_drop() {
        // An HMAC is two states of its hash, and has no marker of its own.
        wiped::<Sha256>();
    }
}
