//! Entry point of the `tercet` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::cli::run(std::env::args_os())
}
