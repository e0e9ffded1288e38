//! `tercet demo`: the whole path on one machine.

use super::participant::block_on;
use crate::demo::{self, Network, Settings, Source};
use crate::failure::Failure;
use crate::job::Security;
use crate::output::Output;
use clap::ValueEnum;
use nn::spec::{Initial, OptimiserSpec, Sgd};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use std::path::PathBuf;

/// Largest seed that a job file can hold.
const MAX_SEED: u64 = i64::MAX as u64;

/// See it work: three parties, real data, a model trained on secret shares.
///
/// Starts three party nodes with fresh keys, lets data holders share and submit
/// their rows, trains a network on the shares, opens it to its receiver, and tests
/// it beside a twin that was trained in the clear on the same rows. Every step is
/// one of the other commands in a process of its own.
///
/// Without data, it trains on the embedded table of 1,599 red wines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet demo
  tercet demo --data crop.csv --label label --hidden 64
  tercet demo --data patients.csv --label outcome --holders 5 --epochs 20 --keep trial
  tercet demo --mnist mnist/ --epochs 1 --momentum 0.9
  tercet demo --mnist mnist/ --network lenet --rows 6000")]
pub struct Args {
    /// Train on this table instead: numbers and categories, with a header line.
    #[arg(long, value_name = "FILE.csv", requires = "label")]
    data: Option<PathBuf>,
    /// The column of the table to predict.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    label: Option<String>,
    /// Train on the four idx.gz files of MNIST in this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    mnist: Option<PathBuf>,
    /// Among how many data holders the rows are dealt out.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    holders: u16,
    /// Units of the hidden layers; `none` for softmax regression.
    /// [default: 32; with --data 64; with --mnist 128,128]
    #[arg(long, value_name = "UNITS,..", value_parser = hidden)]
    hidden: Option<Hidden>,
    /// A network of the literature instead, for the images of MNIST.
    #[arg(long, value_enum, value_name = "NAME", requires = "mnist", conflicts_with = "hidden")]
    network: Option<Named>,
    /// Passes over the rows. [default: 30; with --data 50; with --mnist 1]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Rows of a batch. [default: 32; with --mnist 128]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Learning rate.
    #[arg(long = "lr", value_name = "RATE", default_value_t = 0.1)]
    learning_rate: f64,
    /// How gradients change the weights: sgd, adam or adamw.
    #[arg(long, value_name = "KIND", default_value = "sgd", value_parser = optimiser)]
    optimiser: OptimiserSpec,
    /// How much of its last step gradient descent takes again, for instance 0.9.
    #[arg(long, value_name = "PART")]
    momentum: Option<f64>,
    /// What the weights are at the start.
    #[arg(long, value_name = "KIND", default_value = "glorot-uniform", value_parser = initial)]
    initial: Initial,
    /// Keep every K-th row back to test on: those whose number, counted from 0,
    /// leaves remainder K - 1.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..), conflicts_with = "mnist")]
    test_every: u16,
    /// Train on the first N training rows only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rows: Option<u32>,
    /// Decides initial weights and order of the rows; drawn afresh if left out.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=MAX_SEED))]
    seed: Option<u64>,
    /// Against what the computation is protected.
    #[arg(long, value_enum, default_value_t)]
    security: Security,
    /// Keep everything that the demo makes in this new directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Networks that have a name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Named {
    /// Convolutions of 20 and 50 filters of 5 x 5, each with a maximum of 2 x 2, and 500 units
    Lenet,
}

/// Units of the hidden layers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hidden(Vec<usize>);

fn hidden(text: &str) -> Result<Hidden, String> {
    if text.is_empty() || text == "none" {
        return Ok(Hidden(Vec::new()));
    }
    let units = |part: &str| match part.trim().parse() {
        Ok(units) if units > 0 => Ok(units),
        _ => Err(format!("`{part}` is not a number of units; write for instance 64,32 or none")),
    };
    text.split(',').map(units).collect::<Result<_, _>>().map(Hidden)
}

/// The name of a kind of initial weights, as in a job file.
fn initial(name: &str) -> Result<Initial, serde::de::value::Error> {
    Initial::deserialize(name.into_deserializer())
}

/// The name of an optimiser, as in a job file.
fn optimiser(name: &str) -> Result<OptimiserSpec, serde::de::value::Error> {
    OptimiserSpec::deserialize(name.into_deserializer())
}

/// What is chosen where the user does not.
struct Defaults {
    hidden: &'static [usize],
    epochs: usize,
    batch: usize,
}

