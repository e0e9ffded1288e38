//! What a demo is asked to do.

use super::prepare::SCHEMA;
use crate::failure::Failure;
use crate::job::{DataSelection, Security};
use crate::mnist;
use crate::schema::{Label, Schema};
use nn::loss::Loss;
use nn::spec::{
    DebugSpec, FeatureSpec, Initial, LayerSpec, ModelSpec, OptimiserSpec, PrecisionSpec, RowOrder,
    Scaling, Schedule, Spec, TrainingSpec, Units, lenet,
};
use nn::volume::Volume;
use serde::Serialize;
use std::path::PathBuf;

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded table of red wines.
    Wine,
    /// A table with a header line.
    Csv {
        /// The file.
        path: PathBuf,
        /// The column to predict.
        label: String,
    },
    /// The directory with the four files of MNIST.
    Mnist {
        /// The directory.
        dir: PathBuf,
    },
}

/// What is between inputs and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Dense layers of these widths with ReLU.
    Dense(Vec<usize>),
    /// [`lenet`], for images of digits.
    Lenet,
}

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where the rows come from.
    pub source: Source,
    /// Among how many data holders they are dealt out.
    pub holders: usize,
    /// Every so many-th row is kept back to test on.
    pub test_every: usize,
    /// Train on so many rows at most.
    pub rows: Option<usize>,
    /// What is between inputs and outputs.
    pub network: Network,
    /// Passes over all rows.
    pub epochs: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// How gradients change the weights.
    pub optimiser: OptimiserSpec,
    /// What the weights are at the start.
    pub initial: Initial,
    /// Decides initial weights and order; drawn afresh if left out.
    pub seed: Option<u64>,
    /// Against what the computation is protected.
    pub security: Security,
    /// Where everything is kept; nowhere if left out.
    pub keep: Option<PathBuf>,
}

impl Settings {
    /// The job file for data of this schema, with a seed that its twin can repeat.
    ///
    /// # Errors
    /// When the specification is not possible, or the system gives no randomness.
    pub fn job(&self, schema: &Schema, receiver: &str) -> Result<String, Failure> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => fresh_seed()?,
        };
        let spec = self.spec(schema, seed);
        spec.validate().map_err(Failure::new)?;
        let data = DataSelection { schema: SCHEMA.into(), ..DataSelection::default() };
        let file = JobFile { name: "demo", receiver, security: self.security, data, spec };
        toml::to_string(&file).map_err(Failure::new)
    }

    fn spec(&self, schema: &Schema, seed: u64) -> Spec {
        let (input, layers) = self.network.layers();
        let loss = match schema.label() {
            Label::Class(_) => Loss::SoftmaxCrossEntropy,
            Label::Number(_) => Loss::MeanSquared,
        };
        let scaling = match self.source {
            Source::Mnist { .. } => Scaling::Unit,
            Source::Wine | Source::Csv { .. } => Scaling::Standardise,
        };
        Spec {
            model: ModelSpec { input, layers, loss },
            training: TrainingSpec {
                epochs: self.epochs,
                batch: self.batch,
                learning_rate: self.learning_rate,
                optimiser: self.optimiser,
                schedule: Schedule::default(),
                warm_up: 0,
                clip: None,
                class_weights: Vec::new(),
                order: RowOrder::default(),
                initial: self.initial,
                seed: Some(seed),
            },
            features: FeatureSpec { scaling },
            precision: PrecisionSpec::default(),
            validation: None,
            debug: DebugSpec::default(),
        }
    }

    /// The network from inputs to outputs, for people.
    pub fn network(&self, schema: &Schema) -> String {
        match &self.network {
            Network::Lenet => "lenet".into(),
            Network::Dense(hidden) => {
                let ends = [schema.feature_columns(), schema.label_columns()];
                let widths = ends[..1].iter().chain(hidden).chain(&ends[1..]);
                widths.map(usize::to_string).collect::<Vec<_>>().join("-")
            }
        }
    }
}

impl Network {
    /// The layers, and what a row is where they need to know.
    fn layers(&self) -> (Option<Volume>, Vec<LayerSpec>) {
        match self {
            Network::Lenet => (Some(mnist::IMAGE), lenet()),
            Network::Dense(hidden) => {
                let hidden = hidden.iter().map(|&units| LayerSpec::Dense(Units::Count(units)));
                let layers = hidden.flat_map(|dense| [dense, LayerSpec::Relu]);
                (None, layers.chain([LayerSpec::Dense(Units::Outputs)]).collect())
            }
        }
    }
}

/// A job file as it is written.
#[derive(Serialize)]
struct JobFile<'a> {
    name: &'a str,
    receiver: &'a str,
    security: Security,
    data: DataSelection,
    #[serde(flatten)]
    spec: Spec,
}

/// A seed that a job file can hold.
fn fresh_seed() -> Result<u64, Failure> {
    getrandom::u32()
        .map(u64::from)
        .map_err(|e| Failure::new(format!("the system gives no randomness: {e}")))
}
