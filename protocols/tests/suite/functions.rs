//! ReLU, maximum, exponential, reciprocal, softmax, sigmoid and inverse square root
//! against their plain definitions, with random shares.

use crate::{Mode, run3};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::Z64;
use mpc_core::share::{Arith, Fixed, fixed_word};
use mpc_core::testing::{deal, reconstruct};
use proptest::prelude::*;
use protocols::argmax::argmax_of_rows;
use protocols::concordance::concordance;
use protocols::exp::exp_neg;
use protocols::inv_sqrt::inv_sqrt;
use protocols::log_sum_exp::log_sum_exp;
use protocols::max::max_of_rows;
use protocols::one_hot::one_hot;
use protocols::reciprocal::{RECIPROCAL_SCALE, reciprocal};
use protocols::relu::{positive_part, relu};
use protocols::sigmoid::sigmoid;
use protocols::softmax::softmax;

/// Runs a function on the shares of `values` and gives the reals.
fn compute<F: Future<Output = Result<Fixed>>>(
    seed: u64,
    shape: [usize; 2],
    scale: u32,
    values: &[f64],
    function: impl Fn(Ctx<Mode>, Fixed) -> F + Sync,
) -> Vec<f64> {
    let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
    let x: [Arith<Z64>; 3] = deal(seed, shape, &words);
    let results = run3(seed, |ctx| {
        let x = Fixed::new(x[ctx.party().index()].clone(), scale);
        function(ctx, x)
    });
    let scale = results[0].scale;
    let words = reconstruct(&results.map(|y| y.share));
    words.iter().map(|&w| w as i64 as f64 / 2f64.powi(scale as i32)).collect()
}

fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "element {at}: {got} instead of {expected}");
    }
}

