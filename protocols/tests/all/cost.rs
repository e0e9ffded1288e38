//! What each protocol sends, to the byte: the figures of `docs/PROTOCOLS.md`.
//!
//! The benches' regression gate is here: whoever makes a protocol chattier has to change
//! this table.

use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::{RowMap, Z2, Z64};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Bin, Fixed};
use mpc_core::testing::{deal, deal_bits, run3_with_cost};
use protocols::and::{and, and_all};
use protocols::argmax::argmax_of_rows;
use protocols::bounds::{beyond, none_set, not_a_bit, outside};
use protocols::carry::{all_carries, carry_out};
use protocols::concordance::concordance;
use protocols::exp::exp_neg;
use protocols::inject::inject;
use protocols::input::input;
use protocols::inv_sqrt::inv_sqrt;
use protocols::log_sum_exp::log_sum_exp;
use protocols::max::max_of_rows;
use protocols::mul::{Operand, column_dot, matmul, matmul_scattered, mul, mul_multiples};
use protocols::one_hot::one_hot;
use protocols::open::open;
use protocols::reciprocal::{RECIPROCAL_SCALE, reciprocal};
use protocols::relu::{positive_part, relu};
use protocols::sigmoid::sigmoid;
use protocols::sign::{bit_decompose, sign};
use protocols::softmax::softmax;
use protocols::tournament::tournament;
use protocols::trunc::{rescale, truncate};
use std::sync::Arc;

/// Elements, a multiple of 64 so that planes need no padding, and of 3 so that thirds do not.
const N: usize = 1920;

/// Rounds, and bits an element that the three parties send together.
#[derive(Debug, PartialEq)]
struct Cost {
    rounds: u64,
    bits: f64,
}

/// The cost of a protocol in which each party sends `bits` bits an element.
fn each(rounds: u64, bits: f64) -> Cost {
    Cost { rounds, bits: 3.0 * bits }
}

/// The cost of a protocol in which the parties together send `bits` bits an element.
fn all(rounds: u64, bits: f64) -> Cost {
    Cost { rounds, bits }
}

/// The cost of a protocol on [`N`] elements of value 1 in a matrix of `cols` columns.
fn cost<T: Send, F: Future<Output = Result<T>>>(
    cols: usize,
    protocol: impl Fn(Ctx<SemiHonest>, Arith<Z64>) -> F + Sync,
) -> Cost {
    cost_in(cols, protocol)
}

/// The same in either mode, without the verification in the malicious one.
fn cost_in<S: Security, T: Send, F: Future<Output = Result<T>>>(
    cols: usize,
    protocol: impl Fn(Ctx<S>, Arith<Z64>) -> F + Sync,
) -> Cost {
    let x = deal(1, [N / cols, cols], &[1; N]);
    let outcomes = run3_with_cost::<S, _, _>(2, |ctx| {
        let x = x[ctx.party().index()].clone();
        let result = protocol(ctx.step("protocol"), x);
        async move {
            let result = result.await?;
            ctx.begin_verification()?;
            ctx.end_verification();
            Ok(result)
        }
    });
    let traffic = outcomes.map(|(_, outcome)| outcome.traffic);
    let bytes: u64 = traffic.iter().map(|t| t.payload_bytes).sum();
    let rounds = traffic.iter().map(|t| t.rounds).max().expect("three parties");
    Cost { rounds, bits: bytes as f64 * 8.0 / N as f64 }
}

fn planes(party: PartyId, count: usize) -> Bin {
    let words = vec![0x5555_5555_5555_5555; count * N / 64];
    deal_bits(3, N, &words)[party.index()].clone()
}

#[test]
fn products() {
    let plain = cost(10, |ctx, x| async move { mul(&ctx, &x, &x).await });
    assert_eq!(plain, each(1, 64.0));
    let narrow = cost(10, |ctx, x| async move {
        let x = x.reduce::<Z2<52>>();
        mul(&ctx, &x, &x).await
    });
    assert_eq!(narrow, each(1, 52.0));
    let multiples =
        cost(10, |ctx, x| async move { mul_multiples(&ctx, &x.scale(1 << 48), &x, 48).await });
    assert_eq!(multiples, each(1, 16.0));
    let dots = cost(10, |ctx, x| async move { column_dot(&ctx, &x, &x).await });
    assert_eq!(dots, all(1, 1.0));
    let matrix = cost(10, |ctx, x| async move {
        matmul(&ctx, Operand::transposed(&x), Operand::plain(&x)).await
    });
    assert_eq!(matrix, all(1, 10.0));
    // Two rows of the product, 20 elements, are added up to one row of 10.
    let map = Arc::new(RowMap::new(10, (0..20).map(|at| Some(at % 10))));
    let scattered = cost(10, |ctx, x| {
        let map = map.clone();
        async move {
            let y = x.select_rows(&(0..10).collect::<Vec<_>>())?;
            matmul_scattered(&ctx, &x, &y, &map).await
        }
    });
    assert_eq!(scattered, each(1, 64.0 / 2.0));
}

