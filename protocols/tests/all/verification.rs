//! Verification of products: honest runs pass, every additive error is caught, and it is
//! caught by the check that is meant to catch it.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, FailedCheck, Result};
use mpc_core::net::{SessionId, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::elementwise::{replicated_and, replicated_mul};
use mpc_core::ring::gemm::{Factor, MatRef, Reading, gemm_replicated_acc};
use mpc_core::ring::{RowMap, Z2, Z64};
use mpc_core::security::{Malicious, Product, Support};
use mpc_core::share::{Additive, AdditiveBits, Arith, Bin, Words};
use mpc_core::testing::{DEADLINE, deal, deal_bits, run3, run3_on};
use protocols::and::and;
use protocols::inject::inject;
use protocols::mul::{Operand, column_dot, matmul, matmul_scattered, mul, mul_multiples};
use protocols::open::open;
use protocols::reshare::{reshare, reshare_bits};
use protocols::sign::sign;
use protocols::verify::{DEGREE, verify, verify_in_degree};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::sync::Arc;

fn random_words(rng: &mut ChaCha20Rng, len: usize) -> Vec<u64> {
    (0..len).map(|_| rng.next_u64()).collect()
}

fn planes(seed: u64, lanes: usize, planes: usize) -> [Bin; 3] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut words = random_words(&mut rng, planes * lanes.div_ceil(64));
    let tail = mpc_core::ring::bits::tail_mask(lanes);
    for plane in words.chunks_exact_mut(lanes.div_ceil(64).max(1)) {
        *plane.last_mut().expect("not empty") &= tail;
    }
    deal_bits(seed, lanes, &words)
}

/// All kinds of products, of odd sizes and in two rings.
async fn all_kinds(ctx: &Ctx<Malicious>, seed: u64, sizes: [usize; 3]) -> Result<()> {
    let [rows, inner, cols] = sizes;
    let at = ctx.party().index();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut share = |shape: [usize; 2]| -> Arith<Z64> {
        let words = random_words(&mut rng, shape[0] * shape[1]);
        deal(seed, shape, &words)[at].clone()
    };
    let (x, y) = (share([rows, inner]), share([inner, cols]));
    let (u, v) = (share([rows, cols]), share([rows, cols]));
    matmul(&ctx.step("plain"), Operand::plain(&x), Operand::plain(&y)).await?;
    matmul(&ctx.step("left"), Operand::transposed(&u), Operand::plain(&x)).await?;
    matmul(&ctx.step("right"), Operand::plain(&u), Operand::transposed(&y)).await?;
    // Windows of two rows, the last column of the first lost, added up to one row less.
    let windows = (0..2 * cols).map(|at| (at + 1 != cols).then(|| at.saturating_sub(1)));
    let map = Arc::new(RowMap::new(2 * cols, windows));
    let twice = Arith::concat_rows(&[&x, &x])?;
    matmul_scattered(&ctx.step("scattered"), &twice, &y, &map).await?;
    mul(&ctx.step("single"), &u, &v).await?;
    mul(&ctx.step("narrow"), &u.reduce::<Z2<20>>(), &v.reduce::<Z2<20>>()).await?;
    mul_multiples(&ctx.step("multiples"), &u.scale(1 << 40), &v, 40).await?;
    column_dot(&ctx.step("dot"), &u, &v).await?;
    column_dot(&ctx.step("narrow dot"), &u.reduce::<Z2<52>>(), &v.reduce::<Z2<52>>()).await?;
    let (a, b) = (planes(seed, rows * cols, 3), planes(seed + 1, rows * cols, 3));
    and(&ctx.step("and"), &a[at], &b[at]).await?;
    Ok(())
}

#[test]
fn honest_runs_pass() {
    let sizes = [[1, 1, 1], [1, 3, 2], [7, 5, 3], [2, 64, 65], [31, 4, 33], [70, 9, 80]];
    for seed in 0..24 {
        let sizes = sizes[seed as usize % sizes.len()];
        run3::<Malicious, _, _>(seed, |ctx| async move {
            all_kinds(&ctx, seed, sizes).await?;
            verify(&ctx).await
        });
    }
}

