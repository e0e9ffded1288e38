//! Exported models in the programs they are exported for: their answers are those of
//! `tercet predict`. Skipped, with the reason, where Python or its packages are missing;
//! `TERCET_PYTHON` names another interpreter than `python3`.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::rows::{SCHEMA, fruit, job};
use serde_json::{Value, json};
use std::process::Command;

/// The page whose examples are run.
const PAGE: &str = include_str!("../../../docs/MODELS.md");

/// What Python says to a script, or why it cannot be asked.
fn python(play: &Playground, packages: &[&str], script: &str) -> Option<String> {
    let python = std::env::var("TERCET_PYTHON").unwrap_or_else(|_| "python3".into());
    let run = |script: &str| {
        Command::new(&python).arg("-c").arg(script).current_dir(play.path("")).output()
    };
    for package in packages {
        let found = run(&format!("import {package}"));
        if !found.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: {python} has no {package}");
            return None;
        }
    }
    let output = run(script).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{error}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The example of the page that begins with a line which contains `what`.
fn example(what: &str) -> &'static str {
    let blocks = PAGE.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.into_iter().find(|block| block.contains(what)).unwrap()
}

/// The probabilities that `tercet predict` wrote, and the classes.
fn predicted(play: &Playground) -> (Vec<Vec<f64>>, Vec<String>) {
    let text = play.read_text("answers.csv");
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|cells| {
        let probabilities = cells[5..].iter().map(|cell| cell.parse().unwrap());
        (probabilities.collect::<Vec<f64>>(), cells[4].to_owned())
    })
    .unzip()
}

#[test]
fn other_programs_give_the_same_answers() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(6));
    for ward in ["ward-a", "ward-b"] {
        consortium.contribute(ward, &fruit(48, &["apple", "melon", "plum"]));
    }
    consortium.approve("job.toml");
    consortium.run_as("analyst", "train job.toml").succeeded();
    consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    play.write("rows.csv", fruit(60, &["apple", "melon", "plum"]));
    play.run("predict model --data rows.csv -o answers.csv").succeeded();
    let (probabilities, classes) = predicted(&play);

    let exported = play.run("model export model --format onnx").succeeded();
    assert_eq!(exported["file"], "model.onnx");
    assert_eq!(exported["features"], json!(["size", "weight", "colour=green", "colour=red"]));
    assert_eq!(exported["classes"], json!(["apple", "melon", "plum"]));
    play.run("model export model --format onnx").failed().must_mention(&["exists already"]);
    play.run("model export model --format safetensors -o weights.safetensors").succeeded();

    let names = ["apple", "melon", "plum"];
    let agree = |said: &str| {
        let said: Value = serde_json::from_str(said.trim()).unwrap();
        for (row, expected) in probabilities.iter().enumerate() {
            let class = said["classes"][row].as_u64().unwrap() as usize;
            assert_eq!(names[class], classes[row], "row {row}");
            for (class, expected) in expected.iter().enumerate() {
                let got = said["probabilities"][row][class].as_f64().unwrap();
                assert!((got - expected).abs() < 1e-5, "row {row}: {got} for {expected}");
            }
        }
    };
    let told = "\nimport json\nprint(json.dumps({'classes': classes.tolist(), \
                'probabilities': probabilities.tolist()}))\n";
    let rows = "import csv, numpy\n\
                rows = numpy.array([[float(r['size']), float(r['weight']), \
                float(r['colour'] == 'green'), float(r['colour'] == 'red')] \
                for r in csv.DictReader(open('rows.csv'))])\n";
    let onnx = example("InferenceSession");
    if let Some(said) = python(&play, &["numpy", "onnxruntime"], &format!("{rows}{onnx}{told}")) {
        agree(&said);
    }
    let torch = example("load_state_dict");
    let network = "import json, torch, safetensors.torch\nnetwork = torch.nn.Sequential(torch.nn.Linear(4, 8), \
                   torch.nn.ReLU(), torch.nn.Linear(8, 3))\n";
    let script = format!("{rows}{network}{torch}classes = probabilities.argmax(1)\n{told}");
    if let Some(said) = python(&play, &["numpy", "torch", "safetensors"], &script) {
        agree(&said);
    }
}
