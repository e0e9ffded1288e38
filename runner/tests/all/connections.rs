//! Who may connect, what a node does with nonsense, and why it would not start.

use crate::common;
use crate::common::{Trial, last_line, tercet};
use jiff::{SignedDuration, Timestamp};
use mpc_core::net::tls::{Fingerprint, TlsIdentity, TlsStream, client_config, connect};
use runner::consortium::{Consortium, Member};
use runner::control::{ALPN_CONTROL, ALPN_MPC};
use runner::identity::{Identity, Role, Validity};
use rustls::{ClientConnection, Stream};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn tcp(trial: &Trial, party: u8) -> TcpStream {
    let consortium = trial.consortium();
    TcpStream::connect(&consortium.party(party.try_into().unwrap()).address).unwrap()
}

fn pin(trial: &Trial, party: u8) -> Fingerprint {
    trial.consortium().party(party.try_into().unwrap()).card.certificate().fingerprint()
}

/// Speaks TLS with party 0 as some identity, says `words`, and returns what it answers.
fn say(trial: &Trial, identity: &TlsIdentity, alpn: &[u8], words: &[u8]) -> Vec<u8> {
    let config = client_config(identity, pin(trial, 0), &[alpn]).unwrap();
    let name = mpc_core::net::tls::server_name();
    let mut connection = ClientConnection::new(config, name).unwrap();
    let mut socket = tcp(trial, 0);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    let mut answer = Vec::new();
    // The node may hang up at any point; what counts is that it does, and stays up.
    let _ = stream.write_all(words).and_then(|()| stream.read_to_end(&mut answer));
    answer
}

fn is_well(trial: &Trial) {
    let status = trial.ok("analyst", &["status"]);
    assert_eq!(status["nodes"].as_array().unwrap().len(), 3);
}

#[test]
fn nonsense_before_and_inside_tls_does_no_harm() {
    let mut trial = Trial::new();
    trial.limit(0, "client-timeout-seconds", 1);
    (0..3).for_each(|party| trial.start(party));
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 300], &[22, 3, 1, 255, 255]] {
        let mut socket = tcp(&trial, 0);
        socket.write_all(nonsense).unwrap();
        drop(socket);
    }
    let identity = trial.identity("hospital-a").tls_identity();
    let hello_cut_short = [1, 40, 0, 0, 0, 1, 5];
    let huge_message = [1, 255, 255, 255, 255];
    let huge_chunk = [2, 255, 255, 255, 127];
    let undecodable = [1, 3, 0, 0, 0, 255, 255, 255];
    let unknown_kind = [77, 0, 0, 0, 0];
    for words in [&hello_cut_short[..], &huge_message, &huge_chunk, &undecodable, &unknown_kind] {
        for alpn in [ALPN_CONTROL, ALPN_MPC] {
            say(&trial, &identity, alpn, words);
        }
    }
    assert!(trial.is_up(0));
    is_well(&trial);
}

#[test]
fn a_silent_client_is_hung_up_on() {
    let mut trial = Trial::new();
    trial.limit(0, "client-timeout-seconds", 1);
    (0..3).for_each(|party| trial.start(party));
    let identity = trial.identity("hospital-a").tls_identity();

    // Reading ends when the node hangs up; were it never to do so, the read would time out.
    let mut silent_tcp = tcp(&trial, 0);
    silent_tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent_tcp.read(&mut [0]).unwrap(), 0);

    for alpn in [ALPN_CONTROL, ALPN_MPC] {
        let config = client_config(&identity, pin(&trial, 0), &[alpn]).unwrap();
        let _held: TlsStream = connect(tcp(&trial, 0), config, PATIENCE).unwrap();
    }
    is_well(&trial);
}

#[test]
fn an_unknown_or_expired_certificate_is_refused_and_the_log_says_why() {
    let mut trial = Trial::new();
    let past = Validity {
        from: Timestamp::now() - SignedDuration::from_hours(48),
        until: Timestamp::now() - SignedDuration::from_hours(24),
    };
    let expired = Identity::generate("late".parse().unwrap(), Role::Member, past).unwrap();
    let consortium = trial.consortium();
    let parties = consortium.parties().map(|(_, party)| party.clone()).collect();
    let mut members = consortium.members().to_vec();
    members.push(Member { card: expired.card().clone() });
    let consortium = Consortium::new("trial".into(), parties, members).unwrap();
    fs::write(trial.consortium_file(), consortium.to_toml()).unwrap();
    (0..3).for_each(|party| trial.start(party));

    let key = expired.save_new(&trial.path("late")).unwrap().key;
    let output = tercet()
        .args(["status", "--json", "--consortium"])
        .arg(trial.consortium_file())
        .arg("--identity")
        .arg(&key)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = last_line(&output);
    assert!(error["error"].as_str().unwrap().contains("which is not now"), "{error}");
    let answer = say(&trial, &expired.tls_identity(), ALPN_CONTROL, &[0; 40]);
    assert_eq!(answer, b"");
    trial.await_log(0, "its certificate expired on");

    let validity = Validity::days_from_now(9);
    let stranger = Identity::generate("stranger".parse().unwrap(), Role::Member, validity).unwrap();
    let answer = say(&trial, &stranger.tls_identity(), ALPN_CONTROL, &[0; 40]);
    assert_eq!(answer, b"", "nothing is said to strangers");
    trial.await_log(0, "it showed certificate");
    is_well(&trial);
}

