//! What the parties of a session must have in common before they compute.

use crate::digest::{Canonical, Digest};
use crate::identity::Name;
use crate::sharefile::DataSetId;
use crate::triples::{StockOffer, merge};
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};

/// Most differences that a message tells one by one.
const MAX_TOLD: usize = 4;

/// One data set of a session, as a party holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataSetDigest {
    /// Its id.
    pub id: DataSetId,
    /// Who submitted it.
    pub owner: Name,
    /// Digest of the manifest that its owner signed, which commits to the three
    /// components: what the parties hold of it in common.
    pub manifest: Digest,
}

/// What one party is about to compute; all three must say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The session.
    pub session: SessionId,
    /// Version of the code.
    pub code: String,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// Digest of the job.
    pub job: Digest,
    /// Digest of the schema.
    pub schema: Digest,
    /// Who asked for the session.
    pub client: Name,
    /// What is asked for.
    pub purpose: Purpose,
    /// Rows of all data sets.
    pub rows: u64,
    /// The data sets in the order in which they are used.
    pub data: Vec<DataSetDigest>,
    /// What there is of the stocks of triples that the job draws from: at first here, and
    /// once the parties have spoken, at all three.
    pub stocks: Vec<StockOffer>,
    /// Digest of the terms of the kept model that the training starts from.
    pub start: Option<Digest>,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Training a model.
    Train,
    /// Making triples for trainings to come.
    Preprocess,
    /// Answering rows with a model that is kept.
    Infer,
    /// Going through a training on made-up rows, to foretell what it will take.
    Rehearse,
}

impl Purpose {
    /// The name in messages and digests.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Train => "training",
            Purpose::Preprocess => "making triples",
            Purpose::Infer => "answering a question",
            Purpose::Rehearse => "a rehearsal",
        }
    }
}

/// What a party says on a fresh link, before any computation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// It is ready to compute this.
    Ready(Box<Agreement>),
    /// It cannot take part.
    Unable(String),
}

impl Agreement {
    /// One digest over everything agreed on, the session itself left out.
    pub fn digest(&self) -> Digest {
        Canonical::new("tercet/agreement/2")
            .text(&self.code)
            .bytes(&self.consortium.0)
            .bytes(&self.job.0)
            .bytes(&self.schema.0)
            .text(self.client.as_str())
            .text(self.purpose.name())
            .number(self.rows)
            .list(self.data.iter(), |to, set| {
                to.bytes(&set.id.0).text(set.owner.as_str()).bytes(&set.manifest.0)
            })
            .list(self.stocks.iter(), |to, offer| {
                let to = to.bytes(&offer.stock.0).number(offer.next);
                to.list(offer.blocks.iter(), |to, (from, end)| to.number(*from).number(*end))
            })
            .list(self.start.iter(), |to, terms| to.bytes(&terms.0))
            .finish()
    }

    /// Keeps of the stocks what a peer has as well.
    pub fn restrict_stocks(&mut self, theirs: &Agreement) {
        self.stocks = merge(&self.stocks, &theirs.stocks);
    }

    /// Whether all that differs is that one party has data sets which the other has not, as
    /// while they are submitted.
    pub fn differs_in_sets_alone(&self, theirs: &Agreement, peer: PartyId) -> bool {
        let shared = |mine: &Agreement, other: &Agreement| {
            let both = |set: &&DataSetDigest| other.data.iter().any(|other| other.id == set.id);
            let data = mine.data.iter().filter(both).cloned().collect();
            // Which triples are needed depends on the rows.
            Agreement { rows: 0, data, stocks: Vec::new(), ..mine.clone() }
        };
        let (mine, others) = (shared(self, theirs), shared(theirs, self));
        self.data != theirs.data && mine.differences(&others, peer).is_empty()
    }