/// Enough products for tables of five variables, with several blocks of columns.
#[test]
fn honest_runs_with_many_products_pass() {
    let n = 250_000;
    run3::<Malicious, _, _>(1, |ctx| async move {
        let at = ctx.party().index();
        let x: Arith<Z64> = deal(1, [n / 500, 500], &vec![3 << 40; n])[at].clone();
        let square = mul(&ctx.step("single"), &x, &x).await?;
        mul(&ctx.step("joined"), &x, &square.scale(3)).await?;
        column_dot(&ctx.step("dot"), &x, &x).await?;
        let bits = sign(&ctx.step("sign"), &x, 32).await?;
        inject(&ctx.step("inject"), &bits, 0).await?;
        verify(&ctx).await
    });
}

#[test]
fn nothing_to_verify_costs_nothing_and_openings_are_right() {
    let x = deal::<Z64>(5, [1, 3], &[1, 2, u64::MAX]);
    let opened = run3::<Malicious, _, _>(5, |ctx| {
        let x = x[ctx.party().index()].clone();
        async move {
            verify(&ctx).await?;
            let before = open(&ctx.step("before"), &x).await?;
            let square = mul(&ctx.step("square"), &x, &x).await?;
            let narrow = x.reduce::<Z2<10>>();
            let narrow = mul(&ctx.step("narrow"), &narrow, &narrow).await?;
            let after = open(&ctx.step("after"), &square).await?;
            Ok((before, after, open(&ctx.step("narrow"), &narrow).await?))
        }
    });
    for (before, after, narrow) in opened {
        assert_eq!(before, [1, 2, u64::MAX]);
        assert_eq!(after, [1, 4, 1]);
        assert_eq!(narrow, [1, 4, 1]);
    }
}

#[test]
fn empty_tensors_pass() {
    run3::<Malicious, _, _>(5, |ctx| async move {
        let (none, rows) = (Arith::<Z64>::zeros([0, 4]), Arith::<Z64>::zeros([4, 0]));
        mul(&ctx.step("single"), &none, &none).await?;
        column_dot(&ctx.step("dot"), &none, &none).await?;
        column_dot(&ctx.step("no dot"), &rows, &rows).await?;
        matmul(&ctx.step("outer"), Operand::plain(&none), Operand::plain(&rows)).await?;
        matmul(&ctx.step("inner"), Operand::plain(&rows), Operand::plain(&none)).await?;
        let bits = Bin::from_components(0, 2, Words::zeroed(0), Words::zeroed(0));
        and(&ctx.step("and"), &bits, &bits).await?;
        verify(&ctx).await
    });
}

#[test]
fn a_session_does_not_end_with_unverified_products() {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    for result in run3_on::<Malicious, _, _>(network, 1, |ctx| async move {
        let x = Arith::<Z64>::zeros([1, 1]);
        mul(&ctx, &x, &x).await
    }) {
        assert!(matches!(result, Err(Error::Misuse(_))), "{:?}", result.map(|_| ()));
    }
}

#[test]
fn two_openings_at_the_same_time_are_refused() {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    for result in run3_on::<Malicious, _, _>(network, 1, |ctx| async move {
        let x = Arith::<Z64>::zeros([1, 1]);
        let x = mul(&ctx, &x, &x).await?;
        let (one, two) = (ctx.step("one"), ctx.step("two"));
        futures_util::try_join!(open(&one, &x), open(&two, &x))
    }) {
        assert!(matches!(result, Err(Error::Misuse(_))), "{:?}", result.map(|_| ()));
    }
}

/// A long row of nine with repetitions and a hole.
fn overlapping() -> RowMap {
    RowMap::new(4, [Some(0), Some(1), None, Some(2), Some(2), Some(3), Some(0), Some(1), Some(3)])
}

/// A kind of product, computed by a party that adds an error to what it keeps and sends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Single,
    /// One of two products that have a factor in common.
    Joined,
    Narrow,
    Dot,
    Matrix,
    /// Of windows that are gathered where they are multiplied, on either side.
    Unfolded,
    Scattered,
    And,
}

