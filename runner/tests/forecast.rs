//! A forecast is what comes: for three networks over three kinds of links, the last one in both modes.
//!
//! Simulated clocks on which computation is free make the outcome the same in every run.

mod common;

use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::net::clock::{Clock, Computation};
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, LinkSpec, SessionId, Shaped, local_network};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::run3_on;
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::engine::Mpc;
use nn::inputs::{Scope, broken_rules};
use nn::seed::Seed;
use nn::spec::Spec;
use nn::train::{DATA_SCALE, Dataset, train};
use runner::bench::ClockKind;
use runner::bench::forecast::{Training, forecast};
use runner::job::{self, CheckInputs, Multiplication};
use std::ops::ControlFlow;
use std::time::Duration;

/// Rows of two data sets.
const SETS: [usize; 2] = [90, 50];
const ROWS: usize = SETS[0] + SETS[1];

/// A network as jobs name it, and what its columns are.
struct Case {
    name: &'static str,
    model: &'static str,
    columns: fn() -> Vec<Column>,
    classes: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "two dense layers",
        model: r#"
            layers = [{ dense = 8 }, "relu", { dense = "outputs" }]
            loss = "softmax-cross-entropy"
        "#,
        columns: || [vec![Column::Bounded; 4], vec![Column::Indicator; 2]].concat(),
        classes: 3,
    },
    Case {
        name: "a logistic regression",
        model: r#"
            layers = [{ dense = "outputs" }]
            loss = "logistic"
        "#,
        columns: || vec![Column::Bounded; 30],
        classes: 2,
    },
    Case {
        name: "a convolution",
        model: r#"
            input = [6, 6, 1]
            layers = [{ conv = 2, kernel = 3 }, { max-pool = 2 }, "relu", "flatten", { dense = "outputs" }]
            loss = "softmax-cross-entropy"
        "#,
        columns: || vec![Column::Bounded; 36],
        classes: 4,
    },
];

impl Case {
    fn blueprint(&self) -> Blueprint {
        let training = "[training]\nepochs = 2\nbatch = 32\nlearning_rate = 0.1\n\
                        [features]\nscaling = \"unit\"";
        let spec = Spec::from_toml(&format!("[model]\n{}\n{training}", self.model)).unwrap();
        let (columns, target) = ((self.columns)(), Target::Classes(self.classes));
        Blueprint::new(spec, DataShape { rows: ROWS, columns, target }).unwrap()
    }
}

/// What a session does between the agreement on keys and the model.
async fn session<S: Security>(ctx: Ctx<S>, case: &Case) -> Result<()> {
    let blueprint = case.blueprint();
    let zeros = |columns, scale| Fixed::new(Arith::zeros([ROWS, columns]), scale);
    let features = zeros(blueprint.data().columns.len(), DATA_SCALE);
    let data = Dataset { features, labels: zeros(case.classes, 0) };
    let go_on = |_| ControlFlow::Continue(());
    let check = ctx.step("check-inputs");
    broken_rules(&check, blueprint.data(), &data, &SETS, Scope::Labels, go_on).await?;
    train(&Mpc::new(ctx), &blueprint, data, &Seed::from_number(1), &mut ()).await.map(drop)
}

#[track_caller]
fn assert_close(what: &str, forecast: f64, actual: f64, part: f64) {
    assert!((forecast - actual).abs() <= part * actual, "{what}: {forecast}, but came {actual}");
}

fn compare<S: Security>(case: &Case, security: job::Security, link: &str) {
    let link: LinkSpec = link.parse().unwrap();
    let training = Training {
        blueprint: case.blueprint(),
        security,
        multiplication: Multiplication::Replicated,
        check: CheckInputs::Labels,
        sets: SETS.to_vec(),
    };
    let forecast = forecast(&training, Some(link), ClockKind::Links, |_, _| {}).unwrap();
    let network = local_network(SessionId([0; 16]), Duration::from_secs(60))
        .map(|transport| Shaped::new(transport, link, Clock::simulated(Computation::Free), 0));
    let traffic = run3_on::<S, _, _>(network, 1, |ctx| session(ctx, case))
        .map(|result| result.unwrap().1.traffic);
    let rounds = (traffic[0].rounds + KEY_AGREEMENT_ROUNDS) as f64;
    assert_eq!(forecast.iterations, 10);
    assert_close("rounds", forecast.rounds, rounds, 0.01);
    // Parties take turns to help, and whose turn it is at a batch depends on what was before.
    let sent: f64 = traffic.iter().map(|traffic| traffic.bytes_sent as f64).sum();
    assert_close("bytes", forecast.bytes_sent_per_party.iter().sum(), sent, 0.05);
    let seconds = traffic.map(|traffic| traffic.waiting).into_iter().max().unwrap();
    let seconds = seconds.as_secs_f64() + KEY_AGREEMENT_ROUNDS as f64 * link.latency.as_secs_f64();
    assert_close("seconds", forecast.seconds, seconds, 0.05);
}

#[test]
fn a_forecast_comes_true_for_three_networks_over_three_links() {
    for case in &CASES {
        println!("{}", case.name);
        for link in ["lan", "wan", "latency=15ms,bandwidth=2mbit"] {
            compare::<SemiHonest>(case, job::Security::SemiHonest, link);
        }
    }
    compare::<Malicious>(&CASES[2], job::Security::Malicious, "wan");
}

#[test]
fn a_job_is_forecast_by_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("schema.toml", common::SCHEMA);
    write("job.toml", &common::job(2));
    let run = |args: &[&str]| {
        common::tercet().current_dir(dir.path()).arg("--json").args(args).output().unwrap()
    };
    let forecast = |link: &str| {
        let output = run(&["forecast", "job.toml", "--rows", "1000", "--link", link]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (near, far) = (forecast("lan"), forecast("wan"));
    assert_eq!(near["rounds"], far["rounds"]);
    let seconds = |forecast: &serde_json::Value| forecast["seconds"].as_f64().unwrap();
    let rounds = far["rounds"].as_f64().unwrap();
    assert!(seconds(&far) > 0.9 * 0.04 * rounds && seconds(&far) > seconds(&near), "{far}");
    assert_eq!(run(&["forecast", "job.toml", "--rows", "0"]).status.code(), Some(2));
}
