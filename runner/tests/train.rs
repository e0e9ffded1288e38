//! From submitted shares to a model, with real nodes and real sockets.

mod common;

use common::{Trial, job, rows_of};
use runner::model::ReleasedModel;

#[test]
fn a_model_is_trained_on_shares_and_only_its_receiver_can_fetch_it() {
    let trial = Trial::running().with_data(120);
    trial.job("job", &job(10));
    let trained = trial.ok("hospital-a", &["train", "job.toml"]);
    assert_eq!(trained["iterations"], 120);
    assert_eq!(trained["security"], "semi-honest");
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
