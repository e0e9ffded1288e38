//! Training on shares against the same training in plain fixed point.

use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, reconstruct, run3_with_cost};
use ndarray::Array2;
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::engine::{Mpc, Rounding};
use nn::seed::Seed;
use nn::spec::Spec;
use nn::train::{DATA_SCALE, Dataset, train};
use nn::triples::{FreshBlocks, training_needs};
use nn::twin::train_fixed;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::rc::Rc;

const ROWS: usize = 90;

/// Three classes around three corners of a cube, and their one-hot labels.
fn classes() -> Dataset<Array2<f64>> {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut noise = || f64::from(rng.next_u32()) / 2f64.powi(32) - 0.5;
    let features = Array2::from_shape_fn((ROWS, 4), |(row, column)| {
        let corner = if row % 3 == column { 0.6 } else { -0.2 };
        corner + 0.3 * noise()
    });
    let labels = Array2::from_shape_fn((ROWS, 3), |(row, class)| f64::from(row % 3 == class));
    Dataset { features, labels }
}

/// The same rows with the sum of the features as the number to predict.
fn numbers() -> Dataset<Array2<f64>> {
    let Dataset { features, .. } = classes();
    let labels = Array2::from_shape_fn((ROWS, 1), |(row, _)| features.row(row).sum() / 4.0);
    Dataset { features, labels }
}

fn two_classes() -> Dataset<Array2<f64>> {
    let Dataset { features, .. } = classes();
    let labels = Array2::from_shape_fn((ROWS, 2), |(row, class)| {
        f64::from(usize::from(row % 3 == 0) == class)
    });
    Dataset { features, labels }
}

/// How products are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Multiplication {
    Replicated,
    Beaver,
}

/// Parameters after training on shares, in file order of the model.
fn on_shares<S: Security>(
    blueprint: &Blueprint,
    data: &Dataset<Array2<f64>>,
    multiplication: Multiplication,
) -> Vec<Vec<f64>> {
    let share = |values: &Array2<f64>, scale: u32, seed: u64| {
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
    };
    let label_scale = match blueprint.data().target {
        Target::Classes(_) => 0,
        Target::Numbers(_) => DATA_SCALE,
    };
    let features = share(&data.features, DATA_SCALE, 1);
    let labels = share(&data.labels, label_scale, 2);
    let models = run3_with_cost::<S, _, _>(5, |ctx| {
        let at = ctx.party().index();
        let data = Dataset { features: features[at].clone(), labels: labels[at].clone() };
        async move {
            let engine = Mpc::new(ctx.step("train"));
            let seed = Seed::from_number(7);
            if multiplication == Multiplication::Replicated {
                return train(&engine, blueprint, data, &seed, &mut ()).await;
            }
            let needs = training_needs::<S>(blueprint, [DATA_SCALE, label_scale])?;
            let blocks = Rc::new(FreshBlocks::make(&ctx.step("stock"), needs).await?);
            let engine = engine.with_triples(blocks.clone());
            let model = train(&engine, blueprint, data, &seed, &mut ()).await?;
            assert_eq!(blocks.left_over(), 0);
            Ok(model)
        }
    })
    .map(|(model, _)| model);
    let flat = models.map(|model| -> Vec<Fixed> {
        model.parameters.into_iter().flat_map(|p| [p.weights, p.bias]).collect()
    });
    let open = |at: usize| {
        let parts = flat.each_ref().map(|tensors| tensors[at].share.clone());
        let scale = flat[0][at].scale;
        let real = |w: u64| w as i64 as f64 / 2f64.powi(scale as i32);
        reconstruct(&parts).into_iter().map(real).collect()
    };
    (0..flat[0].len()).map(open).collect()
}

fn agrees(spec: &str, target: Target, data: &Dataset<Array2<f64>>, tolerance: f64) {
    let spec = Spec::from_toml(spec).unwrap();
    let columns = vec![Column::Bounded; data.features.ncols()];
    let shape = DataShape { rows: ROWS, columns, target };
    let blueprint = Blueprint::new(spec, shape).unwrap();
    let model =
        train_fixed(&blueprint, data, &Seed::from_number(7), Rounding::Nearest, &mut ()).unwrap();
    let plain: Vec<Vec<f64>> = model
        .parameters()
        .flat_map(|p| [p.weights.iter().copied().collect(), p.bias.iter().copied().collect()])
        .collect();
    let multiplications = [Multiplication::Replicated, Multiplication::Beaver];
    // Triples are made for batches that are all alike.
    let count = if blueprint.spec().training.is_uniform() { 2 } else { 1 };
    for &multiplication in &multiplications[..count] {
        close(&plain, &on_shares::<SemiHonest>(&blueprint, data, multiplication), tolerance);
        close(&plain, &on_shares::<Malicious>(&blueprint, data, multiplication), tolerance);
    }
}

/// Bright spots in one of three corners of images of 5 x 5 pixels.
fn images() -> Dataset<Array2<f64>> {
    let Dataset { labels, .. } = classes();
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let mut noise = || f64::from(rng.next_u32()) / 2f64.powi(32) - 0.5;
    let corners = [[1, 1], [1, 3], [3, 1]];
    let features = Array2::from_shape_fn((ROWS, 25), |(row, pixel)| {
        let ([y, x], corner) = ([pixel / 5, pixel % 5], corners[row % 3]);
        let near = y.abs_diff(corner[0]) + x.abs_diff(corner[1]) < 2;
        f64::from(u8::from(near)) - 0.5 + 0.4 * noise()
    });
    Dataset { features, labels }
}

