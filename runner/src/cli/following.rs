//! Following a session that a command has started, until its end or Ctrl-C.

use super::participant::{Participation, block_on};
use crate::control::{Refusal, Request};
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::session::{self, TrainError, TrainEvent, TrainReport};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait for a submission that is under way.
const SUBMISSION_PATIENCE: Duration = Duration::from_secs(20);
/// How long until another session is tried.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Starts a session at the parties and follows it; a new one for a while as long as one of
/// the data sets is being submitted.
///
/// Ctrl-C ends it at all of them; pressed again, they are not waited for.
pub fn follow(
    participation: &Participation,
    request: impl Fn() -> Result<Request, Refusal>,
    mut on_event: impl FnMut(TrainEvent),
) -> Result<TrainReport, Failure> {
    let given_up = Instant::now() + SUBMISSION_PATIENCE;
    block_on(async {
        let following = async {
            let stop = interrupted();
            tokio::pin!(stop);
            loop {
                let ended = session::follow(
                    &participation.consortium,
                    &participation.identity,
                    participation.patience,
                    &request()?,
                    &mut stop,
                    &mut on_event,
                )
                .await;
                match ended {
                    Err(e) if e.is_incomplete() && Instant::now() < given_up => {
                        on_event(TrainEvent::Incomplete { reason: e.to_string() });
                        tokio::select! {
                            () = sleep(TRY_AGAIN) => {}
                            () = &mut stop => {
                                let step = "waiting for a submission".into();
                                return Err(TrainError::Cancelled { step }.into());
                            }
                        }
                    }
                    ended => return Ok(ended?),
                }
            }
        };
        tokio::select! {
            report = following => report,
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
