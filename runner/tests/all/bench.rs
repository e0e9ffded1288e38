//! Measurements with the real binary.

use crate::common;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Output;

fn bench(args: &str) -> Output {
    common::tercet().arg("--json").arg("bench").args(args.split_whitespace()).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_protocol_is_measured_in_both_modes_by_three_processes() {
    let output = bench("op compare --n 1000 --iters 3");
    let summaries = lines(&output);
    let [semi_honest, malicious] = &summaries[..] else { panic!("{output:?}") };
    assert_eq!(semi_honest["security"], "semi-honest");
    assert_eq!(malicious["security"], "malicious");
    // The cost of comparisons of 32 bits, as the protocol declares it.
    assert_eq!(semi_honest["rounds_per_iteration"], 7);
    let sent =
        |party: usize| semi_honest["bytes_sent_per_party_per_iteration"][party].as_f64().unwrap();
    let declared = 1000.0 * 96.7 / 8.0;
    for party in 0..3 {
        assert!(sent(party) > 0.8 * declared && sent(party) < 1.5 * declared, "{}", sent(party));
    }
    for summary in &summaries {
        assert_eq!(summary["iterations"], 3);
        let pids: BTreeSet<u64> =
            summary["pids"].as_array().unwrap().iter().map(|pid| pid.as_u64().unwrap()).collect();
        assert_eq!(pids.len(), 3);
        let number = |name: &str| summary[name].as_f64().unwrap();
        assert!(number("seconds_per_iteration") > 0.0);
        let kernels = &summary["gmac_per_second_one_core_by_kernel"];
        assert!(kernels["portable"].as_f64().unwrap() > 0.0);
        let used = summary["matrix_kernel"].as_str().unwrap();
        assert_eq!(summary["gmac_per_second_one_core"], kernels[used]);
    }
    assert!(
        malicious["rounds_per_iteration"].as_u64() > semi_honest["rounds_per_iteration"].as_u64()
    );
}

#[test]
fn an_iteration_of_training_is_measured() {
    let output = bench("train --net mlp:8-4-2 --batch 16 --iters 2 --security semi-honest");
    let summaries = lines(&output);
    let [summary] = &summaries[..] else { panic!("{output:?}") };
    assert_eq!(summary["task"]["train"]["widths"], serde_json::json!([8, 4, 2]));
    assert!(summary["rounds_per_iteration"].as_u64().unwrap() > 20);
}

/// Rows of two kinds that lie far apart, sorted.
fn kinds(rows: usize) -> String {
    let row = |row: usize| {
        let (low, jitter) = (row < rows / 2, row * 7 % 10);
        format!("{},{},{}\n", if low { jitter } else { 50 + jitter }, row % 3, u8::from(low))
    };
    let rows: String = (0..rows).map(row).collect();
    format!("x,y,kind\n{rows}")
}

#[test]
fn a_training_on_rows_of_a_file_tells_how_good_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kinds.csv");
    std::fs::write(&file, kinds(200)).unwrap();
    let train = |rest: &str| bench(&format!("train --data {} --label kind {rest}", file.display()));
    let summaries = lines(&train("--net mlp:2-4-2 --batch 16 --iters 40"));
    assert_eq!(summaries.len(), 2, "both modes");
    for summary in &summaries {
        assert_eq!(summary["accuracy"], 1.0, "{summary}");
        assert_eq!((&summary["test_rows"], &summary["training_rows"]), (&40.into(), &160.into()));
        assert_eq!(summary["task"]["train"]["widths"], serde_json::json!([2, 4, 2]));
    }
    // It is the accuracy of what was trained, and not that of what could be.
    let barely = "--net mlp:2-2 --batch 4 --iters 1 --warm-up 0 --security semi-honest";
    let seeds = ["1", "2", "3", "4"].map(|seed| {
        lines(&train(&format!("{barely} --in-process --seed {seed}")))[0]["accuracy"].clone()
    });
    assert!(seeds.iter().any(|accuracy| accuracy.as_f64() < Some(1.0)), "{seeds:?}");
    let usual =
        lines(&train("--batch 4 --iters 1 --warm-up 0 --security semi-honest --in-process"));
    assert_eq!(usual[0]["task"]["train"]["widths"], serde_json::json!([2, 128, 128, 2]));
    for (rest, expected) in [
        ("--net mlp:3-2 --batch 16", "the data have 2 and 2"),
        ("--batch 161", "there are 160 rows"),
        ("--net lenet --batch 16", "it takes 784 features"),
    ] {
        let output = train(rest);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let output = bench(&format!("train --data {} --label size", file.display()));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no column 'size'"));
}

#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = common::tercet().args(["bench", "list"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn what_cannot_be_measured_is_refused_at_once() {
    for (args, code, expected) in [
        ("op sing", 2, "possible values"),
        ("train --net mlp:784", 2, "is not a network"),
        ("op relu --ring 64,52", 2, "no ring of 52 bits"),
        ("op relu --n 0", 2, "is not a number from 1"),
        ("train --net mlp:784-100000-10", 1, "1 to 65536 units"),
    ] {
        let output = bench(args);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{args}: {text}");
        assert!(text.contains(expected), "{args}: {text}");
    }
}
