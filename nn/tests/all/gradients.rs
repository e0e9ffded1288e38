//! Back-propagation against finite differences, for every layer and loss.
//!
//! One step of training on one batch moves each parameter by the learning rate times its
//! derivative. The derivative is measured on the opened model, with loss formulas that
//! share no code with the training.

use crate::common::{blueprint, one_hot, uniform};
use ndarray::Array2;
use nn::blueprint::{LayerShape, Role, Target};
use nn::engine::{PlainFloat, PlainTensor, finish};
use nn::init;
use nn::layers::{Layer, Parameters};
use nn::loss::Loss;
use nn::model::Model;
use nn::seed::Seed;
use nn::spec::Initial;
use nn::train::Dataset;
use nn::twin::train_float;

const RATE: f64 = 0.01;
const ROWS: usize = 7;

type Weights = Parameters<Array2<f64>>;

fn plain(values: &Array2<f64>) -> PlainTensor<f64> {
    PlainTensor { values: values.clone(), scale: 0 }
}

/// The mean loss of a model over the rows, each times the weight of its class.
fn mean_loss(model: &Model, data: &Dataset<Array2<f64>>, weights: &[f64]) -> f64 {
    let outputs = model.outputs(&data.features).unwrap();
    let of_row = |row: usize| -> f64 {
        let (output, label) = (outputs.row(row), data.labels.row(row));
        let weight = match weights {
            [] => 1.0,
            weights => label.iter().zip(weights).map(|(bit, weight)| bit * weight).sum(),
        };
        weight
            * match model.loss() {
                Loss::SoftmaxCrossEntropy => -(&label * &output.mapv(f64::ln)).sum(),
                Loss::Logistic => -(label[1] * output[0].ln() + label[0] * (1.0 - output[0]).ln()),
                Loss::MeanSquared => (&output - &label).mapv(|error| error * error / 2.0).sum(),
                Loss::Huber(distance) => {
                    (&output - &label).mapv(|error| huber(error, distance)).sum()
                }
            }
    };
    (0..ROWS).map(of_row).sum::<f64>() / ROWS as f64
}

fn huber(error: f64, distance: f64) -> f64 {
    if error.abs() <= distance {
        error * error / 2.0
    } else {
        distance * (error.abs() - distance / 2.0)
    }
}

fn initial_parameters(layers: &[LayerShape], seed: &Seed) -> Vec<Weights> {
    let pairs = |(index, layer): (usize, &LayerShape)| {
        layer.pairs().into_iter().map(move |pair| (index, pair)).collect::<Vec<_>>()
    };
    let all = layers.iter().enumerate().flat_map(pairs);
    all.map(|(index, pair)| init::initial(Initial::default(), pair, seed, index)).collect()
}

/// Compares one training step on rows of five numbers with finite differences of the mean
/// loss.
fn check(layers: &str, loss: Loss, target: Target, labels: Array2<f64>) {
    check_on(5, layers, loss, target, labels, &[]);
}

fn check_weighted(layers: &str, loss: Loss, target: Target, labels: Array2<f64>, weights: &[f64]) {
    check_on(5, layers, loss, target, labels, weights);
}

