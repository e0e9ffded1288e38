//! The consortium: which three parties compute, and who may submit and receive.
//!
//! Every participant holds the same `consortium.toml`. What must be equal is
//! summed up in [`Consortium::digest`], which parties compare before a session.

use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::{Card, Name, Role};
use mpc_core::net::tls::Fingerprint;
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Version of the file format.
const FILE_VERSION: u32 = 1;
/// Most members of a consortium.
const MAX_MEMBERS: usize = 1000;
/// Longest name of a consortium.
const MAX_TITLE_BYTES: usize = 200;

/// Why a consortium file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsortiumError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML of the expected form, or a card in it is damaged.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// The contents contradict the rules of a consortium.
    #[error("the consortium is not valid: {0}")]
    Invalid(String),
}

impl Explain for ConsortiumError {
    fn hint(&self) -> Option<String> {
        match self {
            ConsortiumError::File(e) => e.hint(),
            _ => Some(
                "use the consortium.toml that `tercet init` made, the same at every participant"
                    .into(),
            ),
        }
    }
}

/// One of the three compute parties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Where its node listens, as `host:port`.
    pub address: String,
    /// Its public card.
    pub card: Card,
}

/// A data holder, model owner or other participant who does not compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its public card.
    pub card: Card,
}

/// The three parties and the members, validated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consortium {
    version: u32,
    name: String,
    parties: Vec<Party>,
    members: Vec<Member>,
}

/// The file before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    name: String,
    parties: Vec<Party>,
    #[serde(default)]
    members: Vec<Member>,
}

/// A participant as its certificate identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Participant<'a> {
    /// A compute party.
    Party(PartyId, &'a Party),
    /// A member.
    Member(&'a Member),
}

impl Participant<'_> {
    /// The participant's card.
    pub fn card(&self) -> &Card {
        match self {
            Participant::Party(_, party) => &party.card,
            Participant::Member(member) => &member.card,
        }
    }
}

impl Consortium {
    /// Puts a consortium together from three parties and the members.
    ///
    /// # Errors
    /// [`ConsortiumError::Invalid`] unless there are three parties with unique
    /// names, keys, certificates and addresses, and cards of the right role.
    pub fn new(
        name: String,
        parties: Vec<Party>,
        members: Vec<Member>,
    ) -> Result<Self, ConsortiumError> {
        let consortium = Consortium { version: FILE_VERSION, name, parties, members };
        consortium.validate().map_err(ConsortiumError::Invalid)?;
        Ok(consortium)
    }

    /// Loads and validates a `consortium.toml`.
    ///
    /// # Errors
    /// When it cannot be read, is malformed or not valid.
    pub fn load(path: &Path) -> Result<Self, ConsortiumError> {
        let text = files::read_text(path)?;
        let malformed = |reason| ConsortiumError::Malformed { path: path.to_owned(), reason };
        let raw: Raw = toml::from_str(&text).map_err(|e| malformed(e.to_string()))?;
        if raw.version != FILE_VERSION {
            return Err(malformed(format!("format version {} is unknown", raw.version)));
        }
        Consortium::new(raw.name, raw.parties, raw.members)
    }

    /// The consortium as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a consortium is plain text fields")
    }

    fn validate(&self) -> Result<(), String> {
        if self.name.is_empty() || self.name.len() > MAX_TITLE_BYTES {
            return Err(format!("its name must have 1 to {MAX_TITLE_BYTES} bytes"));
        }
        if self.parties.len() != 3 {
            return Err(format!("it has {} parties instead of 3", self.parties.len()));
        }
        if self.members.len() > MAX_MEMBERS {
            return Err(format!("it has more than {MAX_MEMBERS} members"));
        }
        for party in &self.parties {
            expect_role(&party.card, Role::Party)?;
            validate_address(&party.address)
                .map_err(|e| format!("the address of {}: {e}", party.card.name()))?;
        }
        for member in &self.members {
            expect_role(&member.card, Role::Member)?;
        }
        unique("name", self.cards(), |card| card.name().as_str().as_bytes().to_vec())?;
        unique("signing key", self.cards(), |card| card.verifying_key().as_bytes().to_vec())?;
        unique("encryption key", self.cards(), |card| card.encryption_key().to_vec())?;
        unique("certificate", self.cards(), |card| card.certificate().der().to_vec())?;
        let addresses: BTreeSet<&str> =
            self.parties.iter().map(|party| party.address.as_str()).collect();
        if addresses.len() != self.parties.len() {
            return Err("two parties have the same address".into());
        }
        Ok(())
    }

    fn cards(&self) -> impl Iterator<Item = &Card> {
        let parties = self.parties.iter().map(|party| &party.card);
        parties.chain(self.members.iter().map(|member| &member.card))
    }

    /// Name of the consortium.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A compute party by number.
    pub fn party(&self, id: PartyId) -> &Party {
        &self.parties[id.index()]
    }

    /// The three compute parties in order.
    pub fn parties(&self) -> impl Iterator<Item = (PartyId, &Party)> {
        PartyId::ALL.into_iter().zip(&self.parties)
    }

    /// The members in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A member by name.
    pub fn member(&self, name: &Name) -> Option<&Member> {
        self.members.iter().find(|member| member.card.name() == name)
    }

    /// The participant that presents a certificate with this fingerprint.
    pub fn by_fingerprint(&self, fingerprint: &Fingerprint) -> Option<Participant<'_>> {
        self.participants().find(|p| p.card().certificate().fingerprint() == *fingerprint)
    }

    /// The participant with this name.
    pub fn by_name(&self, name: &Name) -> Option<Participant<'_>> {
        self.participants().find(|p| p.card().name() == name)
    }

    /// Parties and members.
    pub fn participants(&self) -> impl Iterator<Item = Participant<'_>> {
        let parties = self.parties().map(|(id, party)| Participant::Party(id, party));
        parties.chain(self.members.iter().map(Participant::Member))
    }

    /// What every participant must agree on: name, roles and long-lived keys.
    ///
    /// Independent of the formatting of the file and of the order of the members.
    /// Addresses and certificates are left out, so that a node may move and
    /// renew its certificate while submissions stay valid; a certificate is
    /// bound to these keys by the signature of its card.
    pub fn digest(&self) -> Digest {
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by_key(|member| member.card.name());
        Canonical::new("tercet/consortium/1")
            .text(&self.name)
            .list(self.parties.iter(), |to, party| party.card.append_identity(to))
            .list(members.into_iter(), |to, member| member.card.append_identity(to))
            .finish()
    }
}

