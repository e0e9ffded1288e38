//! Figures of a network on rows that are kept back: of all engines, against their definitions.

use crate::common::{blueprint, one_hot, uniform};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, run3};
use ndarray::{Array2, Axis};
use nn::blueprint::{Blueprint, Target};
use nn::engine::{Mpc, Rounding};
use nn::metrics::{Classification, Regression};
use nn::model::Model;
use nn::order::kept_back;
use nn::seed::Seed;
use nn::spec::Metric;
use nn::train::{DATA_SCALE, Dataset, Event, Observer, train};
use nn::twin::{train_fixed, train_float};
use nn::validation::Figure;
use std::ops::ControlFlow;

const ROWS: usize = 120;

/// Keeps what is revealed after each epoch.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    epochs: Vec<(usize, Vec<Figure>, bool)>,
}

impl Observer for Seen {
    fn observe(&mut self, _event: Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn figures(&mut self, epoch: usize, figures: &[Figure], last: bool) {
        self.epochs.push((epoch, figures.to_vec(), last));
    }
}

impl Seen {
    fn last(&self, metric: Metric) -> &[f64] {
        let (_, figures, last) = self.epochs.last().unwrap();
        assert!(last);
        &figures.iter().find(|figure| figure.metric == metric).unwrap().values
    }
}

fn spec(loss: &str, layers: &str, validation: &str) -> String {
    format!(
        "[model]\nlayers = [{layers}]\nloss = {loss}\n[training]\nepochs = 3\nbatch = 32\n\
         learning_rate = 0.3\n[features]\nscaling = \"none\"\n[validation]\n{validation}"
    )
}

/// The same with so small steps that no engine comes to another class than the others.
fn slow(spec: &str) -> String {
    spec.replace("learning_rate = 0.3", "learning_rate = 0.0001")
}

fn classes(count: usize) -> Dataset<Array2<f64>> {
    let features = uniform(ROWS, 4, 1);
    let class = |row: ndarray::ArrayView1<'_, f64>| {
        let at = (1..count).fold(0, |best, c| if row[c] > row[best] { c } else { best });
        // Some rows are of another class than they look.
        if row[3] > 0.8 { (at + 1) % count } else { at }
    };
    let classes: Vec<usize> = features.rows().into_iter().map(class).collect();
    Dataset { features, labels: one_hot(&classes, count) }
}

fn numbers() -> Dataset<Array2<f64>> {
    let features = uniform(ROWS, 4, 2);
    let labels = features.map_axis(Axis(1), |row| row.sum() / 4.0 + 0.1 * row[0] * row[1]);
    Dataset { features, labels: labels.insert_axis(Axis(1)) }
}

fn on_shares<S: Security>(blueprint: &Blueprint, data: &Dataset<Array2<f64>>) -> Seen {
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
    let seen = run3::<S, _, _>(5, |ctx| {
        let at = ctx.party().index();
        let data = Dataset { features: features[at].clone(), labels: labels[at].clone() };
        async move {
            let mut seen = Seen::default();
            let engine = Mpc::new(ctx.step("train"));
            train(&engine, blueprint, data, &Seed::from_number(7), &mut seen).await?;
            Ok(seen)
        }
    });
    let [first, second, third] = seen;
    assert!(first == second && second == third, "all parties learn the same");
    first
}

