//! Private inference: a model that stays with the parties answers whoever may ask, and
//! nobody else.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::process::PROMPTLY;
use crate::support::rows::{SCHEMA, fruit, job};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const KINDS: [&str; 3] = ["apple", "melon", "plum"];
const CHEATING_PARTY: &str = env!("CARGO_BIN_EXE_cheating-party");

/// A consortium whose parties keep a model of both wards' fruit; and the model's id.
fn keeping<'p>(play: &'p Playground, head: &str, policy: &str) -> (Consortium<'p>, String) {
    let consortium = Consortium::start_limited(play, &[("round-timeout-seconds", 10)]);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", format!("{head}\n{}\n[inference]\n{policy}", job(12)));
    for ward in ["ward-a", "ward-b"] {
        consortium.contribute(ward, &fruit(36, &KINDS));
    }
    consortium.approve("job.toml");
    let trained = consortium.run_as("analyst", "train job.toml").succeeded();
    let id = trained["session"].as_str().unwrap().to_owned();
    assert_eq!(trained["kept"], id);
    (consortium, id)
}

/// The files in a part of the data directory of a party.
fn files(consortium: &Consortium, party: usize, part: &str) -> Vec<PathBuf> {
    let dir = consortium.files.nodes[party].parent().unwrap().join("data").join(part);
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The cells from a column on of all rows below the header.
fn cells(play: &Playground, file: &str, from: usize) -> Vec<Vec<String>> {
    let text = play.read_text(file);
    let row = |line: &str| line.split(',').skip(from).map(str::to_owned).collect();
    text.lines().skip(1).map(row).collect()
}

/// Compares answers with those of the opened model; fruit has four columns of its own.
fn agree(play: &Playground, private: &str, opened: &str) {
    let (private, opened) = (cells(play, private, 4), cells(play, opened, 4));
    assert_eq!(private.len(), opened.len());
    for (private, opened) in private.iter().zip(&opened) {
        assert_eq!(private[0], opened[0]);
        for (private, opened) in private.iter().zip(opened).skip(1) {
            let [a, b]: [f64; 2] = [private, opened].map(|cell| cell.parse().unwrap());
            assert!((a - b).abs() < 2e-3, "{a} for {b}");
        }
    }
}

#[test]
fn a_kept_model_answers_as_the_released_one_and_whom_it_may() {
    let play = Playground::new();
    let policy = "members = [\"ward-a\"]\nanswer = \"probabilities\"";
    let (mut consortium, id) = keeping(&play, "", policy);
    consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    play.write("rows.csv", fruit(40, &KINDS));
    play.run("predict model --data rows.csv -o opened.csv").succeeded();

    let ask = format!("predict {id} --private --data rows.csv");
    for security in ["semi-honest", "malicious"] {
        let line = format!("{ask} --security {security} -o private.csv");
        let answered = consortium.run_as("ward-a", &line).succeeded();
        assert_eq!((&answered["rows"], &answered["model"]), (&json!(40), &json!(id)));
        assert_eq!(
            (&answered["answer"], &answered["security"]),
            (&json!("probabilities"), &json!(security))
        );
        agree(&play, "private.csv", "opened.csv");
        assert!(
            play.read_text("private.csv")
                .starts_with("size,weight,colour,kind,prediction,probability_apple")
        );
    }
    // Less than is allowed, for a single row.
    play.write("row.csv", "size,weight,colour\n2.1,210,red\n");
    let line = format!("predict {id} --private --answer class --data row.csv -o one.csv");
    consortium.run_as("ward-a", &line).succeeded();
    assert_eq!(play.read_text("one.csv"), "size,weight,colour,prediction\n2.1,210,red,apple\n");
    // Rows that asked are gone, and no training can take them.
    for status in consortium.status() {
        assert_eq!(status.unwrap()["submissions"], 2);
    }

    let refused = |member: &str, line: &str, expected: &[&str]| {
        consortium.run_as(member, line).failed().must_mention(expected);
        assert!(play.is_untouched("no.csv"));
    };
    let ask = |rest: &str| format!("predict {id} --private -o no.csv {rest}");
    refused("ward-b", &ask("--data rows.csv"), &["ward-b may not ask model", &id]);
    let unknown = "0123456789abcdef".repeat(2);
    let line = format!("predict {unknown} --private --data rows.csv -o no.csv");
    refused("ward-a", &line, &["keeps no model", &unknown]);
    refused(
        "ward-a",
        "predict model --private --data rows.csv -o no.csv",
        &["32 hexadecimal digits"],
    );
    refused("ward-a", &ask("--data rows.csv --answer numbers"), &["not with numbers"]);
    play.write("narrow.csv", "size,colour\n2.1,red\n");
    refused("ward-a", &ask("--data narrow.csv"), &["has no column 'weight'"]);
    play.write("wild.csv", "size,weight,colour\n2.1,21000,red\n");
    refused("ward-a", &ask("--data wild.csv"), &["row 1", "column 'weight'"]);
    consortium.kill_node(2);
    let line = ask("--data rows.csv --timeout 5");
    consortium.run_as("ward-a", &line).failed().must_mention(&["party 2"]);
    // A kept model survives a restart.
    consortium.start_node(2);
    let line = format!("predict {id} --private --data rows.csv -o again.csv");
    consortium.run_as("ward-a", &line).succeeded();
    agree(&play, "again.csv", "opened.csv");
}

#[test]
fn a_model_that_nobody_gets_still_answers_and_an_altered_share_does_not() {
    let play = Playground::new();
    let (consortium, id) = keeping(&play, "reveal = []", "");
    let fetch = format!("model fetch --session {id} -o model");
    consortium.run_as("analyst", &fetch).failed().must_mention(&["released no model"]);
    let fetch = "model fetch --job job.toml -o model";
    consortium.run_as("analyst", fetch).failed().must_mention(&["no finished session"]);
    assert!(play.is_untouched("model"));

    play.write("rows.csv", fruit(30, &KINDS));
    let ask = format!("predict {id} --private --security malicious --data rows.csv");
    consortium.run_as("ward-b", &format!("{ask} -o a.csv")).succeeded();
    let right = cells(&play, "a.csv", 3).iter().filter(|row| row[0] == row[1]).count();
    assert!(right >= 28, "{right} of 30");
    let line = format!("{ask} --answer probabilities -o no.csv");
    consortium.run_as("ward-b", &line).failed().must_mention(&["answers with class"]);

    let kept = files(&consortium, 1, "kept");
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    let mut share = fs::read(kept).unwrap();
    let middle = share.len() - 200;
    share[middle] ^= 1;
    fs::write(kept, share).unwrap();
    let line = format!("{ask} -o no.csv");
    consortium.run_as("ward-b", &line).failed().must_mention(&["party 1", "not what was kept"]);
    assert!(play.is_untouched("no.csv"));
}

#[test]
fn an_imported_model_answers_and_nobody_sees_its_weights() {
    let play = Playground::new();
    let (consortium, _) = keeping(&play, "", "");
    consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    play.run("model export model --format safetensors -o weights.safetensors").succeeded();
    play.write("rows.csv", fruit(30, &KINDS));
    play.run("predict model --data rows.csv -o opened.csv").succeeded();

    for weights in ["weights.safetensors", "model"] {
        let imported =
            consortium.run_as("ward-a", &format!("model import {weights} --job job.toml"));
        let imported = imported.succeeded();
        assert_eq!((&imported["weights"], &imported["answer"]), (&json!(67), &json!("class")));
        let id = imported["model"].as_str().unwrap();
        let ask = format!("predict {id} --private --data rows.csv -o private.csv");
        consortium.run_as("ward-b", &ask).succeeded();
        let of = |file: &str| cells(&play, file, 4).into_iter().map(|row| row[0].clone());
        assert!(of("private.csv").eq(of("opened.csv")));
    }
    let other = play.read_text("job.toml").replace("dense = 8", "dense = 9");
    play.write("other.toml", other);
    let line = "model import weights.safetensors --job other.toml";
    consortium.run_as("ward-a", line).failed().must_mention(&["weights.safetensors", "0.weight"]);
    play.write("plain.toml", job(1));
    let line = "model import weights.safetensors --job plain.toml";
    consortium.run_as("ward-a", line).failed().must_mention(&["[inference]"]);
}

#[test]
fn who_cheats_in_an_answer_is_found_out() {
    let play = Playground::new();
    let (mut consortium, id) = keeping(&play, "", "");
    play.write("rows.csv", fruit(20, &KINDS));
    consortium.stop_node(1);
    consortium.start_node_by(1, |consortium, party| {
        let honest = consortium.node_command(party);
        let mut command = Command::new(CHEATING_PARTY);
        command.args(honest.get_args()).env("CHEAT", "40:next:flip");
        command
    });
    let line = format!("predict {id} --private --security malicious --data rows.csv -o no.csv");
    let complaint = consortium.start_as("ward-a", &line).finish_within(PROMPTLY).failed();
    complaint.must_mention(&["evidence at party"]);
    assert!(play.is_untouched("no.csv"));
    let kinds: Vec<Value> = [0, 2]
        .into_iter()
        .flat_map(|party| files(&consortium, party, "evidence"))
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect();
    assert!(!kinds.is_empty());
    for evidence in kinds {
        let kind = evidence["kind"].as_str().unwrap().to_owned();
        assert!(["abort", "peer-misbehaved", "peer-lost"].contains(&kind.as_str()), "{evidence}");
    }
}
