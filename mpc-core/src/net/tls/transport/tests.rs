use super::*;
use crate::error::{Error, Misbehaviour};
use crate::net::tls::testing::{LONG, SESSION, network, sockets, streams};
use crate::net::{FRAME_HEADER_BYTES, FrameHeader};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicU64;

/// One round of a party: what it sends to and expects from previous and next.
fn step(
    link: &mut TlsTransport,
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
    network: &mut [TlsTransport; 3],
    program: impl Fn(&mut TlsTransport) -> T + Sync,
) -> [T; 3] {
    std::thread::scope(|scope| {
        network
            .each_mut()
            .map(|link| scope.spawn(|| program(link)))
            .map(|thread| thread.join().expect("a party panicked"))
    })
}

/// What party `from` sends in a round, recognisable and of the given length.
fn message(from: PartyId, side: Side, round: u64, length: usize) -> Vec<u8> {
    let seed = from.index() as u64 * 2 + side as u64 + round * 7 + 1;
    (0..length as u64).map(|i| (i.wrapping_mul(seed) >> 3) as u8 ^ seed as u8).collect()
}

/// Runs rounds in which party `i` sends `sizes[round][i]` bytes to previous and next.
fn all_arrives(network: &mut [TlsTransport; 3], sizes: &[[[usize; 2]; 3]]) -> bool {
    let results = run3(network, |link| {
        let me = link.party();
        sizes.iter().zip(0..).all(|(sizes, round)| {
            let sent = |from: PartyId, side: Side| {
                message(from, side, round, sizes[from.index()][side as usize])
            };
            let expected = [sent(me.prev(), Side::Next), sent(me.next(), Side::Prev)];
            let lengths = expected.each_ref().map(Vec::len);
            let payloads = [&*sent(me, Side::Prev), &*sent(me, Side::Next)];
            step(link, round, payloads, lengths).expect("a round") == expected
        })
    });
    results == [true; 3]
}

fn sizes_of_rounds() -> impl Strategy<Value = Vec<[[usize; 2]; 3]>> {
    let size = prop_oneof![Just(0), 1usize..100, 15_000usize..300_000];
    prop::collection::vec(prop::array::uniform3(prop::array::uniform2(size)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn messages_of_any_size_arrive(sizes in sizes_of_rounds(), spin in 0u64..100) {
        let spin = Duration::from_micros(spin);
        let mut network = network(LONG).map(|link| link.with_spin(spin));
        prop_assert!(all_arrives(&mut network, &sizes));
    }
}

#[test]
fn large_messages_in_all_directions_do_not_block_each_other() {
    let mut network = network(LONG);
    assert!(all_arrives(&mut network, &[[[30_000_000; 2]; 3], [[1; 2]; 3]]));
}

/// Forwards bytes in both directions and counts them: to the server, to the client.
fn counting_proxy(client: TcpStream, server: TcpStream) -> Arc<[AtomicU64; 2]> {
    let counts: Arc<[AtomicU64; 2]> = Arc::default();
    for direction in 0..2 {
        let mut ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
        ends.rotate_left(direction);
        let [mut from, mut to] = ends;
        let counts = Arc::clone(&counts);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 100_000];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                counts[direction].fetch_add(count as u64, Ordering::SeqCst);
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        });
    }
    counts
}

#[test]
fn counters_agree_with_what_passes_through_the_sockets() {
    let mut proxies = Vec::new();
    let mut parties = PartyId::ALL.into_iter();
    // The connections are those of party 0 to 1, of 1 to 2 and of 2 to 0.
    let mut network = streams(|| {
        let (client, proxy_in) = sockets();
        let (proxy_out, server) = sockets();
        proxies.push(counting_proxy(proxy_in, proxy_out));
        (client, server)
    })
    .map(|(prev, next)| {
        TlsTransport::new(parties.next().unwrap(), SESSION, LONG, prev, next).unwrap()
    });
    let counted = || -> Vec<[u64; 2]> {
        let load = |counts: &Arc<[AtomicU64; 2]>| {
            counts.each_ref().map(|count| count.load(Ordering::SeqCst))
        };
        proxies.iter().map(load).collect()
    };
    let handshakes = counted();
    let sizes = [[[1_000_000, 3], [0, 70_000], [8, 9]], [[0, 0], [5, 0], [0, 100_000]]];
    assert!(all_arrives(&mut network, &sizes));
    let passed: Vec<[u64; 2]> = counted()
        .iter()
        .zip(&handshakes)
        .map(|(now, before)| [now[0] - before[0], now[1] - before[1]])
        .collect();
    for party in PartyId::ALL {
        let (next, prev) = (&passed[party.index()], &passed[party.prev().index()]);
        let traffic = network[party.index()].traffic();
        assert_eq!(traffic.bytes_sent, next[0] + prev[1], "{party}");
        assert_eq!(traffic.bytes_received, next[1] + prev[0], "{party}");
        let sent: Vec<usize> =
            sizes.iter().flat_map(|round| round[party.index()]).filter(|&n| n > 0).collect();
        assert_eq!(traffic.messages, sent.len() as u64);
        assert_eq!(traffic.payload_bytes, sent.iter().sum::<usize>() as u64);
    }
    let rounds = network.each_ref().map(|link| link.traffic().rounds);
    assert_eq!(rounds, [2, 2, 2], "a round counts at all parties, also where only party 0 waits");
}

