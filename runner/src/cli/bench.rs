//! `tercet bench`: what protocols and training cost.

use super::participant::block_on;
use crate::bench::{self, Net, Op, Plan, Summary, Task};
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::job::{Multiplication, Security};
use crate::output::Output;
use clap::{Subcommand, ValueEnum};
use mpc_core::party::PartyId;
use serde_json::json;

/// Repetitions before those that count.
const WARM_UP: usize = 3;
/// Most elements of one measurement.
const MAX_N: usize = 1 << 26;
const BAR: &str = "{msg} [{bar:30}] {pos}/{len}, {elapsed} gone, {eta} to go";

/// Measure rounds, bytes and time of protocols and of training.
///
/// Three processes on this machine, connected by mutual TLS as nodes are, compute on
/// made-up shares. In the malicious mode each repetition includes its verification.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Op(OpArgs),
    Train(TrainArgs),
    Party(PartyArgs),
}

/// List what can be measured.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet bench list")]
struct List {}

/// Measure one protocol.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench op relu
  tercet bench op mul --n 1000000 --security malicious --json")]
struct OpArgs {
    /// The protocol.
    #[arg(value_enum)]
    op: Op,
    /// Elements, or rows for matmul and softmax. [default: as `tercet bench list` says]
    #[arg(long, value_name = "N", value_parser = positive)]
    n: Option<usize>,
    #[command(flatten)]
    runs: Runs,
}

/// Measure one iteration of training.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench train
  tercet bench train --net lenet --batch 128
  tercet bench train --multiplication beaver
  tercet bench train --net mlp:784-128-128-10 --batch 128 --iters 50 --security malicious --json")]
struct TrainArgs {
    /// A fully connected network with ReLU between its layers, mlp and its widths; or lenet.
    #[arg(long, value_name = "NET", default_value = "mlp:784-128-128-10")]
    net: Net,
    /// Rows of a batch.
    #[arg(long, value_name = "ROWS", default_value = "128", value_parser = positive)]
    batch: usize,
    /// How shared values are multiplied; triples are made before what is measured.
    #[arg(long, value_enum, default_value = "replicated")]
    multiplication: Multiplication,
    #[command(flatten)]
    runs: Runs,
}

/// How often, and in which modes.
#[derive(clap::Args)]
struct Runs {
    /// Repetitions that count, after three that do not.
    #[arg(long, value_name = "N", default_value = "20", value_parser = positive)]
    iters: usize,
    /// Against what the computation is protected.
    #[arg(long, value_enum, default_value = "both")]
    security: Modes,
}

/// Be one of the three processes of a measurement; started by the other commands.
#[derive(clap::Args)]
#[command(
    hide = true,
    after_help = "\
Example:
  tercet bench party --index 0"
)]
struct PartyArgs {
    /// Which party.
    #[arg(long, value_name = "0|1|2", value_parser = clap::value_parser!(u8).range(..3))]
    index: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Modes {
    /// A curious party
    SemiHonest,
    /// A cheating party
    Malicious,
    /// One after the other
    Both,
}

impl Modes {
    fn list(self) -> &'static [Security] {
        match self {
            Modes::SemiHonest => &[Security::SemiHonest],
            Modes::Malicious => &[Security::Malicious],
            Modes::Both => &[Security::SemiHonest, Security::Malicious],
        }
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MAX_N).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {MAX_N}")),
    }
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    match args.command {
        Command::List(List {}) => list(out),
        Command::Op(OpArgs { op, n, runs }) => {
            let n = n.unwrap_or_else(|| op.usual_n());
            measure(Task::Op { op, n }, &runs, out)
        }
        Command::Train(TrainArgs { net, batch, multiplication, runs }) => {
            // Refused here rather than by three processes.
            Task::blueprint(&net, batch).map_err(Failure::new)?;
            measure(Task::Train { net, batch, multiplication }, &runs, out)
        }
        Command::Party(PartyArgs { index }) => {
            bench::run_party(PartyId::try_from(index).map_err(Failure::new)?, out)
        }
    }
}

fn list(out: Output) -> Result<(), Failure> {
    let ops = Op::value_variants().iter().filter_map(|op| {
        let value = op.to_possible_value()?;
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        Some((value.get_name().to_owned(), *op, help))
    });
    let ops: Vec<_> = ops.collect();
    let rows = ops.iter().map(|(name, op, help)| {
        json!({ "op": name, "about": help, "n": op.usual_n(), "unit": op.unit() })
    });
    out.result(&json!({ "ops": rows.collect::<Vec<_>>(), "networks": ["mlp:I-H-..-O", "lenet"] }), || {
        let header = ["tercet bench op", "usual n", "what"].map(str::to_owned).to_vec();
        let rows = ops.iter().map(|(name, op, help)| {
            vec![name.clone(), format!("{} {}", op.usual_n(), op.unit()), help.clone()]
        });
        let ops = crate::evaluation::table(header, rows);
        format!("{ops}\ntercet bench train --net mlp:I-H-..-O or --net lenet\nmeasures an iteration of training.")
    });
    Ok(())
}

/// Measures a task in each mode, one after the other.
fn measure(task: Task, runs: &Runs, out: Output) -> Result<(), Failure> {
    let gmac = bench::gmac_per_second();
    let mut summaries = Vec::new();
    for &security in runs.security.list() {
        let (warm_up, repetitions) = (WARM_UP, runs.iters);
        let plan = Plan { task: task.clone(), security, warm_up, repetitions };
        let bar = out.bar((warm_up + repetitions) as u64, BAR);
        bar.set_message(security.name());
        let parties = block_on(async {
            tokio::select! {
                parties = bench::measure(&plan, |done| bar.set_position(done)) => parties,
                _ = tokio::signal::ctrl_c() => {
                    Err(Failure::new("interrupted; all processes were ended").with_code(EXIT_INTERRUPTED))
                }
            }
        })?;
        bar.finish_and_clear();
        summaries.push(Summary::new(&plan, gmac, &parties));
    }
    for summary in summaries.iter().filter(|_| out.is_json()) {
        out.event(summary);
    }
    if !out.is_json() {
        out.result(&summaries, || bench::render(&summaries));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_widths_from_inputs_to_classes() {
        assert_eq!("mlp:784-128-10".parse(), Ok(Net::Widths(vec![784, 128, 10])));
        assert_eq!("lenet".parse::<Net>().map(|net| net.to_string()), Ok("lenet".into()));
        for wrong in ["mlp:784", "mlp:784-0-10", "784-10", "mlp:", "mlp:a-b", "cnn:1-2"] {
            assert!(wrong.parse::<Net>().unwrap_err().contains("is not a network"), "{wrong}");
        }
    }
}
