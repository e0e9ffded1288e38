//! A forecast is what comes: on three networks, in both modes.
//!
//! Simulated clocks on which computation is free make the outcome the same in every run.

mod common;

use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::net::clock::{Clock, Computation};
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, LinkSpec, SessionId, Shaped, local_network};
use mpc_core::party::PartyId;
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

const ROWS: usize = 140;

fn blueprint() -> Blueprint {
    let spec = Spec::from_toml(
        r#"
        [model]
        layers = [{ dense = 8 }, "relu", { dense = "outputs" }]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.1
        "#,
    )
    .unwrap();
    let columns = [vec![Column::Bounded; 4], vec![Column::Indicator; 2]].concat();
    Blueprint::new(spec, DataShape { rows: ROWS, columns, target: Target::Classes(3) }).unwrap()
}

/// What a session does between the agreement on keys and the model.
async fn session<S: Security>(ctx: Ctx<S>) -> Result<()> {
    let blueprint = blueprint();
    let zeros = |columns, scale| Fixed::new(Arith::zeros([ROWS, columns]), scale);
    let data = Dataset { features: zeros(6, DATA_SCALE), labels: zeros(3, 0) };
    let go_on = |_| ControlFlow::Continue(());
    let check = ctx.step("check-inputs");
    broken_rules(&check, blueprint.data(), &data, &[ROWS], Scope::Labels, go_on).await?;
    train(&Mpc::new(ctx), &blueprint, data, &Seed::from_number(1), &mut ()).await.map(drop)
}

#[track_caller]
fn assert_close(what: &str, forecast: f64, actual: f64, part: f64) {
    assert!((forecast - actual).abs() <= part * actual, "{what}: {forecast}, but came {actual}");
}

fn compare<S: Security>(security: job::Security, link: &str) {
    let link: LinkSpec = link.parse().unwrap();
    let training = Training {
        blueprint: blueprint(),
        security,
        multiplication: Multiplication::Replicated,
        check: CheckInputs::Labels,
    };
    let forecast = forecast(&training, Some(link), ClockKind::Links, |_| {}).unwrap();
    let network = local_network(SessionId([0; 16]), Duration::from_secs(60))
        .map(|transport| Shaped::new(transport, link, Clock::simulated(Computation::Free), 0));
    let traffic = run3_on::<S, _, _>(network, 1, session).map(|result| result.unwrap().1.traffic);
    let rounds = (traffic[0].rounds + KEY_AGREEMENT_ROUNDS) as f64;
    assert_eq!(forecast.iterations, 10);
    assert_close("rounds", forecast.rounds, rounds, 0.01);
    for party in PartyId::ALL {
        let at = party.index();
        let sent = traffic[at].bytes_sent as f64;
        assert_close("bytes", forecast.bytes_sent_per_party[at], sent, 0.05);
    }
    let seconds = traffic.map(|traffic| traffic.waiting).into_iter().max().unwrap();
    let seconds = seconds.as_secs_f64() + KEY_AGREEMENT_ROUNDS as f64 * link.latency.as_secs_f64();
    assert_close("seconds", forecast.seconds, seconds, 0.05);
}

#[test]
fn a_forecast_comes_true_on_three_networks() {
    for link in ["lan", "wan", "latency=15ms,bandwidth=2mbit"] {
        compare::<SemiHonest>(job::Security::SemiHonest, link);
    }
    compare::<Malicious>(job::Security::Malicious, "wan");
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