fn check_on(
    columns: usize,
    layers: &str,
    loss: Loss,
    target: Target,
    labels: Array2<f64>,
    weights: &[f64],
) {
    let written = match loss {
        Loss::Huber(distance) => format!("{{ huber = {distance} }}"),
        loss => format!("\"{loss}\""),
    };
    let data = Dataset { features: uniform(ROWS, columns, 11), labels };
    let toml = format!(
        "[model]\nlayers = {layers}\nloss = {written}\n\
         [training]\nepochs = 1\nbatch = 100\nlearning_rate = {RATE}\n\
         class_weights = {weights:?}\n\
         [features]\nscaling = \"none\""
    );
    let blueprint = blueprint(&toml, &data, target);
    let seed = Seed::from_number(2);
    let before = initial_parameters(blueprint.layers(), &seed);
    let after = train_float(&blueprint, &data, &seed, &mut ()).unwrap();
    let loss_of = |parameters| {
        mean_loss(&Model::new(blueprint.layers(), loss, parameters).unwrap(), &data, weights)
    };
    let slope = |change: &dyn Fn(&mut [Weights], f64)| {
        let at = |step| {
            let mut parameters = before.clone();
            change(&mut parameters, step);
            loss_of(parameters)
        };
        (at(1e-5) - at(-1e-5)) / 2e-5
    };
    for (layer, after) in after.parameters().enumerate() {
        for (place, &weight) in after.weights.indexed_iter() {
            let numeric = slope(&|all, step| all[layer].weights[place] += step);
            let learnt = (before[layer].weights[place] - weight) / RATE;
            assert!((numeric - learnt).abs() < 1e-6, "{layers} {loss}: {numeric} {learnt}");
        }
        for (place, &bias) in after.bias.indexed_iter() {
            let numeric = slope(&|all, step| all[layer].bias[place] += step);
            let learnt = (before[layer].bias[place] - bias) / RATE;
            assert!((numeric - learnt).abs() < 1e-6, "{layers} {loss}: {numeric} {learnt}");
        }
    }
}

const NETWORKS: [&str; 6] = [
    "[{ dense = \"outputs\" }]",
    "[{ dense = 4 }, \"relu\", { dense = \"outputs\" }]",
    "[{ dense = 4 }, \"sigmoid\", { dense = 3 }, \"relu\", { dense = \"outputs\" }]",
    "[\"sigmoid\", { dense = 4 }, { dense = \"outputs\" }]",
    "[{ dense = 4 }, \"tanh\", { dense = \"outputs\" }]",
    "[{ dense = 4 }, { leaky-relu = 0.2 }, { dense = \"outputs\" }]",
];

#[test]
fn softmax_cross_entropy() {
    for layers in NETWORKS {
        let labels = one_hot(&[0, 1, 2, 2, 1, 0, 0], 3);
        check(layers, Loss::SoftmaxCrossEntropy, Target::Classes(3), labels);
    }
}

#[test]
fn logistic() {
    for layers in NETWORKS {
        check(layers, Loss::Logistic, Target::Classes(2), one_hot(&[0, 1, 1, 0, 1, 1, 0], 2));
    }
}

#[test]
fn mean_squared() {
    let ends =
        ["[{ dense = 4 }, \"relu\", { dense = 2 }, \"sigmoid\"]", "[{ dense = 2 }, \"relu\"]"];
    for layers in NETWORKS.into_iter().chain(ends) {
        check(layers, Loss::MeanSquared, Target::Numbers(2), uniform(ROWS, 2, 5));
    }
}

/// Networks on images of 5 x 4 pixels of 2 channels: overlapping and strided windows, padding,
/// windows that do not divide the image, pools of three and of four.
const IMAGE_NETWORKS: [&str; 6] = [
    "[{ conv = 3, kernel = 2 }, { max-pool = 2 }, \"relu\", { dense = \"outputs\" }]",
    "[{ conv = 2, kernel = 3, padding = 1 }, \"relu\", { max-pool = 3, stride = 1 }, \"flatten\", { dense = \"outputs\" }]",
    "[{ conv = 2, kernel = 3, stride = 2, padding = 2 }, \"tanh\", { conv = 3, kernel = 2 }, \"sigmoid\", { dense = \"outputs\" }]",
    "[{ conv = 3, kernel = 2 }, { avg-pool = 2 }, \"sigmoid\", { dense = \"outputs\" }]",
    "[{ conv = 3, kernel = 2 }, \"sigmoid\", { avg-pool = 3, stride = 1 }, { dense = \"outputs\" }]",
    "[{ conv = 4, kernel = 3, padding = 1 }, \"leaky-relu\", \"global-avg-pool\", { dense = \"outputs\" }]",
];

#[test]
fn images() {
    for layers in IMAGE_NETWORKS {
        let layers = format!("{layers}\ninput = [5, 4, 2]");
        let labels = one_hot(&[0, 1, 2, 2, 1, 0, 0], 3);
        check_on(40, &layers, Loss::SoftmaxCrossEntropy, Target::Classes(3), labels, &[]);
    }
}

