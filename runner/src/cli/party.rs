//! `tercet party`: run a compute node until it is stopped.

use crate::failure::Failure;
use crate::node::{LogFormat, Node, NodeConfig, Server};
use crate::output::Output;
use mpc_core::ring::gemm::set_threads;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// Run one of the three compute nodes until it is stopped.
///
/// The node keeps what members submit, still encrypted, and computes with the
/// two other parties. SIGTERM and Ctrl-C stop it in order; a node that was
/// killed can be started again at once. Log level: environment TERCET_LOG.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet party --config trial/party0/party.toml")]
pub struct Args {
    /// The configuration of the node.
    #[arg(long, value_name = "FILE", env = "TERCET_PARTY_CONFIG")]
    config: PathBuf,
    /// Listen here instead of the address in the configuration.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Stop when standard input ends, as it does when the program that started the node is gone.
    #[arg(long)]
    until_stdin_ends: bool,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let mut config = NodeConfig::load(&args.config)?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    start_log(config.log);
    set_threads(config.threads.get());
    let node = Node::open(config)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("cannot start the runtime: {e}")))?
        .block_on(async {
            let [mut interrupt, mut terminate] =
                [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
            let unavailable = |e: &mut io::Error| Failure::new(format!("no signals: {e}"));
            let interrupt = interrupt.as_mut().map_err(unavailable)?;
            let terminate = terminate.as_mut().map_err(unavailable)?;

            let (party, name) = (node.party(), node.identity.name().clone());
            let consortium = node.consortium.digest();
            let server = Server::bind(node).await?;
            let address =
                server.local_addr().map_err(|e| Failure::new(format!("no address: {e}")))?;
            tracing::info!(party = party.index(), %name, %address, %consortium, "listening");
            let started = json!({
                "event": "listening",
                "party": party,
                "name": name,
                "address": address.to_string(),
                "consortium": consortium,
                "pid": std::process::id(),
            });
            out.result(&started, || format!("{party} ({name}) listens on {address}"));
            server
                .run(async {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        () = stdin_ended(), if args.until_stdin_ends => {}
                    }
                })
                .await;
            Ok(())
        })
}

/// Waits for the end of standard input; nobody waits for the thread that reads it.
async fn stdin_ended() {
    let (ended, wait) = oneshot::channel();
    let reader = thread::Builder::new().name("stdin".into()).spawn(move || {
        // An input that cannot be read has ended, too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        // Without a receiver the node is stopping already.
        let _ = ended.send(());
    });
    match reader {
        Ok(_) => drop(wait.await),
        Err(e) => tracing::error!(error = %e, "standard input cannot be watched; stopping"),
    }
}

/// Logs to standard error, as text to a terminal and as JSON elsewhere.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("TERCET_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let text = match format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let started = if text {
        log.with_target(false).try_init()
    } else {
        log.json().flatten_event(true).with_target(false).try_init()
    };
    if let Err(e) = started {
        eprintln!("warning: no log: {e}");
    }
}
