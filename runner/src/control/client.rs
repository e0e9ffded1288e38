//! Asking a node: dial, greet, one request.

use super::{
    ALPN_CONTROL, ALPN_MPC, Answer, CONTROL_VERSION, ControlError, Framed, Hello, Reason, Refusal,
    Request, Welcome,
};
use crate::CODE_VERSION;
use crate::consortium::Consortium;
use crate::identity::Identity;
use mpc_core::net::tls::{HandshakeError, client_config, server_name};
use mpc_core::party::PartyId;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A TLS connection that this side dialled.
pub type TlsSocket = TlsStream<TcpStream>;

/// Dials the parties of a consortium as one identity.
#[derive(Debug)]
pub struct Dialer<'a> {
    consortium: &'a Consortium,
    identity: &'a Identity,
    patience: Duration,
}

impl<'a> Dialer<'a> {
    /// Dials as `identity`; waits for a peer for at most `patience` at a time.
    pub fn new(consortium: &'a Consortium, identity: &'a Identity, patience: Duration) -> Self {
        Dialer { consortium, identity, patience }
    }

    /// Connects to the control plane of a party and exchanges greetings.
    ///
    /// # Errors
    /// When the party cannot be reached, is not who it should be, or speaks
    /// another version.
    pub async fn control(&self, party: PartyId) -> Result<Client, ControlError> {
        let stream = self.connect(party, ALPN_CONTROL).await?;
        let mut framed = Framed::new(stream, self.patience);
        framed
            .send(&Hello {
                protocol: CONTROL_VERSION,
                code: CODE_VERSION.into(),
                consortium: self.consortium.digest(),
            })
            .await?;
        let welcome: Welcome = framed.receive_message().await?;
        if welcome.protocol != CONTROL_VERSION {
            let message = format!(
                "{party} speaks version {} of the control protocol, this is version {CONTROL_VERSION}",
                welcome.protocol
            );
            return Err(Refusal::new(Reason::Version, message).into());
        }
        if welcome.party != party {
            return Err(ControlError::OtherParty { expected: party, found: welcome.party });
        }
        Ok(Client { framed, welcome })
    }

    /// Connects to the computation port of a party.
    ///
    /// # Errors
    /// When the party cannot be reached or is not who it should be.
    pub async fn mpc(&self, party: PartyId) -> Result<TlsSocket, ControlError> {
        self.connect(party, ALPN_MPC).await
    }

    async fn connect(&self, party: PartyId, alpn: &[u8]) -> Result<TlsSocket, ControlError> {
        let address = &self.consortium.party(party).address;
        let unreachable =
            |source| ControlError::Unreachable { party, address: address.clone(), source };
        let handshake =
            |source| ControlError::Handshake { party, address: address.clone(), source };
        let expected = self.consortium.party(party).card.certificate().fingerprint();
        let config = client_config(&self.identity.tls_identity(), expected, &[alpn])
            .map_err(|e| handshake(e.into()))?;

        let tcp = match timeout(self.patience, TcpStream::connect(address.as_str())).await {
            Ok(connected) => connected.map_err(unreachable)?,
            Err(_) => return Err(unreachable(io::ErrorKind::TimedOut.into())),
        };
        tcp.set_nodelay(true).map_err(unreachable)?;
        let connecting = TlsConnector::from(config).connect(server_name(), tcp);
        match timeout(self.patience, connecting).await {
            Ok(connected) => connected.map_err(|e| handshake(e.into())),
            Err(_) => Err(handshake(HandshakeError::Timeout(self.patience))),
        }
    }
}

/// A connection to the control plane of one party.
#[derive(Debug)]
pub struct Client {
    framed: Framed<TlsSocket>,
    welcome: Welcome,
}

impl Client {
    /// What the node said about itself.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Sends the request and hands over the connection for the messages that follow.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn request(mut self, request: &Request) -> Result<Framed<TlsSocket>, ControlError> {
        self.framed.send(request).await?;
        Ok(self.framed)
    }

    /// Sends a request that has one short answer.
    ///
    /// # Errors
    /// When the node is gone or refuses.
    pub async fn ask(self, request: &Request) -> Result<Answer, ControlError> {
        let mut framed = self.request(request).await?;
        let answer = framed.receive_message().await?;
        framed.close().await;
        match answer {
            Answer::Refused(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }
}
