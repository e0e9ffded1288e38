//! Loading the shares, while the links stay alive.
//!
//! Opening large share files takes the parties different times. Until all three
//! are ready they tell each other that they are still there, so that the short
//! deadlines of the computation begin with the computation.

use super::Link;
use super::agreement::printable;
use crate::control::{ControlError, FaultKind, Framed, SessionFault};
use mpc_core::party::PartyId;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{MissedTickBehavior, interval};

/// How often a party that loads says so.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// What a party says while it loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Loading {
    /// It is not ready yet.
    Alive,
    /// It computes from now on.
    Ready,
    /// It cannot use its shares.
    Unable(String),
}

/// Waits until this party has loaded its shares, and both peers theirs.
///
/// Returns the links, on which the computation comes next, and what was loaded.
///
/// # Errors
/// What `load` fails with, or the fault of a peer that is lost or cannot load.
pub(super) async fn load_together<T>(
    peers: [PartyId; 2],
    links: [Link; 2],
    load: impl Future<Output = Result<T, SessionFault>>,
) -> Result<([Link; 2], T), SessionFault> {
    let [prev, next] = links;
    let ((mut from_prev, to_prev), (mut from_next, to_next)) = (prev.split(), next.split());
    let mut to_peers = [to_prev, to_next];
    let hear = async {
        tokio::try_join!(
            until_ready(&mut from_prev, peers[0]),
            until_ready(&mut from_next, peers[1])
        )
    };
    let (_, loaded) = tokio::try_join!(hear, report(&mut to_peers, peers, load))?;
    let [to_prev, to_next] = to_peers;
    Ok(([Link::join(from_prev, to_prev), Link::join(from_next, to_next)], loaded))
}

async fn until_ready(
    link: &mut Framed<impl AsyncRead + Unpin>,
    peer: PartyId,
) -> Result<(), SessionFault> {
    loop {
        match link.receive_message().await.map_err(|e| lost(peer, &e))? {
            Loading::Alive => {}
            Loading::Ready => return Ok(()),
            Loading::Unable(reason) => {
                let message = format!("{peer} cannot use its shares: {}", printable(&reason));
                return Err(SessionFault::new(FaultKind::Internal, Some(peer), message));
            }
        }
    }
}

/// Loads, and keeps both peers informed.
async fn report<T>(
    links: &mut [Framed<impl AsyncWrite + Unpin>; 2],
    peers: [PartyId; 2],
    load: impl Future<Output = Result<T, SessionFault>>,
) -> Result<T, SessionFault> {
    let mut alive = interval(ALIVE_EVERY);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(load);
    let loaded = loop {
        tokio::select! {
            loaded = &mut load => break loaded,
            _ = alive.tick() => tell(links, peers, &Loading::Alive).await?,
        }
    };
    match loaded {
        Ok(loaded) => {
            tell(links, peers, &Loading::Ready).await?;
            Ok(loaded)
        }
        Err(fault) => {
            // The own fault counts, whether or not the peers can be told.
            let _ = tell(links, peers, &Loading::Unable(fault.message.clone())).await;
            Err(fault)
        }
    }
}

async fn tell(
    links: &mut [Framed<impl AsyncWrite + Unpin>; 2],
    peers: [PartyId; 2],
    what: &Loading,
) -> Result<(), SessionFault> {
    for (link, peer) in links.iter_mut().zip(peers) {
        link.send(what).await.map_err(|e| lost(peer, &e))?;
    }
    Ok(())
}

fn lost(peer: PartyId, error: &ControlError) -> SessionFault {
    let message = format!("lost {peer} while the parties loaded their shares: {error}");
    SessionFault::new(FaultKind::PeerLost, Some(peer), message)
}
