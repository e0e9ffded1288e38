//! What convolutions and pools stand on, against plain definitions, in both modes.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::{RowMap, Z64};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed, fixed_word};
use mpc_core::testing::{deal, reconstruct, run3};
use proptest::prelude::*;
use protocols::mul::matmul_scattered;
use protocols::tournament::tournament;
use protocols::verify::verify;
use std::sync::Arc;

/// Scale at which candidates are compared.
const SEEN: u32 = 13;

/// Runs a protocol on a sharing of `x`, and verifies it in the malicious mode.
fn on_shares<S: Security, F: Future<Output = Result<Vec<Arith<Z64>>>>>(
    seed: u64,
    shape: [usize; 2],
    x: &[u64],
    protocol: impl Fn(Ctx<S>, Arith<Z64>) -> F + Sync,
) -> Vec<Vec<u64>> {
    let x = deal(seed, shape, x);
    let results = run3::<S, _, _>(seed, |ctx| {
        let result = protocol(ctx.step("protocol"), x[ctx.party().index()].clone());
        async move {
            let result = result.await?;
            verify(&ctx).await?;
            Ok(result)
        }
    });
    let tensor = |at: usize| reconstruct(&results.each_ref().map(|tensors| tensors[at].clone()));
    (0..results[0].len()).map(tensor).collect()
}

fn scattered<S: Security>(
    seed: u64,
    [shape, y_shape]: [[usize; 2]; 2],
    [x, y]: [&[u64]; 2],
    map: &Arc<RowMap>,
) -> Vec<u64> {
    let y = deal(seed ^ 1, y_shape, y);
    let mut results = on_shares::<S, _>(seed, shape, x, |ctx, x| {
        let (y, map) = (y[ctx.party().index()].clone(), map.clone());
        async move { Ok(vec![matmul_scattered(&ctx, &x, &y, &map).await?]) }
    });
    results.remove(0)
}

/// The winners, and the bits of each level.
fn winners<S: Security>(
    seed: u64,
    shape: [usize; 2],
    words: &[u64],
    parts: usize,
    scale: u32,
) -> Vec<Vec<u64>> {
    on_shares::<S, _>(seed, shape, words, |ctx, x| async move {
        let winner = tournament(&ctx, &Fixed::new(x, scale), parts, SEEN).await?;
        Ok([vec![winner.value.share], winner.bits].concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Against a plain product whose rows are added up one element at a time.
    #[test]
    fn scattered_matrix_products(
        seed: u64,
        [shorts, parts, inner, cols] in prop::array::uniform4(1usize..6),
        places in prop::collection::vec(prop::option::of(0usize..7), 25),
        words in prop::collection::vec(any::<u64>(), 250),
    ) {
        let rows = shorts * parts;
        let (x, y) = (&words[..rows * inner], &words[125..125 + inner * cols]);
        let places = &places[..parts * cols];
        let map = Arc::new(RowMap::new(7, places.iter().copied()));
        let mut expected = vec![0u64; shorts * 7];
        for at in 0..rows * cols {
            let (row, col) = (at / cols, at % cols);
            let Some(place) = places[at % (parts * cols)] else { continue };
            let sum = &mut expected[at / (parts * cols) * 7 + place];
            for k in 0..inner {
                *sum = sum.wrapping_add(x[row * inner + k].wrapping_mul(y[k * cols + col]));
            }
        }
        let shapes = [[rows, inner], [inner, cols]];
        prop_assert_eq!(&scattered::<SemiHonest>(seed, shapes, [x, y], &map), &expected);
        prop_assert_eq!(&scattered::<Malicious>(seed, shapes, [x, y], &map), &expected);
    }

    /// Whatever the scale, the winner is the largest but for the rounding, and the bits lead
    /// back to it.
    #[test]
    fn tournaments(
        seed: u64,
        scale in 10u32..51,
        [rows, parts, lanes] in prop::array::uniform3(1usize..6),
    ) {
        let number = |at: usize| {
            let x = (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
            (x as f64 / 2f64.powi(53) - 0.5) * 500.0
        };
        let values: Vec<f64> = (0..rows * parts * lanes).map(number).collect();
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        let of_lane = |at: usize| {
            let (row, lane) = (at / lanes, at % lanes);
            (0..parts)
                .map(|part| values[row * parts * lanes + part * lanes + lane])
                .fold(f64::MIN, f64::max)
        };
        let expected: Vec<f64> = (0..rows * lanes).map(of_lane).collect();
        let close = |got: &[f64]| {
            let tolerance = 8.0 / 2f64.powi(scale.min(SEEN) as i32);
            got.len() == expected.len()
                && got.iter().zip(&expected).all(|(got, x)| (got - x).abs() < tolerance)
        };
        let shape = [rows, parts * lanes];
        let runs = [
            winners::<SemiHonest>(seed, shape, &words, parts, scale),
            winners::<Malicious>(seed, shape, &words, parts, scale),
        ];
        for run in runs {
            let real = |word: &u64| *word as i64 as f64 / 2f64.powi(scale as i32);
            let won: Vec<f64> = run[0].iter().map(real).collect();
            prop_assert!(close(&won), "{won:?} instead of {expected:?}");
            // The same tournament on the plain values, led by the bits.
            let mut left = values.clone();
            for bits in &run[1..] {
                prop_assert!(bits.iter().all(|bit| *bit < 2));
                let (matches, width) = (bits.len() / rows, left.len() / rows);
                let next = |at: usize| {
                    let (row, column) = (at / (width - matches), at % (width - matches));
                    let first = column < matches && bits[row * matches + column] == 1;
                    left[row * width + column + if first { 0 } else { matches }]
                };
                left = (0..rows * (width - matches)).map(next).collect();
            }
            prop_assert!(close(&left), "{left:?} instead of {expected:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_before_any_message() {
    on_shares::<SemiHonest, _>(1, [2, 3], &[1; 6], |ctx, x| async move {
        let y = x.reshape([3, 2])?;
        let map = |places: usize| Arc::new(RowMap::new(1, vec![Some(0); places]));
        let refused = |error: Error| assert!(matches!(error, Error::Shape { .. }), "{error}");
        refused(matmul_scattered(&ctx, &x, &x, &map(4)).await.unwrap_err());
        refused(matmul_scattered(&ctx, &x, &y, &map(3)).await.unwrap_err());
        refused(matmul_scattered(&ctx, &x, &y, &map(0)).await.unwrap_err());
        let parts = tournament(&ctx, &Fixed::new(x.clone(), 5), 2, SEEN).await;
        assert!(matches!(parts.map(|_| ()), Err(Error::Misuse(_))));
        Ok(vec![x])
    });
}
