//! Checks of bounds against their plain definition, for any word.

use crate::run3;
use mpc_core::ring::Z64;
use mpc_core::ring::bits::{from_planes, to_planes};
use mpc_core::share::Bin;
use mpc_core::testing::{deal, deal_bits, reconstruct, reconstruct_bits};
use proptest::prelude::*;
use protocols::bounds::{beyond, none_set, not_a_bit, outside};

/// Words around the bounds, their images at a distance of powers of two, and any others.
fn words() -> impl Strategy<Value = Vec<u64>> {
    let near = (prop::sample::select(vec![0i64, 1 << 20, -(1 << 20), i64::MAX]), -2i64..=2);
    let word = prop_oneof![
        near.clone().prop_map(|(word, by)| word.wrapping_add(by) as u64),
        (near, 20u32..64).prop_map(|((word, by), bit)| (word.wrapping_add(by) as u64) ^ 1 << bit),
        any::<u64>(),
    ];
    prop::collection::vec(word, 1..80)
}

/// Whether any plane has the bit of a lane.
fn any_plane(shares: &[Bin; 3], lanes: usize) -> Vec<bool> {
    let planes = shares[0].planes();
    from_planes(&reconstruct_bits(shares), planes, lanes)
        .into_iter()
        .map(|bits| bits != 0)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_outside_is_found(seed: u64, words in words(), low in -(1i64 << 20)..1, width in 0i64..1 << 21) {
        let high = low + width;
        let x = deal::<Z64>(seed, [1, words.len()], &words);
        let found = run3(seed, |ctx| {
            let x = x[ctx.party().index()].clone();
            async move { outside(&ctx, &x, low, high).await }
        });
        let expected: Vec<bool> =
            words.iter().map(|&word| !(low..=high).contains(&(word as i64))).collect();
        prop_assert_eq!(any_plane(&found, words.len()), expected);
    }

    #[test]
    fn what_is_no_bit_is_found(seed: u64, words in words(), scale in prop_oneof![Just(0u32), Just(20), 0u32..=31]) {
        let mut words = words;
        words.extend([0, 1 << scale, 1 << (scale / 2), (1 << scale) ^ 1 << 63]);
        let x = deal::<Z64>(seed, [words.len(), 1], &words);
        let found = run3(seed, |ctx| {
            let x = x[ctx.party().index()].clone();
            async move { not_a_bit(&ctx, &x, scale).await }
        });
        let expected: Vec<bool> =
            words.iter().map(|&word| word != 0 && word != 1 << scale).collect();
        prop_assert_eq!(any_plane(&found, words.len()), expected);
    }

    #[test]
    fn what_is_beyond_its_bound_is_one(seed: u64, words in words(), bits in prop::collection::vec(0u32..=62, 80)) {
        let mut words = words;
        let bounds: Vec<u64> = (0..words.len() + 3).map(|at| 1 << bits[at % bits.len()]).collect();
        // The bound of the last three is met, just not met, and met below zero.
        let last = bounds[words.len()..].to_vec();
        words.extend([last[0], last[1] - 1, last[2].wrapping_neg()]);
        let x = deal::<Z64>(seed, [1, words.len()], &words);
        let found = run3(seed, |ctx| {
            let (x, bounds) = (x[ctx.party().index()].clone(), bounds.clone());
            async move { beyond(&ctx, &x, &bounds).await }
        });
        let expected: Vec<u64> = words
            .iter()
            .zip(&bounds)
            .map(|(&word, &bound)| u64::from((word as i64).unsigned_abs() >= bound))
            .collect();
        prop_assert_eq!(reconstruct(&found), expected);
    }

    #[test]
    fn one_set_bit_is_found(seed: u64, lanes in 1usize..200, planes in 1usize..5, pick: Option<prop::sample::Index>) {
        let mut values = vec![0; lanes];
        if let Some(pick) = pick {
            let bit = pick.index(lanes * planes);
            values[bit / planes] = 1 << (bit % planes);
        }
        let bits = deal_bits(seed, lanes, &to_planes(&values, planes));
        let none = run3(seed, |ctx| {
            let bits = bits[ctx.party().index()].clone();
            async move { none_set(&ctx, &bits).await }
        });
        prop_assert_eq!(reconstruct_bits(&none) == [u64::MAX], pick.is_none());
    }
}
