//! Speaking to nodes as a client that need not keep to what the command does.

use mpc_core::party::PartyId;
use runner::consortium::Consortium;
use runner::control::{Client, ControlError, Dialer, upload};
use runner::digest::Digest;
use runner::identity::Identity;
use std::path::Path;
use std::time::Duration;

/// How long a node may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// A participant with a consortium file.
pub struct RawClient {
    consortium: Consortium,
    identity: Identity,
    runtime: tokio::runtime::Runtime,
}

impl RawClient {
    /// Loads both files.
    pub fn new(consortium: &Path, key: &Path) -> Self {
        let consortium = Consortium::load(consortium).unwrap();
        let identity = Identity::load(key).unwrap();
        RawClient::of(consortium, identity)
    }

    /// Acts as this identity.
    pub fn of(consortium: Consortium, identity: Identity) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        RawClient { consortium, identity, runtime }
    }

    /// Lets a conversation with a party's node run to its end.
    pub fn talk<T>(
        &self,
        party: PartyId,
        conversation: impl AsyncFnOnce(Client) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        self.runtime.block_on(async {
            let dialer = Dialer::new(&self.consortium, &self.identity, PATIENCE);
            conversation(dialer.control(party).await?).await
        })
    }

    /// Sends a file to a party unseen, and returns the receipt.
    pub fn upload(&self, party: PartyId, file: &Path) -> Result<Vec<u8>, ControlError> {
        let bytes = std::fs::read(file).unwrap();
        let (length, digest) = (bytes.len() as u64, Digest::of_bytes(&bytes));
        self.talk(party, async |client| {
            let file = tokio::fs::File::open(file).await?;
            upload(client, file, length, digest, |_| {}).await
        })
    }
}
