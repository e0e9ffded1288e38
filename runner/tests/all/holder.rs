//! What a data holder does, with the real binary: schema, share, inspect, verify a receipt.

use assert_cmd::Command;
use jiff::Timestamp;
use runner::digest::Digest;
use runner::identity::Identity;
use runner::receipt::Receipt;
use runner::sharefile::ShareFile;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

const CSV: &str = "\
patient_id,age,smoker,outcome
p1,34,no,benign
p2,71,yes,malignant
p3,?,no,benign
p4,55,yes,malignant
p5,62,no,benign
p6,48,no,malignant
";

/// A directory with a consortium and the file of a holder.
fn workplace() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ward.csv"), CSV).unwrap();
    done(dir.path(), &["init", "trial", "--members", "hospital-a,hospital-b", "--json"]);
    dir
}

fn tercet(dir: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("tercet").unwrap();
    command.env_remove("TERCET_IDENTITY").env_remove("TERCET_CONSORTIUM");
    command.current_dir(dir).args(args).assert()
}

/// Runs a command that must succeed and returns what it printed.
fn done(dir: &Path, args: &[&str]) -> String {
    let output = tercet(dir, args).success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command with `--json` that must succeed and returns its result.
fn result(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&done(dir, &[args, &["--json"]].concat())).unwrap()
}

/// Runs a command that must fail and returns what it said about it.
fn failure(dir: &Path, args: &[&str]) -> String {
    let output = tercet(dir, args).failure().code(1).get_output().clone();
    assert!(output.stdout.is_empty(), "errors go to standard error");
    String::from_utf8(output.stderr).unwrap()
}

const SHARE: [&str; 8] = [
    "share",
    "ward.csv",
    "--schema",
    "schema.toml",
    "--consortium",
    "trial/consortium.toml",
    "--identity",
    "trial/members/hospital-a/hospital-a.key",
];

fn shared(dir: &Path) -> Value {
    done(dir, &["schema", "ward.csv", "--label", "outcome", "-o", "schema.toml"]);
    result(dir, &SHARE)
}

#[test]
fn a_holder_drafts_a_schema_checks_a_file_and_shares_it() {
    let dir = workplace();
    let dir = dir.path();
    let draft = done(dir, &["schema", "ward.csv", "--label", "outcome"]);
    assert!(draft.contains("# ignored: every row has a value of its own"), "{draft}");
    let drafted = result(dir, &["schema", "ward.csv", "-o", "schema.toml", "--label", "outcome"]);
    assert_eq!(fs::read_to_string(dir.join("schema.toml")).unwrap(), draft);
    assert_eq!((&drafted["features"], &drafted["rows"]), (&Value::from(3), &Value::from(6)));

    let checked = result(dir, &["schema", "--check", "schema.toml", "ward.csv"]);
    assert_eq!(checked["digest"], drafted["digest"]);
    assert_eq!(checked["data"]["filled"][0]["column"], "age");

    let shared = result(dir, &SHARE);
    assert_eq!(shared["schema"], drafted["digest"]);
    assert_eq!(
        (&shared["rows"], &shared["report"]["unused"][0]),
        (&6.into(), &"patient_id".into())
    );
    for party in 0..3 {
        let listed = &shared["files"][party];
        let path = dir.join(format!("shares/ward.party{party}.tercet"));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(listed["sha256"], Digest::of_bytes(&bytes).to_string());
        assert_eq!(listed["bytes"], bytes.len());
    }
    assert!(failure(dir, &SHARE).contains("ward.party0.tercet exists already"));
}

#[test]
fn bad_cells_are_told_and_nothing_is_written() {
    let dir = workplace();
    let dir = dir.path();
    shared(dir);
    fs::remove_dir_all(dir.join("shares")).unwrap();
    fs::write(dir.join("ward.csv"), CSV.replace("71,yes", "seventy,maybe")).unwrap();
    let message = failure(dir, &SHARE);
    assert!(
        message.contains("row 2 (line 3), column 'age': 'seventy' is not a number"),
        "{message}"
    );
    assert!(message.contains("column 'smoker': 'maybe' is not one of 'no', 'yes'"), "{message}");
    assert!(message.contains("hint: correct the cells"), "{message}");
    assert!(!dir.join("shares").exists());
}

