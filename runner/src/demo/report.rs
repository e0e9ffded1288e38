//! What the demo came to.

use crate::evaluation::Evaluation;
use serde::Serialize;
use std::path::PathBuf;

/// Everything that the demo measured; with `--json`, the last line of its output.
///
/// What the computation cost comes from the parties' own statistics of the session.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was trained on, for people.
    pub data: String,
    /// The layers of the network, for people.
    pub network: String,
    /// Against what the computation was protected.
    pub security: String,
    /// How good the model is that was trained on shares.
    #[serde(flatten)]
    pub secure: Evaluation,
    /// How good the twin is that was trained on the same rows in the clear.
    pub plaintext: Evaluation,
    /// Accuracy of the twin; none for a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plaintext_accuracy: Option<f64>,
    /// The data holders.
    pub holders: Vec<Holder>,
    /// The member to whom the model was opened.
    pub receiver: String,
    /// Rows of all holders.
    pub rows_train: usize,
    /// Rows that were kept back to test on.
    pub rows_test: usize,
    /// Passes over all rows.
    pub epochs: usize,
    /// Batches that were computed.
    pub iterations: u64,
    /// Seconds from the parties' agreement to the end of the training.
    pub seconds_train: f64,
    /// Seconds of the twin's training.
    pub seconds_plaintext: f64,
    /// Seconds of the whole demo.
    pub seconds_total: f64,
    /// Rounds of messages.
    pub rounds: u64,
    /// Bytes that each party sent to the others while training.
    pub bytes_sent_per_party: [u64; 3],
    /// Largest resident memory of each party's process.
    pub peak_rss_bytes: [u64; 3],
    /// The parties' process ids.
    pub pids: [u32; 3],
    /// The directory with everything the demo made, if it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
}

/// One data holder.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    /// Its name in the consortium.
    pub name: String,
    /// Rows that it shared.
    pub rows: usize,
}
