//! From submitted shares to a model, with real nodes and real sockets.

use crate::common::{Trial, job, rows_of};
use runner::model::ReleasedModel;

#[test]
fn a_model_is_trained_on_shares_and_only_its_receiver_can_fetch_it() {
    let trial = Trial::running().with_data(120);
    trial.job("job", &job(10));
    let trained = trial.ok("hospital-a", &["train", "job.toml"]);
    assert_eq!(trained["iterations"], 120);
    assert_eq!(trained["security"], "malicious");
    let pids: Vec<u64> = (0..3).map(|party| trial.pid(party).into()).collect();
    assert_eq!(trained["pids"].as_array().unwrap().len(), 3);
    assert_eq!(trained["pids"], serde_json::json!(pids));
    for figures in ["bytes_sent_per_party", "peak_rss_bytes"] {
        let figures = trained[figures].as_array().unwrap();
        assert!(figures.iter().all(|figure| figure.as_u64().unwrap() > 10_000), "{figures:?}");
    }
    assert!(trained["rounds"].as_u64().unwrap() > 120);

    let refused = trial.fails("hospital-a", &["model", "fetch", "--job", "job.toml", "-o", "m"]);
    assert!(refused.contains("is for analyst, not for hospital-a"), "{refused}");
    let fetched = trial.ok("analyst", &["model", "fetch", "--job", "job.toml", "-o", "model"]);
    assert_eq!(fetched["session"], trained["session"]);
    assert_eq!(fetched["agreement"], trained["agreement"]);

    let model = ReleasedModel::load(&trial.path("model")).unwrap();
    let data = rows_of(300, 9);
    let outputs = model.model.outputs(data.features()).unwrap();
    let classes = model.model.classes(&outputs).unwrap();
    let right = classes.iter().enumerate().filter(|(row, class)| row % 3 == **class).count();
    assert!(right > 290, "{right} of 300 unseen rows are classified rightly");
}

/// Two parties read the rows of each batch from files, which cannot be told from outside.
#[test]
fn rows_need_not_be_in_memory() {
    let mut trial = Trial::new();
    for (party, bytes) in [(0, 0), (1, 1 << 20), (2, 0)] {
        trial.limit(party, "rows-in-memory-bytes", bytes);
        trial.start(party);
    }
    let trial = trial.with_data(121);
    for security in ["semi-honest", "malicious"] {
        let text = format!(
            "reveal = [\"model\", \"accuracy\"]\nsecurity = \"{security}\"\ncheck_inputs = \"all\"\n{}\n\
             [validation]\nfraction = 0.3\nmetrics = [\"accuracy\"]",
            job(5)
        );
        trial.job("job", &text);
        let trained = trial.ok("analyst", &["train", "job.toml"]);
        assert!(trained["figures"]["accuracy"].as_f64().unwrap() > 0.9, "{trained}");
        let outputs = outputs_of(&trial, "job");
        let right = outputs.rows().into_iter().enumerate().filter(|(row, outputs)| {
            outputs.iter().enumerate().all(|(class, x)| *x <= outputs[row % 3] || class == row % 3)
        });
        assert!(right.count() >= 28, "of 30 rows");
        std::fs::remove_dir_all(trial.path("job")).unwrap();
    }
    for (party, in_memory) in [(0, false), (1, true), (2, false)] {
        trial.await_log(party, &format!("\"in_memory\":{in_memory}"));
    }
}

/// Rows of a named data set are judged by and not trained on, whoever's the others are.
#[test]
fn a_data_set_is_kept_back_by_name() {
    let trial = Trial::running();
    trial.share("hospital-a", "ward", 60, 1);
    let kept = trial.share("hospital-b", "ward", 45, 2);
    for member in ["hospital-a", "hospital-b"] {
        trial.ok(member, &["submit", member]);
    }
    let validation = |set: &str| {
        format!(
            "reveal = [\"model\", \"accuracy\"]\n{}\n[validation]\nsets = [\"{set}\"]\n\
             metrics = [\"accuracy\"]",
            job(2).replace("[data]", "[data]\nfrom = [\"hospital-a\"]")
        )
    };
    trial.job("job", &validation(&kept.id.to_string()));
    let trained = trial.ok("analyst", &["train", "job.toml", "--rehearse"]);
    // The parties know how many rows they judge by.
    let forecast = &trained["forecast"];
    assert_eq!((&forecast["iterations"], &forecast["evaluations"]), (&6.into(), &1.into()));
    let [foretold, came] = [forecast, &trained].map(|of| of["rounds"].as_f64().unwrap());
    assert!((foretold - came).abs() < 0.01 * came, "{foretold} rounds were foretold, {came} came");
    // Two epochs of 60 rows, 20 a batch.
    assert_eq!(trained["iterations"], 6);
    let accuracy = trained["figures"]["accuracy"].as_f64().unwrap();
    let right = accuracy * 45.0;
    assert!((right - right.round()).abs() < 1e-6 && accuracy > 0.5, "{accuracy}");

    trial.job("job", &validation("00112233445566778899aabbccddeeff"));
    let error = trial.fails("analyst", &["train", "job.toml"]);
    assert!(error.contains("no data set 00112233445566778899aabbccddeeff to judge by"), "{error}");
}

