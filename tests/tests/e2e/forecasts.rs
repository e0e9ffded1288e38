//! Forecasts that the parties themselves rehearse, and what came of the trainings.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::process::PROMPTLY;
use crate::support::rows::{ENDLESS, SCHEMA, fruit, job};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Command;

const DISTANT_PARTY: &str = env!("CARGO_BIN_EXE_distant-party");
/// Pixels of a row or a column of an image.
const SIDE: usize = 6;
/// The job's network in [`job`].
const MLP: &str = r#"layers = [{ dense = 8 }, "relu", { dense = "outputs" }]"#;
const LOSS: &str = r#"loss = "softmax-cross-entropy""#;

/// Three nodes that are as far from each other as the link says.
fn distant<'p>(play: &'p Playground, link: &str) -> Consortium<'p> {
    let mut consortium = Consortium::start(play);
    for party in 0..3 {
        consortium.stop_node(party);
        consortium.start_node_by(party, |consortium, party| {
            let near = consortium.node_command(party);
            let mut command = Command::new(DISTANT_PARTY);
            command.args(near.get_args()).env("LINK", link);
            command
        });
    }
    consortium
}

#[track_caller]
fn assert_within(what: &str, forecast: &Value, actual: &Value, part: f64) {
    let [forecast, actual] = [forecast, actual].map(|value| value.as_f64().unwrap());
    let ratio = actual / forecast;
    eprintln!("{what}: {forecast:.2} foretold, {actual:.2} came: {ratio:.3}");
    assert!((ratio - 1.0).abs() <= part, "{what}: {forecast} was foretold, and {actual} came");
}

/// What the parties send together: who sends more depends on whose turn it is to help.
fn bytes(of: &Value) -> Value {
    let bytes: [f64; 3] = serde_json::from_value(of["bytes_sent_per_party"].clone()).unwrap();
    bytes.into_iter().sum::<f64>().into()
}

/// Trains with a rehearsal before, and compares what both say.
fn comes_true(consortium: &Consortium, job: &str) {
    let outcome = consortium.run_as("analyst", &format!("train {job} --rehearse"));
    let lines = outcome.lines.clone();
    let summary = outcome.succeeded();
    let forecast = &summary["forecast"];
    assert!(lines.iter().any(|line| line["event"] == "forecast" && line["forecast"] == *forecast));
    assert_eq!(forecast["iterations"], summary["iterations"]);
    assert_within("rounds", &forecast["rounds"], &summary["rounds"], 0.01);
    assert_within("bytes", &bytes(forecast), &bytes(&summary), 0.05);
    assert_within("seconds", &forecast["seconds"], &summary["seconds"], 0.2);
}

/// Images of bars that lie or stand, as a table and its schema.
fn bars(rows: usize) -> (String, String) {
    let names: Vec<String> = (0..SIDE * SIDE).map(|at| format!("p{at}")).collect();
    let mut schema = "version = 1\n[label]\nname = \"bar\"\nkind = \"class\"\n\
                      classes = [\"lies\", \"stands\"]\n"
        .to_owned();
    for name in &names {
        write!(schema, "[[columns]]\nname = \"{name}\"\nkind = \"numeric\"\nmin = 0\nmax = 1\n")
            .unwrap();
    }
    let mut table = format!("{},bar\n", names.join(","));
    for number in 0..rows {
        let (stands, place) = (number % 2 == 1, number / 2 % SIDE);
        let ink = |at: usize| if stands { at % SIDE == place } else { at / SIDE == place };
        let row: Vec<&str> = (0..SIDE * SIDE).map(|at| ["0", "1"][usize::from(ink(at))]).collect();
        writeln!(table, "{},{}", row.join(","), ["lies", "stands"][number % 2]).unwrap();
    }
    (table, schema)
}

