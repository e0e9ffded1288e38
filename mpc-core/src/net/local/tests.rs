use super::*;
use crate::error::{Error, Misbehaviour};
use crate::net::FRAME_HEADER_BYTES;
use proptest::prelude::*;

const SESSION: SessionId = SessionId([7; 16]);
const LONG: Duration = Duration::from_secs(60);

/// One round of a party: what it sends to and expects from previous and next.
fn step(
    link: &mut LocalTransport,
    round: u64,
    [to_prev, to_next]: [&[u8]; 2],
    [from_prev, from_next]: [usize; 2],
) -> Result<[Vec<u8>; 2]> {
    let mut received = [vec![0; from_prev], vec![0; from_next]];
    let [from_prev, from_next] = &mut received;
    let tag = RoundTag { step: 10 + round, round, name: &"test" };
    link.exchange(tag, Round { to_prev, to_next, from_prev, from_next })?;
    Ok(received)
}

/// Runs the same program at all three parties, each on a thread of its own.
fn run3<T: Send>(
    network: [LocalTransport; 3],
    program: impl Fn(LocalTransport) -> T + Sync,
) -> [T; 3] {
    std::thread::scope(|scope| {
        let threads = network.map(|link| scope.spawn(|| program(link)));
        threads.map(|thread| thread.join().expect("a party panicked"))
    })
}

