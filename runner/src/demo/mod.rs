//! The first minute: the whole path of a consortium on one machine.
//!
//! Three nodes, a data holder for each part of a real table, and an analyst, all
//! in processes of their own; what they do are the commands that a consortium
//! uses on separate hosts. Beside the model trained on shares, its twin is trained
//! in the clear on the same rows, and both are tested on rows that neither saw.

mod nodes;
mod path;
mod prepare;
mod report;
mod settings;
mod split;
mod stages;
mod tables;
mod wine;
mod workspace;

pub use report::{Holder, Report};
pub use settings::{Network, Settings, Source};
pub use tables::render;

use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::output::Output;
use tokio::signal::unix::{SignalKind, signal};
use workspace::Workspace;

/// Runs the demo. No process that it starts outlives it, and unless it is to be
/// kept, no file.
///
/// # Errors
/// When a command fails, a node dies, or the user interrupts.
pub async fn run(settings: &Settings, out: Output) -> Result<Report, Failure> {
    let unavailable = |e| Failure::new(format!("cannot watch for signals: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(unavailable)?;
    // Dropped last, when no process uses it any more.
    let workspace = Workspace::create(settings.keep.as_deref())?;
    tokio::select! {
        report = path::walk(settings, &workspace, out) => report,
        _ = interrupt.recv() => Err(interrupted()),
        _ = terminate.recv() => Err(interrupted()),
        _ = hang_up.recv() => Err(interrupted()),
    }
}

fn interrupted() -> Failure {
    Failure::new("interrupted; all processes of the demo were ended").with_code(EXIT_INTERRUPTED)
}
