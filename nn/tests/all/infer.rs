//! Predicting on shares against the opened model, in both security modes.

use crate::common;
use crate::common::{one_hot, uniform};
use mpc_core::error::Error;
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, reconstruct, run3};
use ndarray::{Array2, array};
use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Target};
use nn::engine::{Engine, Mpc, PlainFloat, finish};
use nn::infer::{Answer, SharedModel, infer};
use nn::layers::Parameters;
use nn::loss::Loss;
use nn::metrics::argmax;
use nn::model::Model;
use nn::seed::Seed;
use nn::spec::Spec;
use nn::train::{DATA_SCALE, Dataset, train};

/// Fractional bits of the parameters of an imported model.
const IMPORT_SCALE: u32 = 20;

fn share(values: &Array2<f64>, scale: u32, seed: u64) -> [Fixed; 3] {
    let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
    deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
}

fn open(shares: [Fixed; 3]) -> Array2<f64> {
    let (shape, scale) = (shares[0].shape(), shares[0].scale);
    let words = reconstruct(&shares.map(|fixed| fixed.share));
    let values = words.into_iter().map(|word| word as i64 as f64 / f64::from(scale).exp2());
    Array2::from_shape_vec(shape, values.collect()).unwrap()
}

/// A network of the given layers with weights of its own.
struct Net {
    shapes: Vec<LayerShape>,
    loss: Loss,
    parameters: Vec<Parameters<Array2<f64>>>,
}

impl Net {
    fn new(shapes: Vec<LayerShape>, loss: Loss) -> Net {
        let dense = shapes.iter().enumerate().filter_map(|(at, shape)| match *shape {
            LayerShape::Dense { inputs, outputs } => Some((at, inputs, outputs)),
            _ => None,
        });
        let parameters = dense.map(|(at, inputs, outputs)| Parameters {
            weights: uniform(outputs, inputs, at as u64 + 1),
            bias: uniform(1, outputs, at as u64 + 100),
        });
        Net { parameters: parameters.collect(), shapes, loss }
    }

    fn classifier(classes: usize) -> Net {
        let (hidden, outputs) = (9, classes);
        let shapes = vec![
            LayerShape::Dense { inputs: 5, outputs: hidden },
            LayerShape::Relu,
            LayerShape::Dense { inputs: hidden, outputs: 7 },
            LayerShape::Sigmoid,
            LayerShape::Dense { inputs: 7, outputs },
        ];
        Net::new(shapes, Loss::SoftmaxCrossEntropy)
    }

    fn opened(&self) -> Model {
        Model::new(&self.shapes, self.loss, self.parameters.clone()).unwrap()
    }

    fn on_shares<S: Security>(&self, rows: &Array2<f64>, answer: Answer) -> Array2<f64> {
        let rows = share(rows, DATA_SCALE, 1);
        let parameters: Vec<_> = self
            .parameters
            .iter()
            .map(|p| (share(&p.weights, IMPORT_SCALE, 2), share(&p.bias, IMPORT_SCALE, 3)))
            .collect();
        open(run3::<S, _, _>(4, |ctx| {
            let at = ctx.party().index();
            let of_party = parameters.iter().map(|(weights, bias)| Parameters {
                weights: weights[at].clone(),
                bias: bias[at].clone(),
            });
            let (of_party, rows): (Vec<_>, _) = (of_party.collect(), rows[at].clone());
            async move {
                let engine = Mpc::new(ctx);
                let model = SharedModel::new(&engine, &self.shapes, self.loss, of_party)?;
                infer(&engine, &model, &rows, answer, |_| {}).await
            }
        }))
    }
}

fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    common::distance(a, b)
}

fn classes_are_those_of_the_opened_model<S: Security>(classes: usize) {
    let (net, rows) = (Net::classifier(classes), uniform(60, 5, 7));
    let outputs = net.opened().outputs(&rows).unwrap();
    let got = net.on_shares::<S>(&rows, Answer::Class);
    assert_eq!(got.ncols(), 1);
    for (row, expected) in argmax(&outputs).into_iter().enumerate() {
        let class = got[(row, 0)] as usize;
        // Rounding may decide between two classes of nearly equal probability.
        let gap = outputs[(row, expected)] - outputs[(row, class)];
        assert!(gap < 1e-3, "row {row}: {class} instead of {expected}");
    }
    let same = argmax(&outputs).iter().zip(&got).filter(|(a, b)| **a as f64 == **b).count();
    assert!(same >= 58, "{same} of 60");
    let probabilities = net.on_shares::<S>(&rows, Answer::Probabilities);
    assert!(distance(&probabilities, &outputs) < 2e-3);
}

#[test]
fn classes_and_probabilities() {
    classes_are_those_of_the_opened_model::<SemiHonest>(3);
    classes_are_those_of_the_opened_model::<Malicious>(3);
    classes_are_those_of_the_opened_model::<SemiHonest>(20);
}

