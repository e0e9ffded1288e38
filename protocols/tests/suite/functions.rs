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
use protocols::exp::exp_neg;
use protocols::inv_sqrt::inv_sqrt;
use protocols::max::max_of_rows;
use protocols::reciprocal::{RECIPROCAL_SCALE, reciprocal};
use protocols::relu::relu;
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
    fn sigmoid_of_any(seed: u64, mut values in prop::collection::vec(-20.0..20.0f64, 1..60)) {
        values.extend([0.0, -0.001, 0.001, 1000.0, -1000.0, 16.0, -16.0]);
        let got = compute(seed, [1, values.len()], 40, &values, |ctx, x| async move {
            sigmoid(&ctx, &x).await
        });
        let expected: Vec<f64> = values.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        close(&got, &expected, 1.5e-4);
    }

    #[test]
    fn inverse_square_root_of_any_size(seed: u64, exponents in prop::collection::vec(-18.0..1.9f64, 1..30)) {
        let values: Vec<f64> =
            exponents.iter().chain(&[0.0, -18.0]).map(|x| 2f64.powf(*x)).collect();
        let got = compute(seed, [1, values.len()], 30, &values, |ctx, x| async move {
            inv_sqrt(&ctx, &x, 24).await
        });
        for (x, got) in values.iter().zip(got) {
            let exact = 1.0 / (x * 2f64.powi(30)).round().max(1.0).sqrt() * 2f64.powi(15);
            prop_assert!((got / exact - 1.0).abs() < 2e-5, "1/sqrt({x}) = {exact}, got {got}");
        }
    }
}
