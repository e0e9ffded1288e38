//! Ending a session on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A request to end a session, seen by the computation and by whoever waits.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    raised: Arc<Notify>,
}

impl Cancel {
    /// Asks the session to end.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::Release);
        self.raised.notify_waiters();
    }

    /// Whether the session was asked to end.
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Waits until the session is asked to end.
    pub async fn wait(&self) {
        let raised = self.raised.notified();
        tokio::pin!(raised);
        // Listening before looking: a request in between is not missed.
        raised.as_mut().enable();
        if !self.is_raised() {
            raised.await;
        }
    }

    /// The flag, for the computation to look at between rounds.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_before_and_after() {
        let cancel = Cancel::default();
        let waiting = tokio::spawn({
            let cancel = cancel.clone();
            async move { cancel.wait().await }
        });
        tokio::task::yield_now().await;
        assert!(!cancel.is_raised() && !waiting.is_finished());
        cancel.raise();
        waiting.await.unwrap();
        cancel.wait().await;
        assert!(cancel.flag().load(Ordering::Relaxed));
    }
}