    /// What differs between this party's agreement and that of a peer, in words.
    pub fn differences(&self, theirs: &Agreement, peer: PartyId) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, mine: String, other: String| {
            if mine != other {
                differences.push(format!("{what} is {mine} here and {other} at {peer}"));
            }
        };
        compare("the session", self.session.to_string(), theirs.session.to_string());
        compare("the code version", self.code.clone(), printable(&theirs.code));
        compare("the digest of the consortium", self.consortium.short(), theirs.consortium.short());
        compare("the digest of the job", self.job.short(), theirs.job.short());
        compare("the digest of the schema", self.schema.short(), theirs.schema.short());
        compare("the client", self.client.to_string(), theirs.client.to_string());
        compare("the request", self.purpose.name().into(), theirs.purpose.name().into());
        let short = |start: Option<Digest>| start.map_or("none".into(), |terms| terms.short());
        compare("the model to start from", short(self.start), short(theirs.start));
        self.compare_data(theirs, peer, &mut differences);
        // Every party has stocks of its own; what they have in common is found out later.
        let named = |stocks: &[StockOffer]| stocks.iter().map(|s| s.stock).collect::<Vec<_>>();
        let same = Agreement { stocks: self.stocks.clone(), ..theirs.clone() } == *self
            && named(&self.stocks) == named(&theirs.stocks);
        if differences.is_empty() && !same {
            differences.push(format!("the agreements differ in a detail at {peer}"));
        }
        differences
    }

    fn compare_data(&self, theirs: &Agreement, peer: PartyId, differences: &mut Vec<String>) {
        let find = |sets: &[DataSetDigest], id| sets.iter().find(|set| set.id == id).cloned();
        for mine in &self.data {
            match find(&theirs.data, mine.id) {
                None => differences.push(format!(
                    "data set {} of {} is here but not at {peer}",
                    mine.id, mine.owner
                )),
                Some(other) if other != *mine => differences.push(format!(
                    "data set {} of {} has other content at {peer}: \
                     what its owner sent to the parties does not fit together",
                    mine.id, mine.owner
                )),
                Some(_) => {}
            }
        }
        for other in &theirs.data {
            if find(&self.data, other.id).is_none() {
                differences.push(format!(
                    "data set {} of {} is at {peer} but not here",
                    other.id, other.owner
                ));
            }
        }
    }
}