#[test]
fn a_party_may_run_ahead_by_a_round() {
    let [mut p0, mut p1, _p2] = network(LONG);
    for round in 0..2 {
        step(&mut p0, round, [&[], &[round as u8; 50_000]], [0, 0]).unwrap();
    }
    for round in 0..2 {
        let [got, _] = step(&mut p1, round, [&[], &[]], [50_000, 0]).unwrap();
        assert_eq!(got, [round as u8; 50_000]);
    }
}

#[track_caller]
fn assert_closed(result: Result<[Vec<u8>; 2]>, by: PartyId) {
    assert!(
        matches!(&result, Err(Error::Net { peer, kind: NetFault::Closed, .. }) if *peer == by),
        "{result:?}"
    );
}

#[test]
fn a_silent_peer_is_named_when_the_deadline_is_over() {
    let deadline = Duration::from_millis(2);
    for spin in [Duration::ZERO, LONG] {
        let [mut p0, _p1, _p2] = network(deadline).map(|link| link.with_spin(spin));
        let result = step(&mut p0, 0, [&[], &[]], [0, 1]);
        assert!(
            matches!(
                &result,
                Err(Error::Net { peer: PartyId::P1, kind: NetFault::Timeout(d), step })
                    if *d == deadline && step == "test"
            ),
            "{result:?}"
        );
        assert!(matches!(step(&mut p0, 1, [&[], &[]], [0, 0]), Err(Error::Misuse(_))));
    }
}

#[test]
fn a_peer_that_does_not_read_is_named_when_the_deadline_is_over() {
    let small_sockets = || {
        let (client, server) = sockets();
        rustix::net::sockopt::set_socket_send_buffer_size(&client, 4096).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&server, 4096).unwrap();
        (client, server)
    };
    let mut parties = PartyId::ALL.into_iter();
    let [mut p0, _p1, _p2] = streams(small_sockets).map(|(prev, next)| {
        let party = parties.next().unwrap();
        TlsTransport::new(party, SESSION, Duration::from_millis(2), prev, next).unwrap()
    });
    let result = step(&mut p0, 0, [&[], &[1; 900_000]], [0, 0]);
    assert!(
        matches!(result, Err(Error::Net { peer: PartyId::P1, kind: NetFault::Timeout(_), .. })),
        "{result:?}"
    );
}

#[test]
fn a_peer_that_leaves_is_reported_to_those_who_need_it() {
    let [p0, mut p1, mut p2] = network(LONG);
    drop(p0);
    assert_closed(step(&mut p1, 0, [&[], &[]], [1, 1]), PartyId::P0);
    assert_closed(step(&mut p2, 0, [&[], &[1]], [0, 1]), PartyId::P0);
}

#[test]
fn a_peer_that_left_in_order_does_not_disturb_the_others() {
    let [p0, mut p1, mut p2] = network(LONG);
    drop(p0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| step(&mut p1, 0, [&[], &[]], [0, 1]));
        step(&mut p2, 0, [&[5], &[]], [0, 0]).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap()[1], [5]);
    });
}

#[test]
fn a_peer_that_hung_up_is_reported_even_to_those_who_wait_for_another() {
    for spin in [Duration::ZERO, Duration::from_micros(50)] {
        let [mut p0, mut p1, _p2] = network(LONG).map(|link| link.with_spin(spin));
        p0.failed = true;
        drop(p0);
        assert_closed(step(&mut p1, 0, [&[], &[]], [0, 1]), PartyId::P0);
    }
}

#[test]
fn a_peer_that_dies_after_sending_ahead_is_reported_when_its_messages_are_used_up() {
    let [mut p0, mut p1, mut p2] = network(LONG);
    step(&mut p0, 0, [&[], &[7; 10]], [0, 0]).unwrap();
    p0.failed = true;
    drop(p0);
    step(&mut p2, 0, [&[5], &[]], [0, 0]).unwrap();
    assert_eq!(step(&mut p1, 0, [&[], &[]], [10, 1]).unwrap(), [vec![7; 10], vec![5]]);
    assert_closed(step(&mut p1, 1, [&[], &[]], [0, 1]), PartyId::P0);
}

#[test]
fn a_waiting_round_can_be_stopped() {
    let cancel = Arc::new(AtomicBool::new(false));
    let [p0, mut p1, _p2] = network(LONG);
    let mut p0 = p0.cancel_with(Arc::clone(&cancel));
    let result = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| step(&mut p0, 0, [&[], &[]], [1, 1]));
        cancel.store(true, Ordering::Relaxed);
        waiting.join().unwrap()
    });
    assert!(matches!(&result, Err(Error::Cancelled { step }) if step == "test"), "{result:?}");
    drop(p0);
    assert_closed(step(&mut p1, 0, [&[], &[]], [1, 0]), PartyId::P0);
}