#[test]
fn a_client_notices_that_another_answers_in_place_of_a_party() {
    let trial = Trial::running();
    // The addresses of two parties are exchanged in the client's file.
    let text = fs::read_to_string(trial.consortium_file()).unwrap();
    let [a, b] = [0u8, 1].map(|i| trial.consortium().party(i.try_into().unwrap()).address.clone());
    let swapped = text.replace(&a, "A").replace(&b, &a).replace('A', &b);
    // Letters of certificates may have been exchanged as well: only addresses may be.
    let swapped = text
        .lines()
        .zip(swapped.lines())
        .map(|(old, new)| if old.starts_with("address") { new } else { old })
        .collect::<Vec<_>>()
        .join("\n");
    let file = trial.path("swapped.toml");
    fs::write(&file, swapped).unwrap();
    let output = tercet()
        .args(["status", "--json", "--identity"])
        .arg(trial.key("analyst"))
        .arg("--consortium")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("which is not the expected one"), "{text}");
}

#[test]
fn another_consortium_is_refused_but_its_status_can_be_asked() {
    let trial = Trial::running().with_data(30);
    let consortium = trial.consortium();
    let parties = consortium.parties().map(|(_, party)| party.clone()).collect();
    let renamed = Consortium::new("other".into(), parties, consortium.members().to_vec()).unwrap();
    let file = trial.path("other.toml");
    fs::write(&file, renamed.to_toml()).unwrap();
    trial.job("job", &common::job(1));
    let run = |args: &[&str]| {
        let output = tercet()
            .args(args)
            .args(["--json", "--identity"])
            .arg(trial.key("analyst"))
            .arg("--consortium")
            .arg(&file)
            .current_dir(trial.path("."))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["train", "job.toml"]).contains("refuses: the consortium of the client"));
    assert!(run(&["status"]).contains("it holds another consortium.toml"));
}

#[test]
fn a_node_that_cannot_start_says_what_to_do() {
    let mut trial = Trial::running();
    let refused = |trial: &Trial, party: usize, extra: &[&str]| {
        let output = tercet()
            .args(["party", "--json", "--config"])
            .arg(trial.config(party))
            .args(extra)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let last = last_line(&output);
        assert!(last["hint"].is_string(), "{last}");
        last["error"].as_str().unwrap().to_owned()
    };
    let in_use = refused(&trial, 0, &[]);
    assert!(in_use.contains("another node uses the data directory"), "{in_use}");

    trial.terminate(0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = refused(&trial, 0, &["--listen", &address]);
    assert!(port.contains(&format!("cannot listen on {address}")), "{port}");

    let key = trial.path("trial/party0/party0.key");
    let renewed = tercet().args(["keygen", "--renew"]).arg(&key).output().unwrap();
    assert!(renewed.status.success(), "{renewed:?}");
    let other = refused(&trial, 0, &[]);
    assert!(other.contains("lists another certificate of party0"), "{other}");

    fs::copy(trial.path("trial/party1/party1.key"), &key).unwrap();
    let other = refused(&trial, 0, &[]);
    assert!(
        other.contains("party 0 of the consortium is party0, but the identity is party1"),
        "{other}"
    );
}

#[test]
fn a_renewed_certificate_is_accepted_once_it_is_in_the_consortium_file() {
    let mut trial = Trial::running().with_data(60);
    (0..3).for_each(|party| assert!(trial.terminate(party)));
    let key = trial.path("trial/party1/party1.key");
    let renewed = tercet().args(["keygen", "--renew"]).arg(&key).output().unwrap();
    assert!(renewed.status.success(), "{renewed:?}");
    let before = trial.consortium();
    let mut parties: Vec<_> = before.parties().map(|(_, party)| party.clone()).collect();
    parties[1].card = Identity::load(&key).unwrap().card().clone();
    let after = Consortium::new("trial".into(), parties, before.members().to_vec()).unwrap();
    assert_eq!(after.digest(), before.digest(), "submissions stay valid");
    fs::write(trial.consortium_file(), after.to_toml()).unwrap();
    (0..3).for_each(|party| trial.start(party));
    trial.job("job", &common::job(1));
    trial.ok("analyst", &["train", "job.toml"]);
}
