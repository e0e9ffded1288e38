//! The gate against chattier protocols: rounds and bytes of the main protocols, of one
//! iteration of training and of a prediction are those of `benches/costs.json`.
//!
//! They do not depend on the machine. Whoever changes them on purpose writes the file anew:
//!
//! ```text
//! TERCET_UPDATE_COSTS=1 cargo test -p runner --test all costs
//! ```

use clap::ValueEnum;
use nn::infer::Answer;
use runner::bench::figures::title;
use runner::bench::{ClockKind, Net, Op, Plan, Protocol, Setting, Task, measure_in_process};
use runner::job::{Multiplication, Security};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Elements, a multiple of 64 and of 3.
const N: usize = 192;
const UPDATE: &str = "TERCET_UPDATE_COSTS";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    rounds: u64,
    payload_bytes: [u64; 3],
}

fn tasks() -> Vec<Task> {
    let ops = Op::value_variants().iter().map(|&op| {
        let n = if matches!(op, Op::Matmul) { 128 } else { N };
        Task::Op { op, n }
    });
    let protocols = Protocol::value_variants();
    let protocols = protocols.iter().map(|&protocol| Task::Protocol { protocol, n: N });
    let network_a = || Net::Widths(vec![784, 128, 128, 10]);
    let infer = |answer| Task::Infer { net: network_a(), batch: 1, answer };
    let train = |net, batch, multiplication| Task::Train { net, batch, multiplication, data: None };
    let networks = [
        train(network_a(), 128, Multiplication::Replicated),
        train(Net::Widths(vec![32, 16, 10]), 32, Multiplication::Beaver),
        infer(Answer::Class),
        infer(Answer::Probabilities),
    ];
    ops.chain(protocols).chain(networks).collect()
}

fn cost(task: &Task, security: Security) -> Cost {
    let setting = Setting {
        link: None,
        clock: ClockKind::Links,
        seed: Some(1),
        threads: 1,
        record: false,
        depth: 0,
    };
    let plan = Plan { task: task.clone(), security, warm_up: 0, repetitions: 1, setting };
    let parties = measure_in_process(&plan, |_| {}).unwrap();
    let samples = parties.map(|party| party.samples[0]);
    let [first, second, third] = samples.map(|sample| sample.rounds);
    assert_eq!([first, first], [second, third], "parties count the same rounds");
    Cost { rounds: first, payload_bytes: samples.map(|sample| sample.payload_bytes) }
}

#[test]
fn no_protocol_became_chattier_unnoticed() {
    let mut now = BTreeMap::new();
    for task in tasks() {
        for security in [Security::SemiHonest, Security::Malicious] {
            let name = format!("{}: {}", title(&task), security.name());
            now.insert(name, cost(&task, security));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/costs.json");
    if std::env::var_os(UPDATE).is_some() {
        let text = serde_json::to_string_pretty(&now).unwrap() + "\n";
        std::fs::write(&file, text).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let before: BTreeMap<String, Cost> = serde_json::from_str(&text).unwrap();
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let changed: Vec<String> = names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| format!("{name}:\n  was {:?}\n  is  {:?}", before.get(name), now.get(name)))
        .collect();
    assert!(
        changed.is_empty(),
        "{}\nIf that is meant to be, write the file anew: \
         {UPDATE}=1 cargo test -p runner --test all costs",
        changed.join("\n")
    );
}
