//! What is to be measured.

use crate::job::{Multiplication, Security};
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::loss::Loss;
use nn::spec::{
    FeatureSpec, Initial, LayerSpec, ModelSpec, OptimiserKind, PrecisionSpec, RowOrder, Scaling,
    Spec, SpecError, TrainingSpec, Units,
};
use serde::{Deserialize, Serialize};

/// Columns of the left factor of [`Op::Matmul`], and rows of the right one.
pub const MATMUL_DEPTH: usize = 784;
/// Columns of the right factor of [`Op::Matmul`].
pub const MATMUL_COLUMNS: usize = 128;
/// Classes of [`Op::Softmax`].
pub const SOFTMAX_CLASSES: usize = 10;
/// Batches of made-up rows.
const BATCHES: usize = 4;

/// A measurement: what, how often and in which mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is repeated.
    pub task: Task,
    /// The mode.
    pub security: Security,
    /// Repetitions that are not counted, before the others.
    pub warm_up: usize,
    /// Repetitions that are counted.
    pub repetitions: usize,
}

/// What is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One protocol on `n` elements.
    Op {
        /// The protocol.
        op: Op,
        /// Elements, or rows where [`Op::unit`] says so.
        n: usize,
    },
    /// One iteration of training.
    Train {
        /// Widths of a fully connected network with ReLU, from the inputs to the classes.
        widths: Vec<usize>,
        /// Rows of a batch.
        batch: usize,
        /// How it multiplies; triples are made before what is measured.
        multiplication: Multiplication,
    },
}

/// Protocols that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// ReLU of fixed-point numbers, with the bits that the backward pass needs
    Relu,
    /// Sign bits of numbers of 32 bits
    Compare,
    /// All bits of words of 64 bits
    Decompose,
    /// Fixed-point products, truncated without a wrap
    Mul,
    /// Matrix product n x 784 by 784 x 128, truncated without a wrap
    Matmul,
    /// Truncation by 13 bits without a wrap
    Trunc,
    /// Softmax of rows of ten numbers
    Softmax,
    /// Logistic function
    Sigmoid,
}

impl Op {
    /// What `n` counts.
    pub fn unit(self) -> &'static str {
        match self {
            Op::Matmul | Op::Softmax => "rows",
            _ => "elements",
        }
    }

    /// The `n` that the published figures of other systems are for.
    pub fn usual_n(self) -> usize {
        match self {
            Op::Relu | Op::Compare | Op::Decompose | Op::Sigmoid => 100_000,
            Op::Mul | Op::Trunc => 1_000_000,
            Op::Matmul => 128,
            Op::Softmax => 1000,
        }
    }
}

impl Task {
    /// The training of this task on made-up data.
    ///
    /// # Errors
    /// When the network is too small or too large.
    pub fn blueprint(widths: &[usize], batch: usize) -> Result<Blueprint, SpecError> {
        let (inputs, units) =
            widths.split_first().map_or((0, widths), |(first, rest)| (*first, rest));
        let (classes, hidden) = units.split_last().map_or((0, units), |(last, rest)| (*last, rest));
        let hidden = hidden.iter().map(|&units| LayerSpec::Dense(Units::Count(units)));
        let layers = hidden.flat_map(|dense| [dense, LayerSpec::Relu]);
        let spec = Spec {
            model: ModelSpec {
                layers: layers.chain([LayerSpec::Dense(Units::Outputs)]).collect(),
                loss: Loss::SoftmaxCrossEntropy,
            },
            training: TrainingSpec {
                epochs: 1,
                batch,
                learning_rate: 0.1,
                optimiser: OptimiserKind::default(),
                order: RowOrder::File,
                initial: Initial::default(),
                seed: None,
            },
            features: FeatureSpec { scaling: Scaling::None },
            precision: PrecisionSpec::default(),
        };
        let rows = batch.saturating_mul(BATCHES);
        let columns = vec![Column::Bounded; inputs];
        Blueprint::new(spec, DataShape { rows, columns, target: Target::Classes(classes) })
    }
}
