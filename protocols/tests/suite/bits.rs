//! Sign, bit decomposition, AND and injection against the plain oracle.

use crate::run3;
use mpc_core::ring::bits::{from_planes, tail_mask, to_planes};
use mpc_core::ring::{Ring, Z2, Z64};
use mpc_core::share::Arith;
use mpc_core::testing::{deal, deal_bits, reconstruct, reconstruct_bits};
use proptest::prelude::*;
use protocols::and::{and, and_all};
use protocols::inject::inject;
use protocols::sign::{bit_decompose, sign};

/// Words with the extremes of every width among them.
fn words() -> impl Strategy<Value = Vec<u64>> {
    let extreme = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1 << 63),
        Just((1 << 63) - 1),
        Just((1 << 31) - 1),
        Just((-(1i64 << 31)) as u64),
        any::<u64>(),
        any::<u64>(),
    ];
    prop::collection::vec(extreme, 1..150)
}

fn at<T: Clone>(shares: &[T; 3], party: mpc_core::party::PartyId) -> T {
    shares[party.index()].clone()
}

fn check_sign<R: Ring>(seed: u64, values: &[u64], width: usize) {
    let x: [Arith<R>; 3] = deal(seed, [1, values.len()], values);
    let signs = run3(seed, |ctx| {
        let x = at(&x, ctx.party());
        async move { sign(&ctx, &x, width).await }
    });
    let bits = from_planes(&reconstruct_bits(&signs), 1, values.len());
    for (value, bit) in values.iter().zip(bits) {
        assert_eq!(bit, value >> (width - 1) & 1, "sign of {value:#x} at {width} bits");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sign_is_the_top_bit(seed: u64, values in words(), width in 2usize..=64) {
        check_sign::<Z64>(seed, &values, width);
    }

    #[test]
    fn sign_in_narrow_rings(seed: u64, values in words(), width in 2usize..=32) {
        check_sign::<Z2<32>>(seed, &values, width);
        check_sign::<Z2<52>>(seed, &values, width);
    }

    #[test]
    fn decomposition_gives_all_bits(seed: u64, values in words(), width in 2usize..=64) {
        let x: [Arith<Z64>; 3] = deal(seed, [1, values.len()], &values);
        let bits = run3(seed, |ctx| {
            let x = at(&x, ctx.party());
            async move { bit_decompose(&ctx, &x, width).await }
        });
        prop_assert_eq!(reconstruct_bits(&bits), to_planes(&values, width));
    }

    #[test]
    fn and_is_bitwise(seed: u64, planes in 1usize..6, lanes in 1usize..200) {
        let len = planes * lanes.div_ceil(64);
        let words = |salt: u64| -> Vec<u64> {
            let last = |at: usize| (at + 1).is_multiple_of(lanes.div_ceil(64));
            let mask = |at: usize| if last(at) { tail_mask(lanes) } else { u64::MAX };
            let mix = |at: usize| (seed ^ salt).wrapping_add(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (0..len).map(|at| mix(at) & mask(at)).collect()
        };
        let (x, y) = (words(1), words(2));
        let (xs, ys) = (deal_bits(seed, lanes, &x), deal_bits(seed ^ 1, lanes, &y));
        let z = run3(seed, |ctx| {
            let (x, y) = (at(&xs, ctx.party()), at(&ys, ctx.party()));
            async move { and(&ctx, &x, &y).await }
        });
        let expected: Vec<u64> = x.iter().zip(&y).map(|(x, y)| x & y).collect();
        prop_assert_eq!(reconstruct_bits(&z), expected);

        let all = run3(seed, |ctx| {
            let x = at(&xs, ctx.party());
            async move { and_all(&ctx, x).await }
        });
        let stride = lanes.div_ceil(64);
        let expected: Vec<u64> = (0..stride)
            .map(|at| (0..planes).fold(u64::MAX, |all, plane| all & x[plane * stride + at]))
            .collect();
        prop_assert_eq!(reconstruct_bits(&all), expected);
    }

    #[test]
    fn injection_scales_bits(seed: u64, lanes in 1usize..150, shift in 0u32..64) {
        let values: Vec<u64> = (0..lanes as u64).map(|i| (seed >> (i % 64)) & 3).collect();
        let bits = deal_bits(seed, lanes, &to_planes(&values, 2));
        let injected = run3(seed, |ctx| {
            let bits = at(&bits, ctx.party());
            async move { inject(&ctx, &bits, shift).await }
        });
        let words = reconstruct(&injected);
        for (lane, value) in values.iter().enumerate() {
            prop_assert_eq!(words[lane], (value & 1) << shift);
            prop_assert_eq!(words[lanes + lane], (value >> 1) << shift);
        }
    }
}