#[test]
fn opening_and_input() {
    assert_eq!(cost(1, |ctx, x| async move { open(&ctx, &x).await }), each(1, 64.0));
    let owner = cost(1, |ctx, _| async move {
        let values = (ctx.party() == PartyId::P1).then_some([7; N]);
        let values = values.as_ref().map(|values| values.as_slice());
        input::<_, Z64>(&ctx, PartyId::P1, [1, N], values).await
    });
    assert_eq!(owner, all(1, 64.0));
}

#[test]
fn bits() {
    let ands = |count| {
        cost(1, move |ctx, _| async move {
            let x = planes(ctx.party(), count);
            and(&ctx, &x, &x).await
        })
    };
    assert_eq!(ands(1), each(1, 1.0));
    assert_eq!(ands(9), each(1, 9.0));
    let conjunction = cost(1, |ctx, _| async move {
        let x = planes(ctx.party(), 9);
        and_all(&ctx, x).await
    });
    assert_eq!(conjunction, each(4, 8.0));
    let carry = cost(1, |ctx, _| async move {
        let x = planes(ctx.party(), 30);
        carry_out(&ctx, &x, &x).await
    });
    assert_eq!(carry, each(5, (29 + 13 + 7 + 3 + 1) as f64));
    let carries = cost(1, |ctx, _| async move {
        let x = planes(ctx.party(), 16);
        all_carries(&ctx, x.clone(), x).await
    });
    assert_eq!(carries, each(4, (15 + 14 + 14 + 12 + 12 + 8 + 8) as f64));
    let injected = |shift| {
        cost(1, move |ctx, _| async move {
            let x = planes(ctx.party(), 1);
            inject(&ctx, &x, shift).await
        })
    };
    assert_eq!(injected(0), each(2, 64.0));
    assert_eq!(injected(48), each(2, 16.0));
}

#[test]
fn comparison_and_truncation() {
    let signs = |width| cost(1, move |ctx, x| async move { sign(&ctx, &x, width).await });
    // A third of the carries and two thirds of the products are 31, and the tree has 55.
    assert_eq!(signs(32), each(7, 31.0 + 55.0));
    assert_eq!(signs(64), each(8, 63.0 + 118.0));
    let decomposed = cost(1, |ctx, x| async move { bit_decompose(&ctx, &x, 20).await });
    assert_eq!(decomposed, each(7, 19.0 + 110.0));
    let truncated = |f| cost(1, move |ctx, x| async move { truncate(&ctx, &x, f).await });
    assert_eq!(truncated(16), each(1, 32.0));
    assert_eq!(truncated(38), each(1, 76.0));
    let verified =
        |f| cost_in::<Malicious, _, _>(1, move |ctx, x| async move { truncate(&ctx, &x, f).await });
    assert_eq!(verified(16), all(2, 4.0 * 16.0 + 1.0));
    assert_eq!(verified(38), all(2, 4.0 * 38.0 + 1.0));
    // Few elements save a round, many save traffic.
    let rescaled = |times| {
        cost(1, move |ctx, x| async move {
            rescale(&ctx, &Fixed::new(x.repeat_cols(times), 29), 13).await
        })
    };
    assert_eq!(rescaled(1), each(1, 32.0));
    assert_eq!(rescaled(52), all(2, 52.0 * (4.0 * 16.0 + 1.0)));
}

#[test]
fn bounds() {
    let outsides = cost(1, |ctx, x| async move { outside(&ctx, &x, -1, 1).await });
    assert_eq!(outsides, each(8, 2.0 * 181.0));
    let counted = cost(1, |ctx, x| async move { beyond(&ctx, &x, &[2; N]).await });
    assert_eq!(counted, each(11, 2.0 * 181.0 + 65.0));
    let bits = cost(1, |ctx, x| async move { not_a_bit(&ctx, &x, 20).await });
    assert_eq!(bits, each(9, 2.0 * 181.0 + 64.0 + 115.0));
    let none = cost(1, |ctx, _| async move {
        let bits = planes(ctx.party(), 1);
        none_set(&ctx, &bits).await
    });
    // One word is left of 30.
    assert_eq!(none, each(5, 29.0 / 30.0));
}

