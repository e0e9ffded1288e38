//! Latency and throughput of rounds over mutual TLS: three parties on loopback.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::net::tls::{
    Fingerprint, TlsIdentity, TlsStream, TlsTransport, accept, client_config, connect,
    server_config,
};
use mpc_core::net::{LocalTransport, Round, RoundTag, SessionId, Transport, local_network};
use mpc_core::party::PartyId;
use rcgen::{CertificateParams, KeyPair};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const SESSION: SessionId = SessionId([1; 16]);
const DEADLINE: Duration = Duration::from_secs(30);

fn identity() -> TlsIdentity {
    let key = KeyPair::generate().expect("a key pair");
    let certificate = CertificateParams::default().self_signed(&key).expect("a certificate");
    TlsIdentity::new(
        certificate.der().clone(),
        key.serialize_der().try_into().expect("a PKCS #8 key"),
    )
}

/// A TLS connection over loopback: the client's end and the server's.
fn connection(client: &TlsIdentity, server: &TlsIdentity) -> (TlsStream, TlsStream) {
    let known: Fingerprint = server.fingerprint();
    let client_config = client_config(client, known, &[]).expect("a client configuration");
    let server_config =
        server_config(server, [client.fingerprint()], &[]).expect("a server configuration");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("an address"));
    let (accepted, _) = listener.accept().expect("a connection");
    std::thread::scope(|scope| {
        let server = scope.spawn(|| accept(accepted, server_config, DEADLINE));
        let client = connect(socket.expect("a connection"), client_config, DEADLINE);
        let server = server.join().expect("the server's thread");
        (client.expect("a handshake"), server.expect("a handshake"))
    })
}

/// Three parties, each connected to the next.
fn tls_network() -> [TlsTransport; 3] {
    let identities = [identity(), identity(), identity()];
    let mut prev = [None, None, None];
    let mut next = [None, None, None];
    for party in PartyId::ALL {
        let (me, you) = (party.index(), party.next().index());
        let (client, server) = connection(&identities[me], &identities[you]);
        (next[me], prev[you]) = (Some(client), Some(server));
    }
    PartyId::ALL.map(|party| {
        let prev = prev[party.index()].take().expect("a connection");
        let next = next[party.index()].take().expect("a connection");
        TlsTransport::new(party, SESSION, DEADLINE, prev, next).expect("a transport")
    })
}

/// Time of `rounds` rounds in which every party passes `bytes` to its previous one.
fn pass_rounds<T: Transport>(
    network: &mut [T; 3],
    bytes: usize,
    first: u64,
    rounds: u64,
) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for link in network {
            scope.spawn(move || {
                let sent = vec![7; bytes];
                let mut received = vec![0; bytes];
                for round in first..first + rounds {
                    let tag = RoundTag { step: 0, round, name: &"bench" };
                    let messages = Round {
                        to_prev: &sent,
                        to_next: &[],
                        from_prev: &mut [],
                        from_next: &mut received,
                    };
                    link.exchange(tag, messages).expect("a round");
                }
            });
        }
    });
    start.elapsed()
}

fn bench_passing<T: Transport>(c: &mut Criterion, name: &str, mut network: [T; 3]) {
    let mut group = c.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    let mut round = 0;
    for bytes in [8, 1 << 10, 64 << 10, 1 << 20, 16 << 20] {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("pass", bytes), &bytes, |b, &bytes| {
            b.iter_custom(|rounds| {
                let time = pass_rounds(&mut network, bytes, round, rounds);
                round += rounds;
                time
            });
        });
    }
    group.finish();
}

fn passing(c: &mut Criterion) {
    bench_passing(c, "tls", tls_network());
    let network: [LocalTransport; 3] = local_network(SESSION, DEADLINE);
    bench_passing(c, "local", network);
}

criterion_group!(benches, passing);
criterion_main!(benches);
