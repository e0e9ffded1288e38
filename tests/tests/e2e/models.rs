//! Fetching a model: the receiver gets it whole and as all three parties signed it, or not at all.

use crate::support::consortium::Consortium;
use crate::support::playground::Playground;
use crate::support::rows::{SCHEMA, fruit, job};
use mpc_core::party::PartyId;
use runner::identity::Identity;
use runner::model::ModelShare;
use std::fs;
use std::path::PathBuf;

/// A consortium that has trained two models of one job.
struct Trained<'p> {
    consortium: Consortium<'p>,
    sessions: [String; 2],
}

impl<'p> Trained<'p> {
    fn twice(play: &'p Playground) -> Self {
        let consortium = Consortium::start(play);
        play.write("schema.toml", SCHEMA);
        play.write("job.toml", job(1));
        for ward in ["ward-a", "ward-b"] {
            consortium.contribute(ward, &fruit(24, &["apple", "melon", "plum"]));
        }
        consortium.approve("job.toml");
        let sessions = [0; 2].map(|_| {
            let trained = consortium.run_as("ward-a", "train job.toml").succeeded();
            trained["session"].as_str().unwrap().to_owned()
        });
        Trained { consortium, sessions }
    }

    /// Where a party keeps its share of the model of a session.
    fn share(&self, party: usize, session: usize) -> PathBuf {
        let dir = self.consortium.files.nodes[party].parent().unwrap();
        dir.join(format!("data/models/{}.model", self.sessions[session]))
    }

    /// The latest share of party 1, altered by that party and sealed and signed again.
    fn lie(&self) -> Vec<u8> {
        let dir = self.consortium.files.nodes[1].parent().unwrap();
        let party = Identity::load(&dir.join("party1.key")).unwrap();
        let receiver = Identity::load(self.consortium.files.key("analyst")).unwrap();
        let sealed = fs::read(self.share(1, 1)).unwrap();
        let (mut share, _) =
            ModelShare::open(&sealed, PartyId::P1, party.card(), &receiver).unwrap();
        share.first[0] ^= 1;
        share.seal(PartyId::P1, &party, receiver.card()).unwrap()
    }
}

#[test]
fn a_share_that_one_party_altered_gives_no_model_and_names_that_party() {
    let play = Playground::new();
    let trained = Trained::twice(&play);
    let consortium = &trained.consortium;
    let fetch = "model fetch --job job.toml -o model";
    let honest = fs::read(trained.share(1, 1)).unwrap();
    let flipped = |at: usize| {
        let mut bytes = honest.clone();
        bytes[at] ^= 1;
        bytes
    };
    let refused = "the share of party 1 is refused";
    for (share, reasons) in [
        (flipped(3), [refused, "not a sealed file"]),
        (flipped(honest.len() / 2), [refused, "signature of party1 does not verify"]),
        (flipped(honest.len() - 1), [refused, "signature of party1 does not verify"]),
        (honest[..honest.len() - 70].to_vec(), [refused, "cut short"]),
        (Vec::new(), [refused, "cut short"]),
        (fs::read(trained.share(2, 1)).unwrap(), [refused, "signature of party1 does not verify"]),
        (
            fs::read(trained.share(1, 0)).unwrap(),
            [refused, "its session is not that of the others"],
        ),
        (trained.lie(), ["party 0 and party 1 hold different copies", "one of them altered it"]),
    ] {
        fs::write(trained.share(1, 1), share).unwrap();
        consortium.run_as("analyst", fetch).failed().must_mention(&reasons);
        assert!(play.is_untouched("model"), "{reasons:?}");
    }
    fs::remove_file(trained.share(1, 1)).unwrap();
    consortium.run_as("analyst", fetch).failed().must_mention(&["party 1"]);
    assert!(play.is_untouched("model"));

    fs::write(trained.share(1, 1), honest).unwrap();
    let fetched = consortium.run_as("analyst", fetch).succeeded();
    assert_eq!(fetched["session"], trained.sessions[1], "the latest is fetched");
    consortium.run_as("analyst", fetch).failed().must_mention(&["exists already"]);
    let first = format!("model fetch --session {} -o first", trained.sessions[0]);
    consortium.run_as("analyst", &first).succeeded();
}

#[test]
fn only_the_receiver_gets_a_model_and_an_altered_one_is_not_used() {
    let play = Playground::new();
    let trained = Trained::twice(&play);
    let consortium = &trained.consortium;
    let session = &trained.sessions[1];
    let fetch = format!("model fetch --session {session} -o model");
    let complaint = consortium.run_as("ward-a", &fetch).failed();
    complaint.must_mention(&[session, "is for analyst, not for ward-a"]);
    let unknown = format!("model fetch --session {} -o model", "0123456789abcdef".repeat(2));
    consortium.run_as("analyst", &unknown).failed().must_mention(&["there is no session 0123"]);
    assert!(play.is_untouched("model"));
    consortium.run_as("analyst", &fetch).succeeded();

    play.write("test.csv", fruit(30, &["apple", "plum"]));
    let used = |expected: &[&str]| {
        for command in ["evaluate model --data test.csv", "predict model --data test.csv -o p.csv"]
        {
            play.run(command).failed().must_mention(expected);
            assert!(play.is_untouched("p.csv"));
        }
    };
    let weights = play.read("model/model.safetensors");
    let mut altered = weights.clone();
    *altered.last_mut().unwrap() ^= 1;
    play.write("model/model.safetensors", altered);
    used(&["model.safetensors does not belong to its model.json"]);
    play.write("model/model.safetensors", &weights[..weights.len() - 1]);
    used(&["model.safetensors does not belong to its model.json"]);
    play.write("model/model.safetensors", weights);

    let card = play.read_text("model/model.json");
    // Were the classes exchanged in the card, apples would be taken for plums.
    let exchanged = card.replace("apple", "?").replace("plum", "apple").replace('?', "plum");
    play.write("model/model.json", exchanged);
    used(&["the schema of the model has digest", "but the parties agreed on"]);
    play.write("model/model.json", &card[..card.len() / 2]);
    used(&["model.json"]);
    play.write("model/model.json", card);
    play.run("evaluate model --data test.csv").succeeded();
}
