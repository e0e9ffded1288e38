//! A member that shares what its schema does not allow: the parties find out on shares,
//! name its data set, and train on nothing.

use crate::common::{Trial, job, last_line, rows_of};
use ndarray::Array2;
use runner::encode::Encoded;
use serde_json::Value;

/// Rows of which one is changed, once everything else about them is as it should be.
fn rows_with(change: impl Fn(&mut Array2<f64>, &mut Array2<f64>)) -> Encoded {
    let honest = rows_of(40, 2);
    let (mut features, mut labels) = (honest.features().clone(), honest.labels().clone());
    change(&mut features, &mut labels);
    Encoded::new(features, labels).unwrap()
}

/// Trains on honest rows and on these; returns the events and the last line.
fn train_on(trial: &Trial, rows: &Encoded, options: &str) -> (Option<i32>, Vec<Value>) {
    trial.share("hospital-a", "ward", 60, 1);
    let bad = trial.share_data("hospital-b", "ward", rows, 2);
    for member in ["hospital-a", "hospital-b"] {
        trial.ok(member, &["submit", member]);
    }
    trial.job("job", &format!("{options}\n{}", job(1)));
    let output = trial.command("analyst", &["train", "job.toml"]).output().unwrap();
    if !output.status.success() {
        let last = last_line(&output);
        let error = last["error"].as_str().unwrap();
        assert!(error.contains(&format!("data set {} of hospital-b", bad.id)), "{error}");
        assert!(!error.contains("hospital-a"), "{error}");
        assert!(error.contains("party 0 and party 1 and party 2"), "{error}");
        assert!(last["hint"].as_str().unwrap().contains("share the rows again"), "{last}");
        let models = trial.path("trial/party0/data/models");
        assert_eq!(std::fs::read_dir(models).unwrap().count(), 0, "there is a model");
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), lines)
}

#[test]
fn a_row_with_two_classes_is_found_in_either_mode() {
    let rows = rows_with(|_, labels| labels.row_mut(17).assign(&ndarray::arr1(&[1.0, 1.0, 0.0])));
    for security in ["semi-honest", "malicious"] {
        let trial = Trial::running();
        let options = format!("security = \"{security}\"");
        let (code, lines) = train_on(&trial, &rows, &options);
        assert_eq!(code, Some(1));
        assert!(lines.iter().any(|line| line["event"] == "checking"), "{lines:?}");
        assert!(lines.iter().all(|line| line["event"] != "progress"), "trained: {lines:?}");
    }
}

#[test]
fn a_two_instead_of_a_one_is_found() {
    let rows = rows_with(|_, labels| labels[[39, 0]] = 2.0);
    assert_eq!(train_on(&Trial::running(), &rows, "").0, Some(1));
}

#[test]
fn a_feature_out_of_range_is_found_where_features_are_checked() {
    let rows = rows_with(|features, _| features[[5, 3]] = 1.25);
    let all = "check_inputs = \"all\"\nsecurity = \"malicious\"";
    assert_eq!(train_on(&Trial::running(), &rows, all).0, Some(1));
    assert_eq!(train_on(&Trial::running(), &rows, "").0, Some(0));
    let honest = rows_of(40, 2);
    assert_eq!(train_on(&Trial::running(), &honest, all).0, Some(0));
}
