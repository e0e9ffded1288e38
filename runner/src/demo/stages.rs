//! Telling how far the demo is: one line for each stage, ticked off when done.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::time::{Duration, Instant};

/// Width of the column with the names of the stages.
const NAME_WIDTH: usize = 12;
const SPINNER: &str = "  {spinner} {prefix} {msg}";
const TRAINING_BAR: &str = "  {spinner} {prefix} [{bar:28}] {percent:>3}%  {msg}  ETA {eta}";

/// A stage under way; shown as failed when it is dropped before it is done.
pub struct Stage {
    out: Output,
    name: &'static str,
    bar: ProgressBar,
    started: Instant,
    done: bool,
}

impl Stage {
    /// Begins a stage of unknown length.
    pub fn begin(out: Output, name: &'static str) -> Self {
        let bar = out.bar(0, SPINNER);
        bar.set_prefix(format!("{name:<NAME_WIDTH$}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Stage { out, name, bar, started: Instant::now(), done: false }
    }

    /// Shows how far the stage is, as a bar with the time that is left.
    pub fn progress(&self, done: u64, total: u64, what: impl Into<String>) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.reset_eta();
            if let Ok(style) = ProgressStyle::with_template(TRAINING_BAR) {
                self.bar.set_style(style.progress_chars("━╸ "));
            }
        }
        self.bar.set_position(done);
        self.bar.set_message(what.into());
    }

    /// Ticks the stage off; `summary` tells what it came to.
    pub fn done(mut self, summary: &str) {
        self.done = true;
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        self.out.note(format!("  ✓ {:<NAME_WIDTH$} {summary}  ({seconds:.1} s)", self.name));
        self.out.event(&json!({
            "event": "stage",
            "stage": self.name.to_lowercase(),
            "summary": summary,
            "seconds": seconds,
        }));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.done {
            self.bar.finish_and_clear();
            self.out.note(format!("  ✗ {}", self.name));
        }
    }
}
