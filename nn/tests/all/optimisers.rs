//! Every optimiser against its definition, step by step as PyTorch documents it, and in fixed
//! point against floating point.

use crate::common::{blueprint, distance, uniform};
use ndarray::{Array2, Axis, s};
use nn::blueprint::{Blueprint, LayerShape, Target};
use nn::engine::Rounding;
use nn::init;
use nn::model::Model;
use nn::seed::Seed;
use nn::spec::Initial;
use nn::train::Dataset;
use nn::twin::{train_fixed, train_float};

const ROWS: usize = 40;
const BATCH: usize = 12;
const EPOCHS: usize = 6;
const RATE: f64 = 0.05;

fn data() -> Dataset<Array2<f64>> {
    Dataset { features: uniform(ROWS, 3, 1), labels: uniform(ROWS, 2, 2) }
}

fn spec(training: &str) -> String {
    format!(
        "[model]\nlayers = [{{ dense = \"outputs\" }}]\nloss = \"mean-squared\"\n[training]\n\
         epochs = {EPOCHS}\nbatch = {BATCH}\nlearning_rate = {RATE}\norder = \"file\"\n\
         initial = \"uniform\"\n{training}\n[features]\nscaling = \"none\""
    )
}

fn the_blueprint(training: &str) -> Blueprint {
    blueprint(&spec(training), &data(), Target::Numbers(2))
}

fn parameters(model: &Model) -> Array2<f64> {
    let of_layer = model.parameters().next().unwrap();
    ndarray::concatenate![Axis(1), of_layer.weights.view(), of_layer.bias.t()]
}

/// `f(parameters, gradient, step counted from 1)` for every batch, from the same start.
fn by_definition(mut f: impl FnMut(&mut Array2<f64>, Array2<f64>, usize)) -> Array2<f64> {
    let start = init::initial(
        Initial::Uniform,
        LayerShape::Dense { inputs: 3, outputs: 2 }.pairs()[0],
        &Seed::from_number(3),
        0,
    );
    let mut all = ndarray::concatenate![Axis(1), start.weights, start.bias.t()];
    let Dataset { features, labels } = data();
    let features = ndarray::concatenate![Axis(1), features, Array2::ones((ROWS, 1))];
    let mut step = 0;
    for _ in 0..EPOCHS {
        for first in (0..ROWS).step_by(BATCH) {
            let rows = s![first..ROWS.min(first + BATCH), ..];
            let (x, y) = (features.slice(rows), labels.slice(rows));
            let gradient = (x.dot(&all.t()) - y).t().dot(&x) / x.nrows() as f64;
            step += 1;
            f(&mut all, gradient, step);
        }
    }
    all
}

fn trained(training: &str) -> Array2<f64> {
    parameters(
        &train_float(&the_blueprint(training), &data(), &Seed::from_number(3), &mut ()).unwrap(),
    )
}

fn is(training: &str, tolerance: f64, f: impl FnMut(&mut Array2<f64>, Array2<f64>, usize)) {
    let far = distance(&trained(training), &by_definition(f));
    assert!(far < tolerance, "{training}: {far} off");
}

/// `torch.optim.SGD` without dampening.
fn sgd(
    rate: impl Fn(usize) -> f64,
    [momentum, decay]: [f64; 2],
    nesterov: bool,
) -> impl FnMut(&mut Array2<f64>, Array2<f64>, usize) {
    let mut velocity = Array2::<f64>::zeros((2, 4));
    move |w, g, step| {
        let g = g + &(&*w * decay);
        velocity = &velocity * momentum + &g;
        let step_by = if nesterov { g + &velocity * momentum } else { velocity.clone() };
        *w -= &(step_by * rate(step));
    }
}

#[test]
fn gradient_descent_with_momentum_and_decay() {
    is("", 1e-12, sgd(|_| RATE, [0.0, 0.0], false));
    let with = |table: &str| format!("optimiser = {{ kind = \"sgd\", {table} }}");
    is(&with("momentum = 0.9"), 1e-12, sgd(|_| RATE, [0.9, 0.0], false));
    is(&with("weight_decay = 0.03"), 1e-12, sgd(|_| RATE, [0.0, 0.03], false));
    let all = "momentum = 0.8, weight_decay = 0.03, nesterov = true";
    is(&with(all), 1e-12, sgd(|_| RATE, [0.8, 0.03], true));
}

#[test]
fn learning_rates_that_change() {
    let batches = ROWS.div_ceil(BATCH);
    let optimiser = "optimiser = { kind = \"sgd\", momentum = 0.9, nesterov = true }\n";
    let of_step = move |step: usize| RATE * 0.5f64.powi(((step - 1) / batches / 2) as i32);
    let schedule = "schedule = { kind = \"step\", every = 2, factor = 0.5 }";
    is(&format!("{optimiser}{schedule}"), 1e-12, sgd(of_step, [0.9, 0.0], true));
    let all = (batches * EPOCHS) as f64;
    let cosine = move |step: usize| {
        let part = (step - 1) as f64 / all;
        0.01 + (RATE - 0.01) * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
    };
    let schedule = "schedule = { kind = \"cosine\", end = 0.01 }";
    is(&format!("{optimiser}{schedule}"), 1e-12, sgd(cosine, [0.9, 0.0], true));
    let warm = move |step: usize| RATE * (step as f64 / 5.0).min(1.0);
    is(&format!("{optimiser}warm_up = 5"), 1e-12, sgd(warm, [0.9, 0.0], true));
}

