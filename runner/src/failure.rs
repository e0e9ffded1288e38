//! How a command fails: what went wrong, what to do about it, and the exit code.

use std::fmt;

/// The exit code of an ordinary failure.
pub const EXIT_FAILURE: u8 = 1;
/// The exit code after Ctrl-C, as shells report it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// An error type that can tell its reader what to do next.
///
/// Every error enum of this crate implements it, so that `?` in a command turns
/// it into a [`Failure`] with its hint.
pub trait Explain: std::error::Error {
    /// What the reader can do about it, as an instruction.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The exit code of the command that fails with this error.
    fn exit_code(&self) -> u8 {
        EXIT_FAILURE
    }
}

/// Why a command failed, ready to be shown to a person or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong and where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Exit code of the process; never 0.
    pub code: u8,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), hint: None, code: EXIT_FAILURE }
    }

    /// Adds or replaces the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the exit code.
    #[must_use]
    pub fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { message: chain(&error), hint: error.hint(), code: error.exit_code() }
    }
}

/// The error and its sources in one line; a source that is already quoted is left out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read x.toml")]
    struct Outer(#[source] std::io::Error);

    impl Explain for Outer {
        fn hint(&self) -> Option<String> {
            Some("check the path".into())
        }
    }

    #[test]
    fn sources_are_part_of_the_message_and_the_hint_survives() {
        let failure = Failure::from(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(failure.message, "cannot read x.toml: disk on fire");
        assert_eq!(failure.hint.as_deref(), Some("check the path"));
        assert_eq!(failure.code, EXIT_FAILURE);
    }
}
