//! A malicious party against a small training step: every one of its messages is changed,
//! lost, repeated, swapped, cut, prolonged or held back. The honest parties end with a
//! typed error and accept nothing.

use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::net::{
    FRAME_HEADER_BYTES, LocalTransport, SessionId, TamperedMessage, Transport, local_network,
};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::Malicious;
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::{deal, run3_on};
use protocols::input::input;
use protocols::mul::{Operand, column_dot, matmul};
use protocols::open::open;
use protocols::relu::relu;
use protocols::trunc::rescale;
use protocols::verify::verify;
use std::collections::HashMap;
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
    local_network(SessionId([9; 16]), Duration::from_secs(20))
}

fn run(network: [LocalTransport; 3]) -> [Result<Vec<u64>>; 3] {
    run3_on(network, 4, training_step).map(|result| result.map(|(value, _)| value))
}

/// What an honest party sent: receiver and payload, by number of the message.
type Log = HashMap<(usize, u64), (PartyId, Vec<u8>)>;

/// The messages of an honest run.
fn honest_run() -> (Log, Vec<u64>) {
    let log = Arc::new(Mutex::new(Log::new()));
    let listening = network().map(|transport| {
        let (log, from) = (log.clone(), transport.party().index());
        transport.with_tamper(move |message| {
            let payload = message.frames[0][FRAME_HEADER_BYTES..].to_vec();
            log.lock().unwrap().insert((from, message.index), (message.to, payload));
        })
    });
    let results = run(listening).map(|result| result.expect("an honest run"));
    let log = std::mem::take(&mut *log.lock().unwrap());
    let [opened, ..] = results;
    (log, opened)
}

