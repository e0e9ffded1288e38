//! A forecast is what comes: for three networks over three kinds of links, and for trainings that
//! are judged by kept rows, in both modes.
//!
//! Simulated clocks on which computation is free make the outcome the same in every run.

use crate::common;
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

/// A network as jobs name it, and what its columns are.
struct Case {
    name: &'static str,
    model: &'static str,
    columns: fn() -> Vec<Column>,
    classes: usize,
    /// A section of the job, or nothing.
    validation: &'static str,
    /// Rows of two data sets; one that is judged by is the second.
    sets: [usize; 2],
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
        validation: "",
        sets: SETS,
    },
    Case {
        name: "a logistic regression",
        model: r#"
            layers = [{ dense = "outputs" }]
            loss = "logistic"
        "#,
        columns: || vec![Column::Bounded; 30],
        classes: 2,
        validation: "",
        sets: SETS,
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
        validation: "",
        sets: SETS,
    },
];

/// The first two of them, judged by kept rows.
const JUDGED: [Case; 4] = [
    Case {
        name: "a fraction",
        validation: r#"
            [validation]
            fraction = 0.3
            metrics = ["loss", "accuracy", "confusion", "f1"]
            each_epoch = ["loss", "accuracy"]
        "#,
        ..CASES[0]
    },
    Case {
        name: "a data set, at the end",
        validation: r#"
            [validation]
            sets = ["00112233445566778899aabbccddeeff"]
            metrics = ["auc", "precision"]
        "#,
        ..CASES[1]
    },
    Case {
        name: "more rows than are compared pair by pair in a rehearsal",
        validation: r#"
            [validation]
            sets = ["00112233445566778899aabbccddeeff"]
            metrics = ["auc", "accuracy"]
            each_epoch = ["auc"]
        "#,
        sets: [90, 1100],
        ..CASES[1]
    },
    Case {
        name: "more rows than figures are made of in a rehearsal",
        validation: r#"
            [validation]
            sets = ["00112233445566778899aabbccddeeff"]
            metrics = ["loss", "accuracy"]
            each_epoch = ["accuracy"]
        "#,
        sets: [90, 20_000],
        ..CASES[1]
    },
];

impl Case {
    fn rows(&self) -> usize {
        self.sets.iter().sum()
    }

    fn blueprint(&self) -> Blueprint {
        let training = "[training]\nepochs = 2\nbatch = 32\nlearning_rate = 0.1\n\
                        [features]\nscaling = \"unit\"";
        let text = format!("[model]\n{}\n{training}\n{}", self.model, self.validation);
        let spec = Spec::from_toml(&text).unwrap();
        let by_name = spec.validation.as_ref().is_some_and(|spec| !spec.sets.is_empty());
        let (columns, target) = ((self.columns)(), Target::Classes(self.classes));
        let blueprint = Blueprint::new(spec, DataShape { rows: self.rows(), columns, target });
        let last = self.sets[0]..self.rows();
        match by_name {
            true => blueprint.unwrap().keeping_back(vec![last]).unwrap(),
            false => blueprint.unwrap(),
        }
    }
}

/// What a session does between the agreement on keys and the model.
async fn session<S: Security>(ctx: Ctx<S>, case: &Case) -> Result<()> {
    let blueprint = case.blueprint();
    let zeros = |columns, scale| Fixed::new(Arith::zeros([case.rows(), columns]), scale);
    let features = zeros(blueprint.data().columns.len(), DATA_SCALE);
    let data = Dataset { features, labels: zeros(case.classes, 0) }.into();
    let go_on = |_| ControlFlow::Continue(());
    let check = ctx.step("check-inputs");
    broken_rules(&check, blueprint.data(), &data, &case.sets, Scope::Labels, go_on).await?;
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
        sets: case.sets.to_vec(),
    };
    let forecast = forecast(&training, Some(link), ClockKind::Links, |_, _| {}).unwrap();
    let network = local_network(SessionId([0; 16]), Duration::from_secs(60))
        .map(|transport| Shaped::new(transport, link, Clock::simulated(Computation::Free), 0));
    let traffic = run3_on::<S, _, _>(network, 1, |ctx| session(ctx, case))
        .map(|result| result.unwrap().1.traffic);
    let rounds = (traffic[0].rounds + KEY_AGREEMENT_ROUNDS) as f64;
    let blueprint = case.blueprint();
    assert_eq!(forecast.iterations, 2 * blueprint.batches() as u64);
    let evaluations = blueprint.validation().map_or(0, |v| 1 + u64::from(!v.each_epoch.is_empty()));
    assert_eq!(forecast.evaluations, evaluations);
    assert_eq!(forecast.seconds_evaluating > 0.0, evaluations > 0);
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

/// Three groups of 16 batches and a small batch; one group and seven batches.
#[test]
fn a_forecast_knows_which_batches_are_verified_together() {
    for rows in [1500, 680] {
        let case = Case { sets: [rows, 50], ..CASES[0] };
        compare::<Malicious>(&case, job::Security::Malicious, "wan");
    }
}

#[test]
fn a_forecast_with_figures_on_kept_rows_comes_true() {
    for case in &JUDGED {
        println!("{}", case.name);
        compare::<SemiHonest>(case, job::Security::SemiHonest, "wan");
    }
    for case in &JUDGED[..3] {
        println!("{}", case.name);
        compare::<SemiHonest>(case, job::Security::SemiHonest, "latency=1ms,bandwidth=20mbit");
        compare::<Malicious>(case, job::Security::Malicious, "wan");
    }
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
    assert_eq!(near["evaluations"], 0);

    // Rows of named data sets come on top of the others.
    let validation = "sets = [\"00112233445566778899aabbccddeeff\"]\nmetrics = [\"accuracy\"]";
    let judged = format!(
        "reveal = [\"model\", \"accuracy\"]\n{}\n[validation]\n{validation}",
        common::job(2)
    );
    write("judged.toml", &judged);
    let refused = |args: &[&str], words: &str| {
        let output = run(args);
        let status = output.status;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!status.success() && said.contains(words), "{said}");
    };
    refused(&["forecast", "judged.toml", "--rows", "1000"], "--validation-rows");
    let on_top = ["--rows", "1000", "--validation-rows", "300"];
    refused(&[&["forecast", "job.toml"], &on_top[..]].concat(), "leave --validation-rows out");
    let output = run(&[&["forecast", "judged.toml"], &on_top[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let judged: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&judged["evaluations"], &judged["iterations"]), (&1.into(), &near["iterations"]));
    assert!(judged["rounds"].as_f64() > near["rounds"].as_f64());
}
