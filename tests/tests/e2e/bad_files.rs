//! Files that a person wrote or received, and that are not as they should be.

use crate::support::consortium::Files;
use crate::support::playground::Playground;
use crate::support::rows::{SCHEMA, job};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Replaces a part of a text, which must be in it.
fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replacen(from, to, 1)
}

#[test]
fn a_job_that_makes_no_sense_is_refused_before_any_node_is_asked() {
    let play = Playground::new();
    let files = Files::local(&play, "consortium");
    play.write("schema.toml", SCHEMA);
    let good = job(1);
    for (from, to, parts) in [
        ("epochs = 1", "epochs = 0", &["training.epochs"][..]),
        ("batch = 16", "batch = 16\nbatches = 2", &["job.toml", "batches"]),
        ("learning_rate = 0.5", "learning_rate = nan", &["training.learning_rate"]),
        ("learning_rate = 0.5", "learning_rate = \"fast\"", &["job.toml", "fast"]),
        ("dense = 8", "dense = 0", &["model.layers"]),
        ("\"relu\"", "\"swish\"", &["job.toml", "swish"]),
        ("softmax-cross-entropy", "hinge", &["job.toml", "hinge"]),
        ("receiver = \"analyst\"", "receiver = \"nobody\"", &["nobody", "no member"]),
        ("receiver = \"analyst\"", "receiver = \"Dr. No\"", &["job.toml", "Dr. No"]),
        ("receiver = \"analyst\"", "", &["job.toml", "receiver"]),
        ("\"schema.toml\"", "\"lost.toml\"", &["lost.toml"]),
        ("[model]", "sets = [\"12\"]\n[model]", &["job.toml", "`12`"]),
        ("name = \"fruit\"", "name = \"fruit", &["job.toml"]),
    ] {
        play.write("job.toml", edited(&good, from, to));
        let (consortium, key) = (files.consortium.display(), files.key("analyst").display());
        let train = format!("train job.toml --consortium {consortium} --identity {key}");
        play.run(&train).failed().must_mention(parts);
    }
}

#[test]
fn a_consortium_file_that_was_tampered_with_is_refused() {
    let play = Playground::new();
    let files = Files::local(&play, "consortium");
    let good = play.read_text(&files.consortium);
    let part_from = |start: &str, end: &str| {
        let from = good.find(start).unwrap();
        let length = good[from + 1..].find(end).unwrap() + 1;
        &good[from..from + length]
    };
    let first_party = part_from("[[parties]]", "[[parties]]");
    let first_member = part_from("[[members]]", "[[members]]");
    let digits = |field: &str| {
        let start = good.find(&format!("{field} = \"")).unwrap() + field.len() + 4;
        good[start..start + 64].to_owned()
    };
    for (text, parts) in [
        (good.replacen("version = 1", "version = 2", 1), &["version 2 is unknown"][..]),
        (good.replacen(first_party, "", 1), &["2 parties instead of 3"]),
        (format!("{good}\n{first_member}"), &["same name as another participant"]),
        (good.replacen("\"party1\"", "\"party9\"", 1), &["party9", "signature of the card"]),
        (good.replacen(&digits("fingerprint"), &"0".repeat(64), 1), &["fingerprint", "party0"]),
        (good.replacen(&digits("encryption-key"), &"0".repeat(64), 1), &["party0"]),
        (good.replacen(&digits("verifying-key"), "beef", 1), &["party0", "verifying-key"]),
        (good.replacen("127.0.0.1:", "127.0.0.1;", 1), &["the address of party0"]),
        (good[..good.len() / 2].to_owned(), &["consortium.toml"]),
        (String::new(), &["consortium.toml"]),
    ] {
        assert_ne!(text, good, "{parts:?}");
        fs::write(&files.consortium, text).unwrap();
        let (consortium, key) = (files.consortium.display(), files.key("analyst").display());
        let status = format!("status --consortium {consortium} --identity {key}");
        play.run(&status).failed().must_mention(parts);
    }
}

#[test]
fn a_key_file_that_others_can_read_or_that_was_edited_is_refused() {
    let play = Playground::new();
    let files = Files::local(&play, "consortium");
    let key = files.key("analyst");
    let consortium = files.consortium.display();
    let refused = |parts: &[&str]| {
        let status = format!("status --consortium {consortium} --identity {}", key.display());
        let complaint = play.run(&status).failed();
        complaint.must_mention(parts);
        complaint
    };
    let good = play.read_text(key);
    fs::set_permissions(key, Permissions::from_mode(0o644)).unwrap();
    refused(&["analyst.key", "others may read it (mode 644)"]).must_hint("chmod 600");
    fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();

    let secret = good.lines().find(|line| line.starts_with("signing-key")).unwrap();
    for text in [
        good.replace(secret, "signing-key = \"00\""),
        good.replace(secret, &secret[..secret.len() - 1]),
        good[..good.len() / 3].to_owned(),
        String::from("not a key"),
    ] {
        fs::write(key, &text).unwrap();
        let complaint = refused(&["analyst"]);
        let digits = &secret["signing-key = \"".len()..][..16];
        assert!(!complaint.mentions(digits), "a key is shown: {complaint:?}");
    }
    fs::remove_file(key).unwrap();
    refused(&["analyst.key", "No such file"]).must_hint("check the path");
}

#[test]
fn a_node_configuration_with_a_mistake_names_it() {
    let play = Playground::new();
    let files = Files::local(&play, "consortium");
    let config = &files.nodes[0];
    let good = play.read_text(config);
    play.write("consortium/party0/file", "in the way");
    for (from, to, parts) in [
        ("party = 0", "party = 7", &["party.toml", "no party 7"][..]),
        ("party = 0", "party = 1", &["party 1 of the consortium is party1", "is party0"]),
        ("party0.key", "party9.key", &["party9.key"]),
        ("\"../consortium.toml\"", "\"lost.toml\"", &["lost.toml"]),
        ("127.0.0.1:", "300.0.0.1:", &["cannot listen on 300.0.0.1:"]),
        ("data-dir = \"data\"", "data-dir = \"file\"", &["party0/file"]),
        ("data-dir", "data_dir", &["party.toml", "data_dir"]),
        ("client-timeout-seconds = 30", "client-timeout-seconds = 0", &["client-timeout-seconds"]),
        ("client-timeout-seconds = 30", "client-timeout-seconds = -1", &["party.toml", "-1"]),
    ] {
        fs::write(config, edited(&good, from, to)).unwrap();
        play.run(&format!("party --config {}", config.display())).failed().must_mention(parts);
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let play = Playground::new();
    for (line, part) in [
        ("share", "DATA.csv"),
        ("launch", "launch"),
        ("train job.toml --timeout 0", "0"),
        ("keygen --name Ward_A --role member", "Ward_A"),
        ("keygen --name ward --role member --days 0", "0"),
        ("model fetch -o model", "--job"),
        ("model fetch --session 12 --identity x", "12"),
    ] {
        play.run(line).failed_with(2).must_mention(&[part]);
    }
}
