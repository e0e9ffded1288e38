//! Keeping what members approve.

use super::Node;
use super::requests::store_refusal;
use crate::approval::Approval;
use crate::control::{Answer, Reason, Refusal};
use crate::failure::Failure;
use crate::identity::Name;
use crate::store::Keeping;
use jiff::{SignedDuration, Timestamp};

/// How far a member's clock may be ahead of the node's.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(10);

/// Verifies a statement that `client` sent, and keeps it.
pub(super) fn keep(node: &Node, client: &Name, statement: &[u8]) -> Result<Answer, Refusal> {
    let refuse = |failure: Failure| Refusal {
        reason: Reason::BadApproval,
        message: failure.message,
        hint: failure.hint,
    };
    let approval = Approval::from_json(statement).map_err(|e| refuse(e.into()))?;
    approval.verify(&node.consortium).map_err(|e| refuse(e.into()))?;
    if approval.owner != *client {
        let message = format!("{client} cannot approve for {}", approval.owner);
        return Err(Refusal::new(Reason::NotAllowed, message));
    }
    let ahead = Timestamp::now().duration_until(approval.signed);
    if ahead > CLOCK_SLACK {
        let message = format!("the approval is dated {}, which is in the future", approval.signed);
        return Err(Refusal::new(Reason::BadApproval, message).with_hint("correct the clock"));
    }
    match node.store.keep_approval(&approval).map_err(|e| store_refusal(&e))? {
        Keeping::Kept => {}
        Keeping::Outdated => {
            let message = "a later statement of yours on this job is stored here";
            return Err(Refusal::new(Reason::Conflict, message).with_hint("correct the clock"));
        }
        Keeping::TooMany { most } => {
            let message = format!(
                "{client} has made statements on {most} jobs, which is as many as are kept here"
            );
            return Err(Refusal::new(Reason::TooMany, message)
                .with_hint("jobs that you have spoken of can still be approved and taken back"));
        }
    }
    let Approval { owner, job, job_name, granted, .. } = approval;
    tracing::info!(%owner, job = %job.short(), job_name, granted, "an approval is kept");
    Ok(Answer::Approval)
}
