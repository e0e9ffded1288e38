//! Accuracy on public data sets, in fixed point against floating point.
//!
//! Not run by default: the data sets are no part of the repository. With a folder that
//! holds `mnist/*.gz`, `crop/crop_recommendation.csv`, `wdbc/wdbc.csv` and
//! `digits/digits.csv`:
//!
//! ```sh
//! TERCET_DATA=/path/to/folder cargo test --release -p nn --test all data_sets -- --ignored --nocapture
//! ```

use crate::common::{blueprint, one_hot};
use flate2::read::GzDecoder;
use ndarray::{Array2, Axis};
use nn::blueprint::Target;
use nn::engine::Rounding;
use nn::metrics::Classification;
use nn::model::Model;
use nn::seed::Seed;
use nn::train::Dataset;
use nn::twin::{train_fixed, train_float};
use std::io::Read;
use std::path::PathBuf;

/// Rows to train on and rows to test with; features mapped to `[-1, 1]`.
struct Split {
    training: Dataset<Array2<f64>>,
    test: Array2<f64>,
    truth: Vec<usize>,
    classes: usize,
}

fn path(file: &str) -> PathBuf {
    let folder = std::env::var_os("TERCET_DATA").expect("TERCET_DATA names the folder of the data");
    PathBuf::from(folder).join(file)
}

/// A CSV of numbers with the class in the last column; every fifth row is for testing.
fn csv(file: &str) -> Split {
    let text = std::fs::read_to_string(path(file)).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let width = rows[0].len() - 1;
    let mut names: Vec<&str> = rows.iter().map(|row| row[width]).collect();
    names.sort_unstable();
    names.dedup();
    let class = |row: &Vec<&str>| names.binary_search(&row[width]).unwrap();
    let classes: Vec<usize> = rows.iter().map(class).collect();
    let mut features = Array2::from_shape_fn((rows.len(), width), |(row, column)| {
        rows[row][column].parse().unwrap()
    });
    features.columns_mut().into_iter().for_each(|mut column| {
        let low = column.fold(f64::INFINITY, |low: f64, &x| low.min(x));
        let high = column.fold(f64::NEG_INFINITY, |high: f64, &x| high.max(x));
        let range = if high > low { high - low } else { 1.0 };
        column.mapv_inplace(|x| 2.0 * (x - low) / range - 1.0);
    });
    let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|row| row % 5 == 4);
    let pick = |rows: &[usize]| rows.iter().map(|&row| classes[row]).collect::<Vec<_>>();
    let labels = one_hot(&pick(&train), names.len());
    Split {
        training: Dataset { features: features.select(Axis(0), &train), labels },
        test: features.select(Axis(0), &test),
        truth: pick(&test),
        classes: names.len(),
    }
}

fn idx(file: &str, header: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let compressed = std::fs::File::open(path(file)).unwrap();
    GzDecoder::new(compressed).read_to_end(&mut bytes).unwrap();
    bytes.split_off(header)
}

fn mnist() -> Split {
    let images = |file| {
        let pixels: Vec<f64> =
            idx(file, 16).into_iter().map(|pixel| f64::from(pixel) / 127.5 - 1.0).collect();
        Array2::from_shape_vec((pixels.len() / 784, 784), pixels).unwrap()
    };
    let classes = |file| idx(file, 8).into_iter().map(usize::from).collect::<Vec<_>>();
    let labels = one_hot(&classes("mnist/train-labels-idx1-ubyte.gz"), 10);
    Split {
        training: Dataset { features: images("mnist/train-images-idx3-ubyte.gz"), labels },
        test: images("mnist/t10k-images-idx3-ubyte.gz"),
        truth: classes("mnist/t10k-labels-idx1-ubyte.gz"),
        classes: 10,
    }
}

fn spec(layers: &str, training: &str, scaling: &str) -> String {
    format!(
        "[model]\nlayers = [{layers}]\nloss = \"softmax-cross-entropy\"\n\
         [training]\n{training}\nlearning_rate = 0.1\n[features]\nscaling = \"{scaling}\""
    )
}

/// Figures of the floating-point model and of the fixed-point model, for one seed.
fn train_both(split: &Split, toml: &str, seed: u64) -> [Classification; 2] {
    let blueprint = blueprint(toml, &split.training, Target::Classes(split.classes));
    let (data, rounding) = (&split.training, Rounding::Stochastic { seed });
    let seed = Seed::from_number(seed);
    let figures = |model: Model| {
        let outputs = model.outputs(&split.test).unwrap();
        Classification::new(&split.truth, &model.probabilities(&outputs).unwrap())
    };
    [
        figures(train_float(&blueprint, data, &seed, &mut ()).unwrap()),
        figures(train_fixed(&blueprint, data, &seed, rounding, &mut ()).unwrap()),
    ]
}

/// Requires of the mean accuracy over some seeds that floating point is near `expected`, and
/// fixed point near floating point.
fn compare(name: &str, split: &Split, toml: &str, seeds: u64, expected: f64, tolerance: f64) {
    let figures: Vec<_> = (0..seeds).map(|seed| train_both(split, toml, seed)).collect();
    let [float, fixed] = [0, 1].map(|engine| {
        figures.iter().map(|of_seed| of_seed[engine].accuracy).sum::<f64>() / seeds as f64
    });
    println!("{name}: {float:.4} in floating point, {fixed:.4} in fixed point, {seeds} seeds");
    assert!((float - expected).abs() < 0.015, "{name}: {float} in floating point");
    assert!((fixed - float).abs() < tolerance, "{name}: {fixed} against {float}");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn tables() {
    let training = "epochs = 50\nbatch = 32\ninitial = \"glorot-uniform\"";
    let layers = |hidden| format!("{{ dense = {hidden} }}, \"relu\", {{ dense = \"outputs\" }}");
    let crop = spec(&layers(64), training, "standardise");
    compare("crop", &csv("crop/crop_recommendation.csv"), &crop, 5, 0.9877, 0.005);
    let wdbc = spec(&layers(16), training, "standardise");
    compare("wdbc", &csv("wdbc/wdbc.csv"), &wdbc, 5, 0.9982, 0.01);
    let digits = spec(&layers(32), training, "unit");
    compare("digits", &csv("digits/digits.csv"), &digits, 5, 0.9643, 0.005);
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn mnist_one_epoch() {
    let layers = "{ dense = 128 }, \"relu\", { dense = 128 }, \"relu\", { dense = \"outputs\" }";
    let toml = spec(layers, "epochs = 1\nbatch = 128\ninitial = \"uniform\"", "unit");
    compare("mnist", &mnist(), &toml, 5, 0.9084, 0.005);
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn softmax_regression_repeats_the_reference() {
    let training = "epochs = 1\nbatch = 128\norder = \"file\"\ninitial = \"zeros\"";
    let toml = spec("{ dense = \"outputs\" }", training, "unit");
    let [float, fixed] = train_both(&mnist(), &toml, 0);
    println!(
        "float {} {}, fixed {} {}",
        float.accuracy, float.log_loss, fixed.accuracy, fixed.log_loss
    );
    // An independent program gave 8986 of 10000 and this loss.
    assert_eq!(float.accuracy, 0.8986);
    assert!((float.log_loss - 0.380420).abs() < 1e-6);
    assert!((fixed.accuracy - 0.8986).abs() < 0.002);
    assert!((fixed.log_loss - 0.380420).abs() < 1e-3);
}
