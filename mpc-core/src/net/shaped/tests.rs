use super::*;
use crate::net::clock::Computation;
use crate::net::{LocalTransport, local_network};
use proptest::prelude::*;

const SESSION: SessionId = SessionId([3; 16]);

fn shaped(spec: LinkSpec, seed: u64) -> [Shaped<LocalTransport>; 3] {
    local_network(SESSION, Duration::from_secs(60))
        .map(|link| Shaped::new(link, spec, Clock::simulated(Computation::Free), seed))
}

/// What a party sends to its previous and to its next party in a round, in bytes.
type Lengths = [usize; 2];

/// Runs rounds in which party `i` sends as `plan(round)[i]` says, and returns the clocks of
/// the parties at the end, and what they counted.
fn clocks(
    network: [Shaped<LocalTransport>; 3],
    rounds: usize,
    plan: impl Fn(usize) -> [Lengths; 3] + Sync,
) -> [(Duration, Traffic); 3] {
    std::thread::scope(|scope| {
        let plan = &plan;
        network
            .map(|mut link| {
                scope.spawn(move || {
                    let me = link.party();
                    for number in 0..rounds {
                        let all = plan(number);
                        let [prev, next] = all[me.index()].map(|len| vec![number as u8; len]);
                        let mut from_prev = vec![0; all[me.prev().index()][1]];
                        let mut from_next = vec![0; all[me.next().index()][0]];
                        let tag = RoundTag { step: 1, round: number as u64, name: &"test" };
                        let round = Round {
                            to_prev: &prev,
                            to_next: &next,
                            from_prev: &mut from_prev,
                            from_next: &mut from_next,
                        };
                        link.exchange(tag, round).unwrap();
                        let arrived = from_prev.iter().chain(&from_next);
                        assert!(arrived.into_iter().all(|&byte| byte == number as u8));
                    }
                    (link.now(), link.traffic())
                })
            })
            .map(|thread| thread.join().expect("a party panicked"))
    })
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Every party sends so many bytes to its next one.
fn ring(len: usize) -> [Lengths; 3] {
    [[0, len]; 3]
}

#[test]
fn k_rounds_take_k_latencies() {
    let spec = LinkSpec { latency: Duration::from_millis(40), ..LinkSpec::default() };
    for (clock, traffic) in clocks(shaped(spec, 0), 50, |_| ring(8)) {
        assert_eq!(clock, Duration::from_secs(2));
        assert_eq!((clock, traffic.rounds), (traffic.waiting, 50));
    }
}

#[test]
fn n_bytes_take_n_over_the_bandwidth() {
    let spec = LinkSpec::new(Duration::ZERO, 100e6);
    let len = 1_250_000 - FRAME_HEADER_BYTES;
    for (clock, traffic) in clocks(shaped(spec, 0), 10, |_| ring(len)) {
        assert_eq!(clock, Duration::from_secs(1), "100 ms a message");
        assert_eq!(traffic.payload_bytes, 10 * len as u64, "stamps are not counted");
        assert_eq!(traffic.bytes_sent, 10 * 1_250_000);
        assert_eq!(traffic.bytes_received, 10 * 1_250_000);
    }
}

#[test]
fn messages_that_nobody_waits_for_are_under_way_together() {
    let spec = LinkSpec::new(Duration::from_millis(100), 8e6);
    // P0 sends ten messages of a millisecond each to P1, one round each.
    let len = 1000 - FRAME_HEADER_BYTES;
    let [p0, p1, p2] = clocks(shaped(spec, 0), 10, |_| [[0, len], [0, 0], [0, 0]]);
    assert_eq!(p0.0, Duration::ZERO);
    assert_eq!(p1.0, seconds(0.110));
    assert_eq!(p2.0, Duration::ZERO);
}

#[test]
fn the_two_directions_and_the_two_links_of_a_party_are_independent() {
    let spec = LinkSpec::new(Duration::ZERO, 8e6);
    let len = 1000 - FRAME_HEADER_BYTES;
    for (clock, _) in clocks(shaped(spec, 0), 1, |_| [[len, len]; 3]) {
        assert_eq!(clock, Duration::from_millis(1));
    }
}

#[test]
fn a_real_clock_waits_no_less() {
    let spec = LinkSpec { latency: Duration::from_millis(5), ..LinkSpec::default() };
    let network = local_network(SESSION, Duration::from_secs(60))
        .map(|link| Shaped::new(link, spec, Clock::Wall, 0));
    let begun = crate::net::clock::wall_time();
    for (end, traffic) in clocks(network, 4, |_| ring(8)) {
        assert!(end - begun >= Duration::from_millis(20));
        assert!(traffic.waiting >= Duration::from_millis(15), "{traffic:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Jitter stays within its bounds, and is the same for the same seed.
    #[test]
    fn jitter_is_bounded_and_repeats(seed: u64, latency in 1u64..50_000, part in 0.0..=1.0) {
        let latency = Duration::from_micros(latency);
        let spec = LinkSpec { latency, jitter: latency.mul_f64(part), bandwidth: None };
        let times = || clocks(shaped(spec, seed), 20, |_| [[8, 8]; 3]).map(|(clock, _)| clock);
        let [first, again] = [times(), times()];
        prop_assert_eq!(first, again);
        for clock in first {
            prop_assert!(clock <= (latency + spec.jitter) * 20);
            prop_assert!(clock >= (latency - spec.jitter) * 20);
        }
    }

    /// The time of rounds of any lengths is what the definition says.
    #[test]
    fn any_rounds_take_the_time_that_the_links_define(
        lengths in prop::collection::vec([[0usize..3000, 0..3000], [0..3000, 0..3000], [0..3000, 0..3000]], 1..12),
        latency in 0u64..2000,
        kilobits in 100u32..100_000,
    ) {
        let spec = LinkSpec::new(Duration::from_micros(latency), f64::from(kilobits) * 1e3);
        let mut now = [Duration::ZERO; 3];
        let mut free = [[Duration::ZERO; 2]; 3];
        for sent in &lengths {
            let mut arrivals = now;
            for from in PartyId::ALL {
                for (side, to) in [(0, from.prev()), (1, from.next())] {
                    let len = sent[from.index()][side];
                    if len > 0 {
                        let free = &mut free[from.index()][side];
                        *free = (*free).max(now[from.index()]);
                        *free += spec.transmission(len + FRAME_HEADER_BYTES);
                        let arrival = *free + spec.latency;
                        arrivals[to.index()] = arrivals[to.index()].max(arrival);
                    }
                }
            }
            now = arrivals;
        }
        let measured = clocks(shaped(spec, 0), lengths.len(), |round| lengths[round]);
        prop_assert_eq!(measured.map(|(clock, _)| clock), now);
    }
}
