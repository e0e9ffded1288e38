//! Following a session that a command has started, until its end or Ctrl-C.

use super::participant::{Participation, block_on};
use crate::control::Request;
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::session::{self, TrainEvent, TrainReport};

/// Starts a session at the parties and follows it.
///
/// Ctrl-C ends it at all of them; pressed again, they are not waited for.
pub fn follow(
    participation: &Participation,
    request: &Request,
    on_event: impl FnMut(TrainEvent),
) -> Result<TrainReport, Failure> {
    block_on(async {
        let following = session::follow(
            &participation.consortium,
            &participation.identity,
            participation.patience,
            request,
            interrupted(),
            on_event,
        );
        tokio::select! {
            report = following => Ok(report?),
            () = twice_interrupted() => {
                Err(Failure::new("left without waiting for the parties; they stop by themselves")
                    .with_code(EXIT_INTERRUPTED))
            }
        }
    })
}

/// Waits for Ctrl-C.
pub async fn interrupted() {
    // Without a handler Ctrl-C ends the process, which the parties notice as well.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits for Ctrl-C to be pressed again.
pub async fn twice_interrupted() {
    interrupted().await;
    interrupted().await;
}
