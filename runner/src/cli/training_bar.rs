//! How far a training is: a bar for people, a line a batch for programs.

use crate::control::{Checked, Progress};
use crate::output::{Output, style};
use indicatif::ProgressBar;
use serde_json::json;
use std::time::Duration;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(200);
const WAITING: &str = "{spinner} waiting for the first batch, {elapsed} gone";
const CHECKING: &str = "checking on shares       [{bar:30}] {pos}/{len} rows, {elapsed} gone";
const BAR: &str = "{msg:<24} [{bar:30}] {pos}/{len} batches, {elapsed} gone, {eta} to go";

/// The bar of a training.
pub struct TrainingBar {
    out: Output,
    bar: ProgressBar,
}

impl TrainingBar {
    /// A bar that waits for the first batch.
    pub fn new(out: Output) -> Self {
        let bar = out.bar(0, WAITING);
        bar.enable_steady_tick(TICK);
        TrainingBar { out, bar }
    }

    /// Prints a line above the bar, to people only.
    pub fn note(&self, line: impl AsRef<str>) {
        self.bar.println(line);
    }

    /// Shows how many rows are checked; when all are, the bar waits for the first batch.
    pub fn rows_checked(&self, Checked { rows, of }: Checked) {
        let (length, look) = if rows < of { (of, CHECKING) } else { (0, WAITING) };
        self.bar.set_style(style(look));
        self.bar.set_length(length);
        self.bar.set_position(rows.min(length));
        self.out.event(&json!({ "event": "checking", "rows": rows, "of": of }));
    }

    /// Shows that a batch is done.
    pub fn batch_done(&self, progress: Progress) {
        let Progress { epoch, epochs, batch, batches } = progress;
        let done = epoch.saturating_sub(1).saturating_mul(batches).saturating_add(batch);
        if self.bar.length() == Some(0) {
            self.bar.disable_steady_tick();
            self.bar.set_style(style(BAR));
        }
        self.bar.set_length(epochs.saturating_mul(batches));
        self.bar.set_position(done);
        self.bar.set_message(format!("epoch {epoch}/{epochs}, batch {batch}/{batches}"));
        self.out.event(&json!({
            "event": "progress",
            "epoch": epoch,
            "epochs": epochs,
            "batch": batch,
            "batches": batches,
        }));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
