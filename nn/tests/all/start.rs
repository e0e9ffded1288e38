//! Trainings that start from a model: it takes features as they came, whatever the scaling.

use crate::common;
use crate::common::{one_hot, uniform};
use mpc_core::error::{Error, Result};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, reconstruct, run3};
use ndarray::Array2;
use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Target};
use nn::engine::{Engine, Mpc, PlainFloat, PlainTensor, finish};
use nn::init;
use nn::layers::Parameters;
use nn::seed::Seed;
use nn::spec::{Initial, Spec};
use nn::train::{DATA_SCALE, Dataset, TrainedModel, train_from};

const ROWS: usize = 24;

type Pair = Parameters<Array2<f64>>;

/// So slow a training that what it starts from is what it leaves.
fn blueprint(layers: &str, scaling: &str) -> Blueprint {
    let spec = format!(
        "[model]\ninput = [3, 2, 1]\nlayers = {layers}\nloss = \"softmax-cross-entropy\"\n\
         [training]\nepochs = 1\nbatch = 8\nlearning_rate = 1e-9\n[features]\nscaling = \
         \"{scaling}\""
    );
    let mut columns = vec![Column::Bounded; 6];
    if !layers.contains("conv") {
        columns[4] = Column::Indicator;
    }
    let shape = DataShape { rows: ROWS, columns, target: Target::Classes(3) };
    Blueprint::new(Spec::from_toml(&spec).unwrap(), shape).unwrap()
}

fn data() -> Dataset<Array2<f64>> {
    let mut features = uniform(ROWS, 6, 1);
    features.column_mut(4).mapv_inplace(|x| f64::from(x > 0.0));
    Dataset { features, labels: one_hot(&[0, 1, 2].repeat(ROWS / 3), 3) }
}

/// A model of the network that no seed of a training draws.
fn model(blueprint: &Blueprint) -> Vec<Pair> {
    let layers = blueprint.layers().iter().flat_map(LayerShape::pairs).enumerate();
    let drawn = |(at, pair)| init::initial(Initial::Uniform, pair, &Seed::from_number(99), at);
    layers.map(drawn).collect()
}

fn far(a: &[Pair], b: &[Pair]) -> f64 {
    assert_eq!(a.len(), b.len());
    let of_pair = |(a, b): (&Pair, &Pair)| {
        common::distance(&a.weights, &b.weights).max(common::distance(&a.bias, &b.bias))
    };
    a.iter().zip(b).map(of_pair).fold(0.0, f64::max)
}

fn in_the_clear(blueprint: &Blueprint, start: &[Pair], scale: u32) -> Result<Vec<Pair>> {
    let public = |values: &Array2<f64>, scale| PlainFloat.public(values, scale);
    let data = data();
    let data =
        Dataset { features: public(&data.features, DATA_SCALE)?, labels: public(&data.labels, 0)? };
    let start = start.iter().map(|pair| Parameters::public(&PlainFloat, pair, [scale; 2]));
    let start = start.collect::<Result<Vec<_>>>()?;
    let seed = Seed::from_number(5);
    let trained = finish(train_from(&PlainFloat, blueprint, Some(start), data, &seed, &mut ()))?;
    let opened = |pair: Parameters<PlainTensor<f64>>| Parameters {
        weights: pair.weights.values,
        bias: pair.bias.values,
    };
    Ok(trained.parameters.into_iter().map(opened).collect())
}

fn on_shares<S: Security>(blueprint: &Blueprint, start: &[Pair]) -> Vec<Pair> {
    let share = |values: &Array2<f64>, scale: u32, seed: u64| {
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
    };
    let Dataset { features, labels } = data();
    let (features, labels) = (share(&features, DATA_SCALE, 1), share(&labels, 0, 2));
    let start: Vec<_> =
        start.iter().map(|pair| (share(&pair.weights, 22, 3), share(&pair.bias, 42, 4))).collect();
    let trained: [TrainedModel<Fixed>; 3] = run3::<S, _, _>(5, |ctx| {
        let at = ctx.party().index();
        let data = Dataset { features: features[at].clone(), labels: labels[at].clone() };
        let pair = |(weights, bias): &([Fixed; 3], [Fixed; 3])| Parameters {
            weights: weights[at].clone(),
            bias: bias[at].clone(),
        };
        let start = Some(start.iter().map(pair).collect());
        async move {
            let engine = Mpc::new(ctx.step("train"));
            train_from(&engine, blueprint, start, data, &Seed::from_number(5), &mut ()).await
        }
    });
    let open = |shares: [&Fixed; 3]| {
        let (shape, scale) = (shares[0].shape(), shares[0].scale);
        let words = reconstruct(&shares.map(|fixed| fixed.share.clone()));
        let values = words.into_iter().map(|word| word as i64 as f64 / f64::from(scale).exp2());
        Array2::from_shape_vec(shape, values.collect()).unwrap()
    };
    let pairs = 0..trained[0].parameters.len();
    pairs
        .map(|at| Parameters {
            weights: open(trained.each_ref().map(|model| &model.parameters[at].weights)),
            bias: open(trained.each_ref().map(|model| &model.parameters[at].bias)),
        })
        .collect()
}

#[test]
fn what_a_training_starts_from_is_the_model() {
    let dense = "[{ dense = 4 }, \"relu\", { dense = \"outputs\" }]";
    let conv = "[{ conv = 2, kernel = 2 }, \"relu\", { dense = \"outputs\" }]";
    for (layers, scaling) in [(dense, "none"), (dense, "unit"), (conv, "unit")] {
        let blueprint = blueprint(layers, scaling);
        let start = model(&blueprint);
        for scale in [16, 30] {
            let plain = in_the_clear(&blueprint, &start, scale).unwrap();
            assert!(far(&plain, &start) < 1e-6, "{layers} {scaling}");
        }
        assert!(far(&on_shares::<SemiHonest>(&blueprint, &start), &start) < 1e-4);
        assert!(far(&on_shares::<Malicious>(&blueprint, &start), &start) < 1e-4);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let layers = "[{ dense = 4 }, \"relu\", { dense = \"outputs\" }]";
    let (plain, standardised) = (blueprint(layers, "none"), blueprint(layers, "standardise"));
    let start = model(&plain);
    let refused = |blueprint, start: &[Pair]| in_the_clear(blueprint, start, 20).unwrap_err();
    assert!(refused(&standardised, &start).to_string().contains("standardise"));
    assert!(matches!(refused(&plain, &start[..1]), Error::Misuse(_)));
    assert!(matches!(refused(&plain, &[&start[..], &start[..1]].concat()), Error::Misuse(_)));
    let turned = [start[1].clone(), start[0].clone()];
    assert!(matches!(refused(&plain, &turned), Error::Shape { op: "start", .. }));
}
