//! A party's node: one process that listens, keeps submissions and runs sessions.

mod approve;
mod config;
mod kept;
mod requests;
mod server;
mod submit;

pub use config::{ApprovalPolicy, ConfigError, Limits, LogFormat, NodeConfig};
pub use kept::{KeptError, keep_share, kept_model};
pub(crate) use requests::store_refusal;
pub use server::{ServeError, Server};

use crate::consortium::{Consortium, ConsortiumError};
use crate::control::{Dialer, Reason, Refusal, SessionEnd};
use crate::digest::Digest;
use crate::failure::Explain;
use crate::identity::{Identity, IdentityError, Name};
use crate::session::{Cancel, Rendezvous};
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use mpc_core::net::{SessionId, Transport};
use mpc_core::party::PartyId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The consortium file cannot be used.
    #[error(transparent)]
    Consortium(#[from] ConsortiumError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The identity is not that of the party in the consortium file.
    #[error("{party} of the consortium is {listed}, but the identity is {found}")]
    NotThisParty {
        /// The party that the configuration names.
        party: PartyId,
        /// Its name in the consortium file.
        listed: Name,
        /// Name of the identity.
        found: Name,
    },
    /// The consortium file lists another certificate than the identity has.
    #[error("the consortium file lists another certificate of {0} than the key file has")]
    OtherCertificate(Name),
    /// The certificate is not valid now.
    #[error("the certificate of {name} is valid from {from} to {until}, which is not now")]
    CertificateDates {
        /// Whose certificate it is.
        name: Name,
        /// First instant.
        from: Timestamp,
        /// Last instant.
        until: Timestamp,
    },
}

impl Explain for StartError {
    fn hint(&self) -> Option<String> {
        match self {
            StartError::Identity(e) => e.hint(),
            StartError::Consortium(e) => e.hint(),
            StartError::Store(e) => e.hint(),
            StartError::NotThisParty { .. } => {
                Some("check `party` and `identity` in party.toml".into())
            }
            StartError::OtherCertificate(_) => Some(
                "after a renewal, put the new card into consortium.toml at every participant"
                    .into(),
            ),
            StartError::CertificateDates { .. } => {
                Some("renew it with: tercet keygen --renew NAME.key".into())
            }
        }
    }
}

/// What is put in place of the links of a computation.
pub type Interpose = fn(Box<dyn Transport>) -> Box<dyn Transport>;

/// Everything that the tasks of a node share.
#[derive(Debug)]
pub struct Node {
    /// The configuration.
    pub config: NodeConfig,
    /// The consortium.
    pub consortium: Consortium,
    /// The party's identity.
    pub identity: Identity,
    /// What is kept on the disk.
    pub store: Store,
    /// Where links of peers and sessions meet.
    pub rendezvous: Rendezvous,
    /// Raised when the node stops.
    pub stopping: Cancel,
    /// When the node started.
    pub started: Timestamp,
    /// Comes between a computation and its links.
    pub(crate) interpose: Interpose,
    uploading: Mutex<BTreeSet<Name>>,
    running: Mutex<HashMap<SessionId, Running>>,
    stocks_in_use: Mutex<BTreeSet<Digest>>,
}

/// A session that runs, or has just ended and is being noted down.
#[derive(Debug, Default)]
struct Running {
    cancel: Cancel,
    end: Option<SessionEnd>,
    is_rehearsal: bool,
}

