//! Measurements over shaped links, with seeds, steps, traces and reports: with the real
//! binary, on simulated clocks where time matters.

use crate::common;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn bench(args: &str) -> Output {
    common::tercet().arg("--json").arg("bench").args(args.split_whitespace()).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn summary(args: &str) -> Value {
    let mut lines = lines(&bench(args));
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[track_caller]
fn assert_within(value: f64, expected: f64, part: f64) {
    assert!((value - expected).abs() <= part * expected, "{value} is not {expected}");
}

const SIMULATED: &str = "--in-process --iters 3 --warm-up 0 --security semi-honest";

#[test]
fn rounds_take_latencies_and_bytes_take_bandwidth() {
    let small = summary(&format!("link --bytes 8 --link wan {SIMULATED}"));
    assert_eq!((&small["clock"], &small["link"]), (&"simulated".into(), &"wan".into()));
    assert_within(number(&small, "seconds_per_iteration"), 0.040, 0.05);
    // 12.5 MB over 100 Mbit/s.
    let large = summary(&format!("link --bytes 12500000 --link wan {SIMULATED}"));
    assert_within(number(&large, "seconds_per_iteration"), 1.040, 0.05);
    // A protocol of seven rounds.
    let op = summary(&format!("op compare --n 100 --link wan {SIMULATED}"));
    assert_eq!(op["rounds_per_iteration"], 7);
    assert_within(number(&op, "seconds_per_iteration"), 7.0 * 0.040, 0.05);
}

#[test]
fn processes_wait_for_shaped_links_too() {
    let args = "link --bytes 8 --link latency=10ms --iters 3 --security semi-honest";
    let seconds = number(&summary(args), "seconds_per_iteration");
    assert!(seconds >= 0.010, "{seconds}");
}

#[test]
fn the_goals_for_wide_area_networks_are_met() {
    let train = summary(&format!("train --link wan {SIMULATED}"));
    assert!(number(&train, "seconds_per_iteration") <= 5.5, "{train}");
    let infer = summary(&format!("infer --batch 1 --link wan {SIMULATED}"));
    assert!(number(&infer, "seconds_per_iteration") <= 1.6, "{infer}");
}

#[test]
fn a_seed_gives_bit_identical_models_and_without_one_they_differ() {
    let args = "train --net mlp:8-4-2 --batch 16 --iters 3";
    for mode in ["semi-honest", "malicious"] {
        let model = |more: &str| {
            let summary = summary(&format!("{args} --security {mode} {more}"));
            summary["model"].as_str().unwrap().to_owned()
        };
        let seeded = model("--seed 7");
        assert_eq!(seeded, model("--seed 7"));
        assert_eq!(seeded, model("--seed 7 --in-process"), "threads and processes agree");
        assert_ne!(seeded, model("--seed 8"));
        // Truncation rounds at random.
        assert_ne!(model(""), model(""));
    }
}

#[test]
fn a_seed_is_refused_where_data_are_real() {
    let output = common::tercet().args(["train", "job.toml", "--seed", "7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("open every share"), "{text}");
}

#[test]
fn steps_add_up_to_the_whole_and_triples_are_offline() {
    let args = "train --net mlp:8-4-2 --batch 16 --multiplication beaver --steps 1";
    let summary = summary(&format!("{args} {SIMULATED}"));
    let steps = summary["steps"].as_array().unwrap();
    let phase = |offline: bool| steps.iter().filter(move |step| step["offline"] == offline);
    assert!(phase(true).count() > 0 && phase(false).count() > 3, "{steps:?}");
    let sum = |name: &str| phase(false).map(|step| number(step, name)).sum::<f64>();
    let mean = |name: &str| {
        let parties = summary[name].as_array().unwrap();
        parties.iter().map(|party| party.as_f64().unwrap()).sum::<f64>() / 3.0
    };
    assert_within(sum("payload_bytes"), mean("payload_bytes_per_party_per_iteration"), 1e-9);
    let computing = sum("computing_seconds");
    assert!(computing > 0.0 && computing <= 1.5 * mean("cpu_seconds_per_party_per_iteration"));
    assert!(number(&summary["offline"], "seconds") > 0.0);
}

#[test]
fn a_trace_has_all_parties_on_one_time_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.json");
    let args = format!("op relu --n 100 --link lan {SIMULATED} --trace {}", file.display());
    summary(&args);
    let trace: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    for party in 0..3 {
        let rounds: Vec<(f64, f64)> = events
            .iter()
            .filter(|event| event["pid"] == party && event["cat"] == "round")
            .map(|event| (number(event, "ts"), number(event, "dur")))
            .collect();
        assert_eq!(rounds.len(), 30, "ten rounds, three times");
        assert!(rounds.iter().all(|(start, length)| *start >= 0.0 && *length >= 0.0));
        assert!(rounds.is_sorted_by(|a, b| a.0 + a.1 <= b.0 + 1e-3), "{rounds:?}");
    }
    let refused = bench(&format!("op relu --n 1,2 --trace {}", file.display()));
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn sweeps_become_tables_comparisons_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let shown = |path: &Path| path.display().to_string();
    let (csv, latex) = (path("out.csv"), path("out.tex"));
    let files = format!("--csv {} --latex {}", shown(&csv), shown(&latex));
    let args = format!("op relu --n 1e2..1e4 --steps 1 --in-process --iters 2 {files}");
    let output = bench(&args);
    assert_eq!(lines(&output).len(), 6, "three sizes in two modes");
    let csv = std::fs::read_to_string(csv).unwrap();
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.starts_with("measured,security,link,clock,iterations,seconds,"), "{csv}");
    let latex = std::fs::read_to_string(latex).unwrap();
    assert!(latex.contains("\\toprule") && latex.contains("relu, 10,000 elements"), "{latex}");

    let run = path("run.json");
    std::fs::write(&run, &output.stdout).unwrap();
    let same = lines(&bench(&format!("compare {} {}", shown(&run), shown(&run))));
    let comparisons = same[0]["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 6);
    assert_eq!(comparisons[0]["figures"]["rounds"][2], 1.0);

    let report = path("report.html");
    lines(&bench(&format!("report {} --output {}", shown(&run), shown(&report))));
    let page = std::fs::read_to_string(report).unwrap();
    assert!(page.matches("<svg").count() >= 3, "a sweep, rounds and bytes, and steps");
    assert!(page.contains("Machine and code"));
    let foreign = ["<script", "<link", "src=", "url("];
    assert!(foreign.iter().all(|part| !page.contains(part)), "the report needs nothing else");
}

#[test]
fn what_is_no_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.json");
    for text in ["", "{}\n", "not json\n"] {
        std::fs::write(&file, text).unwrap();
        let output = bench(&format!("report {}", file.display()));
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("wrong.json") && text.contains("hint"), "{text}");
    }
    let output = bench("link --link moon");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("intercontinental"));
}