impl Defaults {
    fn of(source: &Source) -> Self {
        match source {
            Source::Wine => Defaults { hidden: &[32], epochs: 30, batch: 32 },
            Source::Csv { .. } => Defaults { hidden: &[64], epochs: 50, batch: 32 },
            Source::Mnist { .. } => Defaults { hidden: &[128, 128], epochs: 1, batch: 128 },
        }
    }
}

impl Args {
    fn settings(self) -> Result<Settings, Failure> {
        let args = self;
        let optimiser = match (args.optimiser, args.momentum) {
            (OptimiserSpec::Sgd(sgd), Some(momentum)) => {
                OptimiserSpec::Sgd(Sgd { momentum, ..sgd })
            }
            (optimiser, None) => optimiser,
            (OptimiserSpec::Adam(_) | OptimiserSpec::AdamW(_), Some(_)) => {
                return Err(Failure::new("--momentum is for gradient descent: adam has its own"));
            }
        };
        let source = match (args.data, args.label, args.mnist) {
            (Some(path), Some(label), _) => Source::Csv { path, label },
            (_, _, Some(dir)) => Source::Mnist { dir },
            _ => Source::Wine,
        };
        let defaults = Defaults::of(&source);
        let network = match (args.network, args.hidden) {
            (Some(Named::Lenet), _) => Network::Lenet,
            (None, Some(Hidden(units))) => Network::Dense(units),
            (None, None) => Network::Dense(defaults.hidden.to_vec()),
        };
        Ok(Settings {
            source,
            holders: args.holders.into(),
            test_every: args.test_every.into(),
            rows: args.rows.map(|rows| rows as usize),
            network,
            epochs: args.epochs.unwrap_or(defaults.epochs),
            batch: args.batch.unwrap_or(defaults.batch),
            learning_rate: args.learning_rate,
            optimiser,
            initial: args.initial,
            seed: args.seed,
            security: args.security,
            keep: args.keep,
        })
    }
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let settings = args.settings()?;
    let report = block_on(demo::run(&settings, out))?;
    out.result(&report, || format!("\n{}", demo::render(&report)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn settings(args: &str) -> Result<Settings, String> {
        let words = ["demo"].into_iter().chain(args.split_whitespace());
        match Command::try_parse_from(words) {
            Ok(command) => command.args.settings().map_err(|failure| failure.message),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn defaults_depend_on_the_data_and_can_be_overridden() {
        let wine = settings("").unwrap();
        let dense = |units: &[usize]| Network::Dense(units.to_vec());
        assert_eq!((wine.source, wine.network, wine.batch), (Source::Wine, dense(&[32]), 32));
        let csv = settings("--data a.csv --label y --hidden 64,32 --lr 0.5 --seed 7").unwrap();
        let source = Source::Csv { path: "a.csv".into(), label: "y".into() };
        assert_eq!((csv.source, csv.network, csv.epochs), (source, dense(&[64, 32]), 50));
        assert_eq!((csv.learning_rate, csv.seed), (0.5, Some(7)));
        let mnist = settings("--mnist dir --hidden none --batch 5").unwrap();
        assert_eq!((mnist.network, mnist.epochs, mnist.batch), (dense(&[]), 1, 5));
        let lenet = settings("--mnist dir --network lenet").unwrap();
        assert_eq!((lenet.network, lenet.batch), (Network::Lenet, 128));
        let adam = settings("--optimiser adam").unwrap();
        assert_eq!(adam.optimiser, OptimiserSpec::Adam(nn::spec::Adam::default()));
        let sgd = settings("--momentum 0.9").unwrap();
        let momentum = Sgd { momentum: 0.9, ..Sgd::default() };
        assert_eq!(sgd.optimiser, OptimiserSpec::Sgd(momentum));
        assert_eq!(hidden(""), Ok(Hidden(vec![])));
    }

    #[test]
    fn contradictions_and_nonsense_are_refused() {
        for (args, reason) in [
            ("--data a.csv", "--label"),
            ("--label y", "--data"),
            ("--data a.csv --label y --mnist dir", "cannot be used with"),
            ("--mnist dir --test-every 5", "cannot be used with"),
            ("--network lenet", "--mnist"),
            ("--mnist dir --network lenet --hidden 5", "cannot be used with"),
            ("--hidden 3,x", "`x` is not a number of units"),
            ("--hidden 0", "`0` is not a number of units"),
            ("--test-every 1", "1 is not in 2.."),
            ("--holders 0", "0 is not in 1.."),
            ("--optimiser newton", "unknown variant `newton`"),
            ("--optimiser adam --momentum 0.9", "adam has its own"),
            ("--security none", "possible values"),
        ] {
            let error = settings(args).unwrap_err();
            assert!(error.contains(reason), "{args}: {error}");
        }
    }
}
