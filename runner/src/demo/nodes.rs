//! The three party nodes of the demo: started together, watched, and stopped together.

use crate::failure::Failure;
use crate::processes::{Process, Processes};
use mpc_core::party::PartyId;
use std::time::Duration;
use tokio::time::timeout;

/// How much later than its connections the end of a process may be seen.
const DEATH_NOTICE: Duration = Duration::from_millis(500);

/// Three running nodes; they are killed when this is dropped.
#[derive(Debug)]
pub struct Nodes {
    nodes: [Process; 3],
}

impl Nodes {
    /// Starts the nodes of a consortium directory and waits until they listen.
    ///
    /// # Errors
    /// When one does not start, with its own error.
    pub async fn start(processes: &Processes, consortium: &str) -> Result<Self, Failure> {
        let [first, second, third] = PartyId::ALL.map(|party| {
            let name = format!("party{}", party.index());
            let config = format!("{consortium}/{name}/party.toml");
            processes.start(&name, &["party", "--config", &config, "--until-stdin-ends"])
        });
        let mut nodes = Nodes { nodes: [first?, second?, third?] };
        for node in &mut nodes.nodes {
            // A node prints where it listens as soon as it does, and an error if it cannot.
            let listens = node.next_line().await?.is_some_and(|line| !line["error"].is_string());
            if !listens {
                node.finish(|_| {}).await?;
                return Err(Failure::new("a node ended before it listened"));
            }
        }
        Ok(nodes)
    }

    /// Process ids of the nodes that run.
    pub fn ids(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(Process::id).collect()
    }

    /// Waits for the first node to end, which none does on its own, and tells why.
    pub async fn first_end(&mut self) -> Failure {
        let [first, second, third] = &mut self.nodes;
        tokio::select! {
            failure = end(first, PartyId::P0) => failure,
            failure = end(second, PartyId::P1) => failure,
            failure = end(third, PartyId::P2) => failure,
        }
    }

    /// Why a command failed: because a node died, if one did, and otherwise as it says.
    pub async fn cause_of(mut self, failure: Failure) -> Failure {
        // A command may notice that a node is gone before the system tells its parent.
        timeout(DEATH_NOTICE, self.first_end()).await.unwrap_or(failure)
    }

    /// Asks all nodes to stop and waits for them.
    pub async fn stop(self) {
        let [first, second, third] = self.nodes;
        tokio::join!(first.stop(), second.stop(), third.stop());
    }
}

/// Waits for the end of a node and tells why it ended.
async fn end(node: &mut Process, party: PartyId) -> Failure {
    let id = node.id().unwrap_or_default();
    match node.finish(|_| {}).await {
        Ok(_) => Failure::new(format!("the node of {party} (process {id}) was stopped")),
        Err(failure) => Failure {
            message: format!("the node of {party} (process {id}) died: {}", failure.message),
            ..failure
        },
    }
}