/// One product of the given kind with an error in one element, whose re-sharing is consistent.
async fn lying_product(ctx: &Ctx<Malicious>, lie: Lie, error: u64, seed: u64) -> Result<()> {
    let at = ctx.party().index();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (shape, len) = ([3, 5], 15);
    let x: Arith<Z64> = deal(seed, shape, &random_words(&mut rng, len))[at].clone();
    let y: Arith<Z64> = deal(seed + 1, shape, &random_words(&mut rng, len))[at].clone();
    let position = rng.next_u64() as usize;
    let add_error = |local: &mut Words| {
        let position = position % local.len();
        local[position] = local[position].wrapping_add(error);
    };
    let mut local = Words::zeroed(len);
    replicated_mul(&mut local, x.first(), x.second(), y.first(), y.second());
    match lie {
        Lie::Single => {
            add_error(&mut local);
            let z = reshare::<_, Z64>(ctx, Additive::new(shape, local), 0).await?;
            let operands = [(&x).into(), (&y).into(), (&z).into()];
            ctx.record(|| Product::Elementwise { bits: 64, supports: [Support::ALL; 2], operands });
        }
        Lie::Joined => {
            // Enough for tables of one variable.
            let (shape, len) = ([3, 200], 600);
            let [x, y, z] = [0, 1, 2].map(|operand| -> Arith<Z64> {
                deal(seed + operand, shape, &random_words(&mut rng, len))[at].clone()
            });
            for (number, [x, y]) in [[&x, &y], [&y, &z]].into_iter().enumerate() {
                let mut local = Words::zeroed(len);
                replicated_mul(&mut local, x.first(), x.second(), y.first(), y.second());
                if number == seed as usize % 2 {
                    add_error(&mut local);
                }
                let step = ctx.step(["first", "second"][number]);
                let z = reshare::<_, Z64>(&step, Additive::new(shape, local), 0).await?;
                let (supports, operands) = ([Support::ALL; 2], [x.into(), y.into(), (&z).into()]);
                ctx.record(|| Product::Elementwise { bits: 64, supports, operands });
            }
        }
        Lie::Narrow => {
            // The highest bit that counts, where the error has the highest of all.
            local[position % len] = local[position % len].wrapping_add(error.min(1 << 39));
            let (x, y) = (x.reduce::<Z2<40>>(), y.reduce::<Z2<40>>());
            let z = reshare::<_, Z2<40>>(ctx, Additive::new(shape, local), 0).await?;
            let operands = [(&x).into(), (&y).into(), (&z).into()];
            ctx.record(|| Product::Elementwise { bits: 40, supports: [Support::ALL; 2], operands });
        }
        Lie::Dot => {
            let mut sums = Words::zeroed(5);
            for row in local.chunks_exact(5) {
                sums.iter_mut().zip(row).for_each(|(sum, z)| *sum = sum.wrapping_add(*z));
            }
            add_error(&mut sums);
            let z = reshare::<_, Z64>(ctx, Additive::new([1, 5], sums), 0).await?;
            let operands = [(&x).into(), (&y).into(), (&z).into()];
            ctx.record(|| Product::ColumnDot { bits: 64, operands });
        }
        Lie::Matrix => {
            let view = |words| MatRef::new(words, 3, 5);
            let mut local = Words::zeroed(9);
            let x_factors = [x.first(), x.second()].map(|x| Factor::from(view(x)));
            let y_factors = [y.first(), y.second()].map(|y| Factor::from(view(y).t()));
            gemm_replicated_acc(&mut local, x_factors, y_factors);
            add_error(&mut local);
            let z = reshare::<_, Z64>(ctx, Additive::new([3, 3], local), 0).await?;
            let operands = [(&x).into(), (&y).into(), (&z).into()];
            let (readings, scattered) = ([Reading::Plain, Reading::Transposed], None);
            ctx.record(|| Product::Matrix { bits: 64, readings, scattered, operands });
        }
        Lie::Unfolded => {
            let windows = (0..3).flat_map(|first| first..first + 3);
            let map = Arc::new(RowMap::new(5, windows.map(Some)));
            let windows = Reading::Unfolded { map, width: 3 };
            let other: Arith<Z64> = deal(seed, [3, 9], &random_words(&mut rng, 27))[at].clone();
            let (readings, [a, b]) = match seed % 2 {
                0 => ([windows, Reading::Transposed], [&x, &other.reshape([9, 3])?]),
                _ => ([Reading::Plain, windows], [&other, &x]),
            };
            let [rows, cols] = [readings[0].shape(a.shape())[0], readings[1].shape(b.shape())[1]];
            let mut local = Words::zeroed(rows * cols);
            let [left, right] = [(a, &readings[0]), (b, &readings[1])].map(|(of, reading)| {
                [of.first(), of.second()].map(|words| reading.factor(words, of.shape()))
            });
            gemm_replicated_acc(&mut local, left, right);
            add_error(&mut local);
            let z = reshare::<_, Z64>(ctx, Additive::new([rows, cols], local), 0).await?;
            let operands = [a.into(), b.into(), (&z).into()];
            ctx.record(|| Product::Matrix { bits: 64, readings, scattered: None, operands });
        }
        Lie::Scattered => {
            let view = |words| MatRef::new(words, 3, 5);
            let mut products = Words::zeroed(9);
            let x_factors = [x.first(), x.second()].map(|x| Factor::from(view(x)));
            let y_factors = [y.first(), y.second()].map(|y| Factor::from(view(y).t()));
            gemm_replicated_acc(&mut products, x_factors, y_factors);
            let map = overlapping();
            let mut local = Words::zeroed(map.short());
            map.scatter_add(&products, &mut local, u64::wrapping_add);
            add_error(&mut local);
            let z = reshare::<_, Z64>(ctx, Additive::new([1, map.short()], local), 0).await?;
            let operands = [(&x).into(), (&y).into(), (&z).into()];
            let readings = [Reading::Plain, Reading::Transposed];
            let scattered = Some(Arc::new(map));
            ctx.record(|| Product::Matrix { bits: 64, readings, scattered, operands });
        }
        Lie::And => {
            let (a, b) = (planes(seed, 64, 15)[at].clone(), planes(seed + 1, 64, 15)[at].clone());
            let mut local = Words::zeroed(15);
            replicated_and(&mut local, a.first(), a.second(), b.first(), b.second());
            local[position % 15] ^= error;
            let z = reshare_bits(ctx, AdditiveBits::new(64, 15, local)).await?;
            let (supports, operands) = ([Support::ALL; 2], [(&a).into(), (&b).into(), (&z).into()]);
            ctx.record(|| Product::And { supports, operands });
        }
    }
    Ok(())
}

