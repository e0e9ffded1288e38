//! `tercet bench`: what protocols, training and prediction cost.

mod runs;
mod values;

use crate::bench::compare::{compare, read, render};
use crate::bench::figures::{op_name, protocol_name};
use crate::bench::{self, Net, Op, Protocol, Source, Task, report};
use crate::failure::Failure;
use crate::job::Multiplication;
use crate::output::Output;
use clap::{Subcommand, ValueEnum};
use mpc_core::net::LINK_PRESETS;
use mpc_core::party::PartyId;
use nn::infer::Answer;
use runs::{Runs, measure};
use serde_json::json;
use std::path::PathBuf;
use values::{RING_BITS, Sizes};

/// Measure rounds, bytes and time of protocols, training and prediction.
///
/// Three processes on this machine, connected by mutual TLS as nodes are, compute on
/// made-up shares; the links between them can be made as slow as those of a wide-area
/// network. In the malicious mode each repetition includes its verification.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Op(OpArgs),
    Protocol(ProtocolArgs),
    Train(TrainArgs),
    Infer(InferArgs),
    Link(LinkArgs),
    Compare(CompareArgs),
    Report(ReportArgs),
    Party(PartyArgs),
}

/// List what can be measured.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet bench list")]
struct List {}

/// Measure an operation of networks.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench op relu
  tercet bench op mul --n 1e3..1e6 --security malicious --json
  tercet bench op softmax --link wan --steps 1")]
struct OpArgs {
    /// The operation.
    #[arg(value_enum)]
    op: Op,
    /// Elements, or rows for matmul and softmax: a number, several with commas, or the
    /// powers of ten in 1e3..1e6. [default: as `tercet bench list` says]
    #[arg(long, value_name = "N")]
    n: Option<Sizes>,
    #[command(flatten)]
    runs: Runs,
}

/// Measure a building block of the operations.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench protocol and
  tercet bench protocol inject --n 1e3..1e5 --csv inject.csv")]
struct ProtocolArgs {
    /// The building block.
    #[arg(value_enum)]
    protocol: Protocol,
    /// Elements: a number, several with commas, or the powers of ten in 1e3..1e6.
    #[arg(long, value_name = "N", default_value = "100000")]
    n: Sizes,
    #[command(flatten)]
    runs: Runs,
}

/// Measure one iteration of training.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench train
  tercet bench train --net lenet --batch 128
  tercet bench train --mnist mnist/ --iters 469 --warm-up 0    (an epoch, and its accuracy)
  tercet bench train --data digits.csv --label digit --json
  tercet bench train --multiplication replicated,beaver --link wan
  tercet bench train --net mlp:784-128-128-10 --batch 128 --iters 50 --security malicious --json
  tercet bench train --trace out.json      (show it at ui.perfetto.dev)")]
struct TrainArgs {
    /// A fully connected network with ReLU between its layers, mlp and its widths; or lenet.
    /// [default: mlp:784-128-128-10, or two hidden layers of 128 that suit the data]
    #[arg(long, value_name = "NET")]
    net: Option<Net>,
    /// Train on the rows of a table, of which every fifth is kept back, and tell the accuracy.
    /// All three processes read it: for public data only.
    #[arg(long, value_name = "ROWS.csv", requires = "label")]
    data: Option<PathBuf>,
    /// The column of the table to predict.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    label: Option<String>,
    /// Train on MNIST, whose four files are in this directory, and tell the accuracy.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    mnist: Option<PathBuf>,
    /// Rows of a batch; several with commas.
    #[arg(long, value_name = "ROWS", default_value = "128")]
    batch: Sizes,
    /// How shared values are multiplied; triples are made before what is measured.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "replicated")]
    multiplication: Vec<Multiplication>,
    #[command(flatten)]
    runs: Runs,
}

/// Measure a prediction on shares: from shared rows and weights to shared answers.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench infer --batch 1,128
  tercet bench infer --batch 1 --answer probabilities --link wan --in-process")]
