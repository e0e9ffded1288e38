//! Share files that are not as their owner made them: refused by the sender and by
//! the node alike, with the reason, and without harm to the node.

use crate::support::client::RawClient;
use crate::support::consortium::{Consortium, Files};
use crate::support::playground::Playground;
use crate::support::rows::{SCHEMA, fruit, job};
use mpc_core::party::PartyId;
use runner::control::{ControlError, Reason};
use serde_json::json;

/// Bytes of the HMAC and of the signature at the end of the file.
const MAC: usize = 32;
const SIGNATURE: usize = 64;

/// Shares fruit of a ward into a directory.
fn share(play: &Playground, files: &Files, ward: &str, dir: &str) {
    play.write("schema.toml", SCHEMA);
    play.write("fruit.csv", fruit(40, &["apple", "melon"]));
    let (consortium, key) = (files.consortium.display(), files.key(ward).display());
    let share = format!("share fruit.csv --consortium {consortium} --identity {key} -o {dir}");
    play.run(&share).succeeded();
}

/// Damaged copies of a share file of `ward-a`, each with what has to be said about it.
fn damaged(whole: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let cut = |length: usize| (whole[..length].to_vec(), "the file was cut short");
    let flipped = |at: usize, bit: u8, reason| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= bit;
        (bytes, reason)
    };
    let place = |text: &str| {
        let found = whole.windows(text.len()).position(|window| window == text.as_bytes());
        found.unwrap() + text.len()
    };
    let (length, altered) = (whole.len(), "the signature of ward-a does not verify");
    let end_of_payload = length - SIGNATURE - MAC;
    let consortium = place("\"consortium\":\"");
    // A hexadecimal digit that stays one.
    let bit = if b"af".contains(&whole[consortium]) { 2 } else { 1 };
    vec![
        cut(0),
        cut(5),
        cut(place("\"rows\":")),
        cut(length / 2),
        cut(length - 1),
        ([whole, b"!"].concat(), "1 bytes follow the end"),
        flipped(0, 1, "not a sealed file of a known version"),
        flipped(place("\"version\""), 1, "header of the share file is malformed"),
        // Another digit, another number of the same length.
        flipped(place("\"rows\":"), 1, "the header announces data of"),
        flipped(place("\"name\":\""), 1, altered),
        flipped(place("\"owner\":\"ward-"), 2, "names ward-c as its owner, who is not a member"),
        flipped(consortium, bit, "belongs to another consortium"),
        flipped((place("\"components\"") + end_of_payload) / 2, 0x80, altered),
        flipped(end_of_payload - 1, 1, altered),
        flipped(end_of_payload, 1, altered),
        flipped(end_of_payload + MAC, 1, altered),
        flipped(length - 1, 0x40, altered),
    ]
}

#[test]
fn a_damaged_file_is_refused_with_the_reason_and_the_whole_one_is_taken_afterwards() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    share(&play, &consortium.files, "ward-a", "shares");
    let client = RawClient::new(&consortium.files.consortium, consortium.files.key("ward-a"));
    let whole = play.read("shares/fruit.party1.tercet");
    for (bytes, reason) in damaged(&whole) {
        let file = play.write("damaged.tercet", bytes);
        let complaint = consortium.run_as("ward-a", "submit damaged.tercet").failed();
        complaint.must_mention(&["damaged.tercet", reason]);
        match client.upload(PartyId::P1, &file) {
            Err(ControlError::Refused(refusal)) => {
                assert_eq!(refusal.reason, Reason::BadShareFile, "{refusal:?}");
                assert!(refusal.message.contains(reason), "{reason:?} is missing in {refusal:?}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    for party in [0, 2] {
        let file = play.path(format!("shares/fruit.party{party}.tercet"));
        let refusal = client.upload(PartyId::P1, &file).unwrap_err().to_string();
        assert!(refusal.contains(&format!("meant for party{party}")), "{refusal}");
    }
    assert!(play.is_untouched("consortium-0/party1/data/incoming"));
    assert!(play.is_untouched("consortium-0/party1/data/submissions"));
    let delivered = consortium.run_as("ward-a", "submit shares").succeeded();
    assert_eq!(delivered["delivered"].as_array().unwrap().len(), 3);
}

#[test]
fn a_replay_brings_the_same_receipts_and_stores_nothing_twice() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    share(&play, &consortium.files, "ward-a", "shares");
    let first = consortium.run_as("ward-a", "submit shares").succeeded();
    let receipts = || [0, 1, 2].map(|i| play.read(format!("shares/fruit.party{i}.receipt.json")));
    let before = receipts();
    let second = consortium.run_as("ward-a", "submit shares").succeeded();
    assert_eq!((second, receipts()), (first, before));

    // Someone else cannot pass the files off as its own, not even unaltered.
    let complaint = consortium.run_as("ward-b", "submit shares").failed();
    complaint.must_mention(&["it is of ward-a, not of ward-b"]);
    // The same rows shared again are another data set.
    share(&play, &consortium.files, "ward-a", "again");
    consortium.run_as("ward-a", "submit again").succeeded();
    assert!(consortium.status().iter().flatten().all(|node| node["submissions"] == 2));
}

#[test]
fn files_of_another_consortium_and_another_schema_are_not_used() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    let elsewhere = Files::local(&play, "elsewhere");
    share(&play, &elsewhere, "ward-a", "foreign");
    let complaint = consortium.run_as("ward-a", "submit foreign").failed();
    complaint.must_mention(&["foreign/fruit.party0.tercet", "belongs to another consortium"]);
    complaint.must_hint("compare consortium.toml");

    share(&play, &consortium.files, "ward-a", "shares");
    consortium.run_as("ward-a", "submit shares").succeeded();
    // Ward B reads its table by a schema of its own, with other bounds.
    play.write("own.toml", SCHEMA.replace("max = 10\n", "max = 20\n"));
    let share = "share fruit.csv --schema own.toml -o other";
    let shared = consortium.run_as("ward-b", share).succeeded();
    consortium.run_as("ward-b", "submit other").succeeded();
    play.write("job.toml", job(1));
    let complaint = consortium.run_as("analyst", "train job.toml").failed();
    complaint.must_mention(&["ward-b has submitted nothing for schema"]);
    complaint.must_hint("submit the data that it needs");

    // A job that names the data set is as unwilling to mix schemas.
    let id = shared["data_set"].as_str().unwrap();
    let from = "from = [\"ward-a\", \"ward-b\"]";
    play.write("job.toml", job(1).replace(from, &format!("sets = [\"{id}\"]")));
    let complaint = consortium.run_as("analyst", "train job.toml").failed();
    complaint.must_mention(&[&format!("there is no data set {id} for schema")]);
    assert!(consortium.status().iter().flatten().all(|node| node["running"] == json!(0)));
}
