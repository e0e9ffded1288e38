//! Products with triples against the plain oracle, their exact cost, and lies about
//! triples and masked values.

use mpc_core::ctx::Ctx;
use mpc_core::dry::dry_run;
use mpc_core::error::{Error, FailedCheck, Result};
use mpc_core::net::{LocalTransport, SessionId, Traffic, Transport, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::{Ring, Z2, Z64};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Bin, Fixed};
use mpc_core::testing::adversary::attack_every_message;
use mpc_core::testing::{
    DEADLINE, Lie, Lying, deal, deal_bits, reconstruct, reconstruct_bits, run3, run3_on,
    run3_with_cost,
};
use mpc_core::triples::ProductShape;
use proptest::prelude::*;
use protocols::and::and;
use protocols::beaver::settle;
use protocols::beaver::stock::{Block, Counter, Needs};
use protocols::mul::{Operand, column_dot, matmul, mul, mul_multiples};
use protocols::open::open;
use protocols::relu::relu;

/// The operands of one product of each kind.
#[derive(Clone)]
struct Operands {
    x: Arith<Z64>,
    y: Arith<Z64>,
    a: Bin,
    b: Bin,
}

/// The products of [`all_kinds`].
type Products = (Vec<Arith<Z64>>, Arith<Z2<20>>, Bin);

/// One product of each kind and in another ring; `x` and `y` are of the same shape.
async fn all_kinds<S: Security>(ctx: Ctx<S>, with: Operands) -> Result<Products> {
    let Operands { x, y, a, b } = with;
    let scaled = x.scale(1 << 24);
    let products = vec![
        mul(&ctx.step("mul"), &x, &y).await?,
        mul_multiples(&ctx.step("multiples"), &scaled, &y, 24).await?,
        column_dot(&ctx.step("dot"), &x, &y).await?,
        matmul(&ctx.step("right"), Operand::plain(&x), Operand::transposed(&y)).await?,
        matmul(&ctx.step("left"), Operand::transposed(&x), Operand::plain(&y)).await?,
    ];
    let narrow = mul(&ctx.step("narrow"), &x.reduce::<Z2<20>>(), &y.reduce::<Z2<20>>()).await?;
    Ok((products, narrow, and(&ctx.step("and"), &a, &b).await?))
}

/// What a program needs, by a dry run.
fn needs<S: Security, T, F: Future<Output = Result<T>>>(
    program: impl FnOnce(Ctx<S>) -> F,
) -> Needs {
    let counter = Counter::default();
    let source = counter.clone();
    dry_run::<S, _, _>(|ctx| {
        ctx.use_triples(Box::new(source));
        program(ctx)
    })
    .expect("a dry run");
    counter.needs()
}

/// Makes a block and runs a program on its triples, all of which it uses.
async fn with_triples<S: Security, T, F: Future<Output = Result<T>>>(
    ctx: Ctx<S>,
    needs: &Needs,
    program: impl FnOnce(Ctx<S>) -> F,
) -> Result<T> {
    let block = Block::make(&ctx.step("triples"), needs).await?;
    let block = Block::from_bytes(needs, &block.to_bytes())?;
    ctx.use_triples(Box::new(block.into_triples(needs)?));
    let result = program(ctx.step("online")).await?;
    settle(&ctx.step("settle")).await?;
    Ok(result)
}

