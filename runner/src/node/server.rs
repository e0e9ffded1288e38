//! Listening: TLS, who it is, and what it wants.

use super::{Node, requests};
use crate::consortium::Participant;
use crate::control::{ALPN_CONTROL, ALPN_MPC, ControlError, Framed};
use crate::failure::Explain;
use crate::session::{Link, session_of};
use mpc_core::net::tls::{HandshakeError, peer_fingerprint, server_config};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream, server};

/// How long tasks may take to finish when the node stops.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// How long a refused client may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// Pause after the system refuses a connection, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address in the configuration.
        address: String,
        /// What the system reported.
        source: io::Error,
    },
    /// The certificate and its key cannot be used.
    #[error("cannot use the certificate of this node: {0}")]
    Certificate(rustls::Error),
}

impl Explain for ServeError {
    fn hint(&self) -> Option<String> {
        match self {
            ServeError::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Some(
                "another process listens there; stop it, or change `listen` in party.toml \
                 and the address in consortium.toml"
                    .into(),
            ),
            ServeError::Bind { .. } => Some("check `listen` in party.toml".into()),
            ServeError::Certificate(_) => None,
        }
    }
}

/// A node that listens.
pub struct Server {
    node: Arc<Node>,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Server {
    /// Starts to listen on the configured address.
    ///
    /// # Errors
    /// When the address is taken or cannot be used.
    pub async fn bind(node: Arc<Node>) -> Result<Server, ServeError> {
        let address = &node.config.listen;
        let listener = TcpListener::bind(address.as_str())
            .await
            .map_err(|source| ServeError::Bind { address: address.clone(), source })?;
        let clients: Vec<_> =
            node.consortium.participants().map(|p| p.card().certificate().fingerprint()).collect();
        let config =
            server_config(&node.identity.tls_identity(), clients, &[ALPN_CONTROL, ALPN_MPC])
                .map_err(ServeError::Certificate)?;
        Ok(Server { node, listener, acceptor: TlsAcceptor::from(config) })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// What the system reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes; then ends sessions in order.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Server { node, listener, acceptor } = self;
        let places = Arc::new(Semaphore::new(node.config.limits.max_connections));
        let mut strangers = Strangers::default();
        // Every task holds a sender: when all are gone, so are the tasks.
        let (alive, mut all_done) = mpsc::channel::<()>(1);
        tokio::pin!(stop);
        loop {
            let (stream, address) = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(e) => {
                        tracing::warn!(error = %e, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                }
            };
            if places.available_permits() == 0 && !strangers.turn_out_the_oldest() {
                tracing::warn!(%address, "too many connections; this one is closed");
                continue;
            }
            // Whoever was turned out leaves at once.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { continue };
            let (node, acceptor, alive) = (Arc::clone(&node), acceptor.clone(), alive.clone());
            let turned_out = strangers.admit();
            tokio::spawn(async move {
                serve(node, acceptor, stream, address, turned_out).await;
                drop((place, alive));
            });
        }
        drop((listener, alive));
        tracing::info!("stopping");
        node.stop();
        if timeout(SHUTDOWN_PATIENCE, all_done.recv()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// Connections that have not shown yet whose they are, the oldest first.
///
/// Anyone can open connections and be silent. So that this does not keep the consortium
/// out, such a connection has its place only as long as nobody else needs it.
#[derive(Default)]
struct Strangers(VecDeque<oneshot::Sender<()>>);

impl Strangers {
    /// Notes down a new connection, and returns what tells it to leave.
    fn admit(&mut self) -> oneshot::Receiver<()> {
        self.0.retain(|stranger| !stranger.is_closed());
        let (turn_out, turned_out) = oneshot::channel();
        self.0.push_back(turn_out);
        turned_out
    }

    /// Tells the oldest to leave; false if there is none.
    fn turn_out_the_oldest(&mut self) -> bool {
        while let Some(oldest) = self.0.pop_front() {
            if oldest.send(()).is_ok() {
                return true;
            }
        }
        false
    }
}

async fn serve(
    node: Arc<Node>,
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    address: SocketAddr,
    mut turned_out: oneshot::Receiver<()>,
) {
    let welcomed = tokio::select! {
        tls = welcome(&node, &acceptor, tcp, address) => tls,
        _ = &mut turned_out => None,
    };
    // From here on it keeps its place, unless it was told to leave before.
    turned_out.close();
    match welcomed {
        Some(tls) if turned_out.try_recv().is_err() => attend(node, tls, address).await,
        _ => tracing::debug!(%address, "a stranger left"),
    }
}

/// The TLS handshake, after which it is known who the client is.
async fn welcome(
    node: &Node,
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
    address: SocketAddr,
) -> Option<server::TlsStream<TcpStream>> {
    if let Err(e) = tcp.set_nodelay(true) {
        tracing::debug!(%address, error = %e, "cannot set TCP_NODELAY");
    }
    let patience = node.config.limits.client_timeout();
    match timeout(patience, acceptor.accept(tcp).into_fallible()).await {
        Ok(Ok(tls)) => return Some(tls),
        Ok(Err((e, tcp))) => {
            let reason = HandshakeError::from(e);
            tracing::warn!(%address, %reason, "TLS handshake failed");
            linger(tcp).await;
        }
        Err(_) => tracing::warn!(%address, "TLS handshake took too long"),
    }
    None
}

/// Serves a client by its name.
async fn attend(node: Arc<Node>, tls: server::TlsStream<TcpStream>, address: SocketAddr) {
    let patience = node.config.limits.client_timeout();
    let connection = tls.get_ref().1;
    let participant = peer_fingerprint(connection)
        .and_then(|fingerprint| node.consortium.by_fingerprint(&fingerprint));
    let Some(participant) = participant else {
        tracing::warn!(%address, "a client without a known certificate got through");
        return;
    };
    let is_link = connection.alpn_protocol() == Some(ALPN_MPC);
    let name = participant.card().name();
    let framed = Framed::new(TlsStream::from(tls), patience);
    let served = if is_link {
        take_link(&node, framed, participant).await
    } else {
        requests::serve(&node, framed, participant).await
    };
    match served {
        Ok(()) => tracing::debug!(%address, client = %name, "served"),
        Err(ControlError::Closed) => tracing::debug!(%address, client = %name, "client left"),
        Err(e) => tracing::warn!(%address, client = %name, error = %e, "connection failed"),
    }
}

/// Waits a moment for the client to read why it was refused.
///
/// Closing on what a client still sends would make its system drop the reason.
async fn linger(mut tcp: TcpStream) {
    let mut sent = [0; 1024];
    let drain = async {
        tcp.shutdown().await?;
        while tcp.read(&mut sent).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever happens now, the connection ends.
    let _ = timeout(LINGER, drain).await;
}

/// Takes a link that a peer dialled, and keeps it until its session comes.
async fn take_link(
    node: &Node,
    mut link: Link,
    participant: Participant<'_>,
) -> Result<(), ControlError> {
    let Participant::Party(peer, _) = participant else {
        return Err(ControlError::Malformed("a member asked for a link between parties"));
    };
    let session = session_of(&mut link).await?;
    let join_timeout = node.config.limits.connect_timeout();
    node.rendezvous.arrived(session, peer, link);
    tokio::select! {
        () = tokio::time::sleep(join_timeout) => {}
        () = node.stopping.wait() => {}
    }
    node.rendezvous.remove_parked(session, peer);
    Ok(())
}
