//! Certificates and connections for the tests of this module.

use super::{TlsIdentity, TlsStream, TlsTransport, accept, client_config, connect, server_config};
use crate::net::SessionId;
use crate::party::PartyId;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

pub(super) const SESSION: SessionId = SessionId([3; 16]);
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A self-signed certificate that is valid between the first days of two years.
pub(super) fn identity_valid(years: Range<i32>) -> TlsIdentity {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    TlsIdentity::new(certificate.der().clone(), key.serialize_der().try_into().unwrap())
}

pub(super) fn identity() -> TlsIdentity {
    identity_valid(2000..3000)
}

/// Two connected sockets.
pub(super) fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// TLS on two connected sockets, the client's end and the server's.
pub(super) fn secure(
    (client, server): (TcpStream, TcpStream),
    client_identity: &TlsIdentity,
    server_identity: &TlsIdentity,
) -> (TlsStream, TlsStream) {
    let client_config = client_config(client_identity, server_identity.fingerprint(), &[]).unwrap();
    let server_config =
        server_config(server_identity, [client_identity.fingerprint()], &[]).unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| accept(server, server_config, LONG).unwrap());
        (connect(client, client_config, LONG).unwrap(), server.join().unwrap())
    })
}

/// The six ends of the connections of three parties: of each party to its previous
/// and to its next one. `sockets` connects a client with a server.
pub(super) fn streams(
    mut sockets: impl FnMut() -> (TcpStream, TcpStream),
) -> [(TlsStream, TlsStream); 3] {
    let [a, b, c] = [identity(), identity(), identity()];
    let (a_next, b_prev) = secure(sockets(), &a, &b);
    let (b_next, c_prev) = secure(sockets(), &b, &c);
    let (c_next, a_prev) = secure(sockets(), &c, &a);
    [(a_prev, a_next), (b_prev, b_next), (c_prev, c_next)]
}

/// Three parties over loopback.
pub(super) fn network(deadline: Duration) -> [TlsTransport; 3] {
    let mut parties = PartyId::ALL.into_iter();
    streams(sockets).map(|(prev, next)| {
        TlsTransport::new(parties.next().unwrap(), SESSION, deadline, prev, next).unwrap()
    })
}