/// Time is that of the links for the most part, so that a busy machine matters little.
#[test]
fn a_measured_forecast_comes_true_on_three_networks_over_shaped_links() {
    let play = Playground::new();
    let consortium = distant(&play, "latency=6ms,bandwidth=100mbit");
    play.write("schema.toml", SCHEMA);
    consortium.contribute("ward-a", &fruit(60, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(61, &["plum", "melon"]));
    play.write("mlp.toml", job(2));
    let regression = job(4).replace(MLP, r#"layers = [{ dense = "outputs" }]"#);
    assert_ne!(regression, job(4));
    play.write("regression.toml", regression);

    let (table, schema) = bars(33);
    play.write("bars/schema.toml", schema);
    for ward in ["ward-a", "ward-b"] {
        play.write(&format!("{ward}/bars.csv"), &table);
        let share = format!("share {ward}/bars.csv --schema bars/schema.toml -o {ward}/bars");
        consortium.run_as(ward, &share).succeeded();
        consortium.run_as(ward, &format!("submit {ward}/bars")).succeeded();
    }
    let images = r#"input = [6, 6, 1]
        layers = [{ conv = 2, kernel = 3 }, "relu", "flatten", { dense = "outputs" }]"#;
    let images = job(2).replace(MLP, images).replace("\"schema.toml\"", "\"bars/schema.toml\"");
    assert!(images.contains("conv") && images.contains("bars/") && images.contains(LOSS));
    let images = format!("{images}\n[features]\nscaling = \"unit\"");
    play.write("images.toml", images);

    for job in ["mlp.toml", "regression.toml", "images.toml"] {
        consortium.approve(job);
        eprintln!("{job}");
        comes_true(&consortium, job);
    }
}

#[test]
fn a_rehearsal_needs_no_data_and_no_approval_and_leaves_nothing() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(3));
    let complaint = consortium.run_as("analyst", "forecast job.toml --measured").failed();
    complaint.must_mention(&["submitted nothing", "--rows"]);
    let forecast = |line: &str| consortium.run_as("analyst", line).succeeded();
    let foretold = forecast("forecast job.toml --measured --rows 100");
    let links = foretold["links"]["measured"].as_array().unwrap();
    assert!(
        links.len() == 3 && links.iter().all(|link| link["round_seconds"].as_f64() > Some(0.0))
    );
    assert_eq!(foretold["iterations"], 3 * 7);

    // What is known of a job here is what is known there; and triples are made on the spot.
    for head in ["", "multiplication = \"beaver\"\n"] {
        play.write("job.toml", format!("{head}{}", job(3)));
        let [there, here] = ["--measured", "--link lan"]
            .map(|how| forecast(&format!("forecast job.toml --rows 100 {how}")));
        assert_eq!(there["rounds"], here["rounds"]);
    }
    play.write("job.toml", job(3));
    consortium.contribute("ward-a", &fruit(40, &["apple"]));
    consortium.contribute("ward-b", &fruit(60, &["plum"]));
    // Each data set is checked by itself.
    let [there, here] =
        ["--measured", "--rows 40,60"].map(|how| forecast(&format!("forecast job.toml {how}")));
    assert_eq!(there["rounds"], here["rounds"]);
    assert!(there["rounds"].as_f64() > foretold["rounds"].as_f64());
    for status in consortium.status() {
        assert_eq!(status.unwrap()["submissions"], 2, "what was submitted is as it was");
    }
    consortium.run_as("analyst", "model fetch --job job.toml -o model").failed();
}

#[test]
fn a_rehearsal_is_small_and_alone_and_gives_way() {
    let play = Playground::new();
    let consortium = Consortium::start(&play);
    play.write("schema.toml", SCHEMA);
    play.write("short.toml", job(1));
    play.write("endless.toml", job(ENDLESS));
    consortium.contribute("ward-a", &fruit(30, &["apple", "melon"]));
    consortium.contribute("ward-b", &fruit(30, &["plum", "melon"]));
    consortium.approve("short.toml");
    consortium.approve("endless.toml");
    play.write("huge.toml", job(1).replace("batch = 16", "batch = 1000000"));
    let complaint =
        consortium.run_as("analyst", "forecast huge.toml --measured --rows 9000000").failed();
    complaint.must_mention(&["1000000 rows would make up", "at most 8388608"]);

    let mut training = consortium.start_as("analyst", "train endless.toml");
    training.wait_for("progress").unwrap();
    let complaint = consortium.run_as("ward-a", "forecast short.toml --measured").failed();
    complaint.must_mention(&["computes another session"]);
    complaint.must_hint("try again when it is over");
    training.signal(rustix::process::Signal::INT);
    training.finish_within(PROMPTLY).failed_with(130);
    consortium.wait_until_idle(&[0, 1, 2]);

    let large = job(1).replace("batch = 16", "batch = 1024").replace("dense = 8", "dense = 64");
    play.write("large.toml", format!("security = \"malicious\"\n{large}"));
    let line = "forecast large.toml --measured --rows 3000";
    let mut rehearsal = consortium.start_as("ward-a", line);
    let first = rehearsal.wait_for("rehearsing").unwrap();
    assert_eq!((&first["batch"], &first["batches"]), (&json!(1), &json!(16)));
    consortium.run_as("analyst", "train short.toml").succeeded();
    rehearsal.finish_within(PROMPTLY).failed_with(130).must_mention(&["cancelled"]);
}

/// On public rows, before anything is shared: which layer is nearest to the end of its range, and which
/// scales a learning rate needs that would leave it.
#[test]
fn the_layer_with_the_least_room_is_told() {
    let play = Playground::new();
    play.write("schema.toml", SCHEMA);
    play.write("rows.csv", fruit(48, &["apple", "melon", "plum"]));
    play.write("job.toml", job(2));
    let calm = play.run("range job.toml --data rows.csv").succeeded();
    assert_eq!(calm["overflow"], Value::Null);
    let peaks = calm["peaks"].as_array().unwrap();
    let rooms: Vec<f64> = peaks.iter().map(|peak| peak["room_bits"].as_f64().unwrap()).collect();
    assert!(rooms[0] > 0.0 && rooms.is_sorted(), "{rooms:?}");
    let of = |step: &str| peaks.iter().find(|peak| peak["step"] == step).map(|peak| &peak["layer"]);
    assert_eq!(of("forward-1"), Some(&json!(1)), "{peaks:?}");

    // Scales that leave one bit before the point.
    let narrow = |head_room: u64| {
        let precision =
            format!("[precision]\nactivations = 24\nerrors = 24\nhead_room = {head_room}");
        format!("{}\n{precision}", job(2).replace("rate = 0.5", "rate = 4"))
    };
    play.write("job.toml", narrow(1));
    let beyond = play.run("range job.toml --data rows.csv").succeeded();
    assert!(beyond["overflow"].is_string(), "{beyond}");
    let advised = beyond["advice"]["head_room"].as_u64().unwrap();
    assert!(advised > 1, "{beyond}");
    play.write("job.toml", narrow(advised));
    let suits = play.run("range job.toml --data rows.csv").succeeded();
    assert_eq!(suits["overflow"], Value::Null, "{suits}");
}
