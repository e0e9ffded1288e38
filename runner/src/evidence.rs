//! Evidence: what a party signs when a session breaks off.
//!
//! A computation that has begun and fails is over for good. Each party that notices writes
//! down what it saw, as a JSON file that operators compare: it says who is suspected as far
//! as that is proved, and how far the session came. It holds nothing of the data.

use crate::consortium::Consortium;
use crate::control::{FaultKind, SessionFault};
use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::{Identity, Name};
use crate::session::Agreement;
use ed25519_dalek::{Signature, Signer};
use jiff::Timestamp;
use mpc_core::exec::Outcome;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the format.
const VERSION: u32 = 1;

/// A party's signed statement of how a session broke off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    version: u32,
    /// Number of the party that signed.
    pub party: PartyId,
    /// Name of the party that signed.
    pub party_name: Name,
    /// The session, which cannot be resumed.
    #[serde(with = "session_text")]
    pub session: SessionId,
    /// Digest of the job.
    pub job: Digest,
    /// Digest of all that the parties had agreed on.
    pub agreement: Digest,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// What sort of fault.
    pub kind: FaultKind,
    /// The party that this one saw misbehave, or lost; `None` where nothing is proved.
    pub suspect: Option<PartyId>,
    /// The step of the computation that was reached.
    pub step: Option<String>,
    /// Rounds that were completed.
    pub rounds: u64,
    /// Digest over the steps of these rounds; equal at honest parties that came as far.
    pub transcript: Digest,
    /// The fault in words.
    pub message: String,
    /// What a peer said of it afterwards, in words; it may lie.
    pub heard: Option<String>,
    /// When the session broke off, by the party's clock.
    pub ended: Timestamp,
    #[serde(with = "crate::signature_text")]
    signature: Signature,
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no evidence.
    #[error("{} is no evidence of a session: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is of another consortium.
    #[error("the evidence belongs to another consortium (digest {})", .0.short())]
    OtherConsortium(Digest),
    /// The signature is not that of the party.
    #[error("the signature of {0} does not verify: the file was altered, or someone else made it")]
    Signature(Name),
}

impl Explain for EvidenceError {
    fn hint(&self) -> Option<String> {
        match self {
            EvidenceError::File(error) => error.hint(),
            EvidenceError::Malformed { .. } => {
                Some("evidence lies in the data directory of a node; do not edit it".into())
            }
            EvidenceError::OtherConsortium(_) => {
                Some("use the consortium.toml that was in force in that session".into())
            }
            EvidenceError::Signature(name) => Some(format!("ask {name} for the file itself")),
        }
    }
}

impl Evidence {
    /// Signs what `party` saw of a session that broke off, and what it heard of it.
    pub fn sign(
        (party, identity): (PartyId, &Identity),
        agreement: &Agreement,
        (fault, heard): (&SessionFault, Option<String>),
        reached: &Outcome,
        ended: Timestamp,
    ) -> Self {
        let mut evidence = Evidence {
            version: VERSION,
            party,
            party_name: identity.name().clone(),
            session: agreement.session,
            job: agreement.job,
            agreement: agreement.digest(),
            consortium: agreement.consortium,
            kind: fault.kind,
            suspect: fault.peer,
            step: fault.step.clone(),
            rounds: reached.traffic.rounds,
            transcript: Digest(reached.transcript),
            message: fault.message.clone(),
            heard,
            ended,
            signature: Signature::from_bytes(&[0; 64]),
        };
        evidence.signature = identity.signing_key().sign(&evidence.signed_digest().0);
        evidence
    }

    /// Reads a file of evidence.
    ///
    /// # Errors
    /// When it cannot be read or is of another form.
    pub fn load(path: &Path) -> Result<Self, EvidenceError> {
        let text = files::read_text(path)?;
        let malformed = |reason| EvidenceError::Malformed { path: path.to_owned(), reason };
        let evidence: Evidence =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        match evidence.version {
            VERSION => Ok(evidence),
            version => Err(malformed(format!("version {version} is unknown"))),
        }
    }