#[track_caller]
fn assert_misbehaved(result: Result<[Vec<u8>; 2]>, expected: &Misbehaviour) {
    assert!(
        matches!(
            &result,
            Err(Error::PeerMisbehaved { peer: PartyId::P0, kind, .. }) if kind == expected
        ),
        "{result:?}"
    );
}

/// What party 1 makes of one frame of party 0, where it expects another.
fn answer_to_frame(
    session: SessionId,
    step_hash: u64,
    round: u64,
    payload: &[u8],
) -> Result<[Vec<u8>; 2]> {
    let [mut p0, mut p1, _p2] = network(LONG);
    p0.session = session;
    let tag = RoundTag { step: step_hash, round, name: &"sent" };
    let nothing = Round { to_prev: &[], to_next: payload, from_prev: &mut [], from_next: &mut [] };
    p0.exchange(tag, nothing).expect("sending succeeds");
    step(&mut p1, 0, [&[], &[]], [1, 0])
}

#[test]
fn a_frame_that_is_not_the_expected_one_is_refused() {
    assert_eq!(answer_to_frame(SESSION, 10, 0, &[7]).unwrap()[0], [7]);
    assert_misbehaved(
        answer_to_frame(SessionId([4; 16]), 10, 0, &[7]),
        &Misbehaviour::WrongSession,
    );
    assert_misbehaved(answer_to_frame(SESSION, 99, 0, &[7]), &Misbehaviour::WrongStep);
    assert_misbehaved(
        answer_to_frame(SESSION, 10, 4, &[7]),
        &Misbehaviour::WrongRound { expected: 0, got: 4 },
    );
    assert_misbehaved(
        answer_to_frame(SESSION, 10, 0, &[7; 3]),
        &Misbehaviour::WrongLength { expected: 1, got: 3 },
    );
}

/// What party 1 makes of bytes that party 0 sends inside TLS before it closes,
/// where it expects ten bytes.
fn answer_to_plaintext(bytes: &[u8]) -> Result<[Vec<u8>; 2]> {
    let [(_p0_prev, p0), (prev, next), _p2] = streams(sockets);
    let mut p1 = TlsTransport::new(PartyId::P1, SESSION, LONG, prev, next).unwrap();
    let TlsStream { mut socket, mut connection } = p0;
    connection.writer().write_all(bytes).unwrap();
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(&mut socket).unwrap();
    }
    step(&mut p1, 0, [&[], &[]], [10, 0])
}

#[test]
fn a_frame_cut_short_is_missed() {
    let header = FrameHeader { session: SESSION, step: 10, round: 0, length: 10 };
    let frame = [header.encode().as_slice(), &[7; 10]].concat();
    assert_eq!(answer_to_plaintext(&frame).unwrap()[0], [7; 10]);
    for length in [0, 1, FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES, frame.len() - 1] {
        assert_closed(answer_to_plaintext(&frame[..length]), PartyId::P0);
    }
}

#[test]
fn garbage_inside_tls_is_refused() {
    assert_misbehaved(answer_to_plaintext(&[0xaa; 1000]), &Misbehaviour::WrongSession);
}

#[test]
fn the_length_of_a_frame_is_checked_before_its_payload() {
    let header = FrameHeader { session: SESSION, step: 10, round: 0, length: u32::MAX };
    let expected = Misbehaviour::WrongLength { expected: 10, got: u32::MAX as usize };
    assert_misbehaved(answer_to_plaintext(&header.encode()), &expected);
}

/// A record as TLS 1.3 frames it, whose content does not authenticate.
const FORGED_RECORD: [u8; 45] = {
    let mut record = [0; 45];
    (record[0], record[1], record[2], record[4]) = (23, 3, 3, 40);
    record
};

#[test]
fn what_does_not_authenticate_is_refused_without_blaming_the_peer() {
    for bytes in [&FORGED_RECORD[..], &[0xff; 100]] {
        let [mut p0, mut p1, _p2] = network(LONG);
        p0.links[1].socket().write_all(bytes).unwrap();
        let result = step(&mut p1, 0, [&[], &[]], [10, 0]);
        assert!(
            matches!(
                &result,
                Err(Error::Net { peer: PartyId::P0, kind: NetFault::Io(text), .. })
                    if text.starts_with("TLS: ")
            ),
            "{result:?}"
        );
        let told = step(&mut p0, 0, [&[], &[]], [0, 10]);
        assert!(
            matches!(
                &told,
                Err(Error::Net { peer: PartyId::P1, kind: NetFault::Io(text), .. })
                    if text.contains("alert")
            ),
            "{told:?}"
        );
    }
}