/// Numbers below 1000 in magnitude, all different at 13 bits or with many ties.
fn mixed(seed: u64, count: usize, ties: bool) -> Vec<f64> {
    let number = |at| {
        let x = (seed.wrapping_add(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64;
        let x = if ties { x % 3.0 } else { x / 1e4 - 800.0 };
        (x * 8192.0).round() / 8192.0
    };
    (0..count).map(number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn relu_at_any_scale(
        seed: u64,
        from in 14u32..52,
        to in 13u32..17,
        values in prop::collection::vec(-500.0..500.0f64, 1..90),
    ) {
        prop_assume!(from.abs_diff(to) > 0);
        let got = compute(seed, [1, values.len()], from, &values, |ctx, x| async move {
            Ok(relu(&ctx, &x, to).await?.0)
        });
        let expected: Vec<f64> = values.iter().map(|x| x.max(0.0)).collect();
        close(&got, &expected, 2.0 / 2f64.powi(to.min(from) as i32));
    }

    #[test]
    fn positive_part_of_any_size(
        seed: u64,
        mut words in prop::collection::vec(any::<i64>(), 1..90),
        small in prop::collection::vec(-9i64..9, 1..9),
    ) {
        words.extend(small.into_iter().chain([0, 1, -1, i64::MAX, i64::MIN + 1]));
        let unsigned: Vec<u64> = words.iter().map(|&x| x as u64).collect();
        let x: [Arith<Z64>; 3] = deal(seed, [1, words.len()], &unsigned);
        let results = run3(seed, |ctx| {
            let x = x[ctx.party().index()].clone();
            async move { positive_part(&ctx, &x).await }
        });
        let expected: Vec<u64> = words.iter().map(|&x| x.max(0) as u64).collect();
        prop_assert_eq!(reconstruct(&results), expected);
    }

    #[test]
    fn relu_bits(seed: u64, values in prop::collection::vec(-500.0..500.0f64, 1..90)) {
        let got = compute(seed, [1, values.len()], 40, &values, |ctx, x| async move {
            Ok(Fixed::new(relu(&ctx, &x, 13).await?.1, 0))
        });
        for (x, bit) in values.iter().zip(got) {
            let expected = if *x >= 0.0 { 1.0 } else { 0.0 };
            prop_assert!(x.abs() < 0.001 || bit == expected, "bit of {x} is {bit}");
        }
    }

    #[test]
    fn maximum_of_rows(seed: u64, rows in 1usize..7, cols in 1usize..40, ties: bool) {
        let values = mixed(seed, rows * cols, ties);
        let got = compute(seed, [rows, cols], 13, &values, |ctx, x| async move {
            Ok(Fixed::new(max_of_rows(&ctx, &x.share).await?, x.scale))
        });
        let expected: Vec<f64> =
            values.chunks(cols).map(|row| row.iter().fold(f64::MIN, |m, x| m.max(*x))).collect();
        close(&got, &expected, 1e-3);
    }

    #[test]
    fn place_of_the_maximum(seed: u64, rows in 1usize..7, cols in 1usize..290, ties: bool) {
        let values = mixed(seed, rows * cols, ties);
        let got = compute(seed, [rows, cols], 13, &values, |ctx, x| async move {
            Ok(Fixed::new(argmax_of_rows(&ctx, &x.share).await?, 0))
        });
        let first_largest = |row: &[f64]| {
            (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
        };
        let expected: Vec<f64> = values.chunks(cols).map(|row| first_largest(row) as f64).collect();
        close(&got, &expected, 0.0);
    }

    #[test]
    fn exponential(seed: u64, mut values in prop::collection::vec(0.0..20.0f64, 1..60)) {
        values.extend([0.0, 1.0, 15.999, 16.0, 16.001, 300.0, 16000.0]);
        let got = compute(seed, [1, values.len()], 16, &values, |ctx, x| async move {
            exp_neg(&ctx, &x).await
        });
        let expected: Vec<f64> = values.iter().map(|x| (-x).exp()).collect();
        close(&got, &expected, 1e-4);
    }

    #[test]
    fn reciprocal_in_range(seed: u64, max in 2.0..100.0f64, parts in prop::collection::vec(0.0..1.0f64, 1..60)) {
        let values: Vec<f64> =
            parts.iter().chain(&[0.0, 1.0]).map(|part| 1.0 + part * (max - 1.0)).collect();
        let got =
            compute(seed, [1, values.len()], RECIPROCAL_SCALE, &values, |ctx, x| async move {
                reciprocal(&ctx, &x, max).await
            });
        let expected: Vec<f64> = values.iter().map(|x| 1.0 / x).collect();
        close(&got, &expected, 3e-5 + 2e-6 * max);
    }

    #[test]
    fn softmax_of_rows(
        seed: u64,
        spread in 0.1..400.0f64,
        rows in 1usize..12,
        cols in 1usize..24,
    ) {
        let values: Vec<f64> = (0..rows * cols)
            .map(|at| {
                let x = (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
                (x as f64 / 2f64.powi(53) - 0.5) * spread
            })
            .collect();
        let got = compute(seed, [rows, cols], 30, &values, |ctx, x| async move {
            softmax(&ctx, &x).await
        });
        let mut expected = Vec::new();
        for row in values.chunks(cols) {
            let max = row.iter().fold(f64::MIN, |m, x| m.max(*x));
            let sum: f64 = row.iter().map(|x| (x - max).exp()).sum();
            expected.extend(row.iter().map(|x| (x - max).exp() / sum));
        }
        close(&got, &expected, 2e-4);
    }

    #[test]
    fn logarithm_of_a_sum(seed: u64, spread in 0.1..400.0f64, rows in 1usize..9, cols in 1usize..40) {
        let values: Vec<f64> =
            mixed(seed, rows * cols, false).iter().map(|x| x / 1000.0 * spread).collect();
        let got = compute(seed, [rows, cols], 30, &values, |ctx, x| async move {
            log_sum_exp(&ctx, &x).await
        });
        let expected: Vec<f64> = values
            .chunks(cols)
            .map(|row| {
                let max = row.iter().fold(f64::MIN, |m, x| m.max(*x));
                max + row.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
            })
            .collect();
        close(&got, &expected, 1e-4 + 2e-5 * cols as f64);
    }

    #[test]
    fn one_of_columns(seed: u64, cols in 1usize..40, places in prop::collection::vec(0usize..40, 1..50)) {
        let places: Vec<usize> = places.iter().map(|place| place % cols).collect();
        let values: Vec<f64> = places.iter().map(|&place| place as f64).collect();
        let got = compute(seed, [places.len(), 1], 0, &values, |ctx, x| async move {
            Ok(Fixed::new(one_hot(&ctx, &x.share, cols).await?, 0))
        });
        let expected: Vec<f64> = places
            .iter()
            .flat_map(|&place| (0..cols).map(move |column| f64::from(column == place)))
            .collect();
        close(&got, &expected, 0.0);
    }

    #[test]
    fn rightly_ranked_pairs(seed: u64, rows in 1usize..60, ties: bool, bits: u64) {
        let scores = mixed(seed, rows, ties);
        let labels: Vec<u64> = (0..rows).map(|row| bits.rotate_left(row as u32) & 1).collect();
        let shared: [Arith<Z64>; 3] = deal(seed ^ 1, [rows, 1], &labels);
        let got = compute(seed, [rows, 1], 13, &scores, |ctx, x| {
            let labels = shared[ctx.party().index()].clone();
            async move { Ok(Fixed::new(concordance(&ctx, &x.share, &labels).await?, 0)) }
        });
        let pairs = (0..rows).flat_map(|a| (0..rows).map(move |b| (a, b)));
        let right = pairs.filter(|&(a, b)| {
            let higher = scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
            labels[a] == 1 && labels[b] == 0 && higher
        });
        close(&got, &[right.count() as f64], 0.0);
    }

    #[test]
    fn sigmoid_of_any(seed: u64, mut values in prop::collection::vec(-20.0..20.0f64, 1..60)) {
        values.extend([0.0, -0.001, 0.001, 1000.0, -1000.0, 16.0, -16.0]);
        let got = compute(seed, [1, values.len()], 40, &values, |ctx, x| async move {
            sigmoid(&ctx, &x).await
        });
        let expected: Vec<f64> = values.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        close(&got, &expected, 1.5e-4);
    }

    #[test]
    fn inverse_square_root_of_any_size(
        seed: u64,
        (from, to) in prop::sample::select(vec![(30, 24), (44, 20), (54, 24)]),
        exponents in prop::collection::vec(-18.0..1.9f64, 1..30),
    ) {
        // The least value is one of 2^-36, but at least one unit in the last place.
        let least = -f64::from(from).min(36.0);
        let exponents = exponents.iter().map(|x| if *x < 0.0 { x * -least / 18.0 } else { *x });
        let values: Vec<f64> = exponents.chain([0.0, least, 1.999]).map(f64::exp2).collect();
        let got = compute(seed, [1, values.len()], from, &values, |ctx, x| async move {
            inv_sqrt(&ctx, &x, to).await
        });
        for (x, got) in values.iter().zip(got) {
            let unit = 2f64.powi(from as i32);
            let exact = 1.0 / ((x * unit).round() / unit).sqrt();
            prop_assert!((got / exact - 1.0).abs() < 2e-5, "1/sqrt({x}) = {exact}, got {got}");
        }
    }
}
