//! Made-up numbers, and a party's shares of them: all parties know them.

use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::share::{Arith, Bin, Fixed, Words};
use mpc_core::testing::{deal, deal_bits};
use nn::blueprint::{Blueprint, Target};
use nn::train::{DATA_SCALE, Dataset};

/// Operands lie within plus and minus this.
const BOUND: u64 = 8;

/// Words that are shared at a time: the shares of all parties are made of these.
const DEALT: usize = 1 << 16;

/// One of three.
pub(super) fn own<T>(party: PartyId, [first, second, third]: [T; 3]) -> T {
    match party {
        PartyId::P0 => first,
        PartyId::P1 => second,
        PartyId::P2 => third,
    }
}

/// Numbers from -8 to 8.
pub(super) fn numbers(party: PartyId, seed: u64, shape: [usize; 2], scale: u32) -> Fixed {
    between(party, seed, shape, scale, [-(BOUND as i64), BOUND as i64])
}

/// Numbers within bounds.
pub(super) fn between(
    party: PartyId,
    seed: u64,
    shape: [usize; 2],
    scale: u32,
    [low, high]: [i64; 2],
) -> Fixed {
    let range = high.abs_diff(low) << scale;
    let spread = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % range;
    let values: Vec<u64> = (0..(shape[0] * shape[1]) as u64)
        .map(|i| spread(i + 1).wrapping_add((low << scale) as u64))
        .collect();
    Fixed::new(share_of(party, seed, shape, &values), scale)
}

/// Bits of so many words, one plane.
pub(super) fn bits(party: PartyId, seed: u64, lanes: usize) -> Bin {
    let words: Vec<u64> =
        (0..lanes.div_ceil(64) as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let mut words = words;
    if let (Some(last), rest @ 1..) = (words.last_mut(), lanes % 64) {
        *last &= (1 << rest) - 1;
    }
    own(party, deal_bits(seed, lanes, &words))
}

/// This party's share of known words.
pub(super) fn share_of(party: PartyId, seed: u64, shape: [usize; 2], values: &[u64]) -> Arith<Z64> {
    let mut components = [Words::zeroed(values.len()), Words::zeroed(values.len())];
    for (index, chunk) in values.chunks(DEALT).enumerate() {
        let seed = seed ^ ((index as u64) << 32);
        let part: Arith<Z64> = own(party, deal(seed, [1, chunk.len()], chunk));
        for (component, part) in components.iter_mut().zip([part.first(), part.second()]) {
            component[index * DEALT..][..chunk.len()].copy_from_slice(part);
        }
    }
    let [first, second] = components;
    Arith::from_components(shape, first, second)
}

/// Rows that fit a blueprint.
pub(super) fn dataset(party: PartyId, blueprint: &Blueprint) -> Dataset<Fixed> {
    let rows = blueprint.data().rows;
    let (inputs, outputs) = (blueprint.data().columns.len(), blueprint.data().target.columns());
    let pixels: Vec<u64> =
        (0..(rows * inputs) as u64).map(|i| (i * 7919) % (1 << DATA_SCALE)).collect();
    let features = Fixed::new(share_of(party, 1, [rows, inputs], &pixels), DATA_SCALE);
    let labels = match blueprint.data().target {
        Target::Classes(_) => {
            let one_hot = |i| u64::from(i / outputs % outputs == i % outputs);
            let labels: Vec<u64> = (0..rows * outputs).map(one_hot).collect();
            Fixed::new(share_of(party, 2, [rows, outputs], &labels), 0)
        }
        Target::Numbers(_) => between(party, 2, [rows, outputs], DATA_SCALE, [-1, 1]),
    };
    Dataset { features, labels }
}
