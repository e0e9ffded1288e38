//! The normalisation of batches: against its definition, fixed point, and its cost.

use crate::common::{blueprint, distance, one_hot, uniform};
use crate::layer_costs::cost;
use mpc_core::security::{Malicious, SemiHonest};
use ndarray::{Array2, Axis};
use nn::blueprint::{LayerShape, Target};
use nn::engine::{PlainFloat, PlainTensor, Rounding, finish};
use nn::layers::{Layer, Parameters};
use nn::seed::Seed;
use nn::spec::BatchNormSpec;
use nn::train::Dataset;
use nn::twin::{train_fixed, train_float};
use nn::volume::Volume;

const SPEC: BatchNormSpec = BatchNormSpec { momentum: 0.25, epsilon: 1e-3 };

type Pair = Parameters<Array2<f64>>;

fn plain(values: &Array2<f64>) -> PlainTensor<f64> {
    PlainTensor { values: values.clone(), scale: 0 }
}

fn layer(image: Volume, pairs: &[Pair]) -> Layer<PlainTensor<f64>> {
    let mut pairs = pairs.iter();
    Layer::new(&LayerShape::BatchNorm { image, spec: SPEC }, 0, 0, |_| {
        let Parameters { weights, bias } = pairs.next().unwrap();
        Ok(Parameters { weights: plain(weights), bias: plain(bias) })
    })
    .unwrap()
}

/// Factor and offset, and statistics, of three channels.
fn tensors() -> [Pair; 2] {
    let of = |seed| uniform(1, 3, seed);
    let scaling = Parameters { weights: of(1) + 1.5, bias: of(2) };
    [scaling, Parameters { weights: of(3), bias: of(4) + 1.5 }]
}

const IMAGE: Volume = Volume { height: 2, width: 2, channels: 3 };

#[test]
fn outputs_and_statistics_are_as_defined() {
    let [scaling, statistics] = tensors();
    let input = 3.0 * uniform(5, 12, 7) + 0.5;
    let by_channel = input.to_shape((20, 3)).unwrap();
    let in_step = layer(IMAGE, &tensors()).in_step(&Seed::from_number(0), 1, 0);
    let (output, saved) = finish(in_step.forward(&PlainFloat, plain(&input))).unwrap();
    let mean = by_channel.mean_axis(Axis(0)).unwrap();
    let normalised = |mean: &Array2<f64>, variance: &Array2<f64>| {
        let deviation = variance.mapv(|variance| (variance + SPEC.epsilon).sqrt());
        let output = (&by_channel - mean) / deviation * &scaling.weights + &scaling.bias;
        output.to_shape((5, 12)).unwrap().to_owned()
    };
    let mean = mean.insert_axis(Axis(0));
    let variance = by_channel.var_axis(Axis(0), 0.0).insert_axis(Axis(0));
    assert!(distance(&output.values, &normalised(&mean, &variance)) < 1e-12);

    // Afterwards it predicts with what it has seen, and with nothing of the rows it is asked.
    let after = in_step.after_forward(&saved).predicting();
    let running = after.pairs()[1].clone().cloned();
    let unbiased = by_channel.var_axis(Axis(0), 1.0).insert_axis(Axis(0));
    let expected_mean = &statistics.weights * 0.75 + &mean * 0.25;
    let expected_variance = &statistics.bias * 0.75 + &unbiased * 0.25;
    assert!(distance(&running.weights.values, &expected_mean) < 1e-12);
    assert!(distance(&running.bias.values, &expected_variance) < 1e-12);
    let (output, _) = finish(after.forward(&PlainFloat, plain(&input))).unwrap();
    assert!(distance(&output.values, &normalised(&expected_mean, &expected_variance)) < 1e-12);
}

/// Channels that hardly vary, and such whose mean is far off, train in fixed point as in
/// floating point; so does a last batch of one row.
#[test]
fn fixed_point_follows() {
    let classes = [0, 1, 2, 1, 0].repeat(13);
    let mut features = uniform(65, 4, 1);
    features.column_mut(1).mapv_inplace(|x| 0.002 * x);
    features.column_mut(2).mapv_inplace(|x| 0.9 + 0.05 * x);
    let data = Dataset { features, labels: one_hot(&classes, 3) };
    let toml = "[model]\nlayers = [\"batch-norm\", { dense = 6 }, \"batch-norm\", \"relu\", \
                { dense = \"outputs\" }]\nloss = \"softmax-cross-entropy\"\n[training]\n\
                epochs = 4\nbatch = 16\nlearning_rate = 0.1\n[features]\nscaling = \"none\"";
    let (blueprint, seed) = (blueprint(toml, &data, Target::Classes(3)), Seed::from_number(4));
    let outputs = |model: nn::model::Model| model.outputs(&data.features).unwrap();
    let expected = outputs(train_float(&blueprint, &data, &seed, &mut ()).unwrap());
    for rounding in [Rounding::Nearest, Rounding::Stochastic { seed: 9 }] {
        let fixed = train_fixed(&blueprint, &data, &seed, rounding, &mut ()).unwrap();
        let far = distance(&outputs(fixed), &expected);
        assert!(far < 0.02, "{rounding:?}: {far} off");
    }
}

/// The figures of `docs/TRAINING.md`: 53 and 7 rounds, and for each number of the batch a
/// truncation and a product on the way forth (14.25 bytes a party), two products on the way back.
#[test]
fn costs() {
    let shape = LayerShape::BatchNorm { image: IMAGE, spec: SPEC };
    let [small, large] = [32, 64].map(|rows| cost::<SemiHonest>(&shape, [12, 12], rows));
    assert_eq!(small, [(53, 21_774), (60, 40_950)]);
    assert_eq!(large, [(53, 38_190), (60, 75_804)]);
    let [small, large] = [32, 64].map(|rows| cost::<Malicious>(&shape, [12, 12], rows));
    assert_eq!(small, [(73, 19_095), (83, 38_202)]);
    assert_eq!(large, [(73, 33_165), (83, 70_704)]);
}
