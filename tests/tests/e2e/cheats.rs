//! A party that cheats, as a process among honest ones: it is found out, what was seen is
//! written down and signed, and no model exists.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::process::{Complaint, PROMPTLY};
use crate::support::rows::{SCHEMA, fruit, job};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHEATING_PARTY: &str = env!("CARGO_BIN_EXE_cheating-party");
/// The party that cheats.
const CHEAT: usize = 1;
const HONEST: [usize; 2] = [0, 2];

/// Trains in the malicious mode while a party does what `cheat` says; it fails.
fn train_among_cheats<'p>(play: &'p Playground, cheat: &str) -> (Consortium<'p>, Complaint) {
    let mut consortium = Consortium::start_limited(play, &[("round-timeout-seconds", 2)]);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", format!("security = \"malicious\"\n{}", job(1)));
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    consortium.approve("job.toml");
    consortium.stop_node(CHEAT);
    consortium.start_node_by(CHEAT, |consortium, party| {
        let honest = consortium.node_command(party);
        let mut command = Command::new(CHEATING_PARTY);
        command.args(honest.get_args()).env("CHEAT", cheat);
        command
    });
    let training = consortium.start_as("analyst", "train job.toml");
    let complaint = training.finish_within(PROMPTLY).failed();
    (consortium, complaint)
}

/// The files in a part of the data directory of a party.
fn files(consortium: &Consortium, party: usize, part: &str) -> Vec<PathBuf> {
    let dir = consortium.files.nodes[party].parent().unwrap().join("data").join(part);
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The evidence that a party keeps, which it has signed.
fn evidence(consortium: &Consortium, party: usize) -> (PathBuf, Value) {
    let found = files(consortium, party, "evidence");
    let [path] = found.as_slice() else { panic!("{found:?}") };
    let line = format!("verify-evidence {}", path.display());
    let verified = consortium.run_as("analyst", &line).succeeded();
    assert_eq!(verified["genuine"], true);
    (path.clone(), verified["evidence"].clone())
}

fn no_model_exists(consortium: &Consortium, name: &Value) {
    for party in [0, 1, 2] {
        assert!(files(consortium, party, "models").is_empty(), "party {party} has a model");
    }
    let fetch = format!("model fetch --session {} -o model", name.as_str().unwrap());
    consortium.run_as("analyst", &fetch).failed();
}

#[test]
fn a_wrong_product_ends_the_session_at_both_honest_parties() {
    // Messages of the check of the inputs and of the training, with shares: a wrong coin is found by
    // one of the honest parties, and the other hears of it.
    for round in [6, 29, 200] {
        let play = Playground::new();
        let (consortium, complaint) = train_among_cheats(&play, &format!("{round}:prev:flip"));
        complaint.must_mention(&["aborted at step", "nothing was opened"]);
        complaint.must_hint("compared their evidence");
        let kept = HONEST.map(|party| evidence(&consortium, party));
        for (party, (path, evidence)) in HONEST.into_iter().zip(&kept) {
            let place = format!("evidence at party {party}: {}", path.display());
            complaint.must_mention(&[&place]);
            assert!(consortium.node(party).log().contains(path.to_str().unwrap()));
            assert_eq!(evidence["party"], party);
            assert_eq!(evidence["kind"], "abort", "{evidence}");
            // Nothing proves who added the error.
            assert_eq!(evidence["suspect"], Value::Null, "{evidence}");
            assert!(evidence["rounds"].as_u64().unwrap() > round, "{evidence}");
        }
        let [(_, mine), (_, theirs)] = &kept;
        for same in ["session", "job", "agreement", "rounds", "transcript"] {
            assert_eq!(mine[same], theirs[same], "{same}");
        }
        no_model_exists(&consortium, &mine["session"]);
    }
}

#[test]
fn a_message_of_another_length_names_its_sender() {
    let play = Playground::new();
    let (consortium, complaint) = train_among_cheats(&play, "40:prev:cut");
    complaint.must_mention(&["party 1 broke the protocol at step"]);
    let (_, evidence) = evidence(&consortium, 0);
    assert_eq!(evidence["kind"], "peer-misbehaved", "{evidence}");
    assert_eq!(evidence["suspect"], CHEAT);
    no_model_exists(&consortium, &evidence["session"]);
}

#[test]
fn a_party_that_leaves_out_a_message_is_named() {
    let play = Playground::new();
    let (consortium, complaint) = train_among_cheats(&play, "40:next:hush");
    // Its next message is of a later round.
    complaint.must_mention(&["party 1 broke the protocol at step", "its message is of round"]);
    let (_, evidence) = evidence(&consortium, 2);
    assert_eq!(evidence["kind"], "peer-misbehaved", "{evidence}");
    assert_eq!(evidence["suspect"], CHEAT);
    no_model_exists(&consortium, &evidence["session"]);
}

#[test]
fn evidence_that_was_altered_proves_nothing() {
    let play = Playground::new();
    let (consortium, _) = train_among_cheats(&play, "40:prev:cut");
    let (path, _) = evidence(&consortium, 0);
    let altered = fs::read_to_string(&path).unwrap().replace("\"suspect\": 1", "\"suspect\": 2");
    fs::write(&path, altered).unwrap();
    let line = format!("verify-evidence {}", Path::new(&path).display());
    let complaint = consortium.run_as("analyst", &line).failed();
    complaint.must_mention(&["the signature of", "does not verify"]);
}