/// The differences in one sentence.
pub fn sentence(differences: &[String]) -> String {
    let told = differences.iter().take(MAX_TOLD).cloned().collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(MAX_TOLD) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

/// A peer's text, short and without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement() -> Agreement {
        let data = [0xaa, 0xbb].map(|id| DataSetDigest {
            id: DataSetId([id; 16]),
            owner: "hospital-a".parse().unwrap(),
            manifest: Digest([id; 32]),
        });
        Agreement {
            session: SessionId([1; 16]),
            code: "0.1.0".into(),
            consortium: Digest([2; 32]),
            job: Digest([3; 32]),
            schema: Digest([4; 32]),
            client: "analyst".parse().unwrap(),
            purpose: Purpose::Train,
            rows: 20,
            data: data.to_vec(),
            stocks: vec![offer(3, &[(1, 3)])],
            start: None,
        }
    }

    fn offer(next: u64, blocks: &[(u64, u64)]) -> StockOffer {
        StockOffer { stock: Digest([5; 32]), next, blocks: blocks.to_vec() }
    }

    fn told(theirs: &Agreement) -> String {
        sentence(&agreement().differences(theirs, PartyId::P2))
    }

    #[test]
    fn equal_agreements_have_no_difference() {
        assert_eq!(agreement().differences(&agreement(), PartyId::P1), Vec::<String>::new());
        assert_eq!(agreement().digest(), agreement().digest());
    }

    #[test]
    fn each_difference_is_told_with_the_peer() {
        type Edit = fn(&mut Agreement);
        let edits: [(&str, Edit); 11] = [
            ("the request is training here", |a| a.purpose = Purpose::Preprocess),
            ("the agreements differ in a detail", |a| a.rows = 21),
            ("the agreements differ in a detail", |a| a.stocks[0].stock = Digest([9; 32])),
            ("the session is", |a| a.session = SessionId([9; 16])),
            ("the code version is 0.1.0 here and 9 at party 2", |a| a.code = "9".into()),
            ("the consortium is 02020202 here", |a| a.consortium = Digest([9; 32])),
            ("the job is 03030303 here", |a| a.job = Digest([9; 32])),
            ("the schema is 04040404 here", |a| a.schema = Digest([9; 32])),
            ("aa of hospital-a has other content", |a| a.data[0].manifest = Digest([9; 32])),
            ("bb of hospital-a is here but not at party 2", |a| a.data.truncate(1)),
            ("the agreements differ in a detail", |a| a.data.reverse()),
        ];
        for (expected, edit) in edits {
            let mut theirs = agreement();
            edit(&mut theirs);
            assert!(told(&theirs).contains(expected), "{}", told(&theirs));
        }
        let mut more = agreement();
        more.data.push(DataSetDigest { id: DataSetId([0xcc; 16]), ..more.data[0].clone() });
        assert!(told(&more).contains("cc of hospital-a is at party 2 but not here"));
        assert!(agreement().differs_in_sets_alone(&more, PartyId::P2));
        more.data[0].manifest = Digest([9; 32]);
        assert!(!agreement().differs_in_sets_alone(&more, PartyId::P2));
        assert!(!agreement().differs_in_sets_alone(&agreement(), PartyId::P2));
        let mut odd = agreement();
        odd.code = "1\n2".into();
        assert!(told(&odd).contains("1\\n2 at party 2"), "control characters are not passed on");
    }

    #[test]
    fn stocks_may_differ_and_what_is_common_is_used() {
        let mut mine = agreement();
        let mut theirs = agreement();
        theirs.stocks = vec![offer(7, &[(0, 2), (5, 7)])];
        assert_eq!(mine.differences(&theirs, PartyId::P1), Vec::<String>::new());
        mine.restrict_stocks(&theirs);
        theirs.restrict_stocks(&agreement());
        assert_eq!(mine.stocks, [offer(7, &[(1, 2)])]);
        assert_eq!(mine.digest(), theirs.digest());
    }

    #[test]
    fn the_digest_covers_everything_but_the_session() {
        let digest = |edit: fn(&mut Agreement)| {
            let mut edited = agreement();
            edit(&mut edited);
            edited.digest()
        };
        let base = agreement().digest();
        assert_eq!(digest(|a| a.session = SessionId([9; 16])), base);
        assert_ne!(digest(|a| a.data.reverse()), base);
        assert_ne!(digest(|a| a.client = "other".parse().unwrap()), base);
        assert_ne!(digest(|a| a.schema = Digest([9; 32])), base);
        assert_ne!(digest(|a| a.stocks[0].next = 4), base);
        assert_ne!(digest(|a| a.stocks[0].blocks = vec![(1, 2)]), base);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_offers_never_panic(bytes: Vec<u8>) {
            if let Ok(Offer::Ready(theirs)) = crate::control::decode(&bytes) {
                agreement().differences(&theirs, PartyId::P2);
            }
        }

        #[test]
        fn an_altered_offer_is_a_difference(at: proptest::sample::Index, byte: u8) {
            let mut bytes = crate::control::encode(&Offer::Ready(agreement().into())).unwrap();
            let at = at.index(bytes.len());
            proptest::prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(Offer::Ready(theirs)) = crate::control::decode(&bytes) {
                // Digits of an id may be written in capitals: that is the same id.
                let told = agreement().differences(&theirs, PartyId::P2);
                let stocks = agreement().stocks;
                let next_and_blocks_aside = Agreement { stocks: stocks.clone(), ..*theirs.clone() };
                let same = next_and_blocks_aside == agreement()
                    && theirs.stocks.iter().map(|s| s.stock).eq(stocks.iter().map(|s| s.stock));
                proptest::prop_assert_eq!(told.is_empty(), same);
            }
        }
    }
}