#[test]
fn functions() {
    let relus =
        |from, to| cost(1, move |ctx, x| async move { relu(&ctx, &Fixed::new(x, from), to).await });
    assert_eq!(relus(32, 16), all(10, 65.0 + 3.0 * (86.0 + 64.0 + 64.0)));
    assert_eq!(relus(52, 14), all(10, 153.0 + 3.0 * (65.0 + 64.0 + 64.0)));
    let positive = cost(1, |ctx, x| async move { positive_part(&ctx, &x).await });
    assert_eq!(positive, each(11, 181.0 + 64.0 + 64.0));
    let maximum = cost(10, |ctx, x| async move { max_of_rows(&ctx, &x).await });
    assert_eq!(maximum, all(14, 4.5 * 258.0 + 3.0 * (8.0 + 64.0 + 6.4)));
    let place = cost(10, |ctx, x| async move { argmax_of_rows(&ctx, &x).await });
    assert_eq!(place, all(13, 4.5 * 258.0 + 3.0 * (8.0 + 64.0)));
    // Four candidates make three matches for each of N / 4 winners. Where the scale shrinks,
    // comparisons and the products that select need fewer bits.
    let tournaments = |from| {
        cost(4, move |ctx, x| async move {
            Ok(tournament(&ctx, &Fixed::new(x, from), 4, 13).await?.value)
        })
    };
    assert_eq!(tournaments(13), all(20, 0.75 * 3.0 * (86.0 + 64.0 + 64.0)));
    assert_eq!(tournaments(50), all(20, 0.75 * 3.0 * (68.0 + 64.0 + 31.0)));
    let logs = cost(10, |ctx, x| async move { log_sum_exp(&ctx, &Fixed::new(x, 30)).await });
    let places = cost(1, |ctx, x| async move { one_hot(&ctx, &x, 10).await });
    assert_eq!(logs, all(56, 5236.2));
    assert_eq!(places, all(8, 4410.0));
    assert_eq!(cost(1, exp), all(15, 3375.0));
    assert_eq!(cost(1, inverse), all(11, 2946.0));
    assert_eq!(cost(10, probabilities), all(42, 5473.8));
    assert_eq!(cost(1, logistic), all(33, 6007.0));
    assert_eq!(cost(1, root), all(43, 8940.0));
}

/// All pairs of 64 rows: 2016 of them, and one product for the pairs without comparison.
#[test]
fn ranks() {
    let scores = deal(1, [64, 1], &(0..64).collect::<Vec<u64>>());
    let labels = deal(2, [64, 1], &(0..64).map(|row| row % 2).collect::<Vec<u64>>());
    let outcomes = run3_with_cost::<SemiHonest, _, _>(2, |ctx| {
        let at = ctx.party().index();
        let (scores, labels) = (scores[at].clone(), labels[at].clone());
        async move { concordance(&ctx.step("protocol"), &scores, &labels).await }
    });
    let traffic = outcomes.map(|(_, outcome)| outcome.traffic);
    let bytes: u64 = traffic.iter().map(|traffic| traffic.payload_bytes).sum();
    let pairs = 64 * 63 / 2;
    println!("{} rounds, {bytes} bytes", traffic[0].rounds);
    // A sign of 32 bits and an injected bit a pair, and two sums.
    assert_eq!((traffic[0].rounds, bytes), (11, pairs * 3 * (86 + 64) / 8 + 2 * 24));
}

/// What is truncated in sequence takes more rounds and less traffic.
#[test]
fn functions_in_the_malicious_mode() {
    assert_eq!(cost_in::<Malicious, _, _>(1, exp), all(17, 3236.0));
    assert_eq!(cost_in::<Malicious, _, _>(1, inverse), all(17, 2486.0));
    assert_eq!(cost_in::<Malicious, _, _>(10, probabilities), all(51, 5217.8));
    assert_eq!(cost_in::<Malicious, _, _>(1, logistic), all(39, 5564.0));
    assert_eq!(cost_in::<Malicious, _, _>(1, root), all(58, 8209.0));
}

async fn exp<S: Security>(ctx: Ctx<S>, x: Arith<Z64>) -> Result<Fixed> {
    exp_neg(&ctx, &Fixed::new(x, 16)).await
}

async fn inverse<S: Security>(ctx: Ctx<S>, x: Arith<Z64>) -> Result<Fixed> {
    let one = Fixed::new(x.scale(1 << RECIPROCAL_SCALE), RECIPROCAL_SCALE);
    reciprocal(&ctx, &one, 10.0).await
}

async fn probabilities<S: Security>(ctx: Ctx<S>, x: Arith<Z64>) -> Result<Fixed> {
    softmax(&ctx, &Fixed::new(x, 52)).await
}

async fn logistic<S: Security>(ctx: Ctx<S>, x: Arith<Z64>) -> Result<Fixed> {
    sigmoid(&ctx, &Fixed::new(x, 52)).await
}

async fn root<S: Security>(ctx: Ctx<S>, x: Arith<Z64>) -> Result<Fixed> {
    inv_sqrt(&ctx, &Fixed::new(x, 30), 20).await
}