/// The outputs of the model that the analyst fetches of a job, for rows that nobody trained on.
fn outputs_of(trial: &Trial, job: &str) -> ndarray::Array2<f64> {
    let file = format!("{job}.toml");
    trial.ok("analyst", &["model", "fetch", "--job", &file, "-o", job]);
    let model = ReleasedModel::load(&trial.path(job)).unwrap();
    model.model.outputs(rows_of(30, 9).features()).unwrap()
}

/// So slow a training leaves what it started from: a model that was trained, or a file.
#[test]
fn a_training_starts_from_a_model_that_the_parties_keep() {
    let trial = Trial::running().with_data(60);
    let unit = |text: String| format!("{text}\n[features]\nscaling = \"unit\"");
    let base = |policy: &str| unit(format!("{}\n[inference]\n{policy}", job(5)));
    trial.job("base", &base("fine_tune = true\nmembers = [\"analyst\"]"));
    let trained = trial.ok("analyst", &["train", "base.toml"]);
    let expected = outputs_of(&trial, "base");
    let import = ["model", "import", "base", "--job", "base.toml"];
    let imported = trial.ok("analyst", &import);
    let next = |name: &str, start: &serde_json::Value, change: &dyn Fn(String) -> String| {
        let text = format!("start = {start}\n{}", job(1));
        let text = text.replace("rate = 0.5", "rate = 1e-9").replace("kinds", name);
        trial.job(name, &unit(change(text)));
    };
    for (name, id) in [("trained", &trained["kept"]), ("imported", &imported["model"])] {
        next(name, id, &|text| text);
        trial.ok("analyst", &["train", &format!("{name}.toml")]);
        let far = (&outputs_of(&trial, name) - &expected).fold(0.0, |far: f64, x| far.max(x.abs()));
        assert!(far < 2e-3, "{name}: {far}");
    }

    let refused = |start, change: &dyn Fn(String) -> String, who, words: &str| {
        next("refused", start, change);
        let error = trial.fails(who, &["train", "refused.toml"]);
        assert!(error.contains(words), "{error}");
    };
    let (kept, same) = (&trained["kept"], |text: String| text);
    refused(kept, &same, "hospital-a", "does not say fine_tune");
    let wider = |text: String| text.replace("dense = 8", "dense = 9");
    refused(kept, &wider, "analyst", "it has no 0.weight of 9 x 4");
    let deeper = |text: String| text.replace("\"relu\",", "\"relu\", { dense = 8 },");
    refused(kept, &deeper, "analyst", "it has no 2.weight of 8 x 8");
    let unknown = serde_json::json!("00112233445566778899aabbccddeeff");
    refused(&unknown, &same, "analyst", "keeps no model 00112233445566778899aabbccddeeff");
    trial.job("closed", &base(""));
    let closed = trial.ok("analyst", &["train", "closed.toml"]);
    refused(&closed["kept"], &same, "analyst", "does not say fine_tune");
    let weaker = |text: String| format!("security = \"semi-honest\"\n{text}");
    refused(kept, &weaker, "analyst", "trained with security = \"malicious\"");
}

/// The head-room of one bit is too little for these rows, that by default is not.
#[test]
fn a_debug_run_tells_how_many_numbers_left_their_range() {
    let trial = Trial::running().with_data(60);
    let debug = |more: &str| {
        let job = format!("reveal = [\"model\", \"range-violations\"]\n{}{more}", job(1));
        trial.job("job", &format!("{job}\n[debug]\ncount_range_violations = true"));
        trial.ok("analyst", &["train", "job.toml"])["range_violations"].clone()
    };
    let beyond = |counts: &serde_json::Value| -> u64 {
        counts.as_array().unwrap().iter().map(|count| count["beyond"].as_u64().unwrap()).sum()
    };
    let counts = debug("\n[precision]\nhead_room = 1");
    assert_eq!((&counts[0]["layer"], &counts[0]["what"]), (&1.into(), &"outputs".into()));
    assert_eq!((&counts[0]["bound"], &counts[0]["of"]), (&2.0.into(), &(60 * 8 * 2).into()));
    assert!(beyond(&counts) > 0, "{counts}");
    let counts = debug("");
    assert_eq!((&counts[0]["bound"], beyond(&counts)), (&512.0.into(), 0));
}