/// Two rounds of one byte to the next party, with party 0 corrupted: what
/// party 1 received from it, and how its run ended.
///
/// Party 0 reaches the second round whatever it did in the first, since party 2
/// does not wait for party 1.
fn attacked(
    tamper: impl FnMut(&mut TamperedMessage<'_>) + Send + 'static,
) -> (Vec<u8>, Result<()>) {
    let [p0, p1, p2] = local_network(SESSION, LONG);
    let [_, p1, _] = run3([p0.with_tamper(tamper), p1, p2], |mut link| {
        let mut received = Vec::new();
        let end = (0..2).try_for_each(|round| {
            let [got, _] = step(&mut link, round, [&[], &[round as u8 + 1]], [1, 0])?;
            received.extend(got);
            Ok(())
        });
        (received, end)
    });
    p1
}

#[track_caller]
fn assert_misbehaved(result: &Result<()>, kind: &Misbehaviour) {
    match result {
        Err(Error::PeerMisbehaved { peer, kind: k, step }) => {
            assert_eq!((*peer, k, step.as_str()), (PartyId::P0, kind, "test"));
        }
        other => panic!("expected {kind:?}, got {other:?}"),
    }
}

proptest! {
    #[test]
    fn carries_messages_of_any_size_both_ways(
        sizes in prop::collection::vec([0usize..5000, 0usize..5000], 3),
    ) {
        let sent = |from: PartyId, side: usize| -> Vec<u8> {
            vec![(from.index() * 2 + side + 1) as u8; sizes[from.index()][side]]
        };
        let results = run3(local_network(SESSION, LONG), |mut link| {
            let me = link.party();
            let (prev, next) = (me.prev(), me.next());
            let expected = [sent(prev, 1), sent(next, 0)];
            let got = step(
                &mut link,
                0,
                [&sent(me, 0), &sent(me, 1)],
                [expected[0].len(), expected[1].len()],
            );
            got.map(|got| (got == expected, link.traffic()))
        });
        for (result, sizes) in results.into_iter().zip(&sizes) {
            let (equal, traffic) = result?;
            prop_assert!(equal);
            let messages = sizes.iter().filter(|&&size| size > 0).count();
            let payload = sizes[0] + sizes[1];
            prop_assert_eq!(traffic.messages, messages as u64);
            prop_assert_eq!(traffic.payload_bytes, payload as u64);
            let bytes = (payload + messages * FRAME_HEADER_BYTES) as u64;
            prop_assert_eq!(traffic.bytes_sent, bytes);
        }
    }
}

#[test]
fn rounds_and_received_bytes_are_counted() {
    let traffic = run3(local_network(SESSION, LONG), |mut link| {
        step(&mut link, 0, [&[], &[1, 2, 3]], [3, 0]).unwrap();
        let quiet = link.party() == PartyId::P0;
        let expected = if link.party() == PartyId::P1 { [5, 0] } else { [0, 0] };
        step(&mut link, 1, [&[], if quiet { &[9; 5] } else { &[] }], expected).unwrap();
        link.traffic()
    });
    assert_eq!(traffic.map(|t| t.rounds), [2, 2, 2]);
    let header = FRAME_HEADER_BYTES as u64;
    assert_eq!(traffic.map(|t| t.bytes_received), [header + 3, 2 * header + 8, header + 3]);
}

#[test]
fn an_untouched_run_succeeds() {
    let (received, end) = attacked(|_| ());
    assert_eq!(received, [1, 2]);
    end.unwrap();
}

#[test]
fn the_hook_sees_every_message_in_order() {
    let (seen, messages) = std::sync::mpsc::channel();
    let (_, end) = attacked(move |message| {
        let TamperedMessage { index, tag, to, frames } = message;
        let payload = frames[0][FRAME_HEADER_BYTES..].to_vec();
        seen.send((*index, tag.step, tag.round, tag.name.to_string(), *to, payload)).unwrap();
    });
    end.unwrap();
    let to = PartyId::P1;
    let expected =
        [(0, 10, 0, "test".to_string(), to, vec![1]), (1, 11, 1, "test".to_string(), to, vec![2])];
    assert_eq!(messages.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_last_message_withheld_is_missed_when_the_sender_leaves() {
    let (received, end) = attacked(|message| message.frames.clear());
    assert!(received.is_empty());
    assert!(
        matches!(end, Err(Error::Net { peer: PartyId::P0, kind: NetFault::Closed, .. })),
        "{end:?}"
    );
}

#[test]
fn a_deadline_that_is_certain_to_expire_expires_at_once() {
    let [p0, p1, p2] = local_network(SESSION, LONG);
    let network = [p0.with_tamper(|message| message.frames.clear()), p1, p2];
    let results = run3(network, |mut link| {
        let party = link.party();
        // Each party sends only once it has heard from its previous party.
        let start: &[u8] = if party == PartyId::P0 { &[1] } else { &[] };
        let result = step(&mut link, 0, [&[], start], [1, 0]);
        (link, result)
    });
    for (link, result) in results {
        let Err(Error::Net { peer, kind: NetFault::Timeout(LONG), .. }) = result else {
            panic!("expected a timeout, got {result:?}");
        };
        assert_eq!(peer, link.party().prev());
    }
}

#[test]
fn a_lost_message_is_noticed_at_the_next_one() {
    let (_, end) = attacked(|message| {
        if message.index == 0 {
            message.frames.clear();
        }
    });
    assert_misbehaved(&end, &Misbehaviour::WrongRound { expected: 0, got: 1 });
}

#[test]
fn swapped_messages_are_noticed() {
    let mut held = Vec::new();
    let (_, end) = attacked(move |message| {
        if message.index == 0 {
            held = std::mem::take(&mut message.frames);
        } else {
            message.frames.append(&mut held);
        }
    });
    assert_misbehaved(&end, &Misbehaviour::WrongRound { expected: 0, got: 1 });
}

#[test]
fn a_repeated_message_is_noticed() {
    let (_, end) = attacked(|message| {
        let copy = message.frames[0].clone();
        message.frames.push(copy);
    });
    assert_misbehaved(&end, &Misbehaviour::WrongRound { expected: 1, got: 0 });
}

#[test]
fn a_changed_header_field_is_named() {
    let cases = [
        (0, Misbehaviour::WrongSession),
        (16, Misbehaviour::WrongStep),
        (24, Misbehaviour::WrongRound { expected: 0, got: 1 }),
        (32, Misbehaviour::WrongLength { expected: 1, got: 0 }),
    ];
    for (byte, kind) in cases {
        let (received, end) = attacked(move |message| message.frames[0][byte] ^= 1);
        assert!(received.is_empty());
        assert_misbehaved(&end, &kind);
    }
}

#[test]
fn a_message_cut_short_swallows_the_start_of_the_next_one() {
    let (received, end) = attacked(|message| {
        if message.index == 0 {
            message.frames[0].truncate(FRAME_HEADER_BYTES);
        }
    });
    assert_eq!(received, [SESSION.0[0]], "the stream goes on with the next header");
    assert_misbehaved(&end, &Misbehaviour::WrongSession);
}

#[test]
fn a_message_too_long_is_noticed_in_the_next_round() {
    let (_, end) = attacked(|message| message.frames[0].push(0xff));
    assert_misbehaved(&end, &Misbehaviour::WrongSession);
}

#[test]
fn a_party_that_leaves_is_reported_to_those_who_need_it() {
    let [p0, mut p1, mut p2] = local_network(SESSION, LONG);
    drop(p0);
    let results = std::thread::scope(|scope| {
        [&mut p1, &mut p2]
            .map(|link| scope.spawn(|| step(link, 0, [&[], &[]], [1, 1])))
            .map(|thread| thread.join().expect("a party panicked"))
    });
    for result in results {
        assert!(
            matches!(result, Err(Error::Net { peer: PartyId::P0, kind: NetFault::Closed, .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_party_that_left_in_order_does_not_disturb_the_others() {
    let [p0, mut p1, mut p2] = local_network(SESSION, LONG);
    drop(p0);
    step(&mut p2, 0, [&[5], &[]], [0, 0]).unwrap();
    assert_eq!(step(&mut p1, 0, [&[], &[]], [0, 1]).unwrap()[1], [5]);
}

#[test]
fn a_party_that_failed_is_reported_even_to_those_who_wait_for_another() {
    let [mut p0, mut p1, _p2] = local_network(SESSION, Duration::ZERO);
    assert!(step(&mut p0, 0, [&[], &[]], [1, 0]).is_err());
    drop(p0);
    let result = step(&mut p1, 0, [&[], &[]], [0, 1]);
    assert!(
        matches!(result, Err(Error::Net { peer: PartyId::P0, kind: NetFault::Closed, .. })),
        "{result:?}"
    );
}

#[test]
fn a_failed_session_stays_failed() {
    let [mut p0, _p1, _p2] = local_network(SESSION, Duration::ZERO);
    assert!(step(&mut p0, 0, [&[], &[]], [1, 0]).is_err());
    assert!(matches!(step(&mut p0, 1, [&[], &[]], [0, 0]), Err(Error::Misuse(_))));
}