#[test]
fn two_classes_with_one_output() {
    let shapes = vec![LayerShape::Dense { inputs: 5, outputs: 1 }];
    let (net, rows) = (Net::new(shapes, Loss::Logistic), uniform(40, 5, 8));
    let expected = net.opened().outputs(&rows).unwrap();
    for got in [
        net.on_shares::<SemiHonest>(&rows, Answer::Probabilities),
        net.on_shares::<Malicious>(&rows, Answer::Probabilities),
    ] {
        assert!(distance(&got, &expected) < 1e-3);
    }
    for got in [
        net.on_shares::<SemiHonest>(&rows, Answer::Class),
        net.on_shares::<Malicious>(&rows, Answer::Class),
    ] {
        let expected = expected.mapv(|p| f64::from(u8::from(p > 0.5)));
        assert_eq!(got, expected);
    }
}

#[test]
fn numbers_and_more_rows_than_fit_one_go() {
    let shapes = vec![LayerShape::Dense { inputs: 5, outputs: 2 }];
    let (net, rows) = (Net::new(shapes, Loss::MeanSquared), uniform(1030, 5, 9));
    let expected = net.opened().outputs(&rows).unwrap();
    let got = net.on_shares::<SemiHonest>(&rows, Answer::Numbers);
    assert!(distance(&got, &expected) < 1e-4);
}

/// A model that was trained on shares answers as it does when it is opened, whatever the
/// scaling that was folded into it.
#[test]
fn a_trained_model_needs_no_opening() {
    for (scaling, then) in
        [("standardise", ""), ("unit", ""), ("none", ""), ("standardise", "\"batch-norm\",")]
    {
        let spec = format!(
            r#"
            [model]
            layers = [{{ dense = 6 }}, {then} "relu", {{ dense = "outputs" }}]
            loss = "softmax-cross-entropy"
            [training]
            epochs = 4
            batch = 16
            learning_rate = 0.3
            [features]
            scaling = "{scaling}"
        "#
        );
        let features = uniform(80, 4, 3);
        let classes: Vec<usize> =
            features.rows().into_iter().map(|row| usize::from(row.sum() > 0.0)).collect();
        let shape =
            DataShape { rows: 80, columns: vec![Column::Bounded; 4], target: Target::Classes(2) };
        let blueprint = Blueprint::new(Spec::from_toml(&spec).unwrap(), shape).unwrap();
        let labels = share(&one_hot(&classes, 2), 0, 2);
        let rows = share(&features, DATA_SCALE, 1);
        let trained = run3::<Malicious, _, _>(5, |ctx| {
            let at = ctx.party().index();
            let data = Dataset { features: rows[at].clone(), labels: labels[at].clone() };
            let (rows, blueprint) = (rows[at].clone(), &blueprint);
            async move {
                let engine = Mpc::new(ctx);
                let seed = Seed::from_number(7);
                let trained = train(&engine.step("t"), blueprint, data, &seed, &mut ()).await?;
                let loss = blueprint.spec().model.loss;
                let parameters = trained.parameters.clone();
                let model = SharedModel::new(&engine, blueprint.layers(), loss, parameters)?;
                let answer = infer(&engine, &model, &rows, Answer::Probabilities, |_| {}).await?;
                Ok((trained, answer))
            }
        });
        let answers = open(trained.each_ref().map(|(_, answer)| answer.clone()));
        let parameters = (0..trained[0].0.parameters.len()).map(|at| Parameters {
            weights: open(trained.each_ref().map(|(t, _)| t.parameters[at].weights.clone())),
            bias: open(trained.each_ref().map(|(t, _)| t.parameters[at].bias.clone())),
        });
        let loss = blueprint.spec().model.loss;
        let opened = Model::new(blueprint.layers(), loss, parameters.collect()).unwrap();
        let expected = opened.outputs(&features).unwrap();
        assert!(distance(&answers, &expected) < 2e-3, "{scaling} {then}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let net = Net::classifier(3);
    let plain = |p: &Parameters<Array2<f64>>| Parameters {
        weights: PlainFloat.public(&p.weights, IMPORT_SCALE).unwrap(),
        bias: PlainFloat.public(&p.bias, IMPORT_SCALE).unwrap(),
    };
    let all: Vec<_> = net.parameters.iter().map(plain).collect();
    let build = |parameters| SharedModel::new(&PlainFloat, &net.shapes, net.loss, parameters);
    assert!(matches!(build(all[..2].to_vec()), Err(Error::Misuse(_))));
    assert!(matches!(build([&all[..], &all[..1]].concat()), Err(Error::Misuse(_))));
    let turned = vec![all[0].clone(), all[2].clone(), all[1].clone()];
    assert!(matches!(build(turned), Err(Error::Shape { op: "weights", .. })));
    let model = build(all).unwrap();
    let ask = |rows: Array2<f64>, answer| {
        let rows = PlainFloat.public(&rows, DATA_SCALE).unwrap();
        finish(infer(&PlainFloat, &model, &rows, answer, |_| {}))
    };
    assert!(matches!(ask(uniform(2, 4, 1), Answer::Class), Err(Error::Shape { .. })));
    assert!(matches!(ask(uniform(2, 5, 1), Answer::Numbers), Err(Error::Misuse(_))));
    let class = ask(array![[0.1, 0.2, 0.3, 0.4, 0.5]], Answer::Class).unwrap();
    assert_eq!(class.values.dim(), (1, 1));
}
