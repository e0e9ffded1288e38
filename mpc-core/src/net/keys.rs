//! A fresh key for each pair of parties, agreed over the links of a session.
//!
//! Ephemeral X25519 inside mutually authenticated links, HKDF-SHA-256 (RFC 5869)
//! for the key, and a confirmation in either direction. The key of a pair depends
//! on the session, the job, both party numbers and both public keys: whoever runs
//! another job, or had its messages changed, ends with an error and not with
//! randomness that does not fit.

use super::{Round, RoundTag, SessionId, Transport};
use crate::error::{Error, Misbehaviour, Result};
use crate::party::PartyId;
use crate::step::StepPath;
use hkdf::Hkdf;
use rand_core::TryCryptoRng;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Rounds that [`agree_keys`] takes; the rounds of the protocol are numbered from here.
pub const KEY_AGREEMENT_ROUNDS: u64 = 2;

const DOMAIN: &[u8] = b"tercet pair key v1";

/// A secret key of 32 bytes; erased from memory on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The keys that a party has in common with its two neighbours.
#[derive(Debug)]
pub struct PairKeys {
    /// Common with the previous party.
    pub with_prev: Key,
    /// Common with the next party.
    pub with_next: Key,
}

/// Agrees on a key with either neighbour, in rounds 0 and 1 of the session.
///
/// `binding` is what else the parties must have in common, for instance the digest
/// of the job. `rng` is the operating system's ([`getrandom::SysRng`]) except in
/// reproducible runs. Each party sends 64 bytes to either neighbour.
///
/// # Security
/// A key is known to its pair alone as long as the links are authenticated, also
/// if the certificates' keys leak later. Public keys of small order are refused.
///
/// # Errors
/// What the transport reports; `PeerMisbehaved` with `KeyNotConfirmed` if a
/// neighbour has another session or binding.
pub fn agree_keys<R: TryCryptoRng>(
    transport: &mut dyn Transport,
    binding: &[u8; 32],
    rng: &mut R,
) -> Result<PairKeys> {
    let (me, session) = (transport.party(), transport.session());
    let step = StepPath::root().child("key-agreement");

    // Round 0: a public key for either neighbour.
    let own = [secret(rng)?, secret(rng)?];
    let public = own.each_ref().map(PublicKey::from);
    let theirs =
        swap(transport, 0, &step.child("public-keys"), public.each_ref().map(PublicKey::as_bytes))?;
    let misbehaved =
        |peer: PartyId, kind| Error::PeerMisbehaved { peer, step: step.to_string(), kind };
    let derived = |side: usize, peer: PartyId, pair: [PartyId; 2]| {
        let shared = own[side].diffie_hellman(&PublicKey::from(theirs[side]));
        if !shared.was_contributory() {
            let kind = Misbehaviour::Malformed("a public key of small order");
            return Err(misbehaved(peer, kind));
        }
        let keys =
            pair.map(|party| if party == me { public[side].as_bytes() } else { &theirs[side] });
        Ok(Derived::new(session, binding, pair, keys, shared.as_bytes()))
    };
    let prev = derived(0, me.prev(), [me.prev(), me])?;
    let next = derived(1, me.next(), [me, me.next()])?;

    // Round 1: each shows that it has derived the key.
    let shown = swap(transport, 1, &step.child("confirmation"), [&prev.tags[1], &next.tags[0]])?;
    for (expected, shown, peer) in
        [(&prev.tags[0], &shown[0], me.prev()), (&next.tags[1], &shown[1], me.next())]
    {
        if !bool::from(expected.ct_eq(shown)) {
            return Err(misbehaved(peer, Misbehaviour::KeyNotConfirmed));
        }
    }
    Ok(PairKeys { with_prev: prev.key, with_next: next.key })
}

/// What a pair derives: its key, and the tags by which either proves to have it.
struct Derived {
    key: Key,
    /// Of the first party of the pair, and of the second.
    tags: [[u8; 32]; 2],
}

impl Derived {
    /// The pair is a party and its next one, the public keys are in that order.
    ///
    /// Expanding is an HMAC under the extracted secret, so a tag authenticates all
    /// that is listed here.
    fn new(
        session: SessionId,
        binding: &[u8; 32],
        [first, second]: [PartyId; 2],
        [first_key, second_key]: [&[u8; 32]; 2],
        shared: &[u8; 32],
    ) -> Derived {
        let hkdf = Hkdf::<Sha256>::new(Some(binding), shared);
        let expand = |purpose: &[u8], out: &mut [u8; 32]| {
            let parties = [first.into(), second.into()];
            hkdf.expand_multi_info(
                &[DOMAIN, &session.0, &parties, first_key, second_key, purpose],
                out,
            )
            .expect("HKDF gives 32 bytes");
        };
        let mut derived = Derived { key: Key([0; 32]), tags: [[0; 32]; 2] };
        expand(b"key", &mut derived.key.0);
        expand(b"tag of the first", &mut derived.tags[0]);
        expand(b"tag of the second", &mut derived.tags[1]);
        derived
    }
}

fn secret<R: TryCryptoRng>(rng: &mut R) -> Result<StaticSecret> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.try_fill_bytes(&mut *bytes)
        .map_err(|error| Error::Misuse(format!("no randomness for keys: {error}")))?;
    Ok(StaticSecret::from(*bytes))
}

