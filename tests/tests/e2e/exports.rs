//! Exported models in the programs they are exported for: their answers are those of
//! `tercet predict`. Skipped, with the reason, where Python or its packages are missing;
//! `TERCET_PYTHON` names another interpreter than `python3`.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::rows::{SCHEMA, fruit, job};
use serde_json::{Value, json};
use std::io::Write;
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
            // Not by a macro, whose output tests keep to themselves unless they fail.
            let _ = writeln!(std::io::stderr(), "skipped: {python} has no {package}");
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
    let script = format!("{rows}{torch}classes = probabilities.argmax(1)\n{told}");
    if let Some(said) = python(&play, &["numpy", "torch", "safetensors"], &script) {
        agree(&said);
    }
}

/// A regression and a logistic network, which end in other operations: opened, exported and
/// asked in private they answer alike.
#[test]
fn other_losses_give_the_same_answers_too() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    play.write("rows.csv", fruit(30, &["apple", "melon"]));
    let classes = SCHEMA.replace(", \"plum\"", "");
    let (label, size) = (classes.find("[label]").unwrap(), classes.find("[[columns]]").unwrap());
    let number = "[label]\nname = \"weight\"\nkind = \"number\"\nmin = 0\nmax = 1000\n";
    let numbers = classes.replace(&classes[label..size], number);
    let weight = numbers.find("[[columns]]\nname = \"weight\"").unwrap();
    let colour = numbers.find("[[columns]]\nname = \"colour\"").unwrap();
    let numbers = numbers.replace(&numbers[weight..colour], "");
    let logistic = job(6)
        .replace("softmax-cross-entropy", "logistic")
        .replace("\"relu\"", "\"batch-norm\", \"sigmoid\"");
    let logistic = format!("{logistic}\n[inference]\nanswer = \"probabilities\"");
    let squared = job(6)
        .replace("softmax-cross-entropy", "mean-squared")
        .replace("{ dense = 8 }, \"relu\", ", "")
        .replace("rate = 0.5", "rate = 0.1");
    let squared = format!("{squared}\n[inference]");

    for (name, schema, job, inputs) in [
        ("logistic", classes, logistic, vec!["size", "weight"]),
        ("squared", numbers, squared, vec!["size"]),
    ] {
        play.write("schema.toml", schema);
        play.write("job.toml", job);
        for ward in ["ward-a", "ward-b"] {
            let shares = play.path(format!("{ward}/shares"));
            if shares.exists() {
                std::fs::remove_dir_all(shares).unwrap();
            }
            consortium.contribute(ward, &fruit(40, &["apple", "melon"]));
        }
        consortium.approve("job.toml");
        let trained = consortium.run_as("analyst", "train job.toml").succeeded();
        let id = trained["kept"].as_str().unwrap();
        let fetch = format!("model fetch --job job.toml -o {name}");
        consortium.run_as("analyst", &fetch).succeeded();
        play.run(&format!("predict {name} --data rows.csv -o answers.csv")).succeeded();
        let ask = format!("predict {id} --private --data rows.csv -o private.csv");
        consortium.run_as("ward-a", &ask).succeeded();
        play.run(&format!("model export {name} --format onnx")).succeeded();

        let columns = |file: &str| -> Vec<Vec<f64>> {
            let text = play.read_text(file);
            let of_row = |line: &str| -> Vec<f64> {
                line.split(',').skip(4).filter_map(|cell| cell.parse().ok()).collect()
            };
            text.lines().skip(1).map(of_row).collect()
        };
        // A weight of up to 1000 has as many units of the last place as a probability of 1.
        let unit = if name == "squared" { 1000.0 } else { 1.0 };
        let agree = |got: &[Vec<f64>], tolerance: f64| {
            let expected = columns("answers.csv");
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert!(!got.is_empty() && got.len() == expected.len(), "{name}");
                for (a, b) in got.iter().zip(expected) {
                    assert!((a - b).abs() < tolerance * unit, "{name}: {a} for {b}");
                }
            }
        };
        agree(&columns("private.csv"), 2e-3);
        let cells = inputs.iter().map(|input| format!("float(r['{input}'])"));
        let script = format!(
            "import csv, json, numpy, onnxruntime\nrows = numpy.array([[{}, \
             float(r['colour'] == 'green'), float(r['colour'] == 'red')] \
             for r in csv.DictReader(open('rows.csv'))])\n\
             session = onnxruntime.InferenceSession('{name}.onnx')\n\
             said = session.run(None, {{'features': rows.astype('float32')}})\n\
             print(json.dumps(said[-1].tolist()))",
            cells.collect::<Vec<_>>().join(", ")
        );
        if let Some(said) = python(&play, &["numpy", "onnxruntime"], &script) {
            agree(&serde_json::from_str::<Vec<Vec<f64>>>(said.trim()).unwrap(), 1e-5);
        }
    }
}

