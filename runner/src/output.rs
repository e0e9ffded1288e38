//! What a command prints: text for people, or JSON for programs.
//!
//! Results go to standard output, progress and errors to standard error. With
//! `--json` standard output carries JSON only, one object a line, and the last
//! line is the result or `{"error": .., "hint": ..}`.

use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where and how a command reports.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    progress: bool,
}

impl Output {
    /// Reports to the process's own streams.
    pub fn new(json: bool) -> Self {
        Output { json, progress: !json && io::stderr().is_terminal() }
    }

    /// Whether the reader is a program.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress bars are shown: to a person at a terminal only.
    pub fn shows_progress(&self) -> bool {
        self.progress
    }

    /// Reports the result: as `text` to a person, as `value` to a program.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) {
        if self.json { self.json_line(value) } else { print_line(text().trim_end()) }
    }

    /// Reports an event on the way to the result, to programs only.
    pub fn event<T: Serialize>(&self, value: &T) {
        if self.json {
            self.json_line(value);
        }
    }

    /// Tells a person something on the way; programs are not bothered.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            eprintln!("{}", text.as_ref());
        }
    }

    /// Reports a failure.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            self.json_line(&serde_json::json!({
                "error": failure.message,
                "hint": failure.hint,
            }));
        } else {
            eprintln!("error: {}", failure.message);
            if let Some(hint) = &failure.hint {
                eprintln!("hint: {hint}");
            }
        }
    }

    /// A progress bar of `length` steps in the given style, hidden where nobody looks.
    pub fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let target =
            if self.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        ProgressBar::with_draw_target(Some(length), target).with_style(style(template))
    }

    fn json_line<T: Serialize>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(line) => print_line(&line),
            Err(e) => eprintln!("error: cannot express the result as JSON: {e}"),
        }
    }
}

/// How a bar looks that follows a template.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Whether something that was to be printed could not be.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result was lost on its way to standard output, for instance on a full disk.
pub fn was_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Prints a line; a reader that went away (`| head`) is no error of ours.
fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot print the result: {e}");
            LOST.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
}
