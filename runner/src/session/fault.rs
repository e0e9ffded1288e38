//! Faults of a session: from the errors of protocols and links, and by inquiry.

use super::agreement::sentence;
use super::prepare::Prepared;
use crate::control::{ControlError, FaultKind, SessionEnd, SessionFault};
use crate::failure::Failure;
use crate::job::CheckInputs;
use mpc_core::error::Error;
use mpc_core::party::PartyId;
use std::fmt;

/// Most characters of a text that another party tells.
const MAX_TOLD_CHARS: usize = 1000;

impl SessionFault {
    /// As another party tells it, without what would confuse a terminal or a log.
    pub fn printable(self) -> Self {
        let clean = |text: String| -> String {
            let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
            text.chars().take(MAX_TOLD_CHARS).map(shown).collect()
        };
        SessionFault { step: self.step.map(clean), message: clean(self.message), ..self }
    }

    /// A fault without a step.
    pub fn new(kind: FaultKind, peer: Option<PartyId>, message: impl fmt::Display) -> Self {
        SessionFault { kind, peer, step: None, message: message.to_string() }
    }

    /// The job cannot be run with what is here.
    pub fn bad_job(reason: impl fmt::Display) -> Self {
        SessionFault::new(FaultKind::BadJob, None, reason)
    }

    /// The submissions with these numbers break the schema.
    pub(super) fn bad_data(prepared: &Prepared, sets: &[usize]) -> Self {
        let told: Vec<String> = sets
            .iter()
            .map(|&set| {
                let set = &prepared.submissions[set];
                format!("data set {} of {} breaks its schema", set.id, set.owner)
            })
            .collect();
        let what = match prepared.job.check_inputs() {
            CheckInputs::All => "a label or a feature",
            CheckInputs::None | CheckInputs::Labels => "a label",
        };
        let reason = format!("{}: {what} is not what it may be", sentence(&told));
        SessionFault::new(FaultKind::BadData, None, reason)
    }

    /// This party could not do its part.
    pub fn internal(reason: impl fmt::Display) -> Self {
        SessionFault::new(FaultKind::Internal, None, reason)
    }

    /// A peer could not be reached, or was lost before the computation began.
    pub fn unreachable(peer: PartyId, error: &ControlError) -> Self {
        let message = match error {
            // These name the party themselves.
            ControlError::Unreachable { .. } | ControlError::Handshake { .. } => error.to_string(),
            _ => format!("lost {peer} while the parties connected: {error}"),
        };
        SessionFault::new(FaultKind::PeerLost, Some(peer), message)
    }

    /// The third party was lost, for whom both others were waiting at `self.step`.
    pub(super) fn third_lost(self, third: PartyId) -> SessionFault {
        let step = self.step.as_deref().unwrap_or("connecting");
        let message = format!("lost {third} at step {step}: it no longer answers");
        SessionFault { kind: FaultKind::PeerLost, peer: Some(third), message, ..self }
    }

    /// Whether the peer that this fault names may know more about it.
    pub fn lost_peer(&self) -> Option<PartyId> {
        self.peer.filter(|_| self.kind == FaultKind::PeerLost)
    }
}

impl From<Failure> for SessionFault {
    fn from(failure: Failure) -> Self {
        match failure.hint {
            Some(hint) => SessionFault::bad_job(format!("{} ({hint})", failure.message)),
            None => SessionFault::bad_job(failure.message),
        }
    }
}

/// How a session ends that ends with an error of a protocol.
pub fn end_of(error: Error) -> SessionEnd {
    let message = error.to_string();
    let (kind, peer, step) = match error {
        Error::Cancelled { step } => return SessionEnd::Cancelled { step },
        Error::Net { peer, step, .. } => (FaultKind::PeerLost, Some(peer), Some(step)),
        Error::PeerMisbehaved { peer, step, .. } => {
            (FaultKind::PeerMisbehaved, Some(peer), Some(step))
        }
        Error::Abort { step, .. } => (FaultKind::Abort, None, Some(step)),
        _ => (FaultKind::Internal, None, None),
    };
    SessionEnd::Failed(SessionFault { kind, peer, step, message })
}

