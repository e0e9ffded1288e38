//! Approvals: what an owner of data signs before a job may use them.
//!
//! An approval names the job by its digest, so it covers everything the job says: network,
//! training, data, what is opened and to whom. Each party keeps it and starts no training on
//! the data of a member who has not approved the job (`ApprovalPolicy`). Taking an approval
//! back is a statement of the same form, and of two statements the later one counts.

use crate::consortium::Consortium;
use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::identity::{Identity, Name};
use crate::job::Job;
use crate::schema::Schema;
use ed25519_dalek::{Signature, Signer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the format.
const VERSION: u32 = 1;
/// Longest statement that is read, in bytes.
pub const MAX_APPROVAL_BYTES: usize = 16 << 10;

/// A member's signed statement that a job may, or may no longer, use its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    version: u32,
    /// Digest of the consortium.
    pub consortium: Digest,
    /// The member whose data it is about.
    pub owner: Name,
    /// Digest of the job with its schema.
    pub job: Digest,
    /// Name of the job, for people.
    pub job_name: String,
    /// Whether the job may use the data; if not, an earlier approval is taken back.
    pub granted: bool,
    /// When it was signed, by the member's clock.
    pub signed: Timestamp,
    #[serde(with = "crate::signature_text")]
    signature: Signature,
}

/// Why a statement proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// It has another form.
    #[error("it is not an approval: {0}")]
    Malformed(String),
    /// It was made in another consortium.
    #[error("the approval belongs to another consortium (digest {})", .0.short())]
    OtherConsortium(Digest),
    /// It is of somebody who has no data here.
    #[error("the approval is of {0}, who is no member of the consortium")]
    NoMember(Name),
    /// The signature is not that of the member.
    #[error("the signature of {0} does not verify: the approval was altered, or is not of {0}")]
    Signature(Name),
}

impl Explain for ApprovalError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ApprovalError::Malformed(_) => "approvals are made by `tercet approve`".into(),
            ApprovalError::OtherConsortium(_) | ApprovalError::NoMember(_) => {
                "use the consortium.toml that the parties use".into()
            }
            ApprovalError::Signature(name) => format!("{name} has to run `tercet approve` again"),
        })
    }
}

impl Approval {
    /// Signs that the job may use the data of `member`, or that it no longer may.
    pub fn sign(
        (job, schema): (&Job, &Schema),
        consortium: &Consortium,
        member: &Identity,
        granted: bool,
        signed: Timestamp,
    ) -> Self {
        let mut approval = Approval {
            version: VERSION,
            consortium: consortium.digest(),
            owner: member.name().clone(),
            job: job.digest(schema),
            job_name: job.name().into(),
            granted,
            signed,
            signature: Signature::from_bytes(&[0; 64]),
        };
        approval.signature = member.signing_key().sign(&approval.signed_digest().0);
        approval
    }

    /// Reads a statement from JSON.
    ///
    /// # Errors
    /// [`ApprovalError::Malformed`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ApprovalError> {
        if bytes.len() > MAX_APPROVAL_BYTES {
            let reason = format!("{} bytes are too many", bytes.len());
            return Err(ApprovalError::Malformed(reason));
        }
        let malformed = |error: serde_json::Error| ApprovalError::Malformed(error.to_string());
        let approval: Approval = serde_json::from_slice(bytes).map_err(malformed)?;
        match approval.version {
            VERSION => Ok(approval),
            version => Err(ApprovalError::Malformed(format!("version {version} is unknown"))),
        }
    }

    /// The statement as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an approval is plain fields")
    }

    /// Verifies that the member whose name the statement bears signed it in this consortium.
    ///
    /// # Errors
    /// When the consortium is another, or the signature is not that of the member.
    pub fn verify(&self, consortium: &Consortium) -> Result<(), ApprovalError> {
        if self.consortium != consortium.digest() {
            return Err(ApprovalError::OtherConsortium(self.consortium));
        }
        let member = consortium.member(&self.owner);
        let member = member.ok_or_else(|| ApprovalError::NoMember(self.owner.clone()))?;
        let key = member.card.verifying_key();
        key.verify_strict(&self.signed_digest().0, &self.signature)
            .map_err(|_| ApprovalError::Signature(self.owner.clone()))
    }

    /// Digest of everything but the signature.
    fn signed_digest(&self) -> Digest {
        Canonical::new("tercet/approval/1")
            .bytes(&self.consortium.0)
            .text(self.owner.as_str())
            .bytes(&self.job.0)
            .text(&self.job_name)
            .number(u64::from(self.granted))
            .text(&self.signed.to_string())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::{JOB, SCHEMA};
    use crate::sharefile::tests::TRIAL;
    use proptest::prelude::*;

    fn approval(granted: bool) -> Approval {
        let job = Job::from_toml(JOB, "job.toml").unwrap();
        let schema = Schema::from_toml(SCHEMA).unwrap();
        let signer = &TRIAL.members[0];
        Approval::sign((&job, &schema), &TRIAL.consortium, signer, granted, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn approvals_survive_their_encoding_and_verify() {
        for granted in [true, false] {
            let approval = approval(granted);
            let read = Approval::from_json(&approval.to_json()).unwrap();
            assert_eq!((&read, read.granted), (&approval, granted));
            read.verify(&TRIAL.consortium).unwrap();
        }
    }

    #[test]
    fn every_altered_field_breaks_the_signature() {
        let text = String::from_utf8(approval(true).to_json()).unwrap();
        let job = approval(true).job.to_string();
        for (from, to) in [
            ("\"granted\":true", "\"granted\":false"),
            ("1970-01-01", "1971-01-01"),
            ("readmission", "another"),
            (job.as_str(), &"0".repeat(64)),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let altered = Approval::from_json(text.replacen(from, to, 1).as_bytes()).unwrap();
            let refused = altered.verify(&TRIAL.consortium);
            assert!(matches!(refused, Err(ApprovalError::Signature(_))), "{to}: {refused:?}");
        }
        let owner = format!("\"owner\":\"{}\"", TRIAL.members[0].name());
        let stranger = text.replace(&owner, "\"owner\":\"nobody\"");
        let refused = Approval::from_json(stranger.as_bytes()).unwrap().verify(&TRIAL.consortium);
        assert!(matches!(refused, Err(ApprovalError::NoMember(_))), "{refused:?}");
        let ours = TRIAL.consortium.digest().to_string();
        let foreign = text.replace(&ours, &"0".repeat(64));
        let refused = Approval::from_json(foreign.as_bytes()).unwrap().verify(&TRIAL.consortium);
        assert!(matches!(refused, Err(ApprovalError::OtherConsortium(_))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Approval::from_json(&bytes).is_err());
        }
    }
}
