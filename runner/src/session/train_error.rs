//! Why a session brought no result: what the parties report, and which of it counts.

use crate::control::{ControlError, FaultKind, Refusal, SessionFault};
use crate::failure::{EXIT_INTERRUPTED, Explain};
use mpc_core::party::PartyId;

/// Why a session brought no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A party cannot be reached; nothing was started.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A party refuses to take part.
    #[error("{party} refuses: {refusal}")]
    Refused {
        /// The party.
        party: PartyId,
        /// Why.
        refusal: Refusal,
    },
    /// The session failed.
    #[error("{}", told(.reporters, .fault, .evidence))]
    Failed {
        /// The parties that report this fault; empty where the client alone noticed it.
        reporters: Vec<PartyId>,
        /// The fault.
        fault: Box<SessionFault>,
        /// Where parties have written down what they saw.
        evidence: Vec<(PartyId, String)>,
    },
    /// The session was cancelled.
    #[error("cancelled; the parties have stopped at step {step}")]
    Cancelled {
        /// The step that was reached.
        step: String,
    },
}

fn told(reporters: &[PartyId], fault: &SessionFault, evidence: &[(PartyId, String)]) -> String {
    if reporters.is_empty() {
        return fault.message.clone();
    }
    let reporters: Vec<String> = reporters.iter().map(PartyId::to_string).collect();
    let evidence = evidence.iter().map(|(party, path)| format!("; evidence at {party}: {path}"));
    let evidence = evidence.collect::<String>();
    format!("{} (reported by {}{evidence})", fault.message, reporters.join(" and "))
}

impl TrainError {
    /// Whether the session did not begin because a data set is not at all parties, which
    /// passes if it is being submitted.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, TrainError::Failed { fault, .. } if fault.kind == FaultKind::Incomplete)
    }
}

impl Explain for TrainError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            TrainError::Control(e) => return e.hint(),
            TrainError::Refused { refusal, .. } => return refusal.hint(),
            TrainError::Cancelled { .. } => return None,
            TrainError::Failed { fault, .. } => match fault.kind {
                FaultKind::BadJob => {
                    "correct the job, submit the data that it needs, or have it approved by their owners"
                }
                FaultKind::BadData => {
                    "ask its owner to share the rows again with `tercet share`, or leave the data \
                     set out: list the others as `sets` under [data] in the job"
                }
                FaultKind::Disagreement => {
                    "bring the parties to the same job, data, consortium and version"
                }
                FaultKind::Incomplete => {
                    "its owner can submit that data set again, which completes it; or leave it \
                     out by naming the others as `sets` under [data] in the job"
                }
                FaultKind::PeerLost => {
                    "start that party's node again, look into its log, then train again"
                }
                FaultKind::PeerMisbehaved | FaultKind::Abort => {
                    "do not repeat this before the operators have compared their evidence; \
                     `docs/OPERATING.md` says how"
                }
                FaultKind::Internal => "look into the log of that party's node",
            },
        };
        Some(hint.into())
    }

    fn exit_code(&self) -> u8 {
        match self {
            TrainError::Cancelled { .. } => EXIT_INTERRUPTED,
            _ => crate::failure::EXIT_FAILURE,
        }
    }
}

/// The fault that explains the others: of the worst kind, told by the most parties.
pub(super) fn most_telling(
    mut faults: Vec<(PartyId, SessionFault)>,
    evidence: Vec<(PartyId, String)>,
) -> TrainError {
    let weight = |fault: &SessionFault| match fault.kind {
        FaultKind::PeerMisbehaved => 7,
        FaultKind::Abort => 6,
        FaultKind::Disagreement | FaultKind::Incomplete => 5,
        FaultKind::BadData => 4,
        FaultKind::Internal => 3,
        FaultKind::BadJob => 2,
        // A party that names the step was in the middle of it.
        FaultKind::PeerLost => u8::from(fault.step.is_some()),
    };
    faults.sort_by_key(|(_, fault)| std::cmp::Reverse(weight(fault)));
    let mut faults = faults.into_iter();
    let Some((reporter, fault)) = faults.next() else {
        return ControlError::Malformed("the parties reported no end").into();
    };
    let agree = faults.filter(|(_, other)| (other.kind, other.peer) == (fault.kind, fault.peer));
    let mut reporters: Vec<PartyId> = std::iter::once(reporter)
        .chain(agree.map(|(party, _)| party))
        // That a party was lost is what the others or this client noticed, not what it said.
        .filter(|&party| fault.lost_peer() != Some(party))
        .collect();
    reporters.sort();
    TrainError::Failed { reporters, fault: fault.into(), evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PartyId::{P0, P1, P2};

    fn lost(peer: PartyId) -> SessionFault {
        SessionFault::new(FaultKind::PeerLost, Some(peer), format!("lost {peer}"))
    }

    #[test]
    fn a_lost_party_is_not_said_to_have_reported_it() {
        let faults = vec![(P0, lost(P1)), (P1, lost(P1)), (P2, lost(P1))];
        let told = most_telling(faults, Vec::new()).to_string();
        assert_eq!(told, "lost party 1 (reported by party 0 and party 2)");
        assert_eq!(most_telling(vec![(P1, lost(P1))], Vec::new()).to_string(), "lost party 1");
    }

    #[test]
    fn a_party_that_reports_its_own_failure_is_named_as_reporter() {
        let failed = SessionFault::internal("no memory");
        let evidence = vec![(P0, "/there".into())];
        let told = most_telling(vec![(P0, lost(P1)), (P1, failed)], evidence).to_string();
        assert_eq!(told, "no memory (reported by party 1; evidence at party 0: /there)");
    }
}
