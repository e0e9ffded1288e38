//! Submitting share files: receipts, repetition, refusals, crashes and full disks.

use crate::common::{Trial, flip_a_bit, last_line, tercet};
use runner::control::{ControlError, Dialer, Reason, Refusal, upload};
use runner::digest::Digest;
use runner::receipt::Receipt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a file to a party as a member, without the checks of `tercet submit`.
fn send(trial: &Trial, member: &str, party: usize, file: &Path) -> Result<Vec<u8>, ControlError> {
    let (consortium, identity) = (trial.consortium(), trial.identity(member));
    let bytes = fs::read(file).unwrap();
    let party = u8::try_from(party).unwrap().try_into().unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let client = Dialer::new(&consortium, &identity, PATIENCE).control(party).await?;
        let file = tokio::fs::File::open(file).await.unwrap();
        upload(client, file, bytes.len() as u64, Digest::of_bytes(&bytes), |_| {}).await
    })
}

fn refusal(trial: &Trial, member: &str, party: usize, file: &Path) -> Refusal {
    match send(trial, member, party, file) {
        Err(ControlError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn submissions(trial: &Trial) -> Vec<u64> {
    let status = trial.ok("analyst", &["status"]);
    let nodes = status["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["status"]["submissions"].as_u64().unwrap()).collect()
}

#[test]
fn receipts_verify_and_repetition_is_harmless() {
    let trial = Trial::running();
    let manifest = trial.share("hospital-a", "ward", 50, 1);
    let first = trial.ok("hospital-a", &["submit", "hospital-a"]);
    assert_eq!(first["delivered"].as_array().unwrap().len(), 3);
    let receipts: Vec<Receipt> = (0..3)
        .map(|party| {
            let path = trial.path(&format!("hospital-a/ward.party{party}.receipt.json"));
            let receipt = Receipt::load(&path).unwrap();
            receipt.verify(&trial.consortium()).unwrap();
            assert_eq!(receipt.manifest, manifest.digest());
            assert_eq!(receipt.rows, 50);
            receipt
        })
        .collect();
    for (party, receipt) in receipts.iter().enumerate() {
        let again =
            send(&trial, "hospital-a", party, &trial.share_file("hospital-a", "ward", party));
        assert_eq!(&Receipt::from_json(&again.unwrap()).unwrap(), receipt);
    }
    assert_eq!(submissions(&trial), [1, 1, 1]);
}

#[test]
fn an_accepted_submission_survives_kill_9() {
    let mut trial = Trial::running();
    trial.share("hospital-a", "ward", 50, 1);
    trial.ok("hospital-a", &["submit", "hospital-a"]);
    let before = fs::read(trial.path("hospital-a/ward.party1.receipt.json")).unwrap();
    for party in 0..3 {
        trial.kill(party);
        trial.start(party);
    }
    assert_eq!(submissions(&trial), [1, 1, 1]);
    let after = send(&trial, "hospital-a", 1, &trial.share_file("hospital-a", "ward", 1));
    assert_eq!(after.unwrap(), before, "the same receipt, byte by byte");
}

#[test]
fn what_is_not_a_whole_share_file_of_its_sender_for_this_party_is_refused() {
    let trial = Trial::running();
    trial.share("hospital-a", "ward", 50, 1);
    let file = |party| trial.share_file("hospital-a", "ward", party);

    let wrong_party = refusal(&trial, "hospital-a", 1, &file(2));
    assert_eq!(wrong_party.reason, Reason::BadShareFile);
    assert!(
        wrong_party.message.contains("meant for party2 (party 2), not for party1"),
        "{wrong_party}"
    );

    let other_sender = refusal(&trial, "hospital-b", 1, &file(1));
    assert_eq!(other_sender.reason, Reason::BadShareFile);
    assert!(
        other_sender.message.contains("is of hospital-a, but hospital-b sends it"),
        "{other_sender}"
    );

    let whole = fs::read(file(1)).unwrap();
    let cut = trial.path("cut.tercet");
    for length in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).unwrap();
        let refusal = refusal(&trial, "hospital-a", 1, &cut);
        assert!(refusal.message.contains("cut short"), "{refusal}");
    }
    flip_a_bit(&file(1));
    let altered = refusal(&trial, "hospital-a", 1, &file(1));
    assert!(altered.message.contains("signature of hospital-a does not verify"), "{altered}");

    let by_command = trial.fails("hospital-a", &["submit", "hospital-a"]);
    assert!(by_command.contains("ward.party1.tercet: the signature of hospital-a"), "{by_command}");
    assert_eq!(submissions(&trial), [0, 0, 0], "nothing was stored, not even partly");
    for party in 0..3 {
        let incoming = trial.path(&format!("trial/party{party}/data/incoming"));
        assert_eq!(fs::read_dir(incoming).unwrap().count(), 0);
    }
}

#[test]
fn another_content_under_a_known_id_is_refused() {
    let trial = Trial::running();
    trial.share("hospital-a", "ward", 50, 1);
    trial.ok("hospital-a", &["submit", "hospital-a"]);
    fs::remove_dir_all(trial.path("hospital-a")).unwrap();
    // The same seed gives the same id.
    trial.share("hospital-a", "ward", 51, 1);
    let conflict = refusal(&trial, "hospital-a", 0, &trial.share_file("hospital-a", "ward", 0));
    assert_eq!(conflict.reason, Reason::Conflict);
    assert!(conflict.message.contains("submitted before with other content"), "{conflict}");
    assert_eq!(submissions(&trial), [1, 1, 1]);
}

#[test]
fn a_party_does_not_submit_and_a_stranger_does_not_connect() {
    let trial = Trial::running();
    trial.share("hospital-a", "ward", 5, 1);
    let strangers = Trial::new();
    let output = tercet()
        .args(["submit", "hospital-a", "--json", "--consortium"])
        .arg(trial.consortium_file())
        .arg("--identity")
        .arg(strangers.key("hospital-a"))
        .current_dir(trial.path("."))
        .output()
        .unwrap();
    let error = last_line(&output);
    assert!(error["error"].as_str().unwrap().contains("lists other keys of hospital-a"), "{error}");

    let party_key = trial.path("trial/party0/party0.key");
    let output = tercet()
        .args(["submit", "hospital-a", "--json", "--consortium"])
        .arg(trial.consortium_file())
        .arg("--identity")
        .arg(party_key)
        .current_dir(trial.path("."))
        .output()
        .unwrap();
    let error = last_line(&output);
    assert!(
        error["error"].as_str().unwrap().contains("it is of hospital-a, not of party0"),
        "{error}"
    );
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_sent() {
    let mut trial = Trial::new();
    trial.limit(1, "max-submission-bytes", 1000);
    (0..3).for_each(|party| trial.start(party));
    trial.share("hospital-a", "ward", 500, 1);
    let error = trial.fails("hospital-a", &["submit", "hospital-a"]);
    assert!(error.starts_with("1 of 3 share files were not stored"), "{error}");
    assert!(error.contains("this node takes 1000 at most"), "{error}");
    assert_eq!(submissions(&trial), [1, 0, 1]);
}

#[test]
fn a_node_without_room_says_so_keeps_nothing_and_goes_on() {
    let mut trial = Trial::new();
    // A limit on the size of files, with its signal ignored, acts as a full disk.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""]);
    limited.arg(env!("CARGO_BIN_EXE_tercet"));
    trial.start_with(1, limited);
    trial.start(0);
    trial.start(2);
    trial.share("hospital-a", "big", 40_000, 1);
    let error = trial.fails("hospital-a", &["submit", "hospital-a"]);
    assert!(error.contains("the node has no room left to store this"), "{error}");
    let incoming = trial.path("trial/party1/data/incoming");
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0, "nothing half-stored");
    assert_eq!(submissions(&trial), [1, 0, 1]);

    trial.share("hospital-b", "small", 50, 2);
    trial.ok("hospital-b", &["submit", "hospital-b"]);
    trial.kill(1);
    trial.start(1);
    trial.ok("hospital-a", &["submit", "hospital-a"]);
    assert_eq!(submissions(&trial), [2, 2, 2]);
}
