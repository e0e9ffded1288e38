//! The messages of the control plane.

use crate::bench::forecast::Rehearsed;
use crate::digest::Digest;
use crate::identity::Name;
use crate::inference::{ModelId, Query};
use crate::sharefile::DataSetId;
use jiff::Timestamp;
use mpc_core::net::{SessionId, Traffic};
use mpc_core::party::PartyId;
use nn::validation::Figure;
use nn::watch::RangeCount;
use serde::{Deserialize, Serialize};
use std::fmt;

/// First message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the control protocol.
    pub protocol: u16,
    /// Version of the client's code.
    pub code: String,
    /// Digest of the client's consortium file.
    pub consortium: Digest,
}

/// First message of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Version of the control protocol.
    pub protocol: u16,
    /// Version of the node's code.
    pub code: String,
    /// Digest of the node's consortium file.
    pub consortium: Digest,
    /// Which party the node is.
    pub party: PartyId,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// How the node is. Answered with [`Answer::Status`].
    Status,
    /// Take a share file. Answered with [`Upload`].
    Submit {
        /// Length of the file.
        length: u64,
        /// SHA-256 of the file.
        digest: Digest,
    },
    /// Keep a member's statement on a job, an [`Approval`](crate::approval::Approval) as JSON.
    /// Answered with [`Answer::Approval`].
    Approve(Vec<u8>),
    /// Train a model. Answered with a stream of [`SessionEvent`].
    Train {
        /// A fresh name for the session, the same for all parties.
        session: SessionId,
        /// The job file.
        job: String,
        /// The schema file that the job names.
        schema: String,
    },
    /// Make the triples that a job is short of. Answered with a stream of [`SessionEvent`].
    Preprocess {
        /// A fresh name for the session, the same for all parties.
        session: SessionId,
        /// The job file.
        job: String,
        /// The schema file that the job names.
        schema: String,
        /// Rows that the job will have; without, those that are submitted.
        rows: Option<u64>,
    },
    /// Rehearse a job on made-up rows, to foretell what it will take: nothing is released.
    /// Answered with a stream of [`SessionEvent`].
    Rehearse {
        /// A fresh name for the session, the same for all parties.
        session: SessionId,
        /// The job file.
        job: String,
        /// The schema file that the job names.
        schema: String,
        /// Rows that the job will have; without, those that are submitted.
        rows: Option<u64>,
    },
    /// How a session ended here; for parties. Answered with [`Answer::Ended`].
    HowEnded(SessionId),
    /// Which sessions of a job have a model. Answered with [`Answer::Sessions`].
    Sessions {
        /// Digest of the job file's content.
        job: Digest,
    },
    /// What a session left for its receiver: a share of a model or of answers. Answered with
    /// [`DataReply`].
    FetchModel(SessionId),
    /// What a kept model is; for who may ask it. Answered with [`Answer::Kept`].
    DescribeModel(ModelId),
    /// Keep the weights that were submitted for this job. Answered with [`Answer::Kept`].
    KeepModel {
        /// The weights.
        weights: DataSetId,
        /// The job file.
        job: String,
        /// The schema file that the job names.
        schema: String,
    },
    /// Answer rows with a kept model. Answered with a stream of [`SessionEvent`].
    Infer {
        /// A fresh name for the session, the same for all parties.
        session: SessionId,
        /// The question.
        query: Query,
    },
}

/// A short answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Status`].
    Status(NodeStatus),
    /// To [`Request::HowEnded`]; `None` while it runs or when it is not known.
    Ended(Option<SessionEnd>),
    /// To [`Request::Sessions`], latest first.
    Sessions(Vec<FinishedSession>),
    /// To [`Request::Approve`]: it is kept durably, and counts.
    Approval,
    /// To [`Request::DescribeModel`] and [`Request::KeepModel`]: the terms as JSON.
    Kept(String),
    /// The request was refused.
    Refused(Refusal),
}

/// Messages of a node while a share file is taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Upload {
    /// Send chunks from this offset on; what precedes has arrived earlier.
    From(u64),
    /// The submission is stored durably; here is the signed receipt.
    Receipt(Vec<u8>),
    /// The submission was refused.
    Refused(Refusal),
}

