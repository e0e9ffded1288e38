//! Sessions in trouble: a party that hangs, parties that differ, several sessions at a time.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::process::{PROMPTLY, Process};
use crate::support::rows::{ENDLESS, SCHEMA, fruit, job};
use rustix::process::Signal;
use std::fs;

/// Submits fruit of both wards, and writes a short and an endless job.
fn prepare(play: &Playground, consortium: &Consortium) {
    play.write("schema.toml", SCHEMA);
    play.write("short.toml", job(1));
    play.write("endless.toml", job(ENDLESS));
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    consortium.approve("short.toml");
    consortium.approve("endless.toml");
}

/// Starts the endless job and waits until it makes progress.
fn under_way(consortium: &Consortium) -> Process {
    let mut training = consortium.start_as("analyst", "train endless.toml");
    training.wait_for("progress").unwrap();
    training
}

#[test]
fn a_party_that_hangs_is_given_up_and_takes_part_again_when_it_is_back() {
    let play = Playground::new();
    let consortium = Consortium::start_limited(&play, &[("round-timeout-seconds", 2)]);
    prepare(&play, &consortium);
    let training = under_way(&consortium);
    consortium.node(2).signal(Signal::STOP);
    let complaint = training.finish_within(PROMPTLY).failed();
    complaint.must_mention(&["party 2", "at step epoch-"]);
    consortium.node(2).signal(Signal::CONT);
    consortium.wait_until_idle(&[0, 1, 2]);

    // Ctrl-C does not wait for it either.
    let training = under_way(&consortium);
    consortium.node(0).signal(Signal::STOP);
    training.signal(Signal::INT);
    training.finish_within(PROMPTLY).failed_with(130).must_mention(&["cancelled"]);
    consortium.node(0).signal(Signal::CONT);
    consortium.wait_until_idle(&[0, 1, 2]);
    consortium.run_as("analyst", "train short.toml").succeeded();
}

#[test]
fn a_node_with_another_consortium_file_is_found_out_before_anything_is_sent() {
    let play = Playground::new();
    let mut consortium = Consortium::start(&play);
    prepare(&play, &consortium);
    consortium.stop_node(2);
    let node = consortium.files.nodes[2].clone();
    let ours = play.read_text(&consortium.files.consortium);
    let theirs = ours.replacen("name = \"consortium-0\"", "name = \"another\"", 1);
    assert_ne!(theirs, ours);
    play.write("consortium-0/party2/own.toml", theirs);
    let config = fs::read_to_string(&node).unwrap();
    fs::write(&node, config.replace("../consortium.toml", "own.toml")).unwrap();
    consortium.start_node(2);

    let training = consortium.start_as("analyst", "train short.toml");
    let complaint = training.finish_within(PROMPTLY).failed();
    complaint.must_mention(&["party 2 refuses", "the consortium of the client"]);
    complaint.must_hint("the same consortium.toml");
    let complaint = consortium.run_as("ward-a", "submit ward-a/shares").failed();
    complaint.must_mention(&["1 of 3 share files were not stored", "rows.party2.tercet"]);
    consortium.wait_until_idle(&[0, 1, 2]);
}

#[test]
fn two_members_train_at_the_same_time_beside_a_submission() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    prepare(&play, &consortium);
    play.write("other.toml", job(2).replace("\"analyst\"", "\"ward-b\""));
    consortium.approve("other.toml");
    play.write("more.csv", fruit(20, &["apple"]));
    let share = "share more.csv --schema schema.toml -o more";
    consortium.run_as("ward-a", share).succeeded();

    let sessions = [("analyst", "short.toml"), ("ward-b", "other.toml")];
    let trainings =
        sessions.map(|(member, job)| consortium.start_as(member, &format!("train {job}")));
    consortium.run_as("ward-a", "submit more").succeeded();
    for training in trainings {
        training.finish().succeeded();
    }
    for (member, job) in sessions {
        let fetch = format!("model fetch --job {job} -o {member}/model");
        consortium.run_as(member, &fetch).succeeded();
    }
}
