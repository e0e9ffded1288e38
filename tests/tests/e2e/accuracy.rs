//! Accuracy of the whole path on public data sets, beside the twin in the clear.
//!
//! Not run by default: the data sets are no part of the repository. With a folder that
//! holds `crop/crop_recommendation.csv`, `wdbc/wdbc.csv`, `digits/digits.csv`,
//! `credit/UCI_Credit_Card.csv`, `adult/adult.data`, `adult/adult.test` and the four files of `mnist/`:
//!
//! ```sh
//! TERCET_DATA=/path/to/folder cargo test --release -p end-to-end-tests accuracy -- --ignored --nocapture
//! ```

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// The page that has the figures, and the jobs that gave them.
const PAGE: &str = include_str!("../../../docs/ACCURACY.md");

/// Both security modes.
const MODES: [&str; 2] = ["semi-honest", "malicious"];

fn folder() -> PathBuf {
    std::env::var_os("TERCET_DATA").expect("TERCET_DATA names the folder of the data").into()
}

/// What a demo reports of the data sets in the folder.
fn demo(play: &Playground, line: &str) -> Value {
    if !play.path("data").exists() {
        std::os::unix::fs::symlink(folder(), play.path("data")).unwrap();
    }
    let mut command = play.command(&format!("demo {line}"));
    command.env("TMPDIR", play.path(""));
    play.start(command).finish_whenever().succeeded()
}

/// Mean accuracies over some demos with different seeds: on shares in each mode, and in the clear.
/// Requires the modes to give the same model but for how truncation rounds.
fn demos(seeds: u64, line: &str) -> ([f64; 2], f64) {
    let play = Playground::new();
    let (mut on_shares, mut in_the_clear) = ([0.0; 2], 0.0);
    for seed in 1..=seeds {
        let reports = MODES.map(|mode| {
            let report = demo(&play, &format!("{line} --seed {seed} --security {mode}"));
            assert_eq!(report["security"], Value::from(mode));
            report
        });
        let both = |name: &str| reports.each_ref().map(|report| report[name].as_f64().unwrap());
        let (shares, losses, clear) =
            (both("accuracy"), both("log_loss"), both("plaintext_accuracy"));
        println!("demo {line}, seed {seed}: {shares:.4?} on shares, {:.4} in the clear", clear[0]);
        assert!((losses[0] - losses[1]).abs() < 0.01, "{line}: losses {losses:?}");
        assert_eq!(clear[0], clear[1], "the twin is the same");
        for (sum, accuracy) in on_shares.iter_mut().zip(shares) {
            *sum += accuracy / seeds as f64;
        }
        in_the_clear += clear[0] / seeds as f64;
    }
    (on_shares, in_the_clear)
}