/// What is done to a message, given the one before; answers whether it changed anything.
type Edit = fn(&mut TamperedMessage<'_>, previous: &[u8]) -> bool;

/// A change that is certain to be one.
fn changed(_: ()) -> bool {
    true
}

fn last_word(frame: &mut [u8]) -> &mut [u8] {
    let payload = &mut frame[FRAME_HEADER_BYTES..];
    let from = payload.len().saturating_sub(8);
    &mut payload[from..]
}

#[allow(clippy::unit_arg)] // an edit and the answer that it was made, on one line
const EDITS: [(&str, Edit); 11] = [
    ("with its first bit flipped", |m, _| changed(m.frames[0][FRAME_HEADER_BYTES] ^= 1)),
    ("with its last word flipped at the lowest bit", |m, _| {
        changed(last_word(&mut m.frames[0])[0] ^= 1)
    }),
    ("with 2^63 added to its last word", |m, _| {
        let word = last_word(&mut m.frames[0]);
        let top = word.len() - 1;
        changed(word[top] ^= 0x80)
    }),
    ("replaced with zeros", |m, _| {
        let payload = &mut m.frames[0][FRAME_HEADER_BYTES..];
        let differs = payload.iter().any(|byte| *byte != 0);
        payload.fill(0);
        differs
    }),
    ("dropped", |m, _| changed(m.frames.clear())),
    ("repeated", |m, _| changed(m.frames.push(m.frames[0].clone()))),
    ("replaced with the one before", |m, previous| {
        // What both peers get in a round may be the same.
        let differs = m.frames[0] != previous;
        m.frames[0] = previous.to_vec();
        differs
    }),
    ("behind the one before", |m, previous| changed(m.frames.insert(0, previous.to_vec()))),
    ("cut", |m, _| m.frames[0].pop().is_some()),
    ("prolonged", |m, _| changed(m.frames[0].push(0))),
    ("with its header flipped", |m, _| changed(m.frames[0][FRAME_HEADER_BYTES - 1] ^= 1)),
];

/// Applies an edit to one message of `cheat`; `None` if that would change nothing.
fn attack(cheat: PartyId, target: u64, edit: Edit) -> Option<[Result<Vec<u64>>; 3]> {
    let effective = Arc::new(Mutex::new(false));
    let results = run(network().map(|transport| {
        if transport.party() != cheat {
            return transport;
        }
        let effective = effective.clone();
        let mut previous = vec![0; FRAME_HEADER_BYTES + 1];
        transport.with_tamper(move |message| {
            let honest = message.frames[0].clone();
            if message.index == target {
                *effective.lock().unwrap() = edit(message, &previous);
            }
            previous = honest;
        })
    }));
    let effective = *effective.lock().unwrap();
    effective.then_some(results)
}

#[test]
fn every_changed_message_is_caught() {
    let (log, opened) = honest_run();
    let (mut attacks, mut caught) = (0, 0);
    for cheat in PartyId::ALL {
        let messages = log.keys().filter(|(from, _)| *from == cheat.index()).count() as u64;
        for (name, edit) in EDITS {
            for target in 0..messages {
                // What follows the last message of a run is never read.
                let surplus = ["repeated", "prolonged"].contains(&name);
                if surplus && target + 2 >= messages {
                    continue;
                }
                let Some(results) = attack(cheat, target, edit) else { continue };
                attacks += 1;
                let (victim, _) = log[&(cheat.index(), target)];
                let error = match &results[victim.index()] {
                    Err(error) => error,
                    Ok(_) => panic!("message {target} of {cheat} {name}: {victim} accepted it"),
                };
                let typed = matches!(
                    error,
                    Error::Abort { .. } | Error::Net { .. } | Error::PeerMisbehaved { .. }
                );
                assert!(typed, "message {target} of {cheat} {name}: {error}");
                // The other honest party either aborts as well or, when only the last
                // messages are touched, has opened the right values.
                let other = PartyId::ALL.into_iter().find(|p| *p != cheat && *p != victim);
                match &results[other.expect("a third party").index()] {
                    Err(_) => {}
                    Ok(values) => {
                        // The last verdict and the opening: two messages each.
                        let last = target + 4 >= messages;
                        assert!(last && *values == opened, "message {target} of {cheat} {name}");
                    }
                }
                caught += 1;
            }
        }
    }
    println!("{} messages, {attacks} attacks, {caught} caught", log.len());
    assert!(attacks > 1500 && caught == attacks, "{caught} of {attacks}");
}

/// Before the last message of a run nobody has sent a share that opens anything: what an
/// honest party has sent until it aborts is independent of the secrets.
#[test]
fn nothing_is_opened_before_a_wrong_product_is_found() {
    let (log, _) = honest_run();
    for cheat in PartyId::ALL {
        let honest = cheat.next();
        let sent = Arc::new(Mutex::new(0));
        let counted = run(network().map(|transport| {
            let party = transport.party();
            if party == cheat {
                transport.with_tamper(|message| {
                    if message.index == 2 {
                        message.frames[0][FRAME_HEADER_BYTES] ^= 1;
                    }
                })
            } else if party == honest {
                let sent = sent.clone();
                transport.with_tamper(move |message| *sent.lock().unwrap() = message.index + 1)
            } else {
                transport
            }
        }));
        assert!(counted.iter().all(Result::is_err), "{counted:?}");
        // The sender computes on with what it should have sent: a wrong product, and views
        // that differ.
        let found = matches!(counted[honest.index()], Err(Error::Abort { .. }));
        assert!(found, "{:?}", counted[honest.index()]);
        let all = log.keys().filter(|(from, _)| *from == honest.index()).count() as u64;
        let sent = *sent.lock().unwrap();
        assert!(sent * 4 < all * 3, "{honest} sent {sent} of {all} messages before it aborted");
    }
}

/// A party holds back its last product until it has seen the first coin, to forge it: the
/// coin does not come.
#[test]
fn who_withholds_a_product_does_not_see_the_coin() {
    for cheat in PartyId::ALL {
        let reached = Arc::new(Mutex::new(String::new()));
        let results = run(network().map(|transport| {
            if transport.party() != cheat {
                return transport;
            }
            let reached = reached.clone();
            transport.with_tamper(move |message| {
                let name = message.tag.name.to_string();
                *reached.lock().unwrap() = name.clone();
                if name.starts_with("backward") {
                    message.frames.clear();
                }
            })
        }));
        assert!(results.iter().all(Result::is_err));
        let reached = reached.lock().unwrap();
        assert!(!reached.contains("coin"), "{cheat} reached {reached}");
    }
}
