//! The path of a consortium, one command after the other, as on separate hosts.

use crate::support::consortium::{Consortium, Files};
use crate::support::playground::Playground;
use crate::support::process::Outcome;
use crate::support::rows::{SCHEMA, fruit, job};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::TcpListener;

const PARTIES: [&str; 3] = ["alpha", "beta", "gamma"];
const MEMBERS: [&str; 3] = ["ward-a", "ward-b", "analyst"];

/// Makes keys at every host, a consortium of the cards, and the nodes' configurations.
///
/// Every participant has a directory of its own; all that passes between them are
/// cards and the consortium file.
fn found(play: &Playground, dir: &str) -> Files {
    let mut fingerprints = HashSet::new();
    let hosts = PARTIES.map(|party| (party, "party")).into_iter();
    for (name, role) in hosts.chain(MEMBERS.map(|member| (member, "member"))) {
        let keygen = format!("keygen --name {name} --role {role} -o {dir}/{name}");
        let made = play.run(&keygen).succeeded();
        assert_eq!((&made["name"], &made["role"]), (&json!(name), &json!(role)));
        assert!(fingerprints.insert(made["fingerprint"].as_str().unwrap().to_owned()));
    }
    // Three ports that are free now, held together so that they differ.
    let held = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = held.each_ref().map(|port| port.local_addr().unwrap().to_string());
    drop(held);
    let card = |name: &&str| format!("{dir}/{name}/{name}.card.toml");
    let cards = PARTIES.iter().chain(&MEMBERS).map(card).collect::<Vec<_>>().join(" ");
    let init = format!("init {dir}/study --cards {cards} --addresses {}", addresses.join(","));
    let made = play.run(&init).succeeded();
    let listed = made["participants"].as_array().unwrap();
    assert!(listed.iter().all(|one| fingerprints.contains(one["fingerprint"].as_str().unwrap())));

    let study = play.read(format!("{dir}/study/consortium.toml"));
    for member in MEMBERS {
        play.write(&format!("{dir}/{member}/consortium.toml"), &study);
    }
    let node = |party: usize| {
        let (name, address) = (PARTIES[party], &addresses[party]);
        play.write(&format!("{dir}/{name}/consortium.toml"), &study);
        let config = format!(
            "party = {party}\nidentity = \"{name}.key\"\nconsortium = \"consortium.toml\"\n\
             listen = \"{address}\"\ndata-dir = \"data\"\n"
        );
        play.write(&format!("{dir}/{name}/party.toml"), config)
    };
    Files {
        consortium: play.path(format!("{dir}/analyst/consortium.toml")),
        nodes: [0, 1, 2].map(node),
        keys: MEMBERS.map(|member| play.path(format!("{dir}/{member}/{member}.key"))).into(),
    }
}

/// What a ward does: check, share, submit, and verify the receipts without asking anyone.
fn contribute(play: &Playground, consortium: &Consortium, ward: &str, table: &str) {
    let host = consortium.files.key(ward).parent().unwrap().display();
    let who = format!("--consortium {host}/consortium.toml --identity {host}/{ward}.key");
    let rows = table.lines().count() - 1;
    play.write(&format!("{ward}/fruit.csv"), table);
    let checked = play.run(&format!("schema --check schema.toml {ward}/fruit.csv")).succeeded();
    assert_eq!(checked["data"]["rows"], rows);

    let share = format!("share {ward}/fruit.csv --schema schema.toml {who} -o {ward}/shares");
    let shared = play.run(&share).succeeded();
    assert_eq!((&shared["rows"], &shared["features"]), (&json!(rows), &json!(4)));
    assert_eq!((&shared["labels"], &shared["schema"]), (&json!(3), &checked["digest"]));
    let submitted = play.run(&format!("submit {ward}/shares {who}")).succeeded();
    for party in 0..3 {
        let (file, delivered) = (&shared["files"][party], &submitted["delivered"][party]);
        assert_eq!((&file["party"], &file["name"]), (&json!(party), &json!(PARTIES[party])));
        assert_eq!(delivered["sha256"], file["sha256"]);
        assert_eq!((&delivered["rows"], &delivered["party"]), (&json!(rows), &json!(party)));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (path, receipt) = (text(&file["path"]), text(&delivered["receipt"]));

        let inspect = format!("inspect {path} --consortium {host}/consortium.toml");
        let header = &play.run(&inspect).succeeded()["header"];
        assert_eq!(header["data_set"]["owner"], ward);
        let verify = format!("verify-receipt {receipt} --file {path}");
        let verify = format!("{verify} --consortium {host}/consortium.toml");
        let verified = play.run(&verify).succeeded();
        assert_eq!((&verified["genuine"], &verified["file_checked"]), (&json!(true), &json!(true)));
        assert_eq!(verified["receipt"]["manifest"], shared["manifest"]);
    }
}

