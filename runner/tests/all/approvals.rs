//! Whose data are used: those of owners who have approved the job.

use crate::common::{Trial, job, last_line};

/// A consortium whose parties ask the owners of data, as they do by default.
fn careful() -> Trial {
    let mut trial = Trial::new();
    for party in 0..3 {
        trial.approvals(party, "owners");
        trial.start(party);
    }
    trial.with_data(20)
}

#[test]
fn a_job_runs_when_each_owner_has_approved_it_and_no_longer_when_one_takes_it_back() {
    let trial = careful();
    trial.job("job", &job(1));
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    assert!(refused.contains("hospital-a and hospital-b have not approved job"), "{refused}");

    let approved = trial.ok("hospital-a", &["approve", "job.toml", "--yes"]);
    assert_eq!((&approved["owner"], &approved["granted"]), (&"hospital-a".into(), &true.into()));
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    assert!(refused.contains("hospital-b has not approved job"), "{refused}");
    // Starting a job is as good as approving it, but for oneself only.
    trial.ok("hospital-b", &["train", "job.toml"]);
    trial.fails("hospital-a", &["train", "job.toml"]);
    trial.fails("analyst", &["train", "job.toml"]);

    trial.ok("hospital-b", &["approve", "job.toml", "--yes"]);
    trial.ok("analyst", &["train", "job.toml"]);

    // Another network, or another receiver, is another job.
    trial.job("other", &job(2));
    trial.fails("analyst", &["train", "other.toml"]);
    trial.job("other", &job(1).replace("\"analyst\"", "\"hospital-a\""));
    trial.fails("analyst", &["train", "other.toml"]);

    trial.ok("hospital-a", &["approve", "job.toml", "--withdraw", "--yes"]);
    let refused = trial.fails("analyst", &["train", "job.toml"]);
    assert!(refused.contains("hospital-a has not approved job"), "{refused}");
}

#[test]
fn one_careful_party_is_enough_and_approvals_survive_kill_9() {
    let mut trial = Trial::new();
    trial.approvals(1, "owners");
    (0..3).for_each(|party| trial.start(party));
    let mut trial = trial.with_data(20);
    trial.job("job", &job(1));
    let refused = trial.fails("hospital-a", &["train", "job.toml"]);
    assert!(refused.contains("party 1 cannot take part: hospital-b has not"), "{refused}");
    trial.ok("hospital-b", &["approve", "job.toml", "--yes"]);
    trial.kill(1);
    trial.start(1);
    trial.ok("hospital-a", &["train", "job.toml"]);
}

#[test]
fn approving_fails_clearly() {
    let mut trial = Trial::running();
    trial.job("job", &job(1));
    let refused = trial.fails("hospital-a", &["approve", "job.toml"]);
    assert!(refused.contains("give --yes"), "{refused}");
    trial.kill(2);
    let output = trial.command("hospital-a", &["approve", "job.toml", "--yes"]).output().unwrap();
    let error = last_line(&output)["error"].to_string();
    assert!(error.contains("not approved at 1 of 3 parties: party 2"), "{error}");
}