struct InferArgs {
    /// A fully connected network with ReLU between its layers, mlp and its widths; or lenet.
    #[arg(long, value_name = "NET", default_value = "mlp:784-128-128-10")]
    net: Net,
    /// Rows that are predicted together; several numbers with commas.
    #[arg(long, value_name = "ROWS", default_value = "1,128")]
    batch: Sizes,
    /// What is answered for each row.
    #[arg(long, value_parser = answer, value_name = "class|probabilities", default_value = "class")]
    answer: Answer,
    #[command(flatten)]
    runs: Runs,
}

/// An answer that a classifier gives.
fn answer(text: &str) -> Result<Answer, String> {
    let answers = [Answer::Class, Answer::Probabilities];
    let found = answers.into_iter().find(|answer| answer.name() == text);
    found.ok_or_else(|| format!("`{text}` is no answer: class or probabilities"))
}

/// Measure the links: rounds in which every party sends to both others.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet bench link --link wan
  tercet bench link --link latency=20ms,bandwidth=1gbit --bytes 8,1e6")]
struct LinkArgs {
    /// Bytes of a message: a number, several with commas, or powers of ten.
    #[arg(long, value_name = "N", default_value = "8,1e3..1e6")]
    bytes: Sizes,
    #[command(flatten)]
    runs: Runs,
}

/// Compare two runs, measurement by measurement.
///
/// The files hold what `tercet --json bench` printed. What only one of them has is left out.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet --json bench op relu > before.json
  tercet --json bench op relu > after.json
  tercet bench compare before.json after.json")]
struct CompareArgs {
    /// The run that is the measure.
    before: PathBuf,
    /// The run that is measured by it.
    after: PathBuf,
}

/// Write a report: one HTML file with tables, plots and the machine.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tercet --json bench op relu --n 1e3..1e6 --steps 1 > relu.json
  tercet bench report relu.json --output relu.html")]
struct ReportArgs {
    /// Files with what `tercet --json bench` printed.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The report.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
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

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    match args.command {
        Command::List(List {}) => list(out),
        Command::Op(OpArgs { op, n, runs }) => {
            let Sizes(sizes) = n.unwrap_or_else(|| Sizes(vec![op.usual_n()]));
            measure(sizes.into_iter().map(|n| Task::Op { op, n }), &runs, out)
        }
        Command::Protocol(ProtocolArgs { protocol, n: Sizes(sizes), runs }) => {
            measure(sizes.into_iter().map(|n| Task::Protocol { protocol, n }), &runs, out)
        }
        Command::Train(args) => train(args, out),
        Command::Infer(InferArgs { net, batch, answer, runs }) => {
            let Sizes(batches) = batch;
            for &batch in &batches {
                Task::blueprint(&net, batch).map_err(Failure::new)?;
            }
            let task = |batch| Task::Infer { net: net.clone(), batch, answer };
            measure(batches.into_iter().map(task), &runs, out)
        }
        Command::Link(LinkArgs { bytes: Sizes(sizes), runs }) => {
            measure(sizes.into_iter().map(|bytes| Task::Link { bytes }), &runs, out)
        }
        Command::Compare(CompareArgs { before, after }) => {
            let comparisons = compare(&read(&before)?, &read(&after)?);
            if comparisons.is_empty() {
                return Err(Failure::new("the two runs have no measurement in common")
                    .with_hint("compare runs of the same command, with the same conditions"));
            }
            out.result(&json!({ "comparisons": comparisons }), || render(&comparisons));
            Ok(())
        }
        Command::Report(ReportArgs { files, output }) => write_report(&files, &output, out),
        Command::Party(PartyArgs { index }) => {
            bench::run_party(PartyId::try_from(index).map_err(Failure::new)?, out)
        }
    }
}

