//! Three parties as threads of this process, on simulated clocks.
//!
//! A clock counts the processor time of its party's thread and the waiting on the links that
//! are simulated. So the figures are those of three machines with a core each, whatever else
//! this one does, and slow links cost no time. What they leave out: TLS, system calls of
//! sockets, and threads that share a product of matrices.

use super::plan::Plan;
use super::session::{PartyResult, compute, reports, seeded_session};
use crate::failure::Failure;
use mpc_core::error::Result;
use mpc_core::net::clock::{Clock, Computation};
use mpc_core::net::{LinkSpec, Shaped, Transport, local_network};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// How long a round may take by the clock on the wall.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a plan in three threads; `done` hears how many repetitions are over.
///
/// # Errors
/// Those of the protocols.
pub fn measure_in_process(
    plan: &Plan,
    done: impl FnMut(u64) + Send,
) -> std::result::Result<[PartyResult; 3], Failure> {
    let seed = plan.setting.seed.unwrap_or_default();
    let done = Mutex::new(done);
    let computation = plan.setting.clock.computation();
    let link = plan.setting.link.unwrap_or_default();
    three_parties(link, seed, computation, |transport| {
        let party = transport.party();
        compute(transport, plan, |repetitions| {
            if let (true, Ok(mut done)) = (reports(party), done.lock()) {
                done(repetitions as u64);
            }
        })
    })
}

/// Runs what the parties do in three threads, with links between them.
///
/// # Errors
/// That of the first party that fails.
pub(super) fn three_parties<T: Send>(
    link: LinkSpec,
    seed: u64,
    computation: Computation,
    run: impl Fn(&mut dyn Transport) -> Result<T> + Sync,
) -> std::result::Result<[T; 3], Failure> {
    let network = local_network(seeded_session(seed), PATIENCE);
    let results = thread::scope(|scope| {
        let run = &run;
        let parties = network.map(|transport| {
            let clock = Clock::simulated(computation);
            let mut transport = Shaped::new(transport, link, clock, seed);
            scope.spawn(move || run(&mut transport))
        });
        parties.map(|party| party.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
    });
    let [first, second, third] =
        results.map(|result| result.map_err(|e| Failure::new(format!("cannot compute: {e}"))));
    Ok([first?, second?, third?])
}
