//! Three parties in one process, for tests and in-process benches.
//!
//! Everything is derived from a seed; a party that waits in vain fails at the
//! deadline instead of hanging the test.

pub mod adversary;
mod lying;

pub use lying::{Liar, Lie, Lying};

use crate::ctx::Ctx;
use crate::error::Result;
use crate::exec::{Outcome, Session};
use crate::net::{SessionId, Transport, local_network};
use crate::party::PartyId;
use crate::prss::Prss;
use crate::ring::Ring;
use crate::ring::bits::tail_mask;
use crate::security::Security;
use crate::share::{Arith, Bin, Words};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// How long a party waits for a message before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Runs one program at three parties and returns what each got.
///
/// # Panics
/// If any party fails; the message holds the seed.
pub fn run3<S, T, F>(seed: u64, program: impl Fn(Ctx<S>) -> F + Sync) -> [T; 3]
where
    S: Security,
    T: Send,
    F: Future<Output = Result<T>>,
{
    run3_with_cost(seed, program).map(|(value, _)| value)
}

/// Like [`run3`], with rounds and bytes of each party.
///
/// # Panics
/// If any party fails; the message holds the seed.
pub fn run3_with_cost<S, T, F>(seed: u64, program: impl Fn(Ctx<S>) -> F + Sync) -> [(T, Outcome); 3]
where
    S: Security,
    T: Send,
    F: Future<Output = Result<T>>,
{
    let network = local_network(SessionId([0; 16]), DEADLINE);
    run3_on(network, seed, program).map(|result| match result {
        Ok(value) => value,
        Err(error) => panic!("seed {seed}: {error}"),
    })
}

/// Runs one program at three parties over a given network, for instance one that
/// tampers with messages, and returns what became of each.
pub fn run3_on<S, T, F>(
    network: [impl Transport; 3],
    seed: u64,
    program: impl Fn(Ctx<S>) -> F + Sync,
) -> [Result<(T, Outcome)>; 3]
where
    S: Security,
    T: Send,
    F: Future<Output = Result<T>>,
{
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keys: [[u8; 32]; 3] = std::array::from_fn(|_| random(&mut rng));
    std::thread::scope(|scope| {
        let program = &program;
        let parties = network.map(|mut transport| {
            // Key i is common to party i and its previous party.
            let party = transport.party();
            let prss = Prss::new(&keys[party.index()], &keys[party.next().index()]);
            scope.spawn(move || Session::new(&mut transport, prss, 0).run(program))
        });
        parties.map(|party| party.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn random(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Three words that add up to `value`, two of them random.
fn split(rng: &mut ChaCha20Rng, value: u64) -> [u64; 3] {
    let [a, b] = [rng.next_u64(), rng.next_u64()];
    [a, b, value.wrapping_sub(a).wrapping_sub(b)]
}

/// The shares of the three parties of a matrix, from random components.
pub fn deal<R: Ring>(seed: u64, shape: [usize; 2], values: &[u64]) -> [Arith<R>; 3] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0x6465_616c);
    let split: Vec<[u64; 3]> = values.iter().map(|&x| split(&mut rng, x)).collect();
    deal_components(shape, &split)
}

/// The shares of the three parties from given components.
pub fn deal_components<R: Ring>(shape: [usize; 2], components: &[[u64; 3]]) -> [Arith<R>; 3] {
    let words = |component: PartyId| -> Words {
        components.iter().map(|x| x[component.index()] & R::MASK).collect()
    };
    PartyId::ALL.map(|p| Arith::from_components(shape, words(p), words(p.next())))
}

/// The shares of the three parties of bit planes, from random components.
pub fn deal_bits(seed: u64, lanes: usize, planes: &[u64]) -> [Bin; 3] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0x6269_7473);
    let stride = lanes.div_ceil(64);
    let count = planes.len() / stride.max(1);
    let tail = tail_mask(lanes);
    let mut components = [const { Vec::new() }; 3];
    for (at, plane) in planes.iter().enumerate() {
        let mask = if (at + 1) % stride == 0 { tail } else { u64::MAX };
        let [a, b] = [rng.next_u64() & mask, rng.next_u64() & mask];
        components[0].push(a);
        components[1].push(b);
        components[2].push(plane ^ a ^ b);
    }
    let words = |component: PartyId| Words::from(components[component.index()].clone());
    PartyId::ALL.map(|p| Bin::from_components(lanes, count, words(p), words(p.next())))
}

/// Adds up the shares of the three parties, modulo the ring.
///
/// # Panics
/// If the two holders of a component disagree on it.
pub fn reconstruct<R: Ring>(shares: &[Arith<R>; 3]) -> Vec<u64> {
    for party in PartyId::ALL {
        let (mine, theirs) = (&shares[party.index()], &shares[party.next().index()]);
        assert_eq!(mine.shape(), theirs.shape(), "shapes of {party} and the next differ");
        let same = mine.second().iter().zip(theirs.first()).all(|(a, b)| (a ^ b) & R::MASK == 0);
        assert!(same, "{party} and the next party disagree on their common component");
    }
    let sum = |at: usize| shares.iter().fold(0, |s: u64, x| s.wrapping_add(x.first()[at]));
    (0..shares[0].len()).map(|at| sum(at) & R::MASK).collect()
}

/// The planes of the three parties' shares put together.
///
/// # Panics
/// If the two holders of a component disagree on it.
pub fn reconstruct_bits(shares: &[Bin; 3]) -> Vec<u64> {
    for party in PartyId::ALL {
        let (mine, theirs) = (&shares[party.index()], &shares[party.next().index()]);
        assert!(mine.second() == theirs.first(), "{party} and the next party disagree");
    }
    let [a, b, c] = shares;
    a.first().iter().zip(b.first()).zip(c.first()).map(|((a, b), c)| a ^ b ^ c).collect()
}