fn train(args: TrainArgs, out: Output) -> Result<(), Failure> {
    let TrainArgs { net, data, label, mnist, batch, multiplication, runs } = args;
    // The processes that read it run elsewhere.
    let absolute = |path: PathBuf| {
        std::path::absolute(&path)
            .map_err(|e| Failure::new(format!("cannot find {}: {e}", path.display())))
    };
    let source = match (data, label, mnist) {
        (Some(file), Some(label), _) => Some(Source::Csv { file: absolute(file)?, label }),
        (_, _, Some(dir)) => Some(Source::Mnist(absolute(dir)?)),
        _ => None,
    };
    let Sizes(batches) = batch;
    let most = runs.repetitions() * batches.iter().copied().max().unwrap_or_default();
    let rows = source.as_ref().map(|source| source.load(most)).transpose()?;
    let usual = || match &rows {
        Some(rows) => Net::usual(rows.shape()),
        None => Net::network_a(),
    };
    let net = net.unwrap_or_else(usual);
    // Refused here rather than by three processes.
    for &batch in &batches {
        match source.as_ref().zip(rows.as_ref()) {
            Some((source, rows)) => Task::blueprint_on(&net, batch, source, rows.shape()),
            None => Task::blueprint(&net, batch),
        }
        .map_err(Failure::new)?;
    }
    drop(rows);
    let tasks = batches.into_iter().flat_map(|batch| {
        let task = |&multiplication| {
            let (net, data) = (net.clone(), source.clone());
            Task::Train { net, batch, multiplication, data }
        };
        multiplication.iter().map(task).collect::<Vec<_>>()
    });
    measure(tasks, &runs, out)
}

fn write_report(inputs: &[PathBuf], output: &PathBuf, out: Output) -> Result<(), Failure> {
    let mut summaries = Vec::new();
    for file in inputs {
        summaries.extend(read(file)?);
    }
    let page = report::html(&summaries)?;
    std::fs::write(output, &page)
        .map_err(|e| Failure::new(format!("cannot write {}: {e}", output.display())))?;
    let result = json!({ "report": output, "measurements": summaries.len() });
    out.result(&result, || format!("The report is in {}.", output.display()));
    Ok(())
}

fn list(out: Output) -> Result<(), Failure> {
    let help = |value: Option<clap::builder::PossibleValue>| {
        value.and_then(|v| v.get_help().map(ToString::to_string)).unwrap_or_default()
    };
    let ops: Vec<_> = Op::value_variants()
        .iter()
        .map(|&op| (op_name(op), op.usual_n(), op.unit(), help(op.to_possible_value())))
        .collect();
    let blocks: Vec<_> = Protocol::value_variants()
        .iter()
        .map(|&block| (protocol_name(block), block.unit(), help(block.to_possible_value())))
        .collect();
    let result = json!({
        "ops": ops.iter().map(|(name, n, unit, help)| {
            json!({ "op": name, "about": help, "n": n, "unit": unit })
        }).collect::<Vec<_>>(),
        "protocols": blocks.iter().map(|(name, unit, help)| {
            json!({ "protocol": name, "about": help, "unit": unit })
        }).collect::<Vec<_>>(),
        "networks": ["mlp:I-H-..-O", "lenet"],
        "rings": [RING_BITS],
        "links": LINK_PRESETS.map(|(name, link)| {
            json!({
                "link": name,
                "latency_seconds": link.latency.as_secs_f64(),
                "bits_per_second": link.bandwidth,
            })
        }),
    });
    out.result(&result, || {
        let header = |names: [&str; 3]| names.map(str::to_owned).to_vec();
        let rows = ops
            .iter()
            .map(|(name, n, unit, help)| vec![name.clone(), format!("{n} {unit}"), help.clone()]);
        let ops = crate::evaluation::table(header(["tercet bench op", "usual n", "what"]), rows);
        let rows = blocks
            .iter()
            .map(|(name, unit, help)| vec![name.clone(), (*unit).to_owned(), help.clone()]);
        let blocks = crate::evaluation::table(header(["tercet bench protocol", "n", "what"]), rows);
        let rows = LINK_PRESETS.map(|(name, link)| {
            let rate = link.bandwidth.unwrap_or_default() / 1e6;
            vec![name.to_owned(), format!("{:?} one way", link.latency), format!("{rate} Mbit/s")]
        });
        let links = crate::evaluation::table(header(["--link", "latency", "bandwidth"]), rows);
        format!(
            "{ops}\n{blocks}\n{links}\n\
             --ring {RING_BITS}: numbers are shared as words of so many bits, and no others.\n\
             tercet bench train --net mlp:I-H-..-O or --net lenet measures an iteration of training,\n\
             tercet bench infer a prediction on shares, tercet bench link the links."
        )
    });
    Ok(())
}
