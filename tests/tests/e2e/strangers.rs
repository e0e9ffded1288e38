//! Whoever else is on the network: impostors, floods and noise.

use crate::support::consortium::{Consortium, Files};
use crate::support::playground::Playground;
use crate::support::process::{PATIENCE, PROMPTLY};
use crate::support::rows::{ENDLESS, SCHEMA, fruit, job};
use mpc_core::party::PartyId;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The address of a party's node.
fn address(files: &Files, party: PartyId) -> String {
    let consortium = runner::consortium::Consortium::load(&files.consortium).unwrap();
    consortium.party(party).address.clone()
}

#[test]
fn a_node_with_other_keys_in_place_of_a_party_gets_nothing() {
    let play = Playground::new();
    let mut consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(1));
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    let place = address(&consortium.files, PartyId::P1);
    consortium.stop_node(1);
    // The impostor has the same name and number, but keys of its own.
    let foreign = Files::local(&play, "foreign");
    let config = foreign.nodes[1].display();
    let mut impostor =
        play.start(play.command(&format!("party --config {config} --listen {place}")));
    impostor.wait_for("listening").unwrap();

    for command in ["train job.toml", "model fetch --job job.toml -o model"] {
        let complaint = consortium.run_as("analyst", command).failed();
        complaint.must_mention(&["party 1", &place, "which is not the expected one"]);
        complaint.must_hint("compare the fingerprints");
    }
    let complaint = consortium.run_as("ward-a", "submit ward-a/shares").failed();
    complaint.must_mention(&["1 of 3 share files were not stored", "for party 1"]);
    assert!(play.is_untouched("foreign/party1/data/incoming"));
    consortium.wait_until_idle(&[0, 2]);

    impostor.kill();
    consortium.start_node(1);
    consortium.approve("job.toml");
    consortium.run_as("analyst", "train job.toml").succeeded();
}

#[test]
fn connections_that_say_nothing_do_not_keep_members_out() {
    let play = Playground::new();
    let consortium = Consortium::start_limited(&play, &[("max-connections", 8)]);
    let place = address(&consortium.files, PartyId::P0);
    let mut flood: Vec<_> = (0..50).map(|_| TcpStream::connect(&place).unwrap()).collect();
    assert!(consortium.status().iter().all(Option::is_some), "a member needs a place, and gets it");
    for silent in &mut flood[..42] {
        silent.set_read_timeout(Some(PATIENCE)).unwrap();
        // Hung up on, in whichever way.
        assert!(matches!(silent.read(&mut [0]), Ok(0) | Err(_)));
    }
}

#[test]
fn noise_at_all_nodes_does_not_disturb_a_training() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(ENDLESS));
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    consortium.approve("job.toml");
    let mut training = consortium.start_as("analyst", "train job.toml");
    let begun = training.wait_for("progress").unwrap();

    let half_a_greeting = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00];
    let mut left_open = Vec::new();
    for party in PartyId::ALL {
        for noise in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 70_000], &[0xff; 70_000], &half_a_greeting]
        {
            let mut socket = TcpStream::connect(address(&consortium.files, party)).unwrap();
            // The node may hang up in the middle of it.
            let _ = socket.write_all(noise);
            left_open.push(socket);
        }
    }
    let place = |event: &serde_json::Value| {
        (event["epoch"].as_u64().unwrap(), event["batch"].as_u64().unwrap())
    };
    for _ in 0..5 {
        let progress = training.wait_for("progress").unwrap();
        assert!(place(&progress) > place(&begun));
    }
    training.signal(Signal::INT);
    training.finish_within(PROMPTLY).failed_with(130).must_mention(&["cancelled"]);
    consortium.wait_until_idle(&[0, 1, 2]);
}