fn check<S: Security>(seed: u64, shape: [usize; 2], x: &[u64], y: &[u64], bits: [&[u64]; 2]) {
    let (xs, ys) = (deal::<Z64>(seed, shape, x), deal::<Z64>(seed ^ 1, shape, y));
    let lanes = 70;
    let (a, b) = (deal_bits(seed, lanes, bits[0]), deal_bits(seed ^ 1, lanes, bits[1]));
    let operands = PartyId::ALL.map(|p| {
        let at = p.index();
        Operands { x: xs[at].clone(), y: ys[at].clone(), a: a[at].clone(), b: b[at].clone() }
    });
    let needs = needs::<S, _, _>(|ctx| all_kinds(ctx, operands[0].clone()));
    let results = run3::<S, _, _>(seed, |ctx| {
        let operands = operands[ctx.party().index()].clone();
        let needs = &needs;
        async move { with_triples(ctx, needs, |ctx| all_kinds(ctx, operands)).await }
    });
    let product =
        |at: usize| reconstruct(&results.each_ref().map(|(products, ..)| products[at].clone()));
    let [rows, cols] = shape;
    let single = |at: usize| x[at].wrapping_mul(y[at]);
    let all = |f: &dyn Fn(usize) -> u64, len| (0..len).map(f).collect::<Vec<u64>>();
    assert_eq!(product(0), all(&single, x.len()));
    assert_eq!(product(1), all(&|at| single(at) << 24, x.len()));
    let sum = |terms: &mut dyn Iterator<Item = u64>| terms.fold(0, u64::wrapping_add);
    assert_eq!(product(2), all(&|c| sum(&mut (0..rows).map(|r| single(r * cols + c))), cols));
    let entry = |r: usize, c: usize| {
        sum(&mut (0..cols).map(|k| x[r * cols + k].wrapping_mul(y[c * cols + k])))
    };
    assert_eq!(product(3), all(&|at| entry(at / rows, at % rows), rows * rows));
    let entry = |r: usize, c: usize| {
        sum(&mut (0..rows).map(|k| x[k * cols + r].wrapping_mul(y[k * cols + c])))
    };
    assert_eq!(product(4), all(&|at| entry(at / cols, at % cols), cols * cols));
    let narrow = reconstruct(&results.each_ref().map(|(_, narrow, _)| narrow.clone()));
    assert_eq!(narrow, all(&|at| single(at) & Z2::<20>::MASK, x.len()));
    let ands = reconstruct_bits(&results.each_ref().map(|(.., and)| and.clone()));
    assert_eq!(ands, bits[0].iter().zip(bits[1]).map(|(a, b)| a & b).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn products_with_triples_are_products(
        seed: u64,
        [rows, cols] in prop::array::uniform2(1usize..9),
        words in prop::collection::vec(
            prop_oneof![Just(0), Just(u64::MAX), Just(1 << 63), any::<u64>()], 128),
        planes in prop::collection::vec(any::<u64>(), 12),
    ) {
        let (x, y) = (&words[..rows * cols], &words[64..64 + rows * cols]);
        // 70 lanes: the second word of a plane has six bits.
        let planes: Vec<u64> =
            planes.iter().enumerate().map(|(at, x)| if at % 2 == 1 { x & 63 } else { *x }).collect();
        let bits = [&planes[..6], &planes[6..]];
        check::<SemiHonest>(seed, [rows, cols], x, y, bits);
        check::<Malicious>(seed, [rows, cols], x, y, bits);
    }
}

/// Rounds and bytes that the parties send for a program, its triples aside.
fn cost<S: Security, F: Future<Output = Result<()>>>(
    program: impl Fn(Ctx<S>) -> F + Sync,
) -> [u64; 2] {
    let needs = needs::<S, _, _>(&program);
    let made = |online: bool| -> [Traffic; 3] {
        run3_with_cost::<S, _, _>(3, |ctx| {
            let (needs, program) = (&needs, &program);
            async move {
                if online {
                    with_triples(ctx, needs, program).await
                } else {
                    Block::make(&ctx.step("triples"), needs).await.map(|_| ())
                }
            }
        })
        .map(|(_, outcome)| outcome.traffic)
    };
    let (with, without) = (made(true), made(false));
    let costs = PartyId::ALL.map(|p| {
        let (with, without) = (with[p.index()], without[p.index()]);
        [with.rounds - without.rounds, with.payload_bytes - without.payload_bytes]
    });
    assert!(costs.iter().all(|cost| *cost == costs[0]));
    // The end of their use is a byte to each peer in the malicious mode.
    let settling = if S::VERIFIED { [1, 2] } else { [0, 0] };
    [costs[0][0] - settling[0], costs[0][1] - settling[1]]
}

/// A product is an opening of two masked factors, and 32 bytes where lies are to be found.
fn costs<S: Security>(digest: u64) {
    let x = |ctx: &Ctx<S>, shape: [usize; 2]| -> Arith<Z64> {
        deal(1, shape, &vec![5; shape[0] * shape[1]])[ctx.party().index()].clone()
    };
    let products = cost::<S, _>(|ctx| async move {
        mul(&ctx, &x(&ctx, [8, 5]), &x(&ctx, [8, 5])).await.map(|_| ())
    });
    assert_eq!(products, [1, 2 * 8 * 40 + digest]);
    let multiples = cost::<S, _>(|ctx| async move {
        let x = x(&ctx, [8, 5]);
        mul_multiples(&ctx, &x.scale(1 << 48), &x, 48).await.map(|_| ())
    });
    assert_eq!(multiples, [1, 2 * 2 * 40 + digest]);
    let dots = cost::<S, _>(|ctx| async move {
        column_dot(&ctx, &x(&ctx, [8, 5]), &x(&ctx, [8, 5])).await.map(|_| ())
    });
    assert_eq!(dots, [1, 2 * 8 * 40 + digest]);
    let matrices = cost::<S, _>(|ctx| async move {
        let (x, y) = (x(&ctx, [8, 5]), x(&ctx, [5, 3]));
        matmul(&ctx, Operand::plain(&x), Operand::plain(&y)).await.map(|_| ())
    });
    assert_eq!(matrices, [1, 8 * (40 + 15) + digest]);
    let ands = cost::<S, _>(|ctx| async move {
        let x = deal_bits(1, 640, &[7; 30])[ctx.party().index()].clone();
        and(&ctx, &x, &x).await.map(|_| ())
    });
    assert_eq!(ands, [1, 2 * 3 * 80 + digest]);
}

#[test]
fn costs_of_products() {
    costs::<SemiHonest>(0);
    costs::<Malicious>(32);
}

/// A rectifier that ends with an opening, all of it on triples made before.
async fn rectifier<S: Security>(ctx: Ctx<S>, needs: &Needs) -> Result<Vec<u64>> {
    let z = masked(&ctx);
    let y = with_triples(ctx.step("phase"), needs, |ctx| async move { relu(&ctx, &z, 14).await });
    let (y, _) = y.await?;
    open(&ctx.step("release"), &y.share).await
}

fn masked<S: Security>(ctx: &Ctx<S>) -> Fixed {
    let z = deal(1, [1, 2], &[3 << 28, (5u64 << 26).wrapping_neg()]);
    Fixed::new(z[ctx.party().index()].clone(), 28)
}

fn needs_of_rectifier<S: Security>() -> Needs {
    needs::<S, _, _>(|ctx| async move {
        let z = masked(&ctx);
        relu(&ctx, &z, 14).await
    })
}

#[test]
fn products_with_triples_leave_nothing_to_verify() {
    let x = deal::<Z64>(1, [2, 3], &[5; 6]);
    let bits = deal_bits(1, 6, &[63]);
    let operands = PartyId::ALL.map(|p| {
        let (x, a) = (x[p.index()].clone(), bits[p.index()].clone());
        Operands { x: x.clone(), y: x, a: a.clone(), b: a }
    });
    let needs = needs::<Malicious, _, _>(|ctx| all_kinds(ctx, operands[0].clone()));
    run3::<Malicious, _, _>(1, |ctx| {
        let (needs, operands) = (&needs, operands[ctx.party().index()].clone());
        async move {
            with_triples(ctx.step("phase"), needs, |ctx| all_kinds(ctx, operands)).await?;
            assert!(ctx.begin_verification()?.is_empty());
            ctx.end_verification();
            Ok(())
        }
    });
}

#[test]
fn every_changed_message_is_caught() {
    let needs = needs_of_rectifier::<Malicious>();
    let run = |network: [LocalTransport; 3]| {
        run3_on::<Malicious, _, _>(network, 4, |ctx| rectifier(ctx, &needs))
            .map(|result| result.map(|(value, _)| value))
    };
    let network = || local_network(SessionId([4; 16]), DEADLINE);
    for cheat in PartyId::ALL {
        let tally = attack_every_message(cheat, network, run, |step| step == "release");
        println!("{cheat}: {tally}");
        assert!(tally.messages > 40 && tally.attacks > 9 * tally.messages, "{tally}");
    }
}

/// A wrong triple does not come to be, whichever product of its making is wrong.
#[test]
fn wrong_triples_are_caught_when_they_are_made() {
    let needs = needs_of_rectifier::<Lying>();
    let triples = needs.iter().map(|(_, count)| count as u64).sum::<u64>();
    for bit in [0, 32, 63] {
        for product in 0..triples {
            let network = local_network(SessionId([4; 16]), DEADLINE);
            let made = run3_on::<Lying, _, _>(network, product, |ctx| {
                let needs = &needs;
                if ctx.party() == PartyId::ALL[product as usize % 3] {
                    ctx.lie(Lie { product, word: product as usize, bit });
                }
                async move { Block::make(&ctx, needs).await.map(|_| ()) }
            });
            for made in made {
                let right = matches!(made, Err(Error::Abort { kind: FailedCheck::Product, .. }));
                assert!(right, "triple {product}: {:?}", made.map(|_| ()));
            }
        }
    }
    println!("{} wrong triples made, all caught", 3 * triples);
}

/// A party that masks with the triple of an earlier product, that is, sends what the
/// honest ones do not expect, is found out when the value is opened.
#[test]
fn a_triple_of_another_block_is_caught_at_its_first_use() {
    let needs = needs_of_rectifier::<Malicious>();
    for cheat in PartyId::ALL {
        let network = local_network(SessionId([4; 16]), DEADLINE);
        let results = run3_on::<Malicious, _, _>(network, 4, |ctx| {
            let needs = &needs;
            async move {
                let blocks = [
                    Block::make(&ctx.step("one"), needs).await?,
                    Block::make(&ctx.step("two"), needs).await?,
                ];
                let [one, two] = blocks;
                let block = if ctx.party() == cheat { one } else { two };
                ctx.use_triples(Box::new(block.into_triples(needs)?));
                let z = masked(&ctx);
                relu(&ctx.step("online"), &z, 14).await.map(|_| ())
            }
        });
        for honest in [cheat.prev(), cheat.next()] {
            let error = results[honest.index()].as_ref().expect_err("another triple");
            let right = match error {
                Error::Abort { kind: FailedCheck::ViewMismatch { .. }, step } => {
                    step.starts_with("online")
                }
                Error::Net { .. } => true,
                _ => false,
            };
            assert!(right, "{cheat}: {error}");
        }
    }
}

#[test]
fn a_triple_is_handed_out_once() {
    let mut needs = Needs::default();
    needs.add(ProductShape::Elementwise([1, 2]));
    needs.add(ProductShape::Elementwise([1, 2]));
    run3::<SemiHonest, _, _>(1, |ctx| {
        let needs = &needs;
        async move {
            let x = deal::<Z64>(1, [1, 2], &[3, 4])[ctx.party().index()].clone();
            let block = Block::make(&ctx.step("triples"), needs).await?;
            ctx.use_triples(Box::new(block.into_triples(needs)?));
            mul(&ctx.step("first"), &x, &x).await?;
            let early = ctx.end_triples();
            assert!(
                matches!(early, Err(Error::Triples(ref e)) if e.contains("1 triples are left"))
            );
            let block = Block::make(&ctx.step("more"), needs).await?;
            ctx.use_triples(Box::new(block.into_triples(needs)?));
            mul(&ctx.step("second"), &x, &x).await?;
            mul(&ctx.step("third"), &x, &x).await?;
            let none = mul(&ctx.step("fourth"), &x, &x).await;
            assert!(matches!(none, Err(Error::Triples(ref e)) if e.contains("none is left")));
            assert!(ctx.end_triples()? && !ctx.end_triples()?);
            Ok(())
        }
    });
}

#[test]
fn damaged_blocks_are_refused() {
    let mut needs = Needs::default();
    needs.add(ProductShape::And { lanes: 65, planes: 2 });
    needs.add(ProductShape::ColumnDot([4, 3]));
    assert_eq!(needs.block_bytes(), 32 + 16 * (4 + 3));
    for length in [0, needs.block_bytes() - 1, needs.block_bytes() + 1] {
        let refused = Block::from_bytes(&needs, &vec![0; length]);
        assert!(matches!(refused, Err(Error::Triples(_))));
    }
    let block = Block::from_bytes(&needs, &vec![0; needs.block_bytes()]).expect("right length");
    let mut other = needs.clone();
    other.add(ProductShape::ColumnDot([1, 1]));
    assert!(matches!(block.into_triples(&other), Err(Error::Triples(_))));
}

/// The words of an opening, seen by a party of the semi-honest mode, are those of a fresh
/// mask each time.
#[test]
fn equal_factors_are_masked_differently() {
    let mut needs = Needs::default();
    (0..2).for_each(|_| needs.add(ProductShape::Elementwise([1, 1])));
    for seed in 0..20 {
        let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let network = local_network(SessionId([4; 16]), DEADLINE).map(|transport| {
            let (party, sent) = (transport.party(), sent.clone());
            transport.with_tamper(move |message| {
                if party == PartyId::P0 && message.tag.name.to_string().starts_with("online") {
                    sent.lock().unwrap().push(message.frames[0][36..].to_vec());
                }
            })
        });
        let results = run3_on::<SemiHonest, _, _>(network, seed, |ctx| {
            let needs = &needs;
            async move {
                let x = Arith::<Z64>::public(ctx.party(), [1, 1], vec![7]);
                with_triples(ctx, needs, |ctx| async move {
                    mul(&ctx.step("one"), &x, &x).await?;
                    mul(&ctx.step("two"), &x, &x).await
                })
                .await
            }
        });
        assert!(results.iter().all(Result::is_ok));
        let sent = sent.lock().unwrap();
        assert!(sent.len() == 2 && sent[0][..8] != sent[1][..8] && sent[0][8..] != sent[1][8..]);
    }
}
