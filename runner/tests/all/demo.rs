//! The demo and the commands on opened models, with the real binary.

use crate::common;
use crate::common::last_line;
use runner::consortium::Consortium;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A command of the binary under test; everything temporary goes into `dir`.
fn tercet(dir: &Path) -> Command {
    let mut command = common::tercet();
    command.arg("--json").current_dir(dir).env("TMPDIR", dir.join("tmp"));
    command
}

fn playground() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tmp")).unwrap();
    dir
}

fn succeeded(output: Output) -> Value {
    let last = last_line(&output);
    assert!(output.status.success(), "{last}");
    last
}

fn error_of(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    last_line(&output)["error"].as_str().unwrap().to_owned()
}

/// A table with a number, a category and a text label that follow simple rules.
fn table(rows: usize) -> String {
    let mut text = String::from("size,colour,\"kind, really\"\n");
    for row in 0..rows {
        let size = (row * 37 % 100) as f64 / 10.0;
        let colour = ["red", "green", "blue"][row % 3];
        let kind = if size + 3.0 * f64::from(colour == "red") > 6.0 { "big one" } else { "small" };
        text.push_str(&format!("{size},{colour},{kind}\n"));
    }
    text
}

#[test]
fn both_modes_train_the_same_model_but_for_rounding() {
    let dir = playground();
    fs::write(dir.path().join("data.csv"), table(120)).unwrap();
    let reports = ["semi-honest", "malicious"].map(|mode| {
        let args = "demo --data data.csv --hidden 8 --epochs 3 --batch 16 --holders 2 --seed 5";
        let mut command = tercet(dir.path());
        command.args(args.split(' ')).args(["--label", "kind, really", "--security", mode]);
        let report = succeeded(command.output().unwrap());
        assert_eq!(report["security"], mode);
        report
    });
    let both = |name: &str| reports.each_ref().map(|report| report[name].as_f64().unwrap());
    let (losses, accuracies) = (both("log_loss"), both("accuracy"));
    assert!((losses[0] - losses[1]).abs() < 1e-3, "{losses:?}");
    assert!((accuracies[0] - accuracies[1]).abs() < 1.5 / 24.0, "{accuracies:?}");
}

