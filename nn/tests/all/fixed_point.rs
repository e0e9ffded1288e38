//! Fixed point against floating point: the same training, nearly the same model.

use crate::common::{blueprint, distance, one_hot, quadrants, uniform};
use ndarray::{Array2, array};
use nn::blueprint::Target;
use nn::engine::Rounding;
use nn::metrics::{Classification, Regression};
use nn::model::Model;
use nn::plan::Plan;
use nn::seed::Seed;
use nn::train::Dataset;
use nn::twin::{train_fixed, train_float};

const ROUNDINGS: [Rounding; 2] = [Rounding::Nearest, Rounding::Stochastic { seed: 9 }];

/// A network that learns in no time.
const SMALL: &str = "{ dense = 4 }, \"relu\", { dense = 2 }";

fn toml(layers: &str, loss: &str, training: &str, scaling: &str) -> String {
    format!(
        "[model]\nlayers = [{layers}]\nloss = \"{loss}\"\n[training]\n{training}\n\
         [features]\nscaling = \"{scaling}\""
    )
}

/// Trains in both arithmetics, requires outputs within `tolerance`, and hands back the
/// fixed-point models.
fn compare(toml: &str, data: &Dataset<Array2<f64>>, target: Target, tolerance: f64) -> Vec<Model> {
    let (blueprint, seed) = (blueprint(toml, data, target), Seed::from_number(4));
    let float = train_float(&blueprint, data, &seed, &mut ()).unwrap();
    let expected = float.outputs(&data.features).unwrap();
    let compared = |rounding| {
        let fixed = train_fixed(&blueprint, data, &seed, rounding, &mut ()).unwrap();
        let far = distance(&fixed.outputs(&data.features).unwrap(), &expected);
        assert!(far < tolerance, "{rounding:?}: {far} off with\n{toml}");
        fixed
    };
    ROUNDINGS.map(compared).into()
}

#[test]
fn every_loss_and_scaling_agrees() {
    let training = "epochs = 4\nbatch = 16\nlearning_rate = 0.1";
    let layers = "{ dense = 6 }, \"relu\", { dense = 5 }, \"sigmoid\", { dense = \"outputs\" }";
    let (classes, features) = (&[0, 1, 2, 1].repeat(25), uniform(100, 5, 1));
    for scaling in ["standardise", "unit", "none"] {
        let data = Dataset { features: features.clone(), labels: one_hot(classes, 3) };
        let spec = toml(layers, "softmax-cross-entropy", training, scaling);
        compare(&spec, &data, Target::Classes(3), 2e-3);

        let pairs: Vec<usize> = classes.iter().map(|class| class % 2).collect();
        let data = Dataset { features: features.clone(), labels: one_hot(&pairs, 2) };
        compare(&toml(layers, "logistic", training, scaling), &data, Target::Classes(2), 2e-3);

        let data = Dataset { features: features.clone(), labels: uniform(100, 2, 2) };
        compare(&toml(layers, "mean-squared", training, scaling), &data, Target::Numbers(2), 2e-3);
    }
}

#[test]
fn updates_that_need_rounding_agree_too() {
    let data = Dataset { features: uniform(64, 4, 3), labels: one_hot(&[0, 1].repeat(32), 2) };
    let training = "epochs = 40\nbatch = 16\nlearning_rate = 0.1";
    let spec = toml(SMALL, "softmax-cross-entropy", training, "none")
        + "\n[precision]\nactivations = 16\nerrors = 16\nhead_room = 12";
    let target = Target::Classes(2);
    let plan = Plan::choose(&blueprint(&spec, &data, target), 20).unwrap();
    assert!(!plan.updates_are_exact(plan.input));
    compare(&spec, &data, target, 1e-3);
}

#[test]
fn the_last_batch_may_be_any_size() {
    // 33 rows in batches of 32: the last batch of one row takes steps 32 times as long.
    let data = Dataset { features: uniform(33, 4, 3), labels: one_hot(&[0, 1, 1].repeat(11), 2) };
    let training = "epochs = 10\nbatch = 32\nlearning_rate = 0.1";
    let spec = toml(SMALL, "softmax-cross-entropy", training, "none");
    compare(&spec, &data, Target::Classes(2), 2e-3);
}