/// Messages of a node that sends a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DataReply {
    /// Chunks of this length in all follow.
    Length(u64),
    /// The request was refused.
    Refused(Refusal),
}

/// What a client may say while its session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuringSession {
    /// The client is there; sent regularly so that silence means it is gone.
    Alive,
    /// End the session.
    Cancel,
}

/// What a node reports of a session to the client that started it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionEvent {
    /// The request was refused; no session was started.
    Refused(Refusal),
    /// The parties agree, have keys and compute.
    Running {
        /// Digest of job, data, consortium and code that all parties agree on.
        agreement: Digest,
    },
    /// What is about to be made, before the first block of triples.
    Forecast(Forecast),
    /// Rows are checked before the training.
    Checking(Checked),
    /// A batch, or a block of triples, is done.
    Progress(Progress),
    /// What was revealed of the model after an epoch.
    Figures(EpochFigures),
    /// How many numbers of each layer left their range, at the end of a training.
    Range(Vec<RangeCount>),
    /// What this party measured in a rehearsal of the whole training.
    Rehearsed(Box<Rehearsal>),
    /// Nothing new; sent regularly so that silence means trouble.
    Alive,
    /// Where the party has written down what it saw of a computation that broke off.
    Evidence(String),
    /// The session is over.
    Ended(SessionEnd),
}

/// What was revealed after an epoch of how the model does on rows that are kept back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochFigures {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Whether it was the last.
    pub last: bool,
    /// The figures; a `rmse` in the units of the label.
    pub figures: Vec<Figure>,
}

/// What a party measured in a rehearsal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// Rows of each data set of the job.
    pub sets: Vec<u64>,
    /// Of these, rows of the data sets that the job names to judge by.
    pub kept_back: u64,
    /// What was measured.
    pub measured: Rehearsed,
}

/// How far the check of the members' rows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Checked {
    /// Rows checked.
    pub rows: u64,
    /// Rows of all members.
    pub of: u64,
}

/// Triples that are about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Blocks that the job needs: one a batch.
    pub needed: u64,
    /// Blocks that are missing, and will be made.
    pub missing: u64,
    /// Multiplications of words and ANDs of bits that the missing blocks serve for.
    pub multiplications: u64,
    /// Bytes that they take on the disk of a party.
    pub bytes: u64,
}

/// How far a training is. Of triples, blocks are counted as the batches of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Current epoch, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Batches done in this epoch.
    pub batch: u64,
    /// Batches of an epoch.
    pub batches: u64,
}

impl From<nn::train::Progress> for Progress {
    fn from(done: nn::train::Progress) -> Self {
        Progress {
            epoch: done.epoch as u64,
            epochs: done.epochs as u64,
            batch: done.batch as u64,
            batches: done.batches as u64,
        }
    }
}

/// How a session ended at one party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionEnd {
    /// The model share is stored.
    Finished(SessionStats),
    /// The client asked for it, or went away.
    Cancelled {
        /// The step that was reached.
        step: String,
    },
    /// Something went wrong.
    Failed(SessionFault),
}

/// What one party measured in a session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionStats {
    /// Seconds from the agreement of keys to the end of the training.
    pub seconds: f64,
    /// Batches computed.
    pub iterations: u64,
    /// Rounds, messages and bytes.
    pub traffic: Traffic,
    /// Largest resident memory of the process so far.
    pub peak_rss_bytes: u64,
    /// Process id of the node.
    pub pid: u32,
    /// Digest over the steps of all rounds; equal at all parties.
    pub transcript: Digest,
}

/// Why a session failed, as one party tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFault {
    /// What sort of fault.
    pub kind: FaultKind,
    /// The party that caused it, as far as this one can tell.
    pub peer: Option<PartyId>,
    /// The step of the computation, if it had begun.
    pub step: Option<String>,
    /// The whole story for a person.
    pub message: String,
}

/// Sorts of session faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The job cannot be run with what is here.
    BadJob,
    /// The parties hold different jobs, data, consortia or versions.
    Disagreement,
    /// A party cannot be reached or was lost.
    PeerLost,
    /// A party broke the protocol.
    PeerMisbehaved,
    /// A check failed without proof of who is to blame.
    Abort,
    /// This party could not do its part, for instance store the result.
    Internal,
    /// Rows of a member are not what the schema says.
    BadData,
    /// A data set is not at all parties: its submission is under way, or broke off.
    Incomplete,
}

