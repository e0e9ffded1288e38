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

/// Accuracy on shares and in the clear, as means over some demos with different seeds.
fn demos(seeds: u64, line: &str) -> (f64, f64) {
    let play = Playground::new();
    let folder = std::env::var_os("TERCET_DATA").expect("TERCET_DATA names the folder of the data");
    std::os::unix::fs::symlink(PathBuf::from(folder), play.path("data")).unwrap();
    let mut sums = (0.0, 0.0);
    for seed in 1..=seeds {
        let mut command = play.command(&format!("demo {line} --seed {seed}"));
        command.env("TMPDIR", play.path(""));
        let report = play.start(command).finish_whenever().succeeded();
        let ratio = |name: &str| report[name].as_f64().unwrap();
        let (shares, clear) = (ratio("accuracy"), ratio("plaintext_accuracy"));
        println!("demo {line}, seed {seed}: {shares:.4} on shares, {clear:.4} in the clear");
        assert_eq!(report["security"], Value::from("malicious"));
        sums = (sums.0 + shares, sums.1 + clear);
    }
    (sums.0 / seeds as f64, sums.1 / seeds as f64)
}

/// Requires the mean accuracy of a demo to be that of its twin, less a point.
fn within_a_point(line: &str) {
    let (shares, clear) = demos(3, line);
    assert!(shares >= clear - 0.01, "{line}: {shares} on shares, {clear} in the clear");
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
    let (shares, clear) = demos(5, "--mnist data/mnist --epochs 1 --initial uniform");
    assert!(shares >= clear - 0.005, "{shares} on shares, {clear} in the clear");
    assert!(shares >= MNIST_IN_THE_CLEAR - 0.005, "{shares} on shares");
}