#[test]
fn a_network_learns_what_no_line_divides() {
    let (data, _) = quadrants(400, 21);
    let (test, truth) = quadrants(200, 22);
    let training = "epochs = 100\nbatch = 16\nlearning_rate = 0.3";
    for (loss, layers) in [
        ("softmax-cross-entropy", "{ dense = 24 }, \"relu\", { dense = 2 }"),
        ("logistic", "{ dense = 24 }, \"relu\", { dense = 1 }"),
    ] {
        let spec = toml(layers, loss, training, "standardise");
        let blueprint = blueprint(&spec, &data, Target::Classes(2));
        let seed = Seed::from_number(4);
        for rounding in ROUNDINGS {
            let model = train_fixed(&blueprint, &data, &seed, rounding, &mut ()).unwrap();
            let outputs = model.outputs(&test.features).unwrap();
            let figures = Classification::new(&truth, &model.probabilities(&outputs).unwrap());
            assert!(figures.accuracy > 0.95, "{loss}: {figures:?}");
            let classes = model.classes(&outputs).unwrap();
            let right = classes.iter().zip(&truth).filter(|(class, truth)| class == truth).count();
            assert_eq!(right as f64 / 200.0, figures.accuracy);
        }
    }
}

#[test]
fn a_regression_finds_the_plane() {
    let features = uniform(300, 3, 8);
    let labels = features.dot(&array![[0.3], [-0.5], [0.1]]) + 0.05;
    let data = Dataset { features, labels };
    let training = "epochs = 30\nbatch = 10\nlearning_rate = 0.05";
    let spec = toml("{ dense = \"outputs\" }", "mean-squared", training, "standardise");
    for model in compare(&spec, &data, Target::Numbers(1), 1e-3) {
        let figures = Regression::new(&data.labels, &model.outputs(&data.features).unwrap());
        assert!(figures.r2 > 0.9999 && figures.mean_squared_error < 1e-5, "{figures:?}");
        assert!(model.classes(&data.labels).is_none());
        let weights = model.parameters().next().unwrap().weights.clone();
        assert!(distance(&weights, &array![[0.3, -0.5, 0.1]]) < 2e-3, "{weights}");
    }
}

#[test]
fn a_training_that_diverges_says_where() {
    let data = Dataset { features: uniform(64, 4, 3), labels: uniform(64, 1, 4) };
    let training = "epochs = 100\nbatch = 8\nlearning_rate = 30.0";
    let spec = toml("{ dense = 4 }, \"relu\", { dense = 1 }", "mean-squared", training, "none");
    let blueprint = blueprint(&spec, &data, Target::Numbers(1));
    let seed = Seed::from_number(1);
    let error = train_fixed(&blueprint, &data, &seed, Rounding::Nearest, &mut ()).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("epoch-1/batch-"), "{message}");
    assert!(message.contains("exceeds 2^"), "{message}");
}

#[test]
fn a_forecast_says_what_overflows_and_which_head_room_suffices() {
    let data = Dataset { features: uniform(64, 4, 3), labels: uniform(64, 1, 4) };
    let spec = |rate: &str, head_room: u32| {
        let training = format!("epochs = 3\nbatch = 8\nlearning_rate = {rate}");
        let layers = "{ dense = 4 }, \"relu\", { dense = 1 }";
        toml(layers, "mean-squared", &training, "none")
            + &format!("\n[precision]\nhead_room = {head_room}")
    };
    let forecast = |spec: &str| {
        let blueprint = blueprint(spec, &data, Target::Numbers(1));
        nn::range::forecast(&blueprint, &data, &Seed::from_number(1), &mut ())
    };
    // Room to spare: more of it for precision.
    let easy = forecast(&spec("0.05", 9)).unwrap();
    assert!(easy.overflow.is_none() && !easy.peaks.is_empty());
    let advice = easy.advice.expect("nine bits are many for numbers around one");
    assert!(advice.head_room < 9 && advice.activations >= easy.plan.activations);
    assert!(easy.peaks.is_sorted_by(|a, b| a.room() <= b.room()));
    // What is advised suffices, and leaves about what was wanted.
    let advised = forecast(&spec("0.05", advice.head_room)).unwrap();
    assert_eq!((advised.overflow, advised.advice), (None, None));
    // Scales that leave room for values below two only.
    let tight =
        spec("0.05", 1).replace("dense = 4", "dense = 64") + "\nactivations = 20\nerrors = 20";
    let tight = tight.replace("epochs = 3", "initial = \"he-uniform\"\nepochs = 3");
    let tight = forecast(&tight).unwrap();
    assert!(tight.overflow.unwrap().contains("exceeds 2^"));
    assert!(tight.advice.unwrap().head_room > 1);
    // One that diverges has no room whatever it is given.
    let message = forecast(&spec("30.0", 9)).unwrap_err().to_string();
    assert!(message.contains("no head-room keeps the training in range"), "{message}");
}
