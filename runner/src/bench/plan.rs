//! What is to be measured.

use super::clocks::ClockKind;
use super::data::{self, Source};
use crate::job::{Multiplication, Security};
use mpc_core::net::LinkSpec;
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::infer::Answer;
use nn::loss::Loss;
use nn::spec::{
    DebugSpec, FeatureSpec, Initial, LayerSpec, ModelSpec, OptimiserSpec, PrecisionSpec, RowOrder,
    Scaling, Schedule, Spec, SpecError, TrainingSpec, Units, lenet,
};
use nn::volume::Volume;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

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
    /// Under which conditions.
    pub setting: Setting,
}

/// The conditions of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The links between the parties; as fast as this machine can without.
    pub link: Option<LinkSpec>,
    /// What time is read off: by another clock than the wall's, the parties are threads of
    /// one process.
    pub clock: ClockKind,
    /// Makes everything random repeatable.
    pub seed: Option<u64>,
    /// Threads that a matrix product of a party may use.
    pub threads: usize,
    /// Whether rounds are recorded, for figures by step and traces.
    pub record: bool,
    /// How many names of a step's path tell it from others in figures by step.
    pub depth: usize,
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
    /// One building block of protocols on `n` elements.
    Protocol {
        /// The building block.
        protocol: Protocol,
        /// Elements, or what [`Protocol::unit`] says.
        n: usize,
    },
    /// One iteration of training.
    Train {
        /// The network.
        #[serde(flatten)]
        net: Net,
        /// Rows of a batch.
        batch: usize,
        /// How it multiplies; triples are made before what is measured.
        multiplication: Multiplication,
        /// What it trains on; made-up rows without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Source>,
    },
    /// A prediction on shares, with a model that stays shared.
    Infer {
        /// The network.
        #[serde(flatten)]
        net: Net,
        /// Rows that are predicted together.
        batch: usize,
        /// What is answered for each row.
        answer: Answer,
    },
    /// One round in which every party sends so many bytes to both others.
    Link {
        /// Bytes of a message.
        bytes: usize,
    },
}

/// A network whose training can be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Net {
    /// Fully connected with ReLU, of these widths from the inputs to the classes.
    Widths(Vec<usize>),
    /// A network of the literature.
    Named(Named),
}

/// A network of the literature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// [`lenet`], on images of 28 x 28 pixels of ten classes.
    Lenet,
}

impl FromStr for Net {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "lenet" {
            return Ok(Net::Named(Named::Lenet));
        }
        let wrong = || {
            format!("`{text}` is not a network; write lenet, or for instance mlp:784-128-128-10")
        };
        let widths = text.strip_prefix("mlp:").ok_or_else(wrong)?;
        let widths: Result<Vec<usize>, _> = widths.split('-').map(str::parse).collect();
        let widths = widths.map_err(|_| wrong())?;
        if widths.len() < 2 || widths.contains(&0) {
            return Err(wrong());
        }
        Ok(Net::Widths(widths))
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Net::Named(Named::Lenet) => f.write_str("lenet"),
            Net::Widths(widths) => {
                let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
                f.write_str(&widths.join("-"))
            }
        }
    }
}

impl Net {
    /// The network of most figures: 784-128-128-10.
    pub fn network_a() -> Net {
        Net::Widths(vec![784, 128, 128, 10])
    }

    /// Two hidden layers as wide as those of network A, for rows of this shape.
    pub fn usual(rows: &DataShape) -> Net {
        Net::Widths(vec![rows.columns.len(), 128, 128, rows.target.columns()])
    }

    /// The layers, what a row is, and how many inputs and classes there are.
    fn layers(&self) -> (Vec<LayerSpec>, Option<Volume>, [usize; 2]) {
        match self {
            Net::Named(Named::Lenet) => {
                let image = Volume { height: 28, width: 28, channels: 1 };
                (lenet(), Some(image), [image.len(), 10])
            }
            Net::Widths(widths) => {
                let (inputs, units) =
                    widths.split_first().map_or((0, &widths[..]), |(first, rest)| (*first, rest));
                let (classes, hidden) =
                    units.split_last().map_or((0, units), |(last, rest)| (*last, rest));
                let hidden = hidden.iter().map(|&units| LayerSpec::Dense(Units::Count(units)));
                let layers = hidden.flat_map(|dense| [dense, LayerSpec::Relu]);
                let layers = layers.chain([LayerSpec::Dense(Units::Outputs)]).collect();
                (layers, None, [inputs, classes])
            }
        }
    }
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

/// Protocols of the literature that the others are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Products of words, re-shared
    Product,
    /// Conjunctions of words of 64 bits
    And,
    /// Bits to words
    Inject,
    /// Opening of words to all parties
    Open,
    /// Words that one party knows, shared
    Input,
    /// Largest of ten numbers in each row
    Max,
    /// e^-x
    Exp,
    /// 1/x for x from 1 to 10
    Reciprocal,
    /// 1/sqrt(x)
    InvSqrt,
}

impl Protocol {
    /// What `n` counts.
    pub fn unit(self) -> &'static str {
        match self {
            Protocol::Max => "rows",
            Protocol::And => "words",
            _ => "elements",
        }
    }
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
    pub fn blueprint(net: &Net, batch: usize) -> Result<Blueprint, SpecError> {
        let (spec, shape) = Task::specification(net, batch);
        Blueprint::new(spec, shape)
    }

    /// The training of this task on rows of this shape.
    ///
    /// # Errors
    /// When the network is too small or too large, or for other rows.
    pub fn blueprint_on(
        net: &Net,
        batch: usize,
        source: &Source,
        rows: &DataShape,
    ) -> Result<Blueprint, SpecError> {
        let (mut spec, shape) = Task::specification(net, batch);
        data::fit(&shape, rows)?;
        if batch > rows.rows {
            let (key, rows) = ("--batch".into(), rows.rows);
            let reason = format!("there are {rows} rows to train on, less than {batch}");
            return Err(SpecError::Data { key, reason });
        }
        spec.features.scaling = source.scaling();
        Blueprint::new(spec, rows.clone())
    }

    /// Network and training, and the shape of made-up rows.
    fn specification(net: &Net, batch: usize) -> (Spec, DataShape) {
        let (layers, input, [inputs, classes]) = net.layers();
        let spec = Spec {
            model: ModelSpec { input, layers, loss: Loss::SoftmaxCrossEntropy },
            training: TrainingSpec {
                epochs: 1,
                batch,
                learning_rate: 0.1,
                optimiser: OptimiserSpec::default(),
                schedule: Schedule::default(),
                warm_up: 0,
                clip: None,
                class_weights: Vec::new(),
                order: RowOrder::File,
                initial: Initial::default(),
                seed: None,
            },
            features: FeatureSpec { scaling: Scaling::None },
            precision: PrecisionSpec::default(),
            validation: None,
            debug: DebugSpec::default(),
        };
        let rows = batch.saturating_mul(BATCHES);
        let columns = vec![Column::Bounded; inputs];
        (spec, DataShape { rows, columns, target: Target::Classes(classes) })
    }
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