/// Networks of images with two channels, with every layer there is between them: what stands side
/// by side here and one after the other there is turned rightly.
#[test]
fn images_give_the_same_answers_in_other_programs() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    let pixels: Vec<String> = (0..5 * 5 * 2).map(|at| format!("p{at}")).collect();
    let mut schema = String::from(
        "version = 1\n[label]\nname = \"kind\"\nkind = \"class\"\nclasses = [\"a\", \"b\"]\n",
    );
    for pixel in &pixels {
        schema +=
            &format!("[[columns]]\nname = \"{pixel}\"\nkind = \"numeric\"\nmin = 0\nmax = 100\n");
    }
    let table = |rows: usize| {
        let mut text = format!("{},kind\n", pixels.join(","));
        for row in 0..rows {
            let cells = (0..pixels.len()).map(|at| ((row * 31 + at * at * 7) % 101).to_string());
            text += &format!("{},{}\n", cells.collect::<Vec<_>>().join(","), ["a", "b"][row % 2]);
        }
        text
    };
    play.write("schema.toml", schema);
    play.write("rows.csv", table(20));
    for ward in ["ward-a", "ward-b"] {
        consortium.contribute(ward, &table(24));
    }
    for (name, layers) in [
        (
            "turned",
            "{ conv = 3, kernel = 2 }, \"batch-norm\", \"relu\", { max-pool = 2 }, \"flatten\", \
             { dense = 6 }, \"tanh\", { dense = \"outputs\" }",
        ),
        (
            "pooled",
            "{ conv = 4, kernel = 3, stride = 2, padding = 2 }, { leaky-relu = 0.1 }, \
             { avg-pool = 2, stride = 1 }, { conv = 3, kernel = 2, padding = 1 }, \
             { dropout = 0.2 }, \"sigmoid\", \"global-avg-pool\", { dense = \"outputs\" }",
        ),
    ] {
        let job = job(2)
            .replace(
                "layers = [{ dense = 8 }, \"relu\", { dense = \"outputs\" }]",
                &format!("input = [5, 5, 2]\nlayers = [{layers}]"),
            )
            .replace("rate = 0.5", "rate = 0.1");
        play.write(
            "job.toml",
            format!(
                "{job}\n[features]\nscaling = \"none\"\n[inference]\nanswer = \"probabilities\""
            ),
        );
        consortium.approve("job.toml");
        let trained = consortium.run_as("analyst", "train job.toml").succeeded();
        consortium.run_as("analyst", &format!("model fetch --job job.toml -o {name}")).succeeded();
        play.run(&format!("predict {name} --data rows.csv -o answers.csv")).succeeded();
        let columns = |file: &str| -> Vec<Vec<f64>> {
            let text = play.read_text(file);
            let of_row =
                |line: &str| line.split(',').skip(52).map(|cell| cell.parse().unwrap()).collect();
            text.lines().skip(1).map(of_row).collect()
        };
        let expected = columns("answers.csv");
        let agree = |got: &[Vec<f64>], tolerance: f64| {
            assert!(got.len() == 20 && got.iter().all(|row| row.len() == 2), "{got:?}");
            for (a, b) in got.iter().flatten().zip(expected.iter().flatten()) {
                assert!((a - b).abs() < tolerance, "{a} for {b}");
            }
        };
        let id = trained["kept"].as_str().unwrap();
        let ask = |id: &str| format!("predict {id} --private --data rows.csv -o private.csv");
        consortium.run_as("ward-a", &ask(id)).succeeded();
        agree(&columns("private.csv"), 2e-3);

        let weights = format!("{name}.safetensors");
        play.run(&format!("model export {name} --format safetensors -o {weights}")).succeeded();
        let import = format!("model import {weights} --job job.toml");
        let imported = consortium.run_as("analyst", &import).succeeded();
        consortium.run_as("ward-a", &ask(imported["model"].as_str().unwrap())).succeeded();
        agree(&columns("private.csv"), 2e-3);

        play.run(&format!("model export {name} --format onnx")).succeeded();
        let script = format!(
            "import csv, json, numpy, onnxruntime\n\
                      rows = numpy.array([[float(r['p%d' % at]) for at in range(50)] \
                      for r in csv.DictReader(open('rows.csv'))])\n\
                      session = onnxruntime.InferenceSession('{name}.onnx')\n\
                      said = session.run(None, {{'features': rows.astype('float32')}})\n\
                      print(json.dumps(said[-1].tolist()))"
        );
        if let Some(said) = python(&play, &["numpy", "onnxruntime"], &script) {
            agree(&serde_json::from_str::<Vec<Vec<f64>>>(said.trim()).unwrap(), 1e-5);
        }
    }
}