/// Requires the mean accuracy of a demo to be that of its twin, less a point.
fn within_a_point(line: &str) {
    let (shares, clear) = demos(3, line);
    let close = shares.iter().all(|shares| *shares >= clear - 0.01);
    assert!(close, "{line}: {shares:?} on shares, {clear} in the clear");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn crop() {
    within_a_point("--data data/crop/crop_recommendation.csv --label label --hidden 64");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn wdbc() {
    within_a_point("--data data/wdbc/wdbc.csv --label label --hidden 16");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn digits() {
    within_a_point("--data data/digits/digits.csv --label label --hidden 32");
}

/// Requires accuracy and AUC to be those of another program in the clear, less a point.
fn as_good_as(in_the_clear: [f64; 2], report: &Value) {
    let figures = ["accuracy", "auc"].map(|figure| report[figure].as_f64().unwrap());
    println!("{figures:?} on shares, {in_the_clear:?} in the clear");
    let close = figures.iter().zip(in_the_clear).all(|(figure, clear)| *figure >= clear - 0.01);
    assert!(close, "{figures:?} on shares, {in_the_clear:?} in the clear");
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn credit() {
    let play = Playground::new();
    let rows = std::fs::read_to_string(folder().join("credit/UCI_Credit_Card.csv")).unwrap();
    let without_id = rows.lines().map(|line| line.split_once(',').unwrap().1);
    play.write("credit.csv", without_id.collect::<Vec<_>>().join("\n"));
    let line = "--data credit.csv --label default.payment.next.month --hidden 32,16 --batch 128 \
                --epochs 20 --seed 1 --security semi-honest";
    as_good_as([0.8220, 0.7803], &demo(&play, line));
}

/// A file of the data set as a CSV: they have no header line, blanks after commas, and one has a
/// line that is no row and a full stop after each label.
fn adults(part: &str) -> String {
    let names = "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,\
                 race,sex,capital-gain,capital-loss,hours-per-week,native-country,income";
    let text = std::fs::read_to_string(folder().join(format!("adult/adult.{part}"))).unwrap();
    let rows = text.lines().filter(|line| line.contains(',') && !line.starts_with('|'));
    let rows = rows.map(|line| line.trim_end_matches('.').replace(", ", ","));
    std::iter::once(names.to_owned()).chain(rows).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn adult() {
    let play = Playground::new();
    play.write("train.csv", adults("data"));
    play.run("schema train.csv --label income -o schema.toml").succeeded();
    let job = "name = \"adult\"\nreceiver = \"analyst\"\nsecurity = \"semi-honest\"\n\
               [data]\nschema = \"schema.toml\"\n\
               [model]\nlayers = [{ dense = 32 }, \"relu\", { dense = \"outputs\" }]\nloss = \"logistic\"\n\
               [training]\nepochs = 20\nbatch = 128\nlearning_rate = 0.1\nseed = 1\n";
    as_good_as([0.8569, 0.9109], &learned(&play, job, &adults("data"), &adults("test")));
}

/// The mean accuracy that this network reaches in the clear from a uniform start, measured
/// over three seeds by another program.
const MNIST_IN_THE_CLEAR: f64 = 0.9084;

#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn mnist() {
    let (shares, clear) = demos(2, "--mnist data/mnist --epochs 1 --initial uniform");
    for shares in shares {
        assert!(shares >= clear - 0.005, "{shares} on shares, {clear} in the clear");
        assert!(shares >= MNIST_IN_THE_CLEAR - 0.005, "{shares} on shares");
    }
}

#[test]
#[ignore = "needs the data sets, and ten minutes: see the top of the file"]
fn mnist_to_the_end() {
    let line = "--mnist data/mnist --epochs 15 --lr 0.1 --seed 3 --security semi-honest";
    let report = demo(&Playground::new(), line);
    let accuracy = report["accuracy"].as_f64().unwrap();
    println!("demo {line}: {accuracy}");
    assert!(accuracy >= 0.974, "{accuracy}");
}

/// Pixels of an image of MNIST.
const PIXELS: usize = 28 * 28;

/// Images of MNIST and their digits as a table.
fn images(part: &str) -> String {
    let bytes = |file: &str, header: usize| {
        let path = folder().join("mnist").join(format!("{part}-{file}-ubyte.gz"));
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes.split_off(header)
    };
    let names: Vec<String> = (0..PIXELS).map(|at| format!("p{at}")).collect();
    let mut table = format!("{},digit\n", names.join(","));
    let (pixels, digits) = (bytes("images-idx3", 16), bytes("labels-idx1", 8));
    for (image, digit) in pixels.chunks_exact(PIXELS).zip(digits) {
        let cells = image.iter().map(u8::to_string);
        table += &format!("{},{digit}\n", cells.collect::<Vec<_>>().join(","));
    }
    table
}

/// The evaluation on the rows of `test` of what a job learns from those of `train`, which are as
/// the schema of the playground says.
fn learned(play: &Playground, job: &str, train: &str, test: &str) -> Value {
    let consortium = Consortium::start(play);
    play.write("job.toml", job);
    play.write("test.csv", test);
    consortium.contribute("ward-a", train);
    consortium.approve("job.toml");
    let train = consortium.start_as("analyst", "train job.toml");
    train.finish_within(Duration::from_secs(5 * 3600)).succeeded();
    consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    play.run("evaluate model --data test.csv").succeeded()
}

/// Accuracy and loss on the test images of what a job of the page learns from the others.
fn of_job(name: &str) -> [f64; 2] {
    let jobs = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let job = jobs.into_iter().find(|job| job.contains(&format!("name = \"{name}\""))).unwrap();
    let play = Playground::new();
    let classes: Vec<String> = (0..10).map(|digit| format!("\"{digit}\"")).collect();
    let mut schema = format!(
        "version = 1\n[label]\nname = \"digit\"\nkind = \"class\"\nclasses = [{}]\n",
        classes.join(", ")
    );
    for at in 0..PIXELS {
        schema +=
            &format!("[[columns]]\nname = \"p{at}\"\nkind = \"numeric\"\nmin = 0\nmax = 255\n");
    }
    play.write("schema.toml", schema);
    let report = learned(&play, job, &images("train"), &images("t10k"));
    let figures = ["accuracy", "log_loss"].map(|figure| report[figure].as_f64().unwrap());
    println!("{name}: {figures:?}");
    figures
}

/// Nothing in it is random, so that any other program gets the same: 8986 of 10000 and 0.380420.
#[test]
#[ignore = "needs the data sets: see the top of the file"]
fn softmax_regression() {
    let [accuracy, loss] = of_job("softmax-regression");
    assert!((0.8960..=0.9010).contains(&accuracy), "{accuracy}");
    assert!((loss - 0.380420).abs() < 0.005, "{loss}");
}

#[test]
#[ignore = "needs the data sets, and an hour and a half: see the top of the file"]
fn lenet() {
    let [accuracy, _] = of_job("lenet");
    assert!(accuracy >= 0.992, "{accuracy}");
}