/// What becomes of a run in which `cheat` lies once, among honest products.
fn lie_and_verify<const D: usize>(
    cheat: PartyId,
    lie: Lie,
    error: u64,
    seed: u64,
    around: bool,
) -> [Result<()>; 3] {
    let network = local_network(SessionId([0; 16]), DEADLINE);
    run3_on::<Malicious, _, _>(network, seed, |ctx| async move {
        if around {
            all_kinds(&ctx.step("before"), seed, [2, 3, 2]).await?;
        }
        let error = if ctx.party() == cheat { error } else { 0 };
        lying_product(&ctx.step("lie"), lie, error, seed).await?;
        verify_in_degree::<D, _>(&ctx).await
    })
    .map(|result| result.map(|_| ()))
}

#[test]
fn every_additive_error_is_caught() {
    let mut caught = 0;
    use Lie::{And, Dot, Joined, Matrix, Narrow, Scattered, Single, Unfolded};
    for lie in [Single, Joined, Narrow, Dot, Matrix, Unfolded, Scattered, And] {
        for error in [1, 1 << 32, 1 << 63] {
            for seed in 0..1000 {
                let cheat = PartyId::ALL[seed as usize % 3];
                let around = seed % 10 == 0;
                for result in lie_and_verify::<DEGREE>(cheat, lie, error, seed, around) {
                    let right =
                        matches!(result, Err(Error::Abort { kind: FailedCheck::Product, .. }));
                    assert!(right, "{lie:?} of {error} by {cheat}, seed {seed}: {result:?}");
                }
                caught += 1;
            }
        }
    }
    println!("additive errors: {caught} made, {caught} caught");
}

/// With 16 challenges instead of 2^48 errors do escape, and exactly as often as computed:
/// so it is the challenges that catch them.
#[test]
fn errors_escape_from_a_small_ring_as_often_as_predicted() {
    // 15 products make 15 columns. The error survives its column's challenge unless that is zero,
    // once in 16; the claim is the first, so it counts once. Two folds, in one and in three
    // variables, blame the last corner, which leaves the error times r_1 to r_4. Last, the
    // line through a wrong and a right product is right at 1, one of 15 points.
    let alive = (15.0f64 / 16.0).powi(1 + 4) * (14.0 / 15.0);
    for error in [1, 1 << 63] {
        let runs = 10_000;
        let escaped = (0..runs)
            .filter(|&seed| {
                let cheat = PartyId::ALL[seed as usize % 3];
                lie_and_verify::<4>(cheat, Lie::Single, error, seed, false)
                    .iter()
                    .all(Result::is_ok)
            })
            .count() as f64;
        let expected = (1.0 - alive) * runs as f64;
        let deviation = (expected * alive).sqrt();
        println!("error {error}: {escaped} of {runs} escaped, {expected:.0} expected");
        assert!((escaped - expected).abs() < 5.0 * deviation, "{escaped} instead of {expected}");
    }
}