#[test]
fn an_identity_that_is_no_member_cannot_share() {
    let dir = workplace();
    let dir = dir.path();
    shared(dir);
    let mut args = SHARE;
    args[7] = "trial/party0/party0.key";
    let message = failure(dir, &args);
    assert!(message.contains("party0 is not a member of the consortium 'trial'"), "{message}");
}

#[test]
fn anyone_can_inspect_a_share_file() {
    let dir = workplace();
    let dir = dir.path();
    let shared = shared(dir);
    let file = "shares/ward.party1.tercet";
    let seen = result(dir, &["inspect", file, "--consortium", "trial/consortium.toml"]);
    assert_eq!(seen["header"]["data_set"]["id"], shared["data_set"]);
    assert_eq!(seen["signature_verified"], true);
    assert!(done(dir, &["inspect", file]).contains("signature not verified"));

    let bytes = fs::read(dir.join(file)).unwrap();
    fs::write(dir.join("cut.tercet"), &bytes[..bytes.len() / 2]).unwrap();
    let message = failure(dir, &["inspect", "cut.tercet"]);
    assert!(message.contains("cut.tercet: the file was cut short"), "{message}");
    let mut altered = bytes;
    *altered.last_mut().unwrap() ^= 1;
    fs::write(dir.join("altered.tercet"), altered).unwrap();
    let message =
        failure(dir, &["inspect", "altered.tercet", "--consortium", "trial/consortium.toml"]);
    assert!(message.contains("the signature of hospital-a does not verify"), "{message}");
    assert!(failure(dir, &["inspect", "ward.csv"]).contains("not a sealed file"));
}

#[test]
fn a_receipt_is_checked_offline() {
    let dir = workplace();
    let dir = dir.path();
    shared(dir);
    let party = Identity::load(&dir.join("trial/party1/party1.key")).unwrap();
    let file = ShareFile::read(File::open(dir.join("shares/ward.party1.tercet")).unwrap()).unwrap();
    let receipt = Receipt::sign(file.header(), file.digest(), Timestamp::UNIX_EPOCH, &party);
    fs::write(dir.join("receipt.json"), receipt.to_json()).unwrap();

    let verify = |receipt: &'static str, file: &'static str| {
        ["verify-receipt", receipt, "--file", file, "--consortium", "trial/consortium.toml"]
    };
    let genuine = result(dir, &verify("receipt.json", "shares/ward.party1.tercet"));
    assert_eq!((&genuine["genuine"], &genuine["receipt"]["rows"]), (&true.into(), &6.into()));
    let text = done(dir, &verify("receipt.json", "shares/ward.party1.tercet"));
    assert!(text.starts_with("Genuine: party1 (party 1) has stored this."), "{text}");

    let message = failure(dir, &verify("receipt.json", "shares/ward.party2.tercet"));
    assert!(message.contains("but this file has"), "{message}");
    fs::write(dir.join("forged.json"), receipt.to_json().replace("\"rows\": 6", "\"rows\": 7"))
        .unwrap();
    let message = failure(dir, &verify("forged.json", "shares/ward.party1.tercet"));
    assert!(message.contains("the signature of party1 does not verify"), "{message}");
}

#[test]
fn predictions_do_not_replace_the_rows_that_they_are_for() {
    let dir = workplace();
    for output in ["ward.csv", "./ward.csv"] {
        let message =
            failure(dir.path(), &["predict", "model", "--data", "ward.csv", "-o", output]);
        assert!(message.contains("ward.csv would be replaced by its predictions"), "{message}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("ward.csv")).unwrap(), CSV);
}
