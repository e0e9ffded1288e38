//! Products, inputs and openings against the plain oracle, in several rings.

use crate::run3;
use mpc_core::error::Error;
use mpc_core::party::PartyId;
use mpc_core::ring::{Ring, Z2, Z64};
use mpc_core::share::Arith;
use mpc_core::testing::{deal, reconstruct};
use proptest::prelude::*;
use protocols::input::input;
use protocols::mul::{Operand, column_dot, matmul, mul, mul_multiples};
use protocols::open::open;

/// Words with the extremes among them.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), Just((1 << 52) - 1), any::<u64>()]
}

/// Two matrices of `rows x cols`.
fn pair() -> impl Strategy<Value = ([usize; 2], Vec<u64>, Vec<u64>)> {
    (1usize..9, 1usize..9).prop_flat_map(|(rows, cols)| {
        let words = || prop::collection::vec(word(), rows * cols);
        (Just([rows, cols]), words(), words())
    })
}

fn at<R: Ring>(shares: &[Arith<R>; 3], party: PartyId) -> Arith<R> {
    shares[party.index()].clone()
}

fn check_ring<R: Ring>(seed: u64, shape: [usize; 2], x: &[u64], y: &[u64]) {
    let (xs, ys) = (deal::<R>(seed, shape, x), deal::<R>(seed ^ 1, shape, y));
    let [products, dots, opened] = [0, 1, 2].map(|which| {
        let z = run3(seed, |ctx| {
            let (x, y) = (at(&xs, ctx.party()), at(&ys, ctx.party()));
            async move {
                match which {
                    0 => mul(&ctx, &x, &y).await,
                    1 => column_dot(&ctx, &x, &y).await,
                    _ => {
                        let words = open(&ctx, &x).await?;
                        Ok(Arith::public(ctx.party(), shape, words))
                    }
                }
            }
        });
        reconstruct(&z)
    });
    let product = |at: usize| x[at].wrapping_mul(y[at]);
    let cols = shape[1];
    assert_eq!(products, (0..x.len()).map(|at| product(at) & R::MASK).collect::<Vec<_>>());
    let column =
        |c: usize| (c..x.len()).step_by(cols).fold(0u64, |s, at| s.wrapping_add(product(at)));
    assert_eq!(dots, (0..cols).map(|c| column(c) & R::MASK).collect::<Vec<_>>());
    assert_eq!(opened, x.iter().map(|x| x & R::MASK).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn elementwise_dot_and_open(seed: u64, (shape, x, y) in pair()) {
        check_ring::<Z64>(seed, shape, &x, &y);
        check_ring::<Z2<52>>(seed, shape, &x, &y);
        check_ring::<Z2<32>>(seed, shape, &x, &y);
        check_ring::<Z2<1>>(seed, shape, &x, &y);
    }

    #[test]
    fn multiples_of_a_power_of_two(seed: u64, (shape, x, y) in pair(), granularity in 0u32..64) {
        let scaled: Vec<u64> = x.iter().map(|x| x << granularity).collect();
        let (xs, ys) = (deal::<Z64>(seed, shape, &x), deal::<Z64>(seed ^ 1, shape, &y));
        let z = run3(seed, |ctx| {
            let (x, y) = (at(&xs, ctx.party()), at(&ys, ctx.party()));
            async move { mul_multiples(&ctx, &x.scale(1 << granularity), &y, granularity).await }
        });
        let expected: Vec<u64> = scaled.iter().zip(&y).map(|(x, y)| x.wrapping_mul(*y)).collect();
        prop_assert_eq!(reconstruct(&z), expected);
    }

    #[test]
    fn matrix_products(
        seed: u64,
        [rows, inner, cols] in prop::array::uniform3(1usize..12),
        transposed: [bool; 2],
        words in prop::collection::vec(word(), 288),
    ) {
        let (x, y) = (&words[..rows * inner], &words[144..144 + inner * cols]);
        let shape = |[r, c]: [usize; 2], transposed| if transposed { [c, r] } else { [r, c] };
        // The same words, read as stored: transposed operands are stored the other way.
        let (x_shape, y_shape) = (shape([rows, inner], transposed[0]), shape([inner, cols], transposed[1]));
        let (xs, ys) = (deal::<Z64>(seed, x_shape, x), deal::<Z64>(seed ^ 1, y_shape, y));
        let z = run3(seed, |ctx| {
            let (x, y) = (at(&xs, ctx.party()), at(&ys, ctx.party()));
            async move {
                let operand = |share, transposed| {
                    if transposed { Operand::transposed(share) } else { Operand::plain(share) }
                };
                matmul(&ctx, operand(&x, transposed[0]), operand(&y, transposed[1])).await
            }
        });
        let element = |m: &[u64], [r, c]: [usize; 2], [_, width]: [usize; 2], transposed: bool| {
            if transposed { m[c * width + r] } else { m[r * width + c] }
        };
        let expected: Vec<u64> = (0..rows * cols)
            .map(|at| {
                let (r, c) = (at / cols, at % cols);
                (0..inner).fold(0u64, |sum, k| {
                    let left = element(x, [r, k], x_shape, transposed[0]);
                    let right = element(y, [k, c], y_shape, transposed[1]);
                    sum.wrapping_add(left.wrapping_mul(right))
                })
            })
            .collect();
        prop_assert_eq!(reconstruct(&z), expected);
    }

    #[test]
    fn inputs_of_each_party(seed: u64, values in prop::collection::vec(word(), 1..40), owner in 0u8..3) {
        let owner = PartyId::try_from(owner).unwrap();
        let x = run3(seed, |ctx| {
            let own = (ctx.party() == owner).then(|| values.clone());
            let shape = [1, values.len()];
            async move { input::<_, Z64>(&ctx, owner, shape, own.as_deref()).await }
        });
        prop_assert_eq!(reconstruct(&x), values);
    }
}

#[test]
fn operands_that_do_not_fit_are_refused_before_any_message() {
    let x = deal::<Z64>(1, [2, 3], &[1; 6]);
    run3(1, |ctx| {
        let x = at(&x, ctx.party());
        async move {
            let refused = |error: Error| assert!(matches!(error, Error::Shape { .. }), "{error}");
            refused(mul(&ctx, &x, &x.transpose()).await.unwrap_err());
            refused(column_dot(&ctx, &x, &x.transpose()).await.unwrap_err());
            refused(matmul(&ctx, Operand::plain(&x), Operand::plain(&x)).await.unwrap_err());
            Ok(())
        }
    });
}
