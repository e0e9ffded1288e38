use super::*;
use crate::net::tls::pin::PinnedCertificates;
use crate::net::tls::testing::{LONG, identity, identity_valid, sockets};
use crate::net::tls::{TlsIdentity, client_config, server_config};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io::Write;

type Outcome = Result<TlsStream, HandshakeError>;

/// How a handshake ends: for the client and for the server.
fn meet(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> (Outcome, Outcome) {
    let (client_socket, server_socket) = sockets();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| accept(server_socket, server, LONG));
        let client = connect(client_socket, client, LONG);
        (client, server.join().unwrap())
    })
}

/// A handshake in which both ends expect exactly the other.
fn meet_as(client: &TlsIdentity, server: &TlsIdentity) -> (Outcome, Outcome) {
    let client_config = client_config(client, server.fingerprint(), &[]).unwrap();
    let server_config = server_config(server, [client.fingerprint()], &[]).unwrap();
    meet(client_config, server_config)
}

/// What a client that was refused after its last message reads from the server.
fn refusal(client: Outcome) -> HandshakeError {
    let TlsStream { mut socket, mut connection } = client.expect("TLS 1.3 tells it later");
    socket.set_nonblocking(false).unwrap();
    connection.complete_io(&mut socket).unwrap_err().into()
}

fn end(outcome: Outcome) -> HandshakeError {
    outcome.err().expect("the handshake must fail")
}

#[test]
fn both_ends_learn_who_the_other_is() {
    let (client, server) = (identity(), identity());
    let protocols: [&[u8]; 2] = [b"one", b"two"];
    let client_config = client_config(&client, server.fingerprint(), &protocols).unwrap();
    let others = [identity().fingerprint(), client.fingerprint()];
    let server_config = server_config(&server, others, &protocols[1..]).unwrap();
    let (client_end, server_end) = meet(client_config, server_config);
    let (client_end, server_end) = (client_end.unwrap(), server_end.unwrap());
    assert_eq!(client_end.peer_fingerprint(), Some(server.fingerprint()));
    assert_eq!(server_end.peer_fingerprint(), Some(client.fingerprint()));
    assert_eq!(client_end.alpn(), Some(protocols[1]));
    assert_eq!(server_end.alpn(), Some(protocols[1]));
    assert_eq!(client_end.connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn an_unexpected_server_is_refused_and_named() {
    let (client, server, other) = (identity(), identity(), identity());
    let (client_end, server_end) = meet(
        client_config(&client, other.fingerprint(), &[]).unwrap(),
        server_config(&server, [client.fingerprint()], &[]).unwrap(),
    );
    let message = end(client_end).to_string();
    assert!(message.contains(&server.fingerprint().to_string()), "{message}");
    assert!(message.contains(&other.fingerprint().to_string()), "{message}");
    let message = end(server_end).to_string();
    assert!(message.contains("does not know our certificate"), "{message}");
}

#[test]
fn an_unknown_client_is_refused_and_named() {
    let (client, server) = (identity(), identity());
    let known = [identity().fingerprint(), identity().fingerprint()];
    let (client_end, server_end) = meet(
        client_config(&client, server.fingerprint(), &[]).unwrap(),
        server_config(&server, known, &[]).unwrap(),
    );
    let message = end(server_end).to_string();
    assert!(message.contains(&client.fingerprint().to_string()), "{message}");
    assert!(message.contains("any of 2 known ones"), "{message}");
    let message = refusal(client_end).to_string();
    assert!(message.contains("does not know our certificate"), "{message}");
}

#[test]
fn an_expired_certificate_is_refused_with_its_date() {
    let (fresh, old) = (identity(), identity_valid(2001..2002));
    let (_, server_end) = meet_as(&old, &fresh);
    let (client_end, told) = meet_as(&fresh, &old);
    for error in [end(server_end), end(client_end)] {
        assert!(matches!(error, HandshakeError::Expired { .. }), "{error:?}");
        assert!(error.to_string().contains("expired on Jan  1 00:00:00 2002"), "{error}");
    }
    let told = end(told).to_string();
    assert!(told.contains("our certificate has expired or is not valid yet"), "{told}");
}

#[test]
fn a_certificate_from_the_future_is_refused_with_its_date() {
    let (fresh, early) = (identity(), identity_valid(2998..2999));
    let (_, server_end) = meet_as(&early, &fresh);
    let (client_end, _) = meet_as(&fresh, &early);
    for error in [end(server_end), end(client_end)] {
        assert!(matches!(error, HandshakeError::NotYetValid { .. }), "{error:?}");
        assert!(error.to_string().contains("only from Jan  1 00:00:00 2998"), "{error}");
    }
}

#[test]
fn a_client_without_certificate_is_refused() {
    let server = identity();
    let provider = Arc::new(default_provider());
    let verifier = PinnedCertificates::new([server.fingerprint()], Arc::clone(&provider));
    let anonymous = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let config = server_config(&server, [identity().fingerprint()], &[]).unwrap();
    let (client_end, server_end) = meet(Arc::new(anonymous), config);
    let error = end(server_end);
    assert!(matches!(error, HandshakeError::NoCertificate), "{error:?}");
    let message = refusal(client_end).to_string();
    assert!(message.contains("requires a certificate"), "{message}");
}

/// Shows a certificate whatever key there is.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let (client, server) = (identity(), identity());
    let own_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let own_key = own_key.serialize_der().try_into().unwrap();
    let shown = CertifiedKey::new(
        vec![server.certificate().clone()],
        any_supported_type(&own_key).unwrap(),
    );
    let impostor = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Impostor(Arc::new(shown))));
    let config = client_config(&client, server.fingerprint(), &[]).unwrap();
    let (client_end, _) = meet(config, Arc::new(impostor));
    let error = end(client_end);
    assert!(
        matches!(
            error,
            HandshakeError::Tls(rustls::Error::InvalidCertificate(CertificateError::BadSignature))
        ),
        "{error:?}"
    );
}