#[test]
fn huber_inside_and_outside() {
    for layers in NETWORKS {
        check(layers, Loss::Huber(0.3), Target::Numbers(2), uniform(ROWS, 2, 5));
    }
}

#[test]
fn weighted_classes() {
    for layers in NETWORKS {
        let labels = one_hot(&[0, 1, 2, 2, 1, 0, 0], 3);
        let target = Target::Classes(3);
        check_weighted(layers, Loss::SoftmaxCrossEntropy, target, labels, &[0.5, 1.0, 4.0]);
        let labels = one_hot(&[0, 1, 1, 0, 1, 1, 0], 2);
        check_weighted(layers, Loss::Logistic, Target::Classes(2), labels, &[3.0, 0.25]);
    }
}

/// What is another function in training than afterwards, by finite differences of the loss of
/// one batch.
#[test]
fn normalisation_and_dropout() {
    let networks = [
        (5, "[{ dense = 4 }, { dropout = 0.4 }, \"tanh\", { dense = \"outputs\" }]"),
        (5, "[{ dropout = 0.2 }, { dense = 6 }, \"sigmoid\", { dropout = 0.5 }, { dense = 2 }]"),
        (5, "[{ dense = 4 }, \"batch-norm\", \"tanh\", { dense = \"outputs\" }]"),
        (5, "[{ dense = 4 }, \"relu\", { dense = 3 }, \"batch-norm\", \"sigmoid\", { dense = 2 }]"),
        (
            12,
            "[{ conv = 3, kernel = 2 }, \"batch-norm\", \"sigmoid\", { dense = \"outputs\" }]\n\
              input = [3, 2, 2]",
        ),
    ];
    for (columns, layers) in networks {
        let data = Dataset { features: uniform(ROWS, columns, 11), labels: uniform(ROWS, 2, 5) };
        let toml = format!(
            "[model]\nlayers = {layers}\nloss = \"mean-squared\"\n[training]\nepochs = 1\n\
             batch = 100\nlearning_rate = {RATE}\norder = \"file\"\n[features]\nscaling = \"none\""
        );
        let blueprint = blueprint(&toml, &data, Target::Numbers(2));
        let seed = Seed::from_number(2);
        let before = initial_parameters(blueprint.layers(), &seed);
        let loss = |parameters: &[Weights]| {
            let mut given = parameters.iter();
            let mut value = plain(&data.features);
            for (index, shape) in blueprint.layers().iter().enumerate() {
                let layer = Layer::new(shape, 0, 0, |_| {
                    let Parameters { weights, bias } = given.next().unwrap();
                    Ok(Parameters { weights: plain(weights), bias: plain(bias) })
                });
                let layer = layer.unwrap().in_step(&seed, index as u32, 0);
                (value, _) = finish(layer.forward(&PlainFloat, value)).unwrap();
            }
            (value.values - &data.labels).mapv(|error| error * error / 2.0).sum() / ROWS as f64
        };
        let after = train_float(&blueprint, &data, &seed, &mut ()).unwrap();
        let roles = blueprint.layers().iter().flat_map(LayerShape::pairs).map(|pair| pair.role);
        for (at, (after, role)) in after.parameters().zip(roles).enumerate() {
            if role == Role::Statistics {
                continue;
            }
            let slope = |change: &dyn Fn(&mut Weights, f64)| {
                let loss_at = |step| {
                    let mut parameters = before.clone();
                    change(&mut parameters[at], step);
                    loss(&parameters)
                };
                (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
            };
            for (place, &weight) in after.weights.indexed_iter() {
                let numeric = slope(&|pair, step| pair.weights[place] += step);
                let learnt = (before[at].weights[place] - weight) / RATE;
                assert!((numeric - learnt).abs() < 1e-6, "{layers}, {at}: {numeric} {learnt}");
            }
            for (place, &bias) in after.bias.indexed_iter() {
                let numeric = slope(&|pair, step| pair.bias[place] += step);
                let learnt = (before[at].bias[place] - bias) / RATE;
                assert!((numeric - learnt).abs() < 1e-6, "{layers}, {at}: {numeric} {learnt}");
            }
        }
    }
}