/// Trains with all engines, requires that they reveal nearly the same figures in the same
/// epochs, and gives those of floating point and the rows they are of.
fn agree(
    spec: &str,
    data: &Dataset<Array2<f64>>,
    target: Target,
) -> (Seen, Model, Dataset<Array2<f64>>) {
    let (blueprint, seed) = (blueprint(spec, data, target), Seed::from_number(7));
    let mut float = Seen::default();
    let model = train_float(&blueprint, data, &seed, &mut float).unwrap();
    let mut fixed = Seen::default();
    train_fixed(&blueprint, data, &seed, Rounding::Nearest, &mut fixed).unwrap();
    for other in
        [fixed, on_shares::<SemiHonest>(&blueprint, data), on_shares::<Malicious>(&blueprint, data)]
    {
        assert_eq!(other.epochs.len(), float.epochs.len());
        for (theirs, ours) in other.epochs.iter().zip(&float.epochs) {
            assert_eq!((theirs.0, theirs.2, theirs.1.len()), (ours.0, ours.2, ours.1.len()));
            for (theirs, ours) in theirs.1.iter().zip(&ours.1) {
                assert_eq!((theirs.metric, theirs.values.len()), (ours.metric, ours.values.len()));
                for (value, expected) in theirs.values.iter().zip(&ours.values) {
                    let far = (value - expected).abs();
                    assert!(far < 3e-3, "{}: {value} instead of {expected}", ours.metric);
                }
            }
        }
    }
    let back = &kept_back(ROWS, blueprint.validation_rows(), &seed)[1];
    let rows = |values: &Array2<f64>| values.select(Axis(0), back);
    let held_out = Dataset { features: rows(&data.features), labels: rows(&data.labels) };
    (float, model, held_out)
}

fn close(value: &[f64], expected: f64) {
    assert!((value[0] - expected).abs() < 1e-9, "{value:?} instead of {expected}");
}

/// The figures of a classifier, which the plain metrics compute from the opened model.
fn as_defined(seen: &Seen, model: &Model, rows: &Dataset<Array2<f64>>) {
    let probabilities = model.probabilities(&model.outputs(&rows.features).unwrap()).unwrap();
    let truth = nn::metrics::argmax(&rows.labels);
    let figures = Classification::new(&truth, &probabilities);
    close(seen.last(Metric::Loss), figures.log_loss);
    close(seen.last(Metric::Accuracy), figures.accuracy);
    close(seen.last(Metric::Precision), figures.precision);
    close(seen.last(Metric::Recall), figures.recall);
    close(seen.last(Metric::F1), figures.f1);
    let table: Vec<f64> =
        figures.confusion.concat().into_iter().map(|count| count as f64).collect();
    assert_eq!(seen.last(Metric::Confusion), table);
    assert!(figures.accuracy < 1.0 && figures.accuracy > 0.0, "{figures:?}");
    if let Some(auc) = figures.auc {
        close(seen.last(Metric::Auc), auc);
        assert!(auc > 0.0 && auc < 1.0 && auc != 0.5);
    }
}

const OF_CLASSES: &str = "\"loss\", \"accuracy\", \"confusion\", \"precision\", \"recall\", \"f1\"";

#[test]
fn a_classifier_of_three_classes() {
    let validation =
        format!("fraction = 0.3\nmetrics = [{OF_CLASSES}]\neach_epoch = [\"loss\", \"accuracy\"]");
    let layers = "{ dense = 6 }, \"relu\", { dense = \"outputs\" }";
    let spec = slow(&spec("\"softmax-cross-entropy\"", layers, &validation));
    let (seen, model, rows) = agree(&spec, &classes(3), Target::Classes(3));
    assert_eq!(seen.epochs.iter().map(|(_, f, _)| f.len()).collect::<Vec<_>>(), [2, 2, 6]);
    as_defined(&seen, &model, &rows);
}

#[test]
fn two_classes_with_one_output_or_two() {
    let validation = format!("fraction = 0.4\nmetrics = [{OF_CLASSES}, \"auc\"]");
    for loss in ["\"logistic\"", "\"softmax-cross-entropy\""] {
        let spec = slow(&spec(loss, "{ dense = \"outputs\" }", &validation));
        let (seen, model, rows) = agree(&spec, &classes(2), Target::Classes(2));
        assert_eq!(seen.epochs.len(), 1, "nothing is revealed before the end");
        as_defined(&seen, &model, &rows);
    }
}