#[test]
fn a_key_of_another_certificate_makes_no_configuration() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mixed =
        TlsIdentity::new(identity().certificate().clone(), key.serialize_der().try_into().unwrap());
    let known = identity().fingerprint();
    assert!(matches!(client_config(&mixed, known, &[]), Err(rustls::Error::InconsistentKeys(_))));
    assert!(matches!(server_config(&mixed, [known], &[]), Err(rustls::Error::InconsistentKeys(_))));
}

#[test]
fn ends_without_a_common_protocol_do_not_meet() {
    let (client, server) = (identity(), identity());
    let (client_end, server_end) = meet(
        client_config(&client, server.fingerprint(), &[b"one"]).unwrap(),
        server_config(&server, [client.fingerprint()], &[b"two"]).unwrap(),
    );
    let error = end(server_end);
    assert!(matches!(error, HandshakeError::NoCommonProtocol), "{error:?}");
    let message = end(client_end).to_string();
    assert!(message.contains("do both run the same version?"), "{message}");
}

/// What a server makes of the bytes that a client sends before it hangs up.
fn answer_to(bytes: &[u8]) -> HandshakeError {
    let (mut client, server) = sockets();
    client.write_all(bytes).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let identity = identity();
    let config = server_config(&identity, [identity.fingerprint()], &[]).unwrap();
    end(accept(server, config, LONG))
}

/// The greeting of a client that knows TLS 1.2 and nothing newer.
fn tls12_hello() -> Vec<u8> {
    let mut hello = vec![3, 3]; // TLS 1.2
    hello.extend([9; 32]); // random
    hello.extend([0]); // no session to resume
    hello.extend([0, 2, 0xc0, 0x2b]); // ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    hello.extend([1, 0]); // no compression
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let signatures = [0, 13, 0, 6, 0, 4, 4, 3, 8, 7];
    hello.extend(((groups.len() + signatures.len()) as u16).to_be_bytes());
    hello.extend(groups);
    hello.extend(signatures);
    let mut message = vec![1, 0]; // ClientHello, its length in 24 bits
    message.extend((hello.len() as u16).to_be_bytes());
    message.extend(hello);
    let mut record = vec![22, 3, 1]; // handshake
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

#[test]
fn tls_1_2_is_refused() {
    let error = answer_to(&tls12_hello());
    assert!(matches!(error, HandshakeError::OldTls), "{error:?}");
}

#[test]
fn a_client_that_speaks_no_tls_is_refused() {
    let error = answer_to(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(error, HandshakeError::Tls(_)), "{error:?}");
}

#[test]
fn a_client_that_hangs_up_is_reported() {
    let hello = tls12_hello();
    for bytes in [&hello[..0], &hello[..hello.len() - 1]] {
        let error = answer_to(bytes);
        assert!(matches!(error, HandshakeError::Closed), "{error:?}");
    }
}

#[test]
fn a_silent_client_runs_into_the_deadline() {
    let (_client, server) = sockets();
    let identity = identity();
    let config = server_config(&identity, [identity.fingerprint()], &[]).unwrap();
    let deadline = Duration::from_millis(1);
    let error = end(accept(server, config, deadline));
    assert!(matches!(error, HandshakeError::Timeout(d) if d == deadline), "{error:?}");
}

#[test]
fn the_identity_hides_its_key() {
    let shown = format!("{:?}", identity());
    assert!(shown.contains("[secret key elided]"), "{shown}");
}