fn expect_role(card: &Card, role: Role) -> Result<(), String> {
    if card.role() == role {
        Ok(())
    } else {
        Err(format!("{} is listed as a {role}, but its card is of a {}", card.name(), card.role()))
    }
}

fn unique<'a>(
    what: &str,
    cards: impl Iterator<Item = &'a Card>,
    key: impl Fn(&Card) -> Vec<u8>,
) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for card in cards {
        if !seen.insert(key(card)) {
            return Err(format!("{} has the same {what} as another participant", card.name()));
        }
    }
    Ok(())
}

/// Checks the form `host:port`; whether it exists is found out when it is dialled.
fn validate_address(address: &str) -> Result<(), String> {
    let good = address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if good { Ok(()) } else { Err(format!("`{address}` does not have the form host:port")) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::{Identity, Validity};

    pub(crate) fn identity(name: &str, role: Role) -> Identity {
        Identity::generate(name.parse().unwrap(), role, Validity::days_from_now(9)).unwrap()
    }

    fn party(i: u16) -> Party {
        Party {
            address: format!("127.0.0.1:{}", 9000 + i),
            card: identity(&format!("p{i}"), Role::Party).card().clone(),
        }
    }

    fn member(name: &str) -> Member {
        Member { card: identity(name, Role::Member).card().clone() }
    }

    fn example() -> Consortium {
        let parties = (0..3).map(party).collect();
        Consortium::new("trial".into(), parties, vec![member("b"), member("a")]).unwrap()
    }

    fn load(text: &str) -> Result<Consortium, ConsortiumError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("consortium.toml");
        std::fs::write(&path, text).unwrap();
        Consortium::load(&path)
    }

    #[test]
    fn the_file_is_reversible_and_comments_do_not_change_the_digest() {
        let consortium = example();
        let loaded = load(&format!("# a comment\n{}\n", consortium.to_toml())).unwrap();
        assert_eq!(loaded, consortium);
        assert_eq!(loaded.digest(), consortium.digest());
    }

    #[test]
    fn the_digest_is_of_who_takes_part_not_of_where_and_in_which_order() {
        let consortium = example();
        let mut moved = consortium.clone();
        moved.parties[0].address = "p0.example.org:443".into();
        moved.members.reverse();
        assert_eq!(moved.digest(), consortium.digest());
        let mut other = consortium.clone();
        other.parties.swap(0, 1);
        assert_ne!(other.digest(), consortium.digest());
        let mut other = consortium.clone();
        other.members.pop();
        assert_ne!(other.digest(), consortium.digest());
    }

    #[test]
    fn invalid_consortia_are_refused_with_the_reason() {
        let reason = |parties: Vec<Party>, members| {
            Consortium::new("trial".into(), parties, members).unwrap_err().to_string()
        };
        let parties: Vec<Party> = (0..3).map(party).collect();
        assert!(reason(parties[..2].to_vec(), vec![]).contains("2 parties instead of 3"));
        let twice = vec![parties[0].clone(), parties[1].clone(), parties[0].clone()];
        assert!(reason(twice, vec![]).contains("same name"));
        let same_name = vec![member("p1")];
        assert!(reason(parties.clone(), same_name).contains("p1 has the same name"));
        let wrong_role = vec![Member { card: party(7).card }];
        assert!(reason(parties.clone(), wrong_role).contains("card is of a party"));
        let mut bad_address = parties.clone();
        bad_address[2].address = "nowhere".into();
        assert!(reason(bad_address, vec![]).contains("host:port"));
        let mut same_address = parties;
        same_address[2].address = same_address[1].address.clone();
        assert!(reason(same_address, vec![]).contains("same address"));
    }

    #[test]
    fn an_altered_card_in_the_file_is_refused() {
        let text = example().to_toml();
        let key = hex::encode(example().parties[0].card.encryption_key());
        let start = text.find("encryption-key = \"").unwrap() + "encryption-key = \"".len();
        let mut altered = text.clone();
        altered.replace_range(start..start + 64, &key);
        assert!(load(&altered).unwrap_err().to_string().contains("signature of the card"));
        assert!(load(&text.replace("version = 1", "version = 2")).is_err());
        assert!(load(&format!("surprise = 1\n{text}")).is_err());
    }

    #[test]
    fn participants_are_found_by_certificate() {
        let consortium = example();
        let member = &consortium.members()[0];
        let found = consortium.by_fingerprint(&member.card.certificate().fingerprint());
        assert_eq!(found, Some(Participant::Member(member)));
        assert_eq!(consortium.by_fingerprint(&Fingerprint([0; 32])), None);
    }
}