#[test]
fn a_regression() {
    for loss in ["\"mean-squared\"", "{ huber = 0.2 }"] {
        let validation = "fraction = 0.25\nmetrics = [\"loss\", \"rmse\", \"r2\"]";
        let spec = spec(loss, "{ dense = \"outputs\" }", validation);
        let (seen, model, rows) = agree(&spec, &numbers(), Target::Numbers(1));
        let outputs = model.outputs(&rows.features).unwrap();
        let figures = Regression::new(&rows.labels, &outputs);
        close(seen.last(Metric::Rmse), figures.mean_squared_error.sqrt());
        close(seen.last(Metric::R2), figures.r2);
        let loss = |error: f64| match loss {
            "\"mean-squared\"" => error * error / 2.0,
            _ if error.abs() <= 0.2 => error * error / 2.0,
            _ => 0.2 * (error.abs() - 0.1),
        };
        let losses = (&outputs - &rows.labels).mapv(loss);
        close(seen.last(Metric::Loss), losses.mean().unwrap());
    }
}

/// Named rows are not trained on whatever their labels, and they alone are judged by.
#[test]
fn rows_of_named_sets_are_kept_back() {
    let validation = "sets = [\"some\"]\nmetrics = [\"loss\", \"accuracy\"]";
    let spec = spec("\"softmax-cross-entropy\"", "{ dense = \"outputs\" }", validation);
    let data = classes(3);
    let (target, seed) = (Target::Classes(3), Seed::from_number(7));
    let unknown = blueprint(&spec, &data, target);
    assert!(unknown.validation().is_none() && unknown.training_rows() == ROWS);
    let back: Vec<usize> = (10..30).chain(100..105).collect();
    let known = unknown.clone().keeping_back(vec![10..30, 100..105]).unwrap();
    assert_eq!((known.validation_rows(), known.training_rows()), (25, ROWS - 25));
    let [training, kept] = known.divided(&seed);
    assert_eq!((&kept, training.len()), (&back, ROWS - 25));
    assert!(training.iter().all(|row| !back.contains(row)));

    let mut seen = Seen::default();
    let model = train_float(&known, &data, &seed, &mut seen).unwrap();
    let rows = |values: &Array2<f64>| values.select(Axis(0), &back);
    let probabilities = model.probabilities(&model.outputs(&rows(&data.features)).unwrap());
    let truth = nn::metrics::argmax(&rows(&data.labels));
    let figures = Classification::new(&truth, &probabilities.unwrap());
    close(seen.last(Metric::Accuracy), figures.accuracy);
    close(seen.last(Metric::Loss), figures.log_loss);
    let mut others = data.clone();
    back.iter().for_each(|&row| others.labels.row_mut(row).fill(1.0 / 3.0));
    let same = train_float(&known, &others, &seed, &mut Seen::default()).unwrap();
    for (a, b) in model.parameters().zip(same.parameters()) {
        assert_eq!((a.weights, a.bias), (b.weights, b.bias));
    }

    for (ranges, words) in [
        (vec![0..20, 20..ROWS], "none of the rows is left"),
        (vec![], "none of the rows is left"),
        (vec![0..10, 5..20], "no such rows"),
        (vec![0..20, 20..ROWS + 1], "no such rows"),
    ] {
        let error = unknown.clone().keeping_back(ranges).unwrap_err().to_string();
        assert!(error.starts_with("validation.sets") && error.contains(words), "{error}");
    }
}

#[test]
fn a_training_without_progress_ends_early() {
    let validation = "fraction = 0.2\nmetrics = [\"loss\", \"accuracy\"]\neach_epoch = [\"loss\"]\n\
                      early_stopping = { metric = \"loss\", patience = 2, least_change = 1.0 }";
    let spec = spec("\"softmax-cross-entropy\"", "{ dense = \"outputs\" }", validation)
        .replace("epochs = 3", "epochs = 50");
    let (seen, ..) = agree(&spec, &classes(3), Target::Classes(3));
    // The first epoch is the best so far; the next two change too little.
    assert_eq!(seen.epochs.len(), 3);
    assert_eq!(seen.last(Metric::Accuracy).len(), 1);
}
