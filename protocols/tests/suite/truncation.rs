//! Truncation: error bounds, bias, and never a wrap, for any sharing.

use crate::run3;
use mpc_core::ring::Z64;
use mpc_core::testing::{deal, deal_components, reconstruct};
use proptest::prelude::*;
use protocols::trunc::truncate;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

fn truncated(seed: u64, x: &[mpc_core::share::Arith<Z64>; 3], f: u32) -> Vec<u64> {
    reconstruct(&run3(seed, |ctx| {
        let x = x[ctx.party().index()].clone();
        async move { truncate(&ctx, &x, f).await }
    }))
}

/// `|result - z / 2^f|` in units of the last place.
fn error(z: i64, result: u64, f: u32) -> f64 {
    let exact = (z as i128) << 1;
    let twice = (result as i64 as i128) << (f + 1);
    (twice - exact) as f64 / 2f64.powi(f as i32 + 1)
}

const LIMIT: i64 = (1 << 61) - (1 << 45);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn error_is_below_one_and_a_half_units(seed: u64, f in 1u32..=44, base in -LIMIT..LIMIT) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let values: Vec<i64> = [base, 0, 1, -1, LIMIT, -LIMIT]
            .into_iter()
            .chain((0..60).map(|_| (rng.next_u64() as i64 % LIMIT) >> (rng.next_u32() % 60)))
            .collect();
        let words: Vec<u64> = values.iter().map(|&z| z as u64).collect();
        let results = truncated(seed, &deal(seed, [1, words.len()], &words), f);
        for (z, result) in values.into_iter().zip(results) {
            let error = error(z, result, f);
            prop_assert!(error.abs() < 1.5 + 1e-9, "{z} by {f}: error {error}");
        }
    }

    /// Components at the corners, where wraps are decided.
    #[test]
    fn extreme_components(f in 1u32..=44, picks in prop::collection::vec((0usize..6, 0usize..6), 40)) {
        let corner = [0, u64::MAX, 1 << 62, (1 << 62) - 1, 3 << 62, (3 << 62) - 1];
        let values: Vec<i64> = picks.iter().map(|(a, b)| (corner[*a] ^ corner[*b]) as i64 % LIMIT).collect();
        let parts: Vec<[u64; 3]> = picks.iter().zip(&values).map(|((a, b), z)| {
            [corner[*a], corner[*b], (*z as u64).wrapping_sub(corner[*a]).wrapping_sub(corner[*b])]
        }).collect();
        let results = truncated(7, &deal_components([1, parts.len()], &parts), f);
        for (z, result) in values.into_iter().zip(results) {
            prop_assert!(error(z, result, f).abs() < 1.5 + 1e-9);
        }
    }
}

/// 10^7 truncations of values at the limit of the range: a wrap would be off by 2^(64-f).
#[test]
fn millions_of_truncations_without_a_wrap_or_bias() {
    let (chunks, chunk, f) = (40, 250_000, 16);
    let (mut sum, mut worst) = (0.0, 0.0f64);
    for seed in 0..chunks {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let values: Vec<u64> = (0..chunk).map(|_| (rng.next_u64() as i64 % LIMIT) as u64).collect();
        let results = truncated(seed, &deal(seed, [1, chunk], &values), f);
        for (z, result) in values.iter().zip(results) {
            let error = error(*z as i64, result, f);
            sum += error;
            worst = worst.max(error.abs());
        }
    }
    let count = (chunks as usize * chunk) as f64;
    let mean = sum / count;
    assert!(worst < 1.5 + 1e-9, "worst error {worst}");
    // The error has deviation 1/2: the mean lies within 6 sigma of zero.
    assert!(mean.abs() < 3.0 / count.sqrt(), "mean error {mean}");
}
