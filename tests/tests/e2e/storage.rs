//! What a node has accepted stays, whatever happens to its process and its disk.

use crate::support::client::RawClient;
use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::process::PROMPTLY;
use crate::support::rows::{SCHEMA, fruit, job};
use mpc_core::party::PartyId;
use runner::control::{ControlError, Reason, Request, Upload};
use runner::digest::Digest;
use std::fs;
use std::time::Instant;

/// Begins to upload a file to party 1, hangs up half-way, and waits until the node has noticed.
///
/// Returns how many bytes the node had before, and how many it has now.
fn hang_up_half_way(play: &Playground, client: &RawClient, file: &[u8]) -> (u64, u64) {
    let request = Request::Submit { length: file.len() as u64, digest: Digest::of_bytes(file) };
    let deadline = Instant::now() + PROMPTLY;
    let before = loop {
        let begun = client.talk(PartyId::P1, async |client| {
            let mut framed = client.request(&request).await?;
            match framed.receive_message().await? {
                Upload::From(offset) => {
                    framed.send_chunk(&file[offset as usize..file.len() / 2]).await?;
                    Ok(offset)
                }
                Upload::Refused(refusal) => Err(refusal.into()),
                Upload::Receipt(_) => panic!("half a file was accepted"),
            }
        });
        match begun {
            Ok(offset) => break offset,
            // The node may still be busy with the connection before this one.
            Err(ControlError::Refused(refusal)) if refusal.reason == Reason::Busy => {
                assert!(Instant::now() < deadline, "{refusal}");
            }
            Err(e) => panic!("{e}"),
        }
    };
    loop {
        let mut parts = fs::read_dir(play.path("consortium-0/party1/data/incoming")).unwrap();
        let after = parts.next().map_or(0, |part| part.unwrap().metadata().unwrap().len());
        if after == file.len() as u64 / 2 {
            return (before, after);
        }
        assert!(Instant::now() < deadline, "{after} bytes have arrived");
    }
}

#[test]
fn an_upload_that_broke_off_goes_on_and_one_that_a_crash_ended_begins_again() {
    let play = Playground::new();
    let mut consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("fruit.csv", fruit(5000, &["apple", "melon"]));
    let share = "share fruit.csv --schema schema.toml -o shares";
    consortium.run_as("ward-a", share).succeeded();
    let client = RawClient::new(&consortium.files.consortium, consortium.files.key("ward-a"));
    let file = play.read("shares/fruit.party1.tercet");

    assert_eq!(hang_up_half_way(&play, &client, &file).0, 0);
    let (before, after) = hang_up_half_way(&play, &client, &file);
    assert_eq!(before, after, "what had arrived is not sent again");
    consortium.kill_node(1);
    consortium.start_node(1);
    assert!(play.is_untouched("consortium-0/party1/data/incoming"));
    assert_eq!(hang_up_half_way(&play, &client, &file).0, 0);
    consortium.run_as("ward-a", "submit shares").succeeded();
    assert!(consortium.status().iter().flatten().all(|node| node["submissions"] == 1));
}

#[test]
fn submissions_and_a_model_survive_when_all_nodes_are_killed() {
    let play = Playground::new();
    let mut consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(1));
    let restart = |consortium: &mut Consortium| {
        (0..3).for_each(|party| consortium.kill_node(party));
        (0..3).for_each(|party| consortium.start_node(party));
    };
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    consortium.approve("job.toml");
    restart(&mut consortium);
    let trained = consortium.run_as("analyst", "train job.toml").succeeded();
    restart(&mut consortium);
    assert!(consortium.status().iter().flatten().all(|node| node["submissions"] == 2));
    let fetched = consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    assert_eq!(fetched["session"], trained["session"]);
}

#[test]
fn a_model_that_one_party_has_no_room_for_is_reported_and_trained_again() {
    let play = Playground::new();
    let mut consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    // About 500 KiB of weights, many more than the node may write into a file.
    let layers = "layers = [{ dense = 200 }, \"relu\", { dense = 160 }, \"relu\",";
    play.write("job.toml", job(1).replace("layers = [{ dense = 8 }, \"relu\",", layers));
    consortium.approve("job.toml");
    consortium.stop_node(1);
    consortium.start_node_by(1, |consortium, party| consortium.starved_node_command(party, 160));

    let complaint = consortium.run_as("analyst", "train job.toml").failed();
    complaint.must_mention(&["party 1", "the result cannot be stored"]);
    let complaint = consortium.run_as("analyst", "model fetch --job job.toml -o model").failed();
    complaint.must_mention(&["there is no finished session of this job"]);
    assert!(play.is_untouched("consortium-0/party1/data/models"), "nothing half-written");

    consortium.stop_node(1);
    consortium.start_node(1);
    consortium.run_as("analyst", "train job.toml").succeeded();
    consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
}