/// What a party reports when a peer that it lost tells how the session ended there.
///
/// A peer that gave up because of the third party, or because it was asked to,
/// knows the cause; one that blames `me` or a mere loss of `me` knows no more.
pub fn learn(me: PartyId, mine: SessionFault, peer: PartyId, told: &SessionEnd) -> SessionEnd {
    match told {
        SessionEnd::Cancelled { step } => SessionEnd::Cancelled { step: step.clone() },
        SessionEnd::Failed(theirs) if theirs.lost_peer() != Some(me) => {
            let SessionFault { kind, peer: blamed, step, message } = theirs.clone().printable();
            SessionEnd::Failed(SessionFault {
                kind,
                peer: blamed.filter(|&blamed| blamed != me).or(Some(peer)),
                step: step.or(mine.step),
                message: format!("{peer} ended the session: {message}"),
            })
        }
        SessionEnd::Failed(_) | SessionEnd::Finished(_) => SessionEnd::Failed(mine),
    }
}

/// Whom to look at when a peer that was lost answers, and has lost `me` in turn.
///
/// Both of us are there, so we were waiting for the third party, one of us by way of the
/// other: a party that has not got its message cannot send the next one.
pub fn suspect(me: PartyId, peer: PartyId, told: &SessionEnd) -> Option<PartyId> {
    let SessionEnd::Failed(theirs) = told else { return None };
    let blames_me = theirs.lost_peer() == Some(me);
    PartyId::ALL.into_iter().find(|&party| blames_me && party != me && party != peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PartyId::{P0, P1, P2};
    use mpc_core::error::NetFault;

    fn lost(peer: PartyId) -> SessionFault {
        let error = Error::Net { peer, step: "epoch-1/batch-2".into(), kind: NetFault::Closed };
        match end_of(error) {
            SessionEnd::Failed(fault) => fault,
            end => panic!("{end:?}"),
        }
    }

    #[test]
    fn what_a_peer_tells_has_no_control_characters_and_an_end() {
        let text = format!("gone\u{1b}[2J\n{}", "x".repeat(5000));
        let fault = SessionFault { step: Some("a\tb".into()), ..SessionFault::internal(text) };
        let told = SessionEnd::Failed(fault);
        let SessionEnd::Failed(learnt) = learn(P0, SessionFault::internal("lost"), P1, &told)
        else {
            panic!("a fault is learnt")
        };
        assert!(learnt.message.contains("gone\u{fffd}[2J\u{fffd}xxx"), "{}", learnt.message);
        assert!(learnt.message.len() < 1100);
        assert_eq!(learnt.step.as_deref(), Some("a\u{fffd}b"));
    }

    #[test]
    fn a_lost_peer_is_named_with_the_step() {
        let fault = lost(P1);
        assert_eq!((fault.kind, fault.peer), (FaultKind::PeerLost, Some(P1)));
        assert_eq!(fault.step.as_deref(), Some("epoch-1/batch-2"));
        assert_eq!(fault.message, "lost party 1 at step epoch-1/batch-2: it closed the connection");
    }

    #[test]
    fn a_peer_that_gave_up_because_of_the_third_names_the_third() {
        let end = learn(P0, lost(P2), P2, &SessionEnd::Failed(lost(P1)));
        let SessionEnd::Failed(fault) = end else { panic!("{end:?}") };
        assert_eq!(fault.peer, Some(P1));
        assert!(fault.message.starts_with("party 2 ended the session: lost party 1"));
    }

    #[test]
    fn a_peer_that_lost_us_as_well_knows_no_more() {
        let end = learn(P0, lost(P2), P2, &SessionEnd::Failed(lost(P0)));
        assert_eq!(end, SessionEnd::Failed(lost(P2)));
    }

    #[test]
    fn a_peer_that_was_asked_to_stop_makes_it_a_cancellation() {
        let told = SessionEnd::Cancelled { step: "s".into() };
        assert_eq!(learn(P0, lost(P2), P2, &told), told);
    }

    #[test]
    fn who_is_lost_to_each_other_suspects_the_third() {
        assert_eq!(suspect(P0, P2, &SessionEnd::Failed(lost(P0))), Some(P1));
        assert_eq!(suspect(P2, P0, &SessionEnd::Failed(lost(P2))), Some(P1));
        assert_eq!(suspect(P0, P2, &SessionEnd::Failed(lost(P1))), None);
        assert_eq!(suspect(P0, P2, &SessionEnd::Cancelled { step: "s".into() }), None);
        let fault = lost(P2).third_lost(P1);
        assert_eq!((fault.kind, fault.peer), (FaultKind::PeerLost, Some(P1)));
        assert_eq!(fault.message, "lost party 1 at step epoch-1/batch-2: it no longer answers");
    }
}
