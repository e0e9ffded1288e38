//! A malicious party against a whole small training: two layers with a rectifier, two epochs
//! of two batches, verified after each epoch, and the opening of the model. Every one of its messages is
//! changed, lost, repeated, swapped, cut, prolonged or held back.

use crate::common;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::net::{LocalTransport, SessionId, local_network};
use mpc_core::party::PartyId;
use mpc_core::security::Malicious;
use mpc_core::share::{Arith, Fixed, fixed_word};
use mpc_core::testing::adversary::attack_every_message;
use mpc_core::testing::{DEADLINE, deal, run3_on};
use ndarray::Array2;
use nn::blueprint::{Blueprint, Target};
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::{DATA_SCALE, Dataset, train};
use protocols::open::open;

const SPEC: &str = r#"
    [model]
    layers = [{ dense = 2 }, "relu", { dense = "outputs" }]
    loss = "mean-squared"
    [training]
    epochs = 2
    batch = 2
    learning_rate = 0.5
    order = "file"
    [features]
    scaling = "none"
"#;

/// Shares of the three parties.
fn shared(values: &Array2<f64>, scale: u32, seed: u64) -> [Fixed; 3] {
    let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
    deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
}

/// Trains, and opens the model.
async fn session(
    ctx: Ctx<Malicious>,
    blueprint: &Blueprint,
    data: Dataset<Fixed>,
) -> Result<Vec<u64>> {
    let engine = Mpc::new(ctx.step("train"));
    let model = train(&engine, blueprint, data, &Seed::from_number(7), &mut ()).await?;
    let words = model.parameters.iter().flat_map(|p| [&p.weights.share, &p.bias.share]);
    let columns = words.map(|share| share.reshape([share.len(), 1])).collect::<Result<Vec<_>>>()?;
    let all = Arith::concat_rows(&columns.iter().collect::<Vec<_>>())?;
    open(&ctx.step("release"), &all).await
}

fn attack(cheat: PartyId) {
    let (data, _) = common::quadrants(4, 3);
    let blueprint = common::blueprint(SPEC, &data, Target::Numbers(2));
    let features = shared(&data.features, DATA_SCALE, 1);
    let labels = shared(&data.labels, 0, 2);
    let run = |network: [LocalTransport; 3]| {
        run3_on::<Malicious, _, _>(network, 5, |ctx| {
            let at = ctx.party().index();
            let (features, labels) = (features[at].clone(), labels[at].clone());
            session(ctx, &blueprint, Dataset { features, labels })
        })
        .map(|result| result.map(|(model, _)| model))
    };
    let network = || local_network(SessionId([3; 16]), DEADLINE);
    let tally = attack_every_message(cheat, network, run, |step| step == "release");
    println!("{cheat}: {tally}");
    assert!(tally.messages > 100 && tally.attacks > 9 * tally.messages, "{tally}");
}

#[test]
fn every_changed_message_of_party_0_is_caught() {
    attack(PartyId::P0);
}

#[test]
fn every_changed_message_of_party_1_is_caught() {
    attack(PartyId::P1);
}

#[test]
fn every_changed_message_of_party_2_is_caught() {
    attack(PartyId::P2);
}
