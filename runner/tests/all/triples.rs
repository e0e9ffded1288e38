//! Triples made ahead, stored, and used up by trainings.

use crate::common::{Trial, flip_a_bit, job, last_line};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A job of `epochs` epochs that multiplies with triples.
fn beaver(epochs: usize, security: &str) -> String {
    format!("multiplication = \"beaver\"\nsecurity = \"{security}\"\n{}", job(epochs))
}

/// The files of blocks of a party.
fn blocks(trial: &Trial, party: usize) -> Vec<PathBuf> {
    let dir = trial.config(party).with_file_name("data").join("triples");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn a_job_is_trained_with_triples_in_both_modes() {
    // 2 x 33 rows in batches of 20: three full ones and one of six.
    let trial = Trial::running().with_data(33);
    for security in ["semi-honest", "malicious"] {
        trial.job(security, &beaver(2, security));
        let file = format!("{security}.toml");
        let refused = trial.fails("analyst", &["train", &file]);
        assert!(refused.contains("needs 8 blocks of triples"), "{refused}");
        assert!(refused.contains("tercet preprocess"), "{refused}");

        let made = trial.ok("analyst", &["preprocess", &file]);
        assert_eq!((number(&made, "blocks_needed"), number(&made, "blocks_made")), (8, 8));
        assert!(number(&made, "multiplications") > 10_000, "{made}");
        for party in 0..3 {
            let files = blocks(&trial, party);
            assert_eq!(files.len(), 8);
            let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
            let forecast = number(&made, "bytes_per_party");
            assert!(bytes > forecast && bytes < forecast + 8 * 400, "{bytes} for {forecast}");
        }
        let again = trial.ok("analyst", &["preprocess", &file]);
        assert_eq!(number(&again, "blocks_made"), 0);

        let trained = trial.ok("analyst", &["train", &file]);
        assert_eq!(number(&trained, "iterations"), 8);
        assert!((0..3).all(|party| blocks(&trial, party).is_empty()), "all blocks are used up");
        let session = trained["session"].as_str().unwrap();
        let model = format!("model-{security}");
        trial.ok("analyst", &["model", "fetch", "--session", session, "-o", &model]);
        // Sessions that made triples have no model and are not offered as if they had.
        trial.ok("analyst", &["model", "fetch", "--job", &file, "-o", &format!("{model}-2")]);
    }
}

#[test]
fn triples_are_made_before_there_are_data_and_more_are_added() {
    let trial = Trial::running();
    trial.job("job", &beaver(1, "semi-honest"));
    let refused = trial.fails("analyst", &["preprocess", "job.toml"]);
    assert!(refused.contains("--rows"), "{refused}");
    let made = trial.ok("analyst", &["preprocess", "job.toml", "--rows", "40"]);
    assert_eq!(number(&made, "blocks_made"), 2);
    let more = trial.ok("analyst", &["preprocess", "job.toml", "--rows", "100"]);
    assert_eq!((number(&more, "blocks_needed"), number(&more, "blocks_made")), (5, 3));
    trial.job("plain", &job(1));
    let refused = trial.fails("analyst", &["preprocess", "plain.toml", "--rows", "40"]);
    assert!(refused.contains("needs no triples"), "{refused}");

    let trial = trial.with_data(20);
    trial.ok("analyst", &["train", "job.toml"]);
    assert_eq!(blocks(&trial, 1).len(), 3, "two batches use two of five blocks");
    // Another job with the same network uses the same stock.
    trial.job("other", &beaver(1, "semi-honest").replace("kinds", "others"));
    trial.ok("analyst", &["train", "other.toml"]);
    assert_eq!(blocks(&trial, 2).len(), 1);
}

#[test]
fn a_block_that_was_altered_is_refused() {
    let trial = Trial::running().with_data(20);
    trial.job("job", &beaver(1, "semi-honest"));
    trial.ok("analyst", &["preprocess", "job.toml"]);
    flip_a_bit(&blocks(&trial, 1)[0]);
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    assert!(refused.contains("triples: block 0"), "{refused}");
    // The session used up the first block; the second is in its place.
    trial.ok("analyst", &["preprocess", "job.toml"]);
    let files = blocks(&trial, 1);
    fs::copy(&files[0], &files[1]).unwrap();
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    assert!(refused.contains("another block lies in its place"), "{refused}");
}

/// Nodes are killed in the middle of a training with triples; what was marked is gone, the
/// others agree on what is left, and a number is never used again.
#[test]
fn triples_are_not_used_again_after_a_kill() {
    let mut trial = Trial::running().with_data(20);
    trial.job("job", &beaver(150, "semi-honest"));
    trial.ok("analyst", &["preprocess", "job.toml"]);
    assert_eq!(blocks(&trial, 0).len(), 300);
    let training = trial
        .command("analyst", &["train", "job.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while blocks(&trial, 2).len() > 280 {
        assert!(Instant::now() < deadline, "the training uses no blocks");
        std::thread::yield_now();
    }
    trial.kill(2);
    let failed = training.wait_with_output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "{}", last_line(&failed));
    trial.start(2);
    let left: Vec<usize> = (0..3).map(|party| blocks(&trial, party).len()).collect();
    assert!(left.iter().all(|&left| left < 300), "{left:?}");

    let fewest = *left.iter().min().unwrap() as u64;
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    let missing = format!("{} of them are missing", 300 - fewest);
    assert!(refused.contains(&missing), "{refused} with {left:?} in stock");
    let made = trial.ok("analyst", &["preprocess", "job.toml"]);
    assert_eq!(number(&made, "blocks_made"), 300 - fewest);
    trial.ok("analyst", &["train", "job.toml"]);
    let again = trial.fails("analyst", &["train", "job.toml"]);
    assert!(again.contains("300 of them are missing"), "{again}");
}