impl Node {
    /// Loads everything that a configuration names and checks that it fits together.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(config: NodeConfig) -> Result<Arc<Node>, StartError> {
        Node::open_with(config, |links| links)
    }

    /// A node of which all messages of computations pass through `interpose`: to observe
    /// them, or to play a party that cheats.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open_with(config: NodeConfig, interpose: Interpose) -> Result<Arc<Node>, StartError> {
        let identity = Identity::load(&config.identity)?;
        let consortium = Consortium::load(&config.consortium)?;
        let listed = &consortium.party(config.party).card;
        if !listed.same_identity(identity.card()) {
            return Err(StartError::NotThisParty {
                party: config.party,
                listed: listed.name().clone(),
                found: identity.name().clone(),
            });
        }
        if listed.certificate() != identity.card().certificate() {
            return Err(StartError::OtherCertificate(listed.name().clone()));
        }
        let validity = listed.certificate().validity();
        if !validity.contains(Timestamp::now()) {
            let (name, from, until) = (listed.name().clone(), validity.from, validity.until);
            return Err(StartError::CertificateDates { name, from, until });
        }
        let store = Store::open(&config.data_dir, identity.card())?;
        Ok(Arc::new(Node {
            config,
            consortium,
            identity,
            store,
            rendezvous: Rendezvous::default(),
            stopping: Cancel::default(),
            started: Timestamp::now(),
            interpose,
            uploading: Mutex::default(),
            running: Mutex::default(),
            stocks_in_use: Mutex::default(),
        }))
    }

    /// Which party this node is.
    pub fn party(&self) -> PartyId {
        self.config.party
    }

    /// Dials other parties as this one.
    pub fn dialer(&self) -> Dialer<'_> {
        Dialer::new(&self.consortium, &self.identity, self.config.limits.client_timeout())
    }

    /// Reserves the upload of a member until the guard is dropped; one at a time.
    pub fn reserve_upload(&self, owner: &Name) -> Option<UploadGuard<'_>> {
        let free = lock(&self.uploading).insert(owner.clone());
        free.then(|| UploadGuard { node: self, owner: owner.clone() })
    }

    /// Reserves stocks of triples until the guard is dropped; `None` when a session uses one.
    pub fn reserve_stocks(
        self: &Arc<Self>,
        stocks: impl Iterator<Item = Digest>,
    ) -> Option<StockGuard> {
        let stocks: BTreeSet<Digest> = stocks.collect();
        let mut in_use = lock(&self.stocks_in_use);
        if !in_use.is_disjoint(&stocks) {
            return None;
        }
        in_use.extend(&stocks);
        Some(StockGuard { node: Arc::clone(self), stocks })
    }

    /// Registers a session that begins. A rehearsal that runs is stopped: it would be in the
    /// way, and measure wrongly.
    ///
    /// # Errors
    /// A refusal when the session runs already.
    pub fn enter_session(&self, session: SessionId) -> Result<SessionGuard<'_>, Refusal> {
        let mut running = lock(&self.running);
        if running.contains_key(&session) {
            return Err(Refusal::new(Reason::SessionUsed, "this session runs already"));
        }
        for rehearsal in running.values().filter(|running| running.is_rehearsal) {
            tracing::info!(%session, "a rehearsal gives way to a session");
            rehearsal.cancel.raise();
        }
        Ok(self.guard(&mut running, session, false))
    }

    /// Registers a rehearsal that begins.
    ///
    /// # Errors
    /// A refusal when anything else runs, a session or another rehearsal.
    pub fn enter_rehearsal(&self, session: SessionId) -> Result<SessionGuard<'_>, Refusal> {
        let mut running = lock(&self.running);
        if !running.is_empty() {
            let message = format!("{} computes another session", self.party());
            return Err(Refusal::new(Reason::Busy, message).with_hint(
                "a rehearsal would disturb it and measure wrongly; try again when it is over, \
                 or use a forecast without --measured",
            ));
        }
        Ok(self.guard(&mut running, session, true))
    }

    fn guard(
        &self,
        running: &mut HashMap<SessionId, Running>,
        session: SessionId,
        is_rehearsal: bool,
    ) -> SessionGuard<'_> {
        let cancel = Cancel::default();
        running.insert(session, Running { cancel: cancel.clone(), end: None, is_rehearsal });
        SessionGuard { node: self, session, cancel }
    }

    /// How a session ended that has not been noted down yet.
    pub fn provisional_end(&self, session: SessionId) -> Option<SessionEnd> {
        lock(&self.running).get(&session)?.end.clone()
    }

    /// How many sessions run.
    pub fn running_sessions(&self) -> usize {
        lock(&self.running).len()
    }

    /// Asks all sessions to end, and everything that waits to give up.
    pub fn stop(&self) {
        self.stopping.raise();
        let running = lock(&self.running);
        running.values().for_each(|session| session.cancel.raise());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-done under these locks, so a panic elsewhere does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the place of a member's upload.
#[derive(Debug)]
pub struct UploadGuard<'a> {
    node: &'a Node,
    owner: Name,
}

impl Drop for UploadGuard<'_> {
    fn drop(&mut self) {
        lock(&self.node.uploading).remove(&self.owner);
    }
}

/// Holds stocks of triples.
#[derive(Debug)]
pub struct StockGuard {
    node: Arc<Node>,
    stocks: BTreeSet<Digest>,
}

impl Drop for StockGuard {
    fn drop(&mut self) {
        lock(&self.node.stocks_in_use).retain(|stock| !self.stocks.contains(stock));
    }
}

/// Holds the place of a session that runs.
#[derive(Debug)]
pub struct SessionGuard<'a> {
    node: &'a Node,
    session: SessionId,
    cancel: Cancel,
}

impl SessionGuard<'_> {
    /// The session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The request to end the session.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Lets peers ask how the session ended before it is noted down.
    pub fn announce_end(&self, end: &SessionEnd) {
        if let Some(running) = lock(&self.node.running).get_mut(&self.session) {
            running.end = Some(end.clone());
        }
    }
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        lock(&self.node.running).remove(&self.session);
        self.node.rendezvous.forget(self.session);
    }
}
