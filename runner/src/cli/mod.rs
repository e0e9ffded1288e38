//! The command line: one file a command.

mod approve;
mod bench;
mod demo;
mod evaluate;
mod export;
mod following;
mod forecast;
mod import;
mod init;
mod inspect;
mod keygen;
mod model;
mod opened;
mod participant;
mod party;
mod predict;
mod predict_private;
mod preprocess;
mod range;
mod range_counts;
mod rehearsing;
mod schema;
mod share;
mod status;
mod submit;
mod train;
mod training_bar;
mod twin;
mod verify_evidence;
mod verify_receipt;

pub use participant::{ParticipantArgs, Participation, block_on};

use crate::failure::{EXIT_FAILURE, Failure};
use crate::output::{self, Output};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Train neural networks on secret shares among three compute parties.
#[derive(Parser)]
#[command(name = "tercet", version = crate::CODE_VERSION, max_term_width = 100, after_help = OVERVIEW)]
struct Cli {
    /// Print results as JSON on standard output, one object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const OVERVIEW: &str = "\
Each command explains itself and shows an example: tercet COMMAND --help.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Keygen(keygen::Args),
    Init(init::Args),
    Schema(schema::Args),
    Share(share::Args),
    Inspect(inspect::Args),
    Party(party::Args),
    Submit(submit::Args),
    Approve(approve::Args),
    VerifyReceipt(verify_receipt::Args),
    VerifyEvidence(verify_evidence::Args),
    Preprocess(preprocess::Args),
    Train(train::Args),
    Forecast(forecast::Args),
    Model(model::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Twin(twin::Args),
    Range(range::Args),
    Status(status::Args),
    Bench(bench::Args),
}

impl Command {
    fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Command::Demo(args) => demo::run(args, out),
            Command::Keygen(args) => keygen::run(args, out),
            Command::Init(args) => init::run(args, out),
            Command::Schema(args) => schema::run(args, out),
            Command::Share(args) => share::run(args, out),
            Command::Inspect(args) => inspect::run(args, out),
            Command::Party(args) => party::run(args, out),
            Command::Submit(args) => submit::run(args, out),
            Command::Approve(args) => approve::run(args, out),
            Command::VerifyReceipt(args) => verify_receipt::run(args, out),
            Command::VerifyEvidence(args) => verify_evidence::run(args, out),
            Command::Preprocess(args) => preprocess::run(args, out),
            Command::Train(args) => train::run(args, out),
            Command::Forecast(args) => forecast::run(args, out),
            Command::Model(args) => model::run(args, out),
            Command::Evaluate(args) => evaluate::run(args, out),
            Command::Predict(args) => predict::run(args, out),
            Command::Twin(args) => twin::run(args, out),
            Command::Range(args) => range::run(args, out),
            Command::Status(args) => status::run(args, out),
            Command::Bench(args) => bench::run(args, out),
        }
    }
}

/// Parses the command line, runs the command and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args.iter().any(|arg| arg == "--json")),
    };
    let out = Output::new(cli.json);
    match cli.command.run(out) {
        Ok(()) if output::was_lost() => ExitCode::from(EXIT_FAILURE),
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

/// Shows help or explains wrong usage.
fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if json && code != 0 {
        let text = error.render().to_string();
        // Which arguments are meant stands below the first line; usage follows an empty one.
        let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
        let message = lines.collect::<Vec<_>>().join(" ");
        let failure = Failure::new(message.trim_start_matches("error: "))
            .with_hint("see tercet --help")
            .with_code(code);
        Output::new(true).failure(&failure);
    } else {
        // A closed terminal is no reason to fail differently.
        let _ = error.print();
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_shows_an_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
            let leaves: Vec<_> = match command.get_subcommands().next() {
                None => vec![command],
                Some(_) => command.get_subcommands().filter(|c| c.get_name() != "help").collect(),
            };
            for leaf in leaves {
                let help = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("tercet "), "{} shows no example", leaf.get_name());
                assert!(leaf.get_about().is_some(), "{} is not described", leaf.get_name());
            }
        }
    }
}
