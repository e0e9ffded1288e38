//! The normalisation of batches: against its definition, its derivative, fixed point, and its cost.

use crate::common::{blueprint, distance, one_hot, uniform};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, run3_with_cost};
use ndarray::{Array2, Axis};
use nn::blueprint::{LayerShape, Target};
use nn::engine::{Engine, Mpc, PlainFloat, PlainTensor, Rounding, finish};
use nn::init;
use nn::layers::{Layer, Parameters};
use nn::seed::Seed;
use nn::spec::{BatchNormSpec, Initial};
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

/// One step of training on one batch against finite differences of the loss of that batch.
#[test]
fn gradients() {
    let networks = [
        (5, "[{ dense = 4 }, \"batch-norm\", \"tanh\", { dense = \"outputs\" }]"),
        (5, "[{ dense = 4 }, \"relu\", { dense = 3 }, \"batch-norm\", \"sigmoid\", { dense = 2 }]"),
        (
            12,
            "[{ conv = 3, kernel = 2 }, \"batch-norm\", \"sigmoid\", { dense = \"outputs\" }]\n\
              input = [3, 2, 2]",
        ),
    ];
    for (columns, layers) in networks {
        let rate = 0.01;
        let data = Dataset { features: uniform(7, columns, 11), labels: uniform(7, 2, 5) };
        let toml = format!(
            "[model]\nlayers = {layers}\nloss = \"mean-squared\"\n[training]\nepochs = 1\n\
             batch = 100\nlearning_rate = {rate}\n[features]\nscaling = \"none\""
        );
        let blueprint = blueprint(&toml, &data, Target::Numbers(2));
        let seed = Seed::from_number(2);
        let mut before: Vec<Pair> = Vec::new();
        for (index, shape) in blueprint.layers().iter().enumerate() {
            let of_layer = shape.pairs().into_iter();
            before.extend(of_layer.map(|p| init::initial(Initial::default(), p, &seed, index)));
        }
        let loss = |parameters: &[Pair]| {
            let mut given = parameters.iter();
            let mut value = plain(&data.features);
            for shape in blueprint.layers() {
                let layer = Layer::new(shape, 0, 0, |_| {
                    let Parameters { weights, bias } = given.next().unwrap();
                    Ok(Parameters { weights: plain(weights), bias: plain(bias) })
                });
                let layer = layer.unwrap().in_step(&seed, 0, 0);
                (value, _) = finish(layer.forward(&PlainFloat, value)).unwrap();
            }
            (value.values - &data.labels).mapv(|error| error * error / 2.0).sum() / 7.0
        };
        let after = train_float(&blueprint, &data, &seed, &mut ()).unwrap();
        let roles = blueprint.layers().iter().flat_map(LayerShape::pairs).map(|pair| pair.role);
        for (at, (after, role)) in after.parameters().zip(roles).enumerate() {
            if role == nn::blueprint::Role::Statistics {
                continue;
            }
            let slope = |change: &dyn Fn(&mut Pair, f64)| {
                let loss_at = |step| {
                    let mut parameters = before.clone();
                    change(&mut parameters[at], step);
                    loss(&parameters)
                };
                (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
            };
            for (place, &weight) in after.weights.indexed_iter() {
                let numeric = slope(&|pair, step| pair.weights[place] += step);
                let learnt = (before[at].weights[place] - weight) / rate;
                assert!((numeric - learnt).abs() < 1e-6, "{layers}, {at}: {numeric} {learnt}");
            }
            for (place, &bias) in after.bias.indexed_iter() {
                let numeric = slope(&|pair, step| pair.bias[place] += step);
                let learnt = (before[at].bias[place] - bias) / rate;
                assert!((numeric - learnt).abs() < 1e-6, "{layers}, {at}: {numeric} {learnt}");
            }
        }
    }
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

/// Rounds, and bytes that the parties send together, of the way forth and of both ways.
fn cost<S: Security>(rows: usize) -> [(u64, u64); 2] {
    let share = |values: &Array2<f64>, scale, seed| {
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
    };
    let input = share(&uniform(rows, 12, 1), 40, 1);
    let error = share(&uniform(rows, 12, 2), 13, 2);
    [false, true].map(|back| {
        let outcomes = run3_with_cost::<S, _, _>(3, |ctx| {
            let at = ctx.party().index();
            let (input, error) = (input[at].clone(), error[at].clone());
            async move {
                let engine = Mpc::new(ctx.step("layer"));
                let mut pairs = tensors().into_iter().zip([[26, 35], [24, 25]]);
                let shape = LayerShape::BatchNorm { image: IMAGE, spec: SPEC };
                let layer = Layer::new(&shape, 0, 13, |_| {
                    let (values, scales) = pairs.next().unwrap();
                    Parameters::public(&engine, &values, scales)
                })?;
                let layer = layer.in_step(&Seed::from_number(0), 0, 0);
                let (_, saved) = layer.forward(&engine.step("forward"), input).await?;
                if back {
                    let (gradient, below) = (engine.step("gradient"), engine.step("below"));
                    futures_util::try_join!(
                        layer.gradient(&gradient, &saved, &error),
                        layer.input_error(&below, &saved, &error, 13),
                    )?;
                }
                ctx.begin_verification()?;
                ctx.end_verification();
                Ok(())
            }
        });
        let traffic = outcomes.map(|(_, outcome)| outcome.traffic);
        (traffic[0].rounds, traffic.iter().map(|traffic| traffic.payload_bytes).sum())
    })
}

/// The figures of `docs/TRAINING.md`: 53 and 7 rounds, and for each number of the batch a
/// truncation and a product on the way forth (14.25 bytes a party), two products on the way back.
#[test]
fn costs() {
    let [small, large] = [32, 64].map(cost::<SemiHonest>);
    assert_eq!(small, [(53, 21_795), (60, 40_961)]);
    assert_eq!(large, [(53, 38_213), (60, 75_815)]);
    let [small, large] = [32, 64].map(cost::<Malicious>);
    assert_eq!(small, [(73, 19_138), (83, 38_245)]);
    assert_eq!(large, [(73, 33_208), (83, 70_747)]);
}
