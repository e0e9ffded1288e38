//! One of the three processes of a measurement.

use super::plan::Plan;
use super::session::{compute, reports};
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::identity::{Identity, Role, Validity};
use crate::output::Output;
use mpc_core::net::clock::Clock;
use mpc_core::net::tls::{
    Fingerprint, TlsIdentity, TlsStream, TlsTransport, accept, client_config, connect,
    server_config,
};
use mpc_core::net::{SessionId, Shaped, Transport};
use mpc_core::party::PartyId;
use mpc_core::ring::gemm::set_threads;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Display;
use std::io::{self, BufRead, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How long the three processes may take to find each other, and a round at most.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest line that is read from the process that measures.
const MAX_BRIEFING_BYTES: u64 = 1 << 16;

/// How the others reach a party, and what it proves to own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Introduction {
    /// Where it listens on this machine.
    pub port: u16,
    /// Its certificate.
    pub fingerprint: Fingerprint,
}

/// What each party is told once all have introduced themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Briefing {
    /// The three parties.
    pub parties: [Introduction; 3],
    /// A fresh session.
    pub session: SessionId,
    /// What to do.
    pub plan: Plan,
}

/// Introduces itself on standard output, is briefed on standard input, and measures.
///
/// # Errors
/// When the others cannot be reached or the computation fails.
pub fn run_party(party: PartyId, out: Output) -> Result<(), Failure> {
    let name = format!("party-{}", party.index()).parse().map_err(Failure::new)?;
    let identity =
        Identity::generate(name, Role::Party, Validity::days_from_now(1))?.tls_identity();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("listen"))?;
    let port = listener.local_addr().map_err(failed("listen"))?.port();
    let introduction = Introduction { port, fingerprint: identity.fingerprint() };
    out.result(&introduction, || format!("{party} listens on port {port}"));
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(MAX_BRIEFING_BYTES)
        .read_line(&mut line)
        .map_err(failed("be briefed"))?;
    let briefing: Briefing = serde_json::from_str(&line).map_err(failed("be briefed"))?;
    end_with_standard_input()?;

    let [prev, next] = links(party, &identity, &listener, &briefing)?;
    let transport = TlsTransport::new(party, briefing.session, PATIENCE, prev, next)
        .map_err(failed("use the links"))?;
    let plan = &briefing.plan;
    set_threads(plan.setting.threads);
    let mut transport: Box<dyn Transport> = match plan.setting.link {
        None => Box::new(transport),
        Some(link) => {
            let seed = plan.setting.seed.unwrap_or_default();
            Box::new(Shaped::new(transport, link, Clock::Wall, seed))
        }
    };
    let done = |repetitions| {
        if reports(party) {
            out.event(&json!({ "event": "progress", "repetitions": repetitions }));
        }
    };
    let result = compute(&mut *transport, plan, done).map_err(failed("compute"))?;
    out.result(&result, || format!("{party} is done"));
    Ok(())
}

fn failed<E: Display>(what: &'static str) -> impl Fn(E) -> Failure {
    move |e| Failure::new(format!("cannot {what}: {e}"))
}

/// Ends this process when the one that started it is gone.
fn end_with_standard_input() -> Result<(), Failure> {
    let watch = || {
        // An input that cannot be read has ended, too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(EXIT_INTERRUPTED.into());
    };
    let watcher = thread::Builder::new().name("stdin".into()).spawn(watch);
    watcher.map(drop).map_err(failed("watch standard input"))
}

/// Dials the next party and is dialled by the previous one, at the same time.
fn links(
    party: PartyId,
    identity: &TlsIdentity,
    listener: &TcpListener,
    briefing: &Briefing,
) -> Result<[TlsStream; 2], Failure> {
    let [prev, next] = [party.prev(), party.next()].map(|peer| briefing.parties[peer.index()]);
    let server = server_config(identity, [prev.fingerprint], &[]).map_err(failed("use TLS"))?;
    let client = client_config(identity, next.fingerprint, &[]).map_err(failed("use TLS"))?;
    thread::scope(|scope| {
        let from_prev = scope.spawn(|| {
            let (socket, _) = listener.accept().map_err(failed("accept the previous party"))?;
            accept(socket, server, PATIENCE).map_err(failed("accept the previous party"))
        });
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, next.port));
        let to_next = connect(socket.map_err(failed("reach the next party"))?, client, PATIENCE);
        let to_next = to_next.map_err(failed("reach the next party"))?;
        let from_prev = from_prev.join().unwrap_or_else(|e| std::panic::resume_unwind(e))?;
        Ok([from_prev, to_next])
    })
}
