//! Where a link that a peer dialled meets the session that waits for it.
//!
//! The client tells all three parties of a session at about the same time, so a
//! peer's link may arrive before this party knows the session.

use super::Link;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Most links that wait for their session at a time.
const MAX_PARKED: usize = 64;

type Key = (SessionId, PartyId);

/// Links and sessions that wait for each other.
#[derive(Debug, Default)]
pub struct Rendezvous {
    places: Mutex<HashMap<Key, Place>>,
}

#[derive(Debug)]
enum Place {
    /// A session waits for the link.
    Session(oneshot::Sender<Link>),
    /// The link waits for its session.
    Link(Box<Link>),
}

impl Rendezvous {
    /// Brings a link that `peer` dialled for `session`.
    ///
    /// A link that nobody waits for is parked until it is removed; a
    /// second one for the same session, or one too many, is dropped, which
    /// closes it.
    pub fn arrived(&self, session: SessionId, peer: PartyId, link: Link) {
        let mut places = self.lock();
        match places.remove(&(session, peer)) {
            Some(Place::Session(waiting)) => {
                // If the session has just given up, the link is dropped with the answer.
                let _ = waiting.send(link);
            }
            Some(parked @ Place::Link(_)) => {
                places.insert((session, peer), parked);
            }
            None => {
                let parked = places.values().filter(|p| matches!(p, Place::Link(_))).count();
                if parked < MAX_PARKED {
                    places.insert((session, peer), Place::Link(Box::new(link)));
                }
            }
        }
    }

    /// The link that `peer` dials for `session`, now or later.
    pub fn expect(&self, session: SessionId, peer: PartyId) -> oneshot::Receiver<Link> {
        let (sender, receiver) = oneshot::channel();
        let mut places = self.lock();
        match places.remove(&(session, peer)) {
            Some(Place::Link(link)) => {
                // The receiver is alive: it is returned below.
                let _ = sender.send(*link);
            }
            Some(Place::Session(_)) | None => {
                places.insert((session, peer), Place::Session(sender));
            }
        }
        receiver
    }

    /// Drops what still waits for a session that is over or never came.
    pub fn forget(&self, session: SessionId) {
        self.lock().retain(|(waiting, _), _| *waiting != session);
    }

    /// Drops a parked link whose session never came.
    pub fn remove_parked(&self, session: SessionId, peer: PartyId) {
        let mut places = self.lock();
        if let Some(Place::Link(_)) = places.get(&(session, peer)) {
            places.remove(&(session, peer));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