/// Checks what `tercet train` told on the way and in the end.
fn trained(outcome: Outcome, consortium: &Consortium) -> Value {
    let lines = outcome.lines.clone();
    let summary = outcome.succeeded();
    let running = lines.iter().find(|line| line["event"] == "running").unwrap();
    assert_eq!(running["agreement"], summary["agreement"]);
    let progress: Vec<_> = lines.iter().filter(|line| line["event"] == "progress").collect();
    let epochs = progress.iter().map(|line| line["epoch"].as_u64().unwrap());
    assert!(!progress.is_empty() && epochs.is_sorted(), "{lines:?}");
    assert!(
        progress.iter().all(|line| (&line["epochs"], &line["batches"]) == (&json!(8), &json!(8)))
    );

    assert_eq!((&summary["iterations"], &summary["security"]), (&json!(64), &json!("malicious")));
    assert_eq!((&summary["job"], &summary["receiver"]), (&json!("fruit"), &json!("analyst")));
    let pids = [0, 1, 2].map(|party| consortium.node(party).id());
    assert_eq!(summary["pids"], json!(pids), "the nodes themselves computed");
    assert!(summary["rounds"].as_u64() > Some(64) && summary["seconds"].as_f64() > Some(0.0));
    for three in ["bytes_sent_per_party", "peak_rss_bytes"] {
        let figures: Vec<u64> = serde_json::from_value(summary[three].clone()).unwrap();
        assert!(figures.len() == 3 && figures.iter().all(|&figure| figure > 10_000), "{figures:?}");
    }
    summary
}

#[test]
fn separate_commands_train_a_model_as_good_as_its_twin_in_the_clear() {
    let play = Playground::new();
    let consortium = Consortium::start_made(&play, |dir| found(&play, dir));
    play.write("schema.toml", SCHEMA);
    play.write("job.toml", job(8));
    // Only one of the wards has plums.
    contribute(&play, &consortium, "ward-a", &fruit(63, &["apple", "melon"]));
    contribute(&play, &consortium, "ward-b", &fruit(65, &["plum", "apple", "plum", "melon"]));
    let status = consortium.status().map(|status| status.unwrap());
    assert!(status.iter().all(|node| node["submissions"] == 2 && node["running"] == 0));
    let complaint = consortium.run_as("analyst", "train job.toml").failed();
    complaint.must_mention(&["ward-a and ward-b have not approved job"]);
    consortium.approve("job.toml");

    let summary = trained(consortium.run_as("analyst", "train job.toml"), &consortium);
    let fetched = consortium.run_as("analyst", "model fetch --job job.toml -o model").succeeded();
    assert_eq!(fetched["session"], summary["session"]);
    assert_eq!(fetched["signed_by"], json!(PARTIES));

    play.write("test.csv", fruit(200, &["apple", "melon", "plum"]));
    let evaluate = "evaluate model --data test.csv --schema schema.toml";
    let evaluated = play.run(evaluate).succeeded();
    let twin = "twin job.toml --data ward-a/fruit.csv ward-b/fruit.csv --test test.csv";
    let twin = play.run(twin).succeeded();
    let accuracy = |value: &Value| value["accuracy"].as_f64().unwrap();
    assert!(accuracy(&evaluated) > 0.94, "{evaluated}");
    assert!(accuracy(&evaluated) >= accuracy(&twin) - 0.01, "{evaluated} but {twin}");
    assert_eq!(evaluated["classes"], json!(["apple", "melon", "plum"]));
    let confusion: Vec<Vec<u64>> = serde_json::from_value(evaluated["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 200);

    let rows = "colour,weight,size\nred,210,2.1\ngreen,905,2.4\nred,690,8\n";
    play.write("new.csv", rows);
    let predicted = play.run("predict model --data new.csv -o answers.csv").succeeded();
    assert_eq!(predicted["rows"], 3);
    let answers = play.read_text("answers.csv");
    let columns: Vec<_> = answers.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    assert_eq!(columns[0][..4], ["colour", "weight", "size", "prediction"]);
    let kinds: Vec<&str> = columns[1..].iter().map(|row| row[3]).collect();
    assert_eq!(kinds, ["apple", "plum", "melon"]);
}