fn close(plain: &[Vec<f64>], shared: &[Vec<f64>], tolerance: f64) {
    assert_eq!(plain.len(), shared.len());
    for (at, (plain, shared)) in plain.iter().zip(shared).enumerate() {
        assert_eq!(plain.len(), shared.len());
        for (plain, shared) in plain.iter().zip(shared) {
            let size = plain.abs().max(1.0);
            assert!((plain - shared).abs() < tolerance * size, "tensor {at}: {shared} for {plain}");
        }
    }
}

#[test]
fn classifier_with_hidden_layers() {
    let spec = r#"
        [model]
        layers = [{ dense = 8 }, "relu", { dense = 6 }, "sigmoid", { dense = "outputs" }]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.2
        [features]
        scaling = "standardise"
    "#;
    agrees(spec, Target::Classes(3), &classes(), 0.01);
}

#[test]
fn logistic_regression() {
    let spec = r#"
        [model]
        layers = [{ dense = "outputs" }]
        loss = "logistic"
        [training]
        epochs = 3
        batch = 30
        learning_rate = 0.5
        [features]
        scaling = "unit"
    "#;
    agrees(spec, Target::Classes(2), &two_classes(), 0.005);
}

#[test]
fn linear_regression() {
    let spec = r#"
        [model]
        layers = [{ dense = "outputs" }]
        loss = "mean-squared"
        [training]
        epochs = 3
        batch = 32
        learning_rate = 0.1
        [features]
        scaling = "none"
    "#;
    agrees(spec, Target::Numbers(1), &numbers(), 0.005);
}

#[test]
fn convolutions_and_maxima() {
    let spec = r#"
        [model]
        input = [5, 5, 1]
        layers = [
            { conv = 4, kernel = 2 }, "relu", { max-pool = 2 },
            { conv = 5, kernel = 2, padding = 1 }, { max-pool = 3, stride = 1 },
            "flatten", { dense = "outputs" },
        ]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.2
        [features]
        scaling = "unit"
    "#;
    agrees(spec, Target::Classes(3), &images(), 0.01);
}

#[test]
fn means_and_soft_activations() {
    let spec = r#"
        [model]
        input = [5, 5, 1]
        layers = [
            { conv = 4, kernel = 2, stride = 1 }, { avg-pool = 2 }, "tanh",
            { conv = 6, kernel = 2, padding = 1 }, { leaky-relu = 0.1 }, { dropout = 0.25 },
            "global-avg-pool",
            { dense = "outputs" },
        ]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.2
        [features]
        scaling = "none"
    "#;
    agrees(spec, Target::Classes(3), &images(), 0.01);
}

#[test]
fn normalised_batches() {
    let spec = r#"
        [model]
        layers = [
            { dense = 8 }, "batch-norm", "relu",
            { dense = 6 }, "sigmoid", { batch-norm = 0.5, epsilon = 1e-3 },
            { dense = "outputs" },
        ]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.1
    "#;
    agrees(spec, Target::Classes(3), &classes(), 0.01);
}

#[test]
fn normalised_channels() {
    let spec = r#"
        [model]
        input = [5, 5, 1]
        layers = [
            { conv = 4, kernel = 2 }, "batch-norm", "relu", { max-pool = 2 },
            { conv = 5, kernel = 2, padding = 1 }, "batch-norm", { avg-pool = 3 },
            "flatten", { dense = "outputs" },
        ]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 32
        learning_rate = 0.05
        optimiser = { kind = "sgd", momentum = 0.9 }
        [features]
        scaling = "unit"
    "#;
    agrees(spec, Target::Classes(3), &images(), 0.02);
}

/// A regression with this in its training.
fn regression(training: &str) -> String {
    format!(
        "[model]\nlayers = [{{ dense = 3 }}, \"relu\", {{ dense = \"outputs\" }}]\n\
         loss = \"mean-squared\"\n[training]\nepochs = 2\nbatch = 32\nlearning_rate = 0.05\n\
         {training}\n[features]\nscaling = \"none\""
    )
}

#[test]
fn momentum_decay_and_clipping_by_value() {
    let spec = regression(
        "optimiser = { kind = \"sgd\", momentum = 0.9, nesterov = true, weight_decay = 0.01 }\n\
         clip = { value = 0.01 }",
    );
    agrees(&spec, Target::Numbers(1), &numbers(), 0.005);
}

#[test]
fn schedule_and_clipping_by_norm() {
    let spec = regression(
        "schedule = { kind = \"cosine\" }\nwarm_up = 2\nclip = { norm = 0.02 }\n\
         optimiser = { kind = \"sgd\", momentum = 0.5 }",
    );
    agrees(&spec, Target::Numbers(1), &numbers(), 0.005);
}

#[test]
fn adam() {
    agrees(&regression("optimiser = \"adam\""), Target::Numbers(1), &numbers(), 0.02);
}

#[test]
fn adamw_with_amsgrad() {
    let optimiser = "{ kind = \"adamw\", amsgrad = true, weight_decay = 0.1, beta2 = 0.99 }";
    let spec = regression(&format!("optimiser = {optimiser}"));
    agrees(&spec, Target::Numbers(1), &numbers(), 0.02);
}

#[test]
fn huber() {
    let spec = regression("").replace("\"mean-squared\"", "{ huber = 0.1 }");
    agrees(&spec, Target::Numbers(1), &numbers(), 0.005);
}

#[test]
fn weighted_classes() {
    for (loss, target, data, weights) in [
        ("softmax-cross-entropy", Target::Classes(3), classes(), "[0.5, 1.0, 4.0]"),
        ("logistic", Target::Classes(2), two_classes(), "[3.0, 0.25]"),
    ] {
        let spec = regression(&format!("class_weights = {weights}")).replace("mean-squared", loss);
        agrees(&spec, target, &data, 0.005);
    }
}