#[test]
fn clipped_gradients() {
    let clipped = |g: Array2<f64>| g.mapv(|x| x.clamp(-0.02, 0.02));
    let mut plain = sgd(|_| RATE, [0.9, 0.0], false);
    is(
        "clip = { value = 0.02 }\noptimiser = { kind = \"sgd\", momentum = 0.9 }",
        1e-12,
        move |w, g, step| plain(w, clipped(g), step),
    );
    let shortened = |g: Array2<f64>| {
        let norm = g.mapv(|x| x * x).sum().sqrt();
        g * (0.5 / norm).min(1.0)
    };
    let mut plain = sgd(|_| RATE, [0.0, 0.0], false);
    let mut lengths = Vec::new();
    is("clip = { norm = 0.5 }", 1e-6, |w, g, step| {
        lengths.push(g.mapv(|x| x * x).sum().sqrt());
        plain(w, shortened(g), step);
    });
    assert!(lengths.iter().any(|x| *x > 0.5) && lengths.iter().any(|x| *x < 0.5), "{lengths:?}");
}

/// `torch.optim.Adam` and `AdamW`, with the given denominator of the mean square.
fn adam(
    [decay, apart]: [f64; 2],
    amsgrad: bool,
    root: impl Fn(f64) -> f64,
) -> impl FnMut(&mut Array2<f64>, Array2<f64>, usize) {
    let zeros = || Array2::<f64>::zeros((2, 4));
    let (mut mean, mut square, mut largest) = (zeros(), zeros(), zeros());
    move |w, g, step| {
        let g = g + &(&*w * decay);
        *w *= 1.0 - RATE * apart;
        mean = &mean * 0.9 + &g * 0.1;
        square = &square * 0.99 + &(&g * &g * 0.01);
        largest.zip_mut_with(&square, |largest, &now| *largest = largest.max(now));
        let under_root = if amsgrad { &largest } else { &square };
        let bias = |beta: f64| 1.0 - beta.powi(step as i32);
        let denominator = under_root.mapv(|v| root(v / bias(0.99)));
        *w -= &(&mean / bias(0.9) / denominator * RATE);
    }
}

#[test]
fn adam_and_its_kin() {
    let with = |kind: &str, table: &str| {
        format!("optimiser = {{ kind = \"{kind}\", beta2 = 0.99, epsilon = 1e-4{table} }}")
    };
    let ours = |v: f64| (v + 1e-8).sqrt();
    let of_torch = |v: f64| v.sqrt() + 1e-4;
    let plain = with("adam", "");
    is(&plain, 1e-12, adam([0.0, 0.0], false, ours));
    // Where the denominator differs, it differs by epsilon at most.
    is(&plain, 1e-3, adam([0.0, 0.0], false, of_torch));
    is(&with("adam", ", weight_decay = 0.1"), 1e-12, adam([0.1, 0.0], false, ours));
    is(&with("adam", ", amsgrad = true"), 1e-12, adam([0.0, 0.0], true, ours));
    is(&with("adamw", ", weight_decay = 0.1"), 1e-12, adam([0.0, 0.1], false, ours));
}

#[test]
fn fixed_point_is_close_to_floating_point() {
    for (training, tolerance) in [
        ("optimiser = { kind = \"sgd\", momentum = 0.9, weight_decay = 1e-3 }", 1e-3),
        ("optimiser = { kind = \"sgd\", momentum = 0.9, nesterov = true }\nwarm_up = 4", 1e-3),
        ("schedule = { kind = \"cosine\" }", 1e-3),
        ("schedule = { kind = \"step\", every = 1, factor = 0.01 }", 1e-3),
        ("clip = { value = 0.02 }", 1e-3),
        ("clip = { norm = 0.1 }", 1e-3),
        ("clip = { norm = 1e-3 }", 1e-3),
        ("optimiser = \"adam\"", 1e-2),
        ("optimiser = { kind = \"adam\", amsgrad = true, weight_decay = 0.01 }", 1e-2),
        ("optimiser = { kind = \"adamw\", weight_decay = 0.01 }\nclip = { norm = 0.5 }", 1e-2),
    ] {
        let (blueprint, seed) = (the_blueprint(training), Seed::from_number(3));
        for rounding in [Rounding::Nearest, Rounding::Stochastic { seed: 5 }] {
            let fixed = train_fixed(&blueprint, &data(), &seed, rounding, &mut ());
            let fixed = fixed.unwrap_or_else(|error| panic!("{training}: {error}"));
            let far = distance(&parameters(&fixed), &trained(training));
            assert!(far < tolerance, "{training}: {far} off");
        }
    }
}
