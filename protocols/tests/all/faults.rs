//! Lost, cut, prolonged, repeated, swapped and foreign messages: the honest parties end
//! with a typed error that names the peer, and never hang.
//!
//! That a message of the right form has the right content is not for the semi-honest
//! mode to see.

use mpc_core::error::{Error, Misbehaviour, NetFault, Result};
use mpc_core::net::{LocalTransport, SessionId, TamperedMessage, local_network};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::SemiHonest;
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::{deal, run3_on};
use protocols::sigmoid::sigmoid;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done to one message: it may change the frames, given the frame before.
type Edit = fn(&mut TamperedMessage<'_>, previous: &[u8]);

/// Whether an error is the right answer to an edit.
type Verdict = fn(&Error) -> bool;

fn run(network: [LocalTransport; 3]) -> [Result<()>; 3] {
    let x: [Arith<Z64>; 3] = deal(4, [1, 5], &[1, 2, 3, 4, 5]);
    run3_on::<SemiHonest, _, _>(network, 4, |ctx| {
        let x = Fixed::new(x[ctx.party().index()].clone(), 20);
        async move { sigmoid(&ctx, &x).await.map(|_| ()) }
    })
    .map(|result| result.map(|_| ()))
}

fn network() -> [LocalTransport; 3] {
    local_network(SessionId([9; 16]), Duration::from_secs(20))
}

/// Applies an edit to message `target` of `cheat`; also tells who should have got it.
fn attack(cheat: PartyId, target: u64, edit: Edit) -> (PartyId, [Result<()>; 3]) {
    let receiver = Arc::new(Mutex::new(None));
    let results = run(network().map(|transport| {
        if transport_party(&transport) != cheat {
            return transport;
        }
        let mut previous = [const { Vec::new() }; 3];
        let receiver = receiver.clone();
        transport.with_tamper(move |message| {
            let honest = message.frames[0].clone();
            let previous = &mut previous[message.to.index()];
            if message.index == target {
                edit(message, previous);
                *receiver.lock().unwrap() = Some(message.to);
            }
            *previous = honest;
        })
    }));
    let receiver = receiver.lock().unwrap().expect("the message was sent");
    (receiver, results)
}

fn transport_party(transport: &LocalTransport) -> PartyId {
    mpc_core::net::Transport::party(transport)
}

fn is(kind: impl Fn(&Misbehaviour) -> bool, error: &Error) -> bool {
    matches!(error, Error::PeerMisbehaved { kind: found, .. } if kind(found))
}

const EDITS: [(&str, Edit, Verdict); 6] = [
    (
        "withheld",
        |m, _| m.frames.clear(),
        |e| {
            matches!(e, Error::Net { kind: NetFault::Timeout(_) | NetFault::Closed, .. })
                || is(|k| matches!(k, Misbehaviour::WrongRound { .. }), e)
        },
    ),
    (
        "repeated",
        |m, _| m.frames.push(m.frames[0].clone()),
        |e| is(|k| matches!(k, Misbehaviour::WrongRound { .. }), e),
    ),
    (
        "replaced by the one before",
        |m, previous| match previous {
            // Nothing went there before: of another round all the same.
            [] => m.frames[0][24] ^= 1,
            frame => m.frames[0] = frame.to_vec(),
        },
        |e| is(|k| matches!(k, Misbehaviour::WrongRound { .. }), e),
    ),
    (
        "of another session",
        |m, _| m.frames[0][0] ^= 1,
        |e| is(|k| *k == Misbehaviour::WrongSession, e),
    ),
    ("of another step", |m, _| m.frames[0][16] ^= 1, |e| is(|k| *k == Misbehaviour::WrongStep, e)),
    (
        "of another length",
        |m, _| m.frames[0][32] ^= 1,
        |e| is(|k| matches!(k, Misbehaviour::WrongLength { .. }), e),
    ),
];

/// Messages that each party sends in the honest run, at least.
fn messages() -> u64 {
    let counts = [0; 3].map(|zero| Arc::new(AtomicU64::new(zero)));
    let counted = network().map(|transport| {
        let count = counts[transport_party(&transport).index()].clone();
        transport.with_tamper(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    });
    assert!(run(counted).iter().all(Result::is_ok));
    counts.iter().map(|count| count.load(Ordering::Relaxed)).min().expect("three parties")
}

#[test]
fn every_malformed_message_ends_the_session_with_the_right_error() {
    let messages = messages();
    assert!(messages > 30, "the run is long enough to be interesting: {messages}");
    let mut caught = 0;
    for cheat in PartyId::ALL {
        for (name, edit, verdict) in EDITS {
            // A party that is done before the fault shows cannot fail any more.
            for target in 0..messages - 4 {
                let (victim, results) = attack(cheat, target, edit);
                let told = match &results[victim.index()] {
                    Ok(()) => panic!("message {target} of {cheat} {name}: {victim} accepted it"),
                    Err(error) => error,
                };
                assert!(verdict(told), "message {target} of {cheat} {name}: {told}");
                let (Error::Net { peer, .. } | Error::PeerMisbehaved { peer, .. }) = told else {
                    panic!("message {target} of {cheat} {name}: {told} names nobody");
                };
                // Of a message that never comes, whoever waits longest is told last.
                assert!(name == "withheld" || *peer == cheat, "message {target} {name}: {told}");
                assert!(results.iter().all(Result::is_err), "nobody goes on alone");
                caught += 1;
            }
        }
    }
    assert_eq!(caught, 3 * EDITS.len() as u64 * (messages - 4));
}