#[test]
fn the_demo_walks_the_whole_path_and_its_model_can_be_used() {
    let dir = playground();
    fs::write(dir.path().join("data.csv"), table(120)).unwrap();
    let args =
        "demo --data data.csv --hidden 8 --epochs 3 --batch 16 --holders 2 --seed 5 --keep out";
    let output = tercet(dir.path())
        .args(args.split(' '))
        .args(["--label", "kind, really"])
        .output()
        .unwrap();
    let report = succeeded(output);

    assert_eq!((report["rows_train"].as_u64(), report["rows_test"].as_u64()), (Some(96), Some(24)));
    assert_eq!(report["iterations"], 18);
    assert_eq!(report["security"], "malicious");
    for ratio in ["accuracy", "plaintext_accuracy", "precision", "recall", "f1"] {
        let value = report[ratio].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&value), "{ratio} is {value}");
    }
    let difference =
        report["accuracy"].as_f64().unwrap() - report["plaintext_accuracy"].as_f64().unwrap();
    assert!(difference.abs() <= 2.0 / 24.0, "{report}");
    let confusion: Vec<Vec<u64>> = serde_json::from_value(report["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 24);
    let right = confusion[0][0] + confusion[1][1];
    assert_eq!(report["accuracy"].as_f64(), Some(right as f64 / 24.0));
    for three in ["bytes_sent_per_party", "peak_rss_bytes", "pids"] {
        let values: Vec<u64> = serde_json::from_value(report[three].clone()).unwrap();
        assert!(values.len() == 3 && values.iter().all(|&value| value > 0), "{three}: {values:?}");
    }
    let pids: Vec<i32> = serde_json::from_value(report["pids"].clone()).unwrap();
    assert!(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2]);
    assert!(pids.iter().all(|&pid| !runs(pid)), "a node outlived the demo");
    assert!(
        report["rounds"].as_u64().unwrap() > 18 && report["seconds_train"].as_f64().unwrap() > 0.0
    );
    assert!(is_empty(&dir.path().join("tmp")));

    let out = dir.path().join("out");
    let commands = fs::read_to_string(out.join("commands.sh")).unwrap();
    assert!(commands.contains("--label 'kind, really' -o schema.toml  # schema"), "{commands}");
    let evaluated = succeeded(
        tercet(&out)
            .args("evaluate model --data test.csv --schema schema.toml".split(' '))
            .output()
            .unwrap(),
    );
    for figure in ["accuracy", "precision", "recall", "f1", "confusion", "log_loss", "classes"] {
        assert_eq!(evaluated[figure], report[figure], "{figure}");
    }

    fs::write(out.join("new.csv"), "colour,note,size\nred,\"a, b\",9.5\ngreen,,0.1\n").unwrap();
    let predicted = succeeded(
        tercet(&out)
            .args("predict model --data new.csv -o new.out.csv".split(' '))
            .output()
            .unwrap(),
    );
    assert_eq!(predicted["rows"], 2);
    let text = fs::read_to_string(out.join("new.out.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "colour,note,size,prediction,probability_big one,probability_small");
    assert!(lines[1].starts_with("red,\"a, b\",9.5,big one,0."), "{}", lines[1]);
    assert!(lines[2].starts_with("green,,0.1,small,0."), "{}", lines[2]);

    fs::write(out.join("bad.csv"), "size,colour\n1,red\n2,purple\n").unwrap();
    let error =
        error_of(tercet(&out).args("predict model --data bad.csv".split(' ')).output().unwrap());
    assert!(error.contains("row 2 (line 3), column 'colour': 'purple' is not one of"), "{error}");
    assert!(!out.join("predictions.csv").exists());

    let schema = fs::read_to_string(out.join("schema.toml")).unwrap();
    fs::write(out.join("other.toml"), schema.replace("\"green\"", "\"yellow\"")).unwrap();
    let args = "evaluate model --data test.csv --schema other.toml";
    let error = error_of(tercet(&out).args(args.split(' ')).output().unwrap());
    assert!(error.contains("but the model was trained with schema"), "{error}");
}

#[test]
fn unusable_data_are_refused_with_the_reason() {
    let dir = playground();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("good.csv", &table(12));
    write("one-class.csv", "x,y\n1.5,a\n2,a\n3,a\n4,a\n5,a\n");
    write("ragged.csv", "x,y\n1,a\n2\n3,b\n");
    write("small.csv", "x,y\n1.5,a\n2,b\n4,a\n");
    let refusal = |args: &str| {
        let command = ["demo", "--data"].into_iter().chain(args.split(' '));
        error_of(tercet(dir.path()).args(command).output().unwrap())
    };
    for (args, reason) in [
        ("nowhere.csv --label y", "nowhere.csv"),
        ("good.csv --label nothing", "no column 'nothing'"),
        ("one-class.csv --label y", "fewer than two different values"),
        ("ragged.csv --label y", "1 of its rows do not have the 2 fields"),
        ("small.csv --label y", "none is left to test on"),
        ("small.csv --label y --test-every 2 --holders 3", "too few for 3 holders"),
        ("good.csv --label size --lr 5000 --test-every 3", "training.learning_rate"),
    ] {
        let error = refusal(args);
        assert!(error.contains(reason), "{args}: {error}");
    }
    assert!(is_empty(&dir.path().join("tmp")));
}

/// A demo that trains for so long that it is still at it when it is disturbed.
struct Endless {
    dir: TempDir,
    demo: Child,
    nodes: Vec<i32>,
}

impl Endless {
    /// Starts the demo and waits until it trains.
    fn training() -> Self {
        let dir = playground();
        fs::write(dir.path().join("data.csv"), table(120)).unwrap();
        let mut demo = tercet(dir.path())
            .args("demo --data data.csv --hidden 8 --epochs 100000 --label".split(' '))
            .arg("kind, really")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut nodes = Vec::new();
        let mut lines = BufReader::new(demo.stdout.as_mut().unwrap()).lines();
        loop {
            let line = lines.next().expect("the demo trains").unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == "nodes" {
                nodes = serde_json::from_value(event["pids"].clone()).unwrap();
            }
            if event["stage"] == "sharing" {
                break;
            }
        }
        drop(lines);
        Endless { dir, demo, nodes }
    }

    /// Waits for the end of the demo, checks that nothing is left of it, and
    /// returns its exit code and its error.
    fn ended(self) -> (Option<i32>, String) {
        let output = self.demo.wait_with_output().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.nodes.iter().any(|&pid| runs(pid)) {
            assert!(Instant::now() < deadline, "a node outlived the demo");
            thread::yield_now();
        }
        assert!(is_empty(&self.dir.path().join("tmp")), "files of the demo were left behind");
        (output.status.code(), last_line(&output)["error"].as_str().unwrap().to_owned())
    }
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn runs(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn a_node_that_dies_ends_the_demo_and_is_named() {
    let demo = Endless::training();
    send(demo.nodes[1], Signal::KILL);
    let (code, error) = demo.ended();
    assert_eq!(code, Some(1));
    assert!(error.contains("party 1") && error.contains("died"), "{error}");
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let demo = Endless::training();
    send(demo.demo.id().cast_signed(), Signal::INT);
    let (code, error) = demo.ended();
    assert_eq!(code, Some(130));
    assert!(error.contains("interrupted"), "{error}");
}

#[test]
fn the_nodes_of_a_demo_that_is_killed_stop_by_themselves() {
    let mut demo = Endless::training();
    demo.demo.kill().unwrap();
    demo.demo.wait().unwrap();
    let left = fs::read_dir(demo.dir.path().join("tmp")).unwrap().next().unwrap().unwrap().path();
    let consortium = Consortium::load(&left.join("consortium/consortium.toml")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    for (_, party) in consortium.parties() {
        while TcpStream::connect(&party.address).is_ok() {
            assert!(Instant::now() < deadline, "a node outlived the demo");
            thread::yield_now();
        }
    }
}
