//! A malicious party against a small training step: every one of its messages is changed,
//! lost, repeated, swapped, cut, prolonged or held back. The honest parties end with a
//! typed error and accept nothing.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Misbehaviour, Result};
use mpc_core::net::{FRAME_HEADER_BYTES, LocalTransport, SessionId, Transport, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::Malicious;
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::adversary::{Attack, Change, attack_every_message};
use mpc_core::testing::{deal, run3_on};
use protocols::input::input;
use protocols::mul::{Operand, column_dot, matmul};
use protocols::open::open;
use protocols::relu::relu;
use protocols::trunc::rescale;
use protocols::verify::verify;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SAMPLES: usize = 2;
const FEATURES: usize = 3;
const HIDDEN: usize = 2;

/// Forward and backward pass of one dense layer with a rectifier, verified, then another
/// product, and its opening.
async fn training_step(ctx: Ctx<Malicious>) -> Result<Vec<u64>> {
    let at = ctx.party().index();
    let share = |seed: u64, shape: [usize; 2]| -> Arith<Z64> {
        let words: Vec<u64> =
            (0..shape[0] * shape[1]).map(|i| (i as u64 * 37 + seed) << 6).collect();
        deal(seed, shape, &words)[at].clone()
    };
    let (x, w) = (share(1, [SAMPLES, FEATURES]), share(2, [FEATURES, HIDDEN]));
    let own = (ctx.party() == PartyId::P1).then_some([1 << 14; SAMPLES * HIDDEN]);
    let own = own.as_ref().map(|words| words.as_slice());
    let target = input(&ctx.step("target"), PartyId::P1, [SAMPLES, HIDDEN], own).await?;
    let z = matmul(&ctx.step("forward"), Operand::plain(&x), Operand::plain(&w)).await?;
    let (y, bits) = relu(&ctx.step("relu"), &Fixed::new(z, 28), 14).await?;
    let loss = y.share.sub(&target)?;
    verify(&ctx.step("batch")).await?;
    let norm = column_dot(&ctx.step("norm"), &loss, &bits).await?;
    let (x, loss) = (Operand::transposed(&x), Operand::plain(&loss));
    let gradient = matmul(&ctx.step("backward"), x, loss).await?;
    let gradient = rescale(&ctx.step("rescale"), &Fixed::new(gradient, 28), 14).await?;
    let all = Arith::concat_rows(&[&gradient.share, &norm])?;
    open(&ctx.step("open"), &all).await
}

fn network() -> [LocalTransport; 3] {
    network_of(9)
}

/// The network of a session with the given id.
fn network_of(id: u8) -> [LocalTransport; 3] {
    local_network(SessionId([id; 16]), Duration::from_secs(20))
}

fn run(network: [LocalTransport; 3]) -> [Result<Vec<u64>>; 3] {
    run3_on(network, 4, training_step).map(|result| result.map(|(value, _)| value))
}

#[test]
fn every_changed_message_is_caught() {
    let (mut messages, mut caught) = (0, 0);
    for cheat in PartyId::ALL {
        let tally = attack_every_message(cheat, network, run, |step| step == "open");
        println!("{cheat}: {tally}");
        (messages, caught) = (messages + tally.messages, caught + tally.caught);
    }
    println!("{messages} messages, {caught} effective attacks, all caught");
    assert!(caught > 9 * messages, "{caught} of {messages} messages");
}

/// The messages of `cheat` in an honest run: round, receiver, and name of the step.
fn messages(cheat: PartyId) -> Vec<(u64, PartyId, String)> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let results = run(network().map(|transport| {
        if transport.party() != cheat {
            return transport;
        }
        let log = log.clone();
        transport.with_tamper(move |message| {
            let tag = message.tag;
            log.lock().unwrap().push((tag.round, message.to, tag.name.to_string()));
        })
    }));
    assert!(results.iter().all(Result::is_ok));
    std::mem::take(&mut *log.lock().unwrap())
}

/// A party holds back a product, or what it contributes to the check itself, until it has
/// seen the next coin, to forge it: the coin does not come.
#[test]
fn who_withholds_does_not_see_the_next_coin() {
    let mut withheld = 0;
    for cheat in PartyId::ALL {
        let messages = messages(cheat);
        for (target, (round, to, name)) in messages.iter().enumerate() {
            let coin = messages
                .iter()
                .find(|(later, _, name)| later > round && name.contains("/coin"))
                .map(|(round, ..)| *round);
            let Some(coin) = coin.filter(|_| *to == cheat.prev()) else { continue };
            let attack = Attack { cheat, target: target as u64, change: Change::Late };
            let (corrupt, _) = attack.mount(network());
            // In the round after the coin's the party would use it.
            let results = run(corrupt);
            let stalled = match &results[cheat.index()] {
                Err(Error::Net { step, .. }) => step.clone(),
                other => panic!("{cheat} withheld {name}: {:?}", other),
            };
            let reached = messages.iter().filter(|(.., name)| *name == stalled).map(|m| m.0);
            assert!(reached.min().is_some_and(|round| round <= coin), "{name}: at {stalled}");
            withheld += 1;
        }
    }
    println!("{withheld} messages withheld, no coin seen");
    assert!(withheld > 60, "{withheld}");
}

/// What was recorded in an old session is of no use in a new one: as it is, it is refused
/// at sight; with the headers of the new session, it is found to be wrong.
#[test]
fn an_old_session_cannot_be_replayed() {
    let session = |id: u8, seed, transports: [LocalTransport; 3]| {
        assert_eq!(transports[0].session(), SessionId([id; 16]));
        run3_on(transports, seed, training_step).map(|result| result.map(|(value, _)| value))
    };
    for cheat in PartyId::ALL {
        let old = Arc::new(Mutex::new(Vec::new()));
        let recorded = network_of(8).map(|transport| {
            let (from, old) = (transport.party(), old.clone());
            transport.with_tamper(move |message| {
                if from == cheat {
                    old.lock().unwrap().push(message.frames[0].clone());
                }
            })
        });
        assert!(session(8, 3, recorded).iter().all(Result::is_ok));
        let old = std::mem::take(&mut *old.lock().unwrap());
        for new_headers in [false, true] {
            let old = old.clone();
            let replaying = network_of(9).map(|transport| {
                if transport.party() != cheat {
                    return transport;
                }
                let old = old.clone();
                transport.with_tamper(move |message| {
                    let replayed = &old[message.index as usize];
                    let from = if new_headers { FRAME_HEADER_BYTES } else { 0 };
                    message.frames[0][from..].copy_from_slice(&replayed[from..]);
                })
            });
            let results = session(9, 4, replaying);
            for honest in [cheat.prev(), cheat.next()] {
                let error = results[honest.index()].as_ref().expect_err("a replayed session");
                let right = match error {
                    Error::PeerMisbehaved { peer, kind: Misbehaviour::WrongSession, .. } => {
                        !new_headers && *peer == cheat
                    }
                    Error::Abort { .. } => new_headers,
                    Error::Net { .. } => true,
                    _ => false,
                };
                assert!(right, "{cheat}, new headers {new_headers}: {error}");
            }
        }
    }
}