/// A session that has a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedSession {
    /// The session.
    pub session: SessionId,
    /// When it ended at this party.
    pub finished: Timestamp,
    /// Who may fetch the model.
    pub receiver: Name,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Name of the party.
    pub name: Name,
    /// The node's clock.
    pub now: Timestamp,
    /// When the node started.
    pub started: Timestamp,
    /// When its certificate expires.
    pub certificate_until: Timestamp,
    /// Stored submissions.
    pub submissions: u64,
    /// Sessions that run now.
    pub running: u64,
    /// Bytes free for data.
    pub free_bytes: u64,
    /// Process id.
    pub pid: u32,
}

/// Why a node refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What sort of refusal.
    pub reason: Reason,
    /// The whole story for a person.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(reason: Reason, message: impl fmt::Display) -> Self {
        Refusal { reason, message: message.to_string(), hint: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Sorts of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Client and node speak different versions.
    Version,
    /// Client and node hold different consortium files.
    Consortium,
    /// Not for this participant.
    NotAllowed,
    /// Larger than the node accepts.
    TooLarge,
    /// The share file is damaged, for another party or not its owner's.
    BadShareFile,
    /// Other content is stored under this data set id, or a later approval for this job.
    Conflict,
    /// The approval proves nothing.
    BadApproval,
    /// There is no room to store it.
    DiskFull,
    /// The session id was used before.
    SessionUsed,
    /// The node is at its limit.
    Busy,
    /// What is asked for is not here.
    NotFound,
    /// The node failed.
    Internal,
    /// The member has as many of them as the node keeps.
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::super::frame::{decode, encode};
    use super::*;
    use proptest::prelude::*;

    fn reversible<T: Serialize + serde::de::DeserializeOwned + PartialEq + fmt::Debug>(message: T) {
        let bytes = encode(&message).unwrap();
        assert_eq!(decode::<T>(&bytes).unwrap(), message);
        for length in 0..bytes.len() {
            assert!(decode::<T>(&bytes[..length]).is_err(), "{message:?} cut to {length}");
        }
        let mut long = bytes;
        long.push(0);
        assert!(decode::<T>(&long).is_err());
    }

    #[test]
    fn messages_survive_and_cut_or_prolonged_ones_are_refused() {
        let session = SessionId([3; 16]);
        reversible(Request::Submit { length: 1 << 40, digest: Digest([1; 32]) });
        reversible(Request::Approve(vec![1, 2, 3]));
        let (model, rows) = (ModelId([4; 16]), DataSetId([5; 16]));
        let (answer, security) = (nn::infer::Answer::Class, crate::job::Security::Malicious);
        reversible(Request::Infer { session, query: Query { model, rows, answer, security } });
        reversible(Request::Train { session, job: "name".into(), schema: String::new() });
        reversible(Answer::Sessions(vec![FinishedSession {
            session,
            finished: Timestamp::UNIX_EPOCH,
            receiver: "analyst".parse().unwrap(),
        }]));
        reversible(SessionEvent::Ended(SessionEnd::Failed(SessionFault {
            kind: FaultKind::PeerLost,
            peer: Some(PartyId::P2),
            step: Some("epoch-0".into()),
            message: "lost party 2".into(),
        })));
    }

    #[test]
    fn a_bad_name_inside_a_message_is_refused() {
        let good = FinishedSession {
            session: SessionId([0; 16]),
            finished: Timestamp::UNIX_EPOCH,
            receiver: "analyst".parse().unwrap(),
        };
        let mut bytes = encode(&good).unwrap();
        let at = bytes.windows(7).position(|window| window == b"analyst").unwrap();
        bytes[at] = b'/';
        assert!(decode::<FinishedSession>(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Hello>(&bytes);
            let _ = decode::<Request>(&bytes);
            let _ = decode::<Answer>(&bytes);
            let _ = decode::<Upload>(&bytes);
            let _ = decode::<SessionEvent>(&bytes);
        }
    }
}
