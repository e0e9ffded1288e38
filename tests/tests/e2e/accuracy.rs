//! Accuracy of the whole path on public data sets, beside the twin in the clear.
//!
//! Not run by default: the data sets are no part of the repository. With a folder that
//! holds `crop/crop_recommendation.csv`, `wdbc/wdbc.csv`, `digits/digits.csv` and the four
//! files of `mnist/`:
//!
//! ```sh
//! TERCET_DATA=/path/to/folder cargo test --release -p end-to-end-tests accuracy -- --ignored --nocapture
//! ```

use crate::support::playground::Playground;
use serde_json::Value;
use std::path::PathBuf;

/// Both security modes.
const MODES: [&str; 2] = ["semi-honest", "malicious"];

/// Mean accuracies over some demos with different seeds: on shares in each mode, and in the clear.
/// Requires the modes to give the same model but for how truncation rounds.
fn demos(seeds: u64, line: &str) -> ([f64; 2], f64) {
    let play = Playground::new();
    let folder = std::env::var_os("TERCET_DATA").expect("TERCET_DATA names the folder of the data");
    std::os::unix::fs::symlink(PathBuf::from(folder), play.path("data")).unwrap();
    let (mut on_shares, mut in_the_clear) = ([0.0; 2], 0.0);
    for seed in 1..=seeds {
        let reports = MODES.map(|mode| {
            let line = format!("demo {line} --seed {seed} --security {mode}");
            let mut command = play.command(&line);
            command.env("TMPDIR", play.path(""));
            let report = play.start(command).finish_whenever().succeeded();
            assert_eq!(report["security"], Value::from(mode));
            report
        });
        let both = |name: &str| reports.each_ref().map(|report| report[name].as_f64().unwrap());
        let (shares, losses, clear) =
            (both("accuracy"), both("log_loss"), both("plaintext_accuracy"));
        println!("demo {line}, seed {seed}: {shares:.4?} on shares, {:.4} in the clear", clear[0]);
        assert!((losses[0] - losses[1]).abs() < 0.01, "{line}: losses {losses:?}");
        assert_eq!(clear[0], clear[1], "the twin is the same");
        for (sum, accuracy) in on_shares.iter_mut().zip(shares) {
            *sum += accuracy / seeds as f64;
        }
        in_the_clear += clear[0] / seeds as f64;
    }
    (on_shares, in_the_clear)
}

/// Requires the mean accuracy of a demo to be that of its twin, less a point.
fn within_a_point(line: &str) {
    let (shares, clear) = demos(3, line);
    let close = shares.iter().all(|shares| *shares >= clear - 0.01);
    assert!(close, "{line}: {shares:?} on shares, {clear} in the clear");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn crop() {
    within_a_point("--data data/crop/crop_recommendation.csv --label label --hidden 64");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn wdbc() {
    within_a_point("--data data/wdbc/wdbc.csv --label label --hidden 16");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn digits() {
    within_a_point("--data data/digits/digits.csv --label label --hidden 32");
}

/// The mean accuracy that this network reaches in the clear from a uniform start, measured
/// over three seeds by another program.
const MNIST_IN_THE_CLEAR: f64 = 0.9084;

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn mnist() {
    let (shares, clear) = demos(2, "--mnist data/mnist --epochs 1 --initial uniform");
    for shares in shares {
        assert!(shares >= clear - 0.005, "{shares} on shares, {clear} in the clear");
        assert!(shares >= MNIST_IN_THE_CLEAR - 0.005, "{shares} on shares");
    }
}