/// One round of 32 bytes to and from either neighbour, previous and next.
fn swap(
    transport: &mut dyn Transport,
    round: u64,
    step: &StepPath,
    [to_prev, to_next]: [&[u8; 32]; 2],
) -> Result<[[u8; 32]; 2]> {
    let mut received = [[0; 32]; 2];
    let [from_prev, from_next] = &mut received;
    let tag = RoundTag { step: step.tag(), round, name: step };
    transport.exchange(tag, Round { to_prev, to_next, from_prev, from_next })?;
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{FRAME_HEADER_BYTES, LocalTransport, TamperedMessage, local_network};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use std::time::Duration;

    const SESSION: SessionId = SessionId([5; 16]);
    const JOB: [u8; 32] = [6; 32];

    /// Agrees at all three parties, with the bindings and seeds of each.
    fn agree(
        network: [LocalTransport; 3],
        bindings: [[u8; 32]; 3],
        seed: u64,
    ) -> [Result<PairKeys>; 3] {
        std::thread::scope(|scope| {
            network
                .map(|mut link| {
                    let me = link.party().index();
                    scope.spawn(move || {
                        let mut rng = ChaCha20Rng::seed_from_u64(seed * 3 + me as u64);
                        agree_keys(&mut link, &bindings[me], &mut rng)
                    })
                })
                .map(|thread| thread.join().expect("a party panicked"))
        })
    }

    fn network(session: SessionId) -> [LocalTransport; 3] {
        local_network(session, Duration::from_secs(60))
    }

    /// The keys of the pairs (0, 1), (1, 2), (2, 0).
    fn pair_keys(session: SessionId, binding: [u8; 32], seed: u64) -> [[u8; 32]; 3] {
        let keys = agree(network(session), [binding; 3], seed).map(|keys| keys.unwrap());
        for party in PartyId::ALL {
            let next = &keys[party.next().index()];
            assert_eq!(keys[party.index()].with_next.as_bytes(), next.with_prev.as_bytes());
        }
        keys.map(|keys| *keys.with_next.as_bytes())
    }

    #[test]
    fn each_pair_gets_a_key_of_its_own() {
        let mut all = Vec::new();
        all.extend(pair_keys(SESSION, JOB, 0));
        all.extend(pair_keys(SESSION, JOB, 1));
        all.extend(pair_keys(SessionId([0; 16]), JOB, 0));
        all.extend(pair_keys(SESSION, [0; 32], 0));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 12, "a key depends on pair, secrets, session and binding");
        assert_eq!(pair_keys(SESSION, JOB, 0), pair_keys(SESSION, JOB, 0));
    }

    #[test]
    fn the_generator_of_the_operating_system_gives_fresh_keys() {
        let run = || {
            std::thread::scope(|scope| {
                network(SESSION)
                    .map(|mut link| {
                        scope.spawn(move || {
                            agree_keys(&mut link, &JOB, &mut getrandom::SysRng).map(|keys| {
                                assert_eq!(link.traffic().rounds, KEY_AGREEMENT_ROUNDS);
                                assert_eq!(link.traffic().payload_bytes, 2 * 2 * 32);
                                *keys.with_prev.as_bytes()
                            })
                        })
                    })
                    .map(|thread| thread.join().expect("a party panicked").unwrap())
            })
        };
        assert_ne!(run(), run());
    }

    #[track_caller]
    fn assert_refused(result: &Result<PairKeys>, by: PartyId, expected: &Misbehaviour) {
        assert!(
            matches!(
                result,
                Err(Error::PeerMisbehaved { peer, kind, .. }) if *peer == by && kind == expected
            ),
            "{result:?}"
        );
    }

    #[test]
    fn a_party_with_another_job_is_named() {
        let [_, p1, p2] = agree(network(SESSION), [[0; 32], JOB, JOB], 0);
        assert_refused(&p1, PartyId::P0, &Misbehaviour::KeyNotConfirmed);
        assert_refused(&p2, PartyId::P0, &Misbehaviour::KeyNotConfirmed);
    }

    fn attacked(
        tamper: impl FnMut(&mut TamperedMessage<'_>) + Send + 'static,
    ) -> [Result<PairKeys>; 3] {
        let [p0, p1, p2] = network(SESSION);
        agree([p0.with_tamper(tamper), p1, p2], [JOB; 3], 0)
    }

    #[test]
    fn a_changed_public_key_or_tag_is_noticed() {
        for attacked_round in [0, 1] {
            let [_, p1, p2] = attacked(move |message| {
                if message.tag.round == attacked_round && message.to == PartyId::P1 {
                    message.frames[0][FRAME_HEADER_BYTES + 3] ^= 1;
                }
            });
            assert_refused(&p1, PartyId::P0, &Misbehaviour::KeyNotConfirmed);
            assert!(p2.is_ok(), "{p2:?}");
        }
    }

    #[test]
    fn public_keys_of_small_order_are_refused() {
        for low in [0, 1] {
            let [_, p1, _] = attacked(move |message| {
                let payload = &mut message.frames[0][FRAME_HEADER_BYTES..];
                payload.fill(0);
                payload[0] = low;
            });
            let kind = Misbehaviour::Malformed("a public key of small order");
            assert_refused(&p1, PartyId::P0, &kind);
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = PairKeys { with_prev: Key([171; 32]), with_next: Key([171; 32]) };
        let shown = format!("{keys:?}");
        assert_eq!(shown, "PairKeys { with_prev: Key(..), with_next: Key(..) }");
    }
}
