//! Sessions that do not go as they should: every fault is named, and nodes stay up.

use crate::common;
use crate::common::{Trial, job, last_line, schema};
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use runner::control::{Dialer, FaultKind, Reason, Request, SessionEnd, SessionEvent, SessionFault};
use runner::job::Job;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// More epochs than any test waits for.
const ENDLESS: usize = 50_000;

/// A `tercet train` under way, its output read line by line.
struct Training {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Training {
    /// Starts an endless training and waits until it makes progress.
    fn under_way(trial: &Trial) -> Self {
        trial.job("endless", &job(ENDLESS));
        let mut child = trial
            .command("analyst", &["train", "endless.toml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut training = Training { child, output };
        training.wait_for("progress");
        training
    }

    /// Reads up to an event of this name.
    fn wait_for(&mut self, event: &str) {
        while self.line()["event"] != event {}
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the training ended");
        serde_json::from_str(&line).unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; returns the exit code and the last line.
    fn end(mut self) -> (Option<i32>, Value) {
        let mut last = Value::Null;
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            last = serde_json::from_str(&line).unwrap();
            line.clear();
        }
        (self.child.wait().unwrap().code(), last)
    }
}

/// Waits until no node runs a session.
fn wait_until_idle(trial: &Trial) {
    loop {
        let status = trial.ok("analyst", &["status"]);
        let nodes = status["nodes"].as_array().unwrap();
        if nodes.iter().all(|node| node["status"]["running"] == 0) {
            return;
        }
    }
}

/// Requests a session with a request of its own at each party, and returns how it ended there.
fn request(trial: &Trial, requests: [Request; 3]) -> [SessionEvent; 3] {
    let (consortium, identity) = (trial.consortium(), trial.identity("analyst"));
    let one = async |party: PartyId, request: &Request| {
        let dialer = Dialer::new(&consortium, &identity, PATIENCE);
        let mut framed = dialer.control(party).await.unwrap().request(request).await.unwrap();
        loop {
            match framed.receive_message().await.unwrap() {
                SessionEvent::Running { .. } | SessionEvent::Alive => {}
                SessionEvent::Checking(_) | SessionEvent::Progress(_) => {}
                SessionEvent::Forecast(_) | SessionEvent::Evidence(_) => {}
                end => return end,
            }
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let [a, b, c] = &requests;
        let (a, b, c) = tokio::join!(one(PartyId::P0, a), one(PartyId::P1, b), one(PartyId::P2, c));
        [a, b, c]
    })
}

fn train(session: u8, job: &str) -> Request {
    let job = Job::from_toml(job, "test").unwrap().to_toml();
    Request::Train { session: SessionId([session; 16]), job, schema: schema().to_toml() }
}

fn fault(event: &SessionEvent) -> &SessionFault {
    match event {
        SessionEvent::Ended(SessionEnd::Failed(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_party_that_dies_is_named_with_the_step_and_the_others_go_on() {
    for victim in 0..3 {
        let mut trial = Trial::running().with_data(60);
        let training = Training::under_way(&trial);
        trial.kill(victim);
        let (code, last) = training.end();
        let message = last["error"].as_str().unwrap();
        assert_eq!(code, Some(1), "{last}");
        assert!(message.contains(&format!("lost party {victim} at step epoch-")), "{message}");
        assert!(message.contains("/batch-"), "{message}");
        let survivors: Vec<usize> = (0..3).filter(|&party| party != victim).collect();
        for &party in &survivors {
            assert!(message.contains(&format!("party {party}")), "{message}");
            assert!(trial.is_up(party));
            trial.await_log(party, &format!("lost party {victim}"));
        }

        trial.start(victim);
        trial.job("short", &job(1));
        trial.ok("analyst", &["train", "short.toml"]);
    }
}

/// Most protocols pass their messages from each party to the one before it: party 0 waits for
/// party 1, and party 2 waits for party 0. It is party 2 that loses patience first here.
#[test]
fn a_party_that_freezes_is_named_also_by_one_that_waits_for_another() {
    let mut trial = Trial::new();
    trial.limit(2, "round-timeout-seconds", 1);
    (0..3).for_each(|party| trial.start(party));
    let trial = trial.with_data(60);
    let training = Training::under_way(&trial);
    trial.freeze(1);
    let (code, last) = training.end();
    let message = last["error"].as_str().unwrap();
    assert_eq!(code, Some(1), "{last}");
    assert!(message.contains("lost party 1 at step epoch-"), "{message}");
    assert!(message.contains("(reported by party 0 and party 2; evidence at"), "{message}");
    for party in [0, 2] {
        trial.await_log(party, "lost party 1 at step");
    }
}

#[test]
fn ctrl_c_cancels_at_all_parties_and_exits_with_130() {
    let trial = Trial::running().with_data(60);
    let training = Training::under_way(&trial);
    training.signal(rustix::process::Signal::INT);
    let (code, last) = training.end();
    assert_eq!(code, Some(130), "{last}");
    assert!(last["error"].as_str().unwrap().starts_with("cancelled; the parties have stopped"));
    for party in 0..3 {
        trial.await_log(party, "session cancelled");
        assert!(!trial.log(party).contains("session failed"), "{}", trial.log(party));
    }
    trial.job("short", &job(1));
    trial.ok("analyst", &["train", "short.toml"]);
}

#[test]
fn a_client_that_is_killed_ends_its_session() {
    let trial = Trial::running().with_data(60);
    let training = Training::under_way(&trial);
    training.signal(rustix::process::Signal::KILL);
    training.end();
    wait_until_idle(&trial);
    for party in 0..3 {
        trial.await_log(party, "session cancelled");
    }
}

#[test]
fn a_node_that_is_asked_to_stop_ends_its_session_in_order() {
    let mut trial = Trial::running().with_data(60);
    let training = Training::under_way(&trial);
    assert!(trial.terminate(2), "exit code 0 after SIGTERM");
    let (code, last) = training.end();
    assert!(code == Some(130) || code == Some(1), "{last}");
    trial.await_log(2, "session cancelled");
    assert!(trial.is_up(0) && trial.is_up(1));
}

#[test]
fn parties_with_different_jobs_tell_what_differs_and_with_whom() {
    let trial = Trial::running().with_data(60);
    let ends = request(&trial, [train(1, &job(1)), train(1, &job(1)), train(1, &job(2))]);
    for (party, end) in ends.iter().enumerate() {
        let fault = fault(end);
        assert_eq!(fault.kind, FaultKind::Disagreement, "{fault:?}");
        assert!(fault.message.contains("the digest of the job is"), "{fault:?}");
        let other = if party == 2 { "party" } else { "party 2" };
        assert!(fault.message.contains(other), "party {party}: {fault:?}");
    }
}

#[test]
fn data_that_one_party_lacks_are_named() {
    let trial = Trial::running().with_data(60);
    trial.share("hospital-a", "late", 30, 3);
    for party in [0, 1] {
        let file = trial.share_file("hospital-a", "late", party);
        trial.ok("hospital-a", &["submit", file.to_str().unwrap()]);
    }
    trial.job("job", &job(1));
    let error = trial.fails("analyst", &["train", "job.toml"]);
    assert!(error.contains("the parties do not agree: data set"), "{error}");
    assert!(error.contains("of hospital-a is"), "{error}");

    let text = job(1).replace("[model]", "from = [\"analyst\"]\n[model]");
    trial.job("nothing", &text);
    let error = trial.fails("analyst", &["train", "nothing.toml"]);
    assert!(error.contains("analyst has submitted nothing for schema"), "{error}");
}

#[test]
fn a_session_id_is_used_once() {
    let trial = Trial::running().with_data(60);
    let requests = || [0, 1, 2].map(|_| train(5, &job(1)));
    for end in request(&trial, requests()) {
        assert!(matches!(end, SessionEvent::Ended(SessionEnd::Finished(_))), "{end:?}");
    }
    for end in request(&trial, requests()) {
        let SessionEvent::Refused(refusal) = end else { panic!("{end:?}") };
        assert_eq!(refusal.reason, Reason::SessionUsed);
    }
}

#[test]
fn a_party_does_not_start_sessions() {
    let trial = Trial::running().with_data(30);
    trial.job("job", &job(1));
    let output = common::tercet()
        .args(["train", "job.toml", "--json", "--consortium"])
        .arg(trial.consortium_file())
        .arg("--identity")
        .arg(trial.path("trial/party1/party1.key"))
        .current_dir(trial.path("."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = last_line(&output);
    assert!(error["error"].as_str().unwrap().contains("only members start sessions"), "{error}");
}

#[test]
fn a_party_that_is_not_there_is_named() {
    let mut trial = Trial::running().with_data(60);
    trial.job("job", &job(1));
    trial.kill(1);
    let error = trial.fails("analyst", &["train", "job.toml"]);
    assert!(error.contains("cannot reach party 1 at 127.0.0.1:"), "{error}");
}

#[test]
fn a_party_that_was_not_asked_to_join_is_named() {
    let mut trial = Trial::new();
    for party in 0..3 {
        trial.limit(party, "connect-timeout-seconds", 1);
        trial.start(party);
    }
    let trial = trial.with_data(60);
    // Party 2 is asked for another session, so that the first one waits for it in vain.
    let ends = request(&trial, [train(1, &job(1)), train(1, &job(1)), train(2, &job(1))]);
    for end in &ends {
        let fault = fault(end);
        assert_eq!(fault.kind, FaultKind::PeerLost, "{fault:?}");
    }
    assert_eq!(fault(&ends[0]).peer, Some(PartyId::P2), "{ends:?}");
    assert_eq!(fault(&ends[1]).peer, Some(PartyId::P2), "{ends:?}");
}

#[test]
fn a_job_that_cannot_be_run_is_explained() {
    let trial = Trial::running().with_data(60);
    let text = job(1).replace("softmax-cross-entropy", "logistic");
    trial.job("job", &text);
    let error = trial.fails("analyst", &["train", "job.toml"]);
    assert!(error.contains("does not fit the data"), "{error}");
    trial.job("receiver", &job(1).replace("\"analyst\"", "\"nobody\""));
    let error = trial.fails("analyst", &["train", "receiver.toml"]);
    assert!(error.contains("nobody is no member of the consortium"), "{error}");

    trial.job("never", &job(3));
    let error = trial.fails("analyst", &["model", "fetch", "--job", "never.toml"]);
    assert!(error.contains("there is no finished session of this job"), "{error}");
}

#[test]
fn a_share_file_that_was_altered_on_the_disk_of_a_party_is_not_used() {
    let mut trial = Trial::running().with_data(60);
    trial.terminate(1);
    let store = trial.path("trial/party1/data/submissions");
    let file = std::fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
    common::flip_a_bit(&file);
    trial.start(1);
    trial.job("job", &job(1));
    let output = trial.command("analyst", &["train", "job.toml"]).output().unwrap();
    let error = last_line(&output);
    assert!(error["error"].as_str().unwrap().contains("cannot be used"), "{error}");
    assert!(trial.is_up(1));
}