    /// The evidence as a JSON file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("evidence is plain fields");
        text.push('\n');
        text
    }

    /// Verifies that the party whose name and number it bears signed it.
    ///
    /// # Errors
    /// When the consortium is another, or the signature is not that of the party.
    pub fn verify(&self, consortium: &Consortium) -> Result<(), EvidenceError> {
        if self.consortium != consortium.digest() {
            return Err(EvidenceError::OtherConsortium(self.consortium));
        }
        let card = &consortium.party(self.party).card;
        let genuine = *card.name() == self.party_name
            && card.verifying_key().verify_strict(&self.signed_digest().0, &self.signature).is_ok();
        if genuine { Ok(()) } else { Err(EvidenceError::Signature(self.party_name.clone())) }
    }

    fn signed_digest(&self) -> Digest {
        let kind = serde_json::to_string(&self.kind).expect("a kind is a word");
        Canonical::new("tercet/evidence/1")
            .number(self.party.index() as u64)
            .text(self.party_name.as_str())
            .bytes(&self.session.0)
            .bytes(&self.job.0)
            .bytes(&self.agreement.0)
            .bytes(&self.consortium.0)
            .text(&kind)
            .list(self.suspect.iter(), |to, suspect| to.number(suspect.index() as u64))
            .list(self.step.iter(), |to, step| to.text(step))
            .number(self.rounds)
            .bytes(&self.transcript.0)
            .text(&self.message)
            .list(self.heard.iter(), |to, heard| to.text(heard))
            .text(&self.ended.to_string())
            .finish()
    }
}

/// A session id as it is printed.
mod session_text {
    use crate::session::parse_id;
    use mpc_core::net::SessionId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        session: &SessionId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(session)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SessionId, D::Error> {
        parse_id(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Purpose;
    use crate::sharefile::tests::TRIAL;
    use mpc_core::net::Traffic;

    fn evidence() -> Evidence {
        let agreement = Agreement {
            session: SessionId([1; 16]),
            code: "0.1.0".into(),
            consortium: TRIAL.consortium.digest(),
            job: Digest([3; 32]),
            schema: Digest([4; 32]),
            client: "analyst".parse().unwrap(),
            purpose: Purpose::Train,
            rows: 20,
            data: Vec::new(),
            stocks: Vec::new(),
            start: None,
        };
        let mut fault = SessionFault::new(
            FaultKind::PeerMisbehaved,
            Some(PartyId::P2),
            "party 2 broke the protocol at step epoch-1",
        );
        fault.step = Some("epoch-1".into());
        let traffic = Traffic { rounds: 17, ..Traffic::default() };
        let reached = Outcome { traffic, transcript: [7; 32] };
        let signer = (PartyId::P1, &TRIAL.parties[1]);
        let heard = Some("party 0 ended the session".into());
        Evidence::sign(signer, &agreement, (&fault, heard), &reached, Timestamp::UNIX_EPOCH)
    }

    fn read(text: &str) -> Result<Evidence, EvidenceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evidence.json");
        std::fs::write(&path, text).unwrap();
        Evidence::load(&path)
    }

    #[test]
    fn evidence_survives_its_file_and_verifies() {
        let evidence = evidence();
        let read = read(&evidence.to_json()).unwrap();
        assert_eq!(read, evidence);
        read.verify(&TRIAL.consortium).unwrap();
        assert_eq!((read.kind, read.suspect), (FaultKind::PeerMisbehaved, Some(PartyId::P2)));
    }

    #[test]
    fn every_altered_field_breaks_the_signature() {
        let text = evidence().to_json();
        for (from, to) in [
            ("\"suspect\": 2", "\"suspect\": 0"),
            ("\"suspect\": 2", "\"suspect\": null"),
            ("\"kind\": \"peer-misbehaved\"", "\"kind\": \"abort\""),
            ("\"rounds\": 17", "\"rounds\": 18"),
            ("\"step\": \"epoch-1\"", "\"step\": null"),
            ("broke the protocol", "kept the protocol"),
            ("\"heard\": \"party 0", "\"heard\": \"party 2"),
            ("1970-01-01", "1970-01-02"),
            ("\"party\": 1", "\"party\": 0"),
            (&"01".repeat(16), &"02".repeat(16)),
            (&"03".repeat(32), &"02".repeat(32)),
            (&"07".repeat(32), &"02".repeat(32)),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let altered = read(&text.replacen(from, to, 1)).unwrap();
            let refused = altered.verify(&TRIAL.consortium);
            assert!(matches!(refused, Err(EvidenceError::Signature(_))), "{to}: {refused:?}");
        }
    }

    #[test]
    fn other_files_and_consortia_are_told_apart() {
        let text = evidence().to_json();
        let ours = TRIAL.consortium.digest().to_string();
        let foreign = read(&text.replace(&ours, &"0".repeat(64))).unwrap();
        let refused = foreign.verify(&TRIAL.consortium);
        assert!(matches!(refused, Err(EvidenceError::OtherConsortium(_))), "{refused:?}");
        for text in ["", "{}", &text.replace("\"version\": 1", "\"version\": 9")] {
            assert!(matches!(read(text), Err(EvidenceError::Malformed { .. })));
        }
    }
}
