//! Asking a peer how a session ended there.

use crate::control::{Answer, ControlError, Dialer, Request, SessionEnd};
use crate::node::Node;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to wait for a peer that may be gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before a peer is asked again that has not noticed the end itself.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How a session ended at a peer, if it is there and knows.
pub(super) async fn how_ended(
    node: &Node,
    peer: PartyId,
    session: SessionId,
) -> Option<SessionEnd> {
    let dialer = Dialer::new(&node.consortium, &node.identity, PATIENCE);
    let asking = async {
        loop {
            match ask(&dialer, peer, session).await {
                Ok(Some(end)) => return Some(end),
                Ok(None) => sleep(ASK_AGAIN).await,
                Err(e) => {
                    tracing::debug!(%peer, error = %e, "a lost peer does not answer");
                    return None;
                }
            }
        }
    };
    timeout(PATIENCE, asking).await.ok().flatten()
}

/// Whether a party is there at all.
pub(super) async fn answers(node: &Node, party: PartyId) -> bool {
    let dialer = Dialer::new(&node.consortium, &node.identity, PATIENCE);
    matches!(timeout(PATIENCE, dialer.control(party)).await, Ok(Ok(_)))
}

async fn ask(
    dialer: &Dialer<'_>,
    peer: PartyId,
    session: SessionId,
) -> Result<Option<SessionEnd>, ControlError> {
    match dialer.control(peer).await?.ask(&Request::HowEnded(session)).await? {
        Answer::Ended(end) => Ok(end),
        _ => Err(ControlError::Malformed("another answer than was asked for")),
    }
}
