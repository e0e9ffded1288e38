//! A layer as it is written: a word, or a table whose first key says what it is.

use super::MAX_UNITS;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Largest kernel, stride or padding.
const MAX_SIDE: usize = 256;
/// Largest rate of dropout.
const MAX_DROPOUT: f64 = 0.95;
/// How fast the statistics of a normalisation can follow.
const MOMENTUMS: [f64; 2] = [1e-3, 1.0];
/// What can be added to a variance: fixed point needs this much to divide by.
const EPSILONS: [f64; 2] = [1e-5, 1.0];
/// Slope of a leaky rectifier below zero, where none is given.
const DEFAULT_SLOPE: f64 = 0.01;

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayerSpec {
    /// Every output is a weighted sum of all inputs and a bias.
    Dense(Units),
    /// Every output is a weighted sum of a window of an image and a bias.
    Conv(ConvSpec),
    /// The maximum of each window, channel by channel.
    MaxPool(PoolSpec),
    /// The mean of each window, channel by channel.
    AvgPool(PoolSpec),
    /// The mean of each channel.
    GlobalAvgPool,
    /// Each channel brought to mean 0 and variance 1, then scaled and moved as training finds.
    BatchNorm(BatchNormSpec),
    /// In training, zero with this probability, and the rest larger by as much.
    Dropout(f64),
    /// An image as a row: says what happens before a dense layer anyway.
    Flatten,
    /// `max(x, 0)`.
    Relu,
    /// `x` above zero and `slope x` below.
    LeakyRelu(f64),
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `(e^x - e^-x) / (e^x + e^-x)`.
    Tanh,
    /// `e^x` over the sum of those of all outputs: says what the loss does at the end anyway.
    Softmax,
}

/// A convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels of the output.
    pub filters: usize,
    /// Height and width of a window.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

/// Square windows without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Height and width of a window.
    pub size: usize,
    /// From one window to the next.
    pub stride: usize,
}

/// A normalisation of batches (Ioffe, Szegedy, ICML 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormSpec {
    /// By what part of the way the running mean and variance follow those of a batch.
    pub momentum: f64,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl BatchNormSpec {
    /// As PyTorch has it.
    pub const DEFAULT: BatchNormSpec = BatchNormSpec { momentum: 0.1, epsilon: 1e-5 };
}

/// How many units a layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UnitsText", into = "UnitsText")]
pub enum Units {
    /// So many.
    Count(usize),
    /// As many as the label needs, written `"outputs"`.
    Outputs,
}

/// How [`Units`] are written.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of units or \"outputs\" is needed")]
enum UnitsText {
    Count(usize),
    Word(String),
}

impl TryFrom<UnitsText> for Units {
    type Error = String;
    fn try_from(text: UnitsText) -> Result<Self, String> {
        match text {
            UnitsText::Count(count) => Ok(Units::Count(count)),
            UnitsText::Word(word) if word == "outputs" => Ok(Units::Outputs),
            UnitsText::Word(word) => {
                Err(format!("a number of units or \"outputs\" is needed, not \"{word}\""))
            }
        }
    }
}

impl From<Units> for UnitsText {
    fn from(units: Units) -> Self {
        match units {
            Units::Count(count) => UnitsText::Count(count),
            Units::Outputs => UnitsText::Word("outputs".into()),
        }
    }
}

impl LayerSpec {
    /// Whether it has weights, which training changes.
    pub fn is_trained(&self) -> bool {
        matches!(self, LayerSpec::Dense(_) | LayerSpec::Conv(_))
    }

    /// Whether it needs to know height, width and channels.
    pub(super) fn needs_image(&self) -> bool {
        use LayerSpec::{AvgPool, Conv, GlobalAvgPool, MaxPool};
        matches!(self, Conv(_) | MaxPool(_) | AvgPool(_) | GlobalAvgPool)
    }

    /// Checks all that can be checked without knowing what comes before.
    pub(super) fn validate(&self) -> Result<(), String> {
        let within = |what: &str, value: usize, min: usize, max: usize| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(format!("{what} {min} to {max}, not {value}"))
            }
        };
        match *self {
            LayerSpec::Dense(Units::Count(units)) if !(1..=MAX_UNITS).contains(&units) => {
                Err(format!("a dense layer has 1 to {MAX_UNITS} units, not {units}"))
            }
            LayerSpec::Conv(ConvSpec { filters, kernel, stride, padding }) => {
                within("a convolution has filters from", filters, 1, MAX_UNITS)?;
                within("the kernel must be", kernel, 1, MAX_SIDE)?;
                within("the stride must be", stride, 1, MAX_SIDE)?;
                // More would make windows of nothing but zeros.
                within("the padding must be", padding, 0, kernel - 1)
            }
            LayerSpec::MaxPool(PoolSpec { size, stride })
            | LayerSpec::AvgPool(PoolSpec { size, stride }) => {
                within("the windows of a pool must be", size, 1, MAX_SIDE)?;
                within("the stride must be", stride, 1, MAX_SIDE)
            }
            LayerSpec::LeakyRelu(slope) if !(0.0..1.0).contains(&slope) => {
                Err(format!("the slope of leaky-relu is at least 0 and below 1, not {slope}"))
            }
            LayerSpec::BatchNorm(BatchNormSpec { momentum, epsilon }) => {
                let within = |what: &str, value: f64, [min, max]: [f64; 2]| {
                    if (min..=max).contains(&value) {
                        Ok(())
                    } else {
                        Err(format!("the {what} of batch-norm is {min} to {max}, not {value}"))
                    }
                };
                within("momentum", momentum, MOMENTUMS)?;
                within("epsilon", epsilon, EPSILONS)
            }
            LayerSpec::Dropout(rate) if !(0.0..=MAX_DROPOUT).contains(&rate) => {
                Err(format!("the rate of dropout is 0 to {MAX_DROPOUT}, not {rate}"))
            }
            _ => Ok(()),
        }
    }

    /// The layers that are one word.
    const WORDS: [(&'static str, LayerSpec); 8] = [
        ("relu", LayerSpec::Relu),
        ("leaky-relu", LayerSpec::LeakyRelu(DEFAULT_SLOPE)),
        ("sigmoid", LayerSpec::Sigmoid),
        ("tanh", LayerSpec::Tanh),
        ("global-avg-pool", LayerSpec::GlobalAvgPool),
        ("flatten", LayerSpec::Flatten),
        ("batch-norm", LayerSpec::BatchNorm(BatchNormSpec::DEFAULT)),
        ("softmax", LayerSpec::Softmax),
    ];
    const WORD_NAMES: &'static [&'static str] = &[
        "relu",
        "leaky-relu",
        "sigmoid",
        "tanh",
        "global-avg-pool",
        "flatten",
        "batch-norm",
        "softmax",
    ];

    fn word(&self) -> Option<&'static str> {
        Self::WORDS.iter().find(|(_, layer)| layer == self).map(|(word, _)| *word)
    }
}

impl fmt::Display for LayerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerSpec::Dense(Units::Count(units)) => write!(f, "dense {units}"),
            LayerSpec::Dense(Units::Outputs) => f.write_str("dense"),
            LayerSpec::Conv(ConvSpec { filters, kernel, stride, padding }) => {
                write!(f, "conv {filters} {kernel}x{kernel}")?;
                if *stride != 1 {
                    write!(f, " stride {stride}")?;
                }
                if *padding != 0 {
                    write!(f, " padding {padding}")?;
                }
                Ok(())
            }
            LayerSpec::MaxPool(pool) => write!(f, "max-pool {}", pool.size),
            LayerSpec::AvgPool(pool) => write!(f, "avg-pool {}", pool.size),
            LayerSpec::LeakyRelu(_) => f.write_str("leaky-relu"),
            LayerSpec::BatchNorm(_) => f.write_str("batch-norm"),
            LayerSpec::Dropout(_) => f.write_str("dropout"),
            word => f.write_str(word.word().unwrap_or_default()),
        }
    }
}

/// A layer that is a table: one key of those that say what it is, and what belongs to it.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    dense: Option<Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conv: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_pool: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_pool: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaky_relu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_norm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<usize>,
}

impl TryFrom<Table> for LayerSpec {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { dense, conv, max_pool, avg_pool, leaky_relu, dropout, .. } = table;
        let Table { batch_norm, epsilon, kernel, stride, padding, .. } = table;
        let pool = |size| PoolSpec { size, stride: stride.unwrap_or(size) };
        let mut kinds = [
            dense.map(|units| ("dense", LayerSpec::Dense(units))),
            conv.map(|filters| {
                let (stride, padding) = (stride.unwrap_or(1), padding.unwrap_or(0));
                let kernel = kernel.unwrap_or_default();
                ("conv", LayerSpec::Conv(ConvSpec { filters, kernel, stride, padding }))
            }),
            max_pool.map(|size| ("max-pool", LayerSpec::MaxPool(pool(size)))),
            avg_pool.map(|size| ("avg-pool", LayerSpec::AvgPool(pool(size)))),
            leaky_relu.map(|slope| ("leaky-relu", LayerSpec::LeakyRelu(slope))),
            dropout.map(|rate| ("dropout", LayerSpec::Dropout(rate))),
            batch_norm.map(|momentum| {
                let epsilon = epsilon.unwrap_or(BatchNormSpec::DEFAULT.epsilon);
                ("batch-norm", LayerSpec::BatchNorm(BatchNormSpec { momentum, epsilon }))
            }),
        ]
        .into_iter()
        .flatten();
        let (Some((kind, layer)), None) = (kinds.next(), kinds.next()) else {
            return Err(
                "a layer is one of dense, conv, max-pool, avg-pool, batch-norm, leaky-relu and \
                 dropout"
                    .into(),
            );
        };
        let (takes_stride, is_conv) = (kind == "conv" || kind.ends_with("pool"), kind == "conv");
        if is_conv && kernel.is_none() {
            return Err("conv needs a kernel, for instance { conv = 20, kernel = 5 }".into());
        }
        let odd = [
            ("kernel", kernel.is_some() && !is_conv),
            ("stride", stride.is_some() && !takes_stride),
            ("padding", padding.is_some() && !is_conv),
            ("epsilon", epsilon.is_some() && kind != "batch-norm"),
        ];
        match odd.into_iter().find(|(_, odd)| *odd) {
            Some((key, _)) => Err(format!("{kind} takes no {key}")),
            None => Ok(layer),
        }
    }
}

impl<'de> Deserialize<'de> for LayerSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Layer;
        impl<'de> Visitor<'de> for Layer {
            type Value = LayerSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a layer, for instance \"relu\" or { dense = 64 }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LayerSpec, E> {
                let known = LayerSpec::WORDS.iter().find(|(word, _)| *word == text);
                let unknown = || E::unknown_variant(text, LayerSpec::WORD_NAMES);
                known.map(|(_, layer)| *layer).ok_or_else(unknown)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LayerSpec, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                LayerSpec::try_from(table).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Layer)
    }
}

impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Some(word) = self.word() {
            return to.serialize_str(word);
        }
        let mut table = Table::default();
        let mut pool = |size: &mut Option<usize>, pool: &PoolSpec| {
            *size = Some(pool.size);
            table.stride = (pool.stride != pool.size).then_some(pool.stride);
        };
        match self {
            LayerSpec::MaxPool(spec) => pool(&mut table.max_pool, spec),
            LayerSpec::AvgPool(spec) => pool(&mut table.avg_pool, spec),
            LayerSpec::Dense(units) => table.dense = Some(*units),
            LayerSpec::LeakyRelu(slope) => table.leaky_relu = Some(*slope),
            LayerSpec::Dropout(rate) => table.dropout = Some(*rate),
            LayerSpec::BatchNorm(BatchNormSpec { momentum, epsilon }) => {
                table.batch_norm = Some(*momentum);
                table.epsilon = (*epsilon != BatchNormSpec::DEFAULT.epsilon).then_some(*epsilon);
            }
            LayerSpec::Conv(ConvSpec { filters, kernel, stride, padding }) => {
                (table.conv, table.kernel) = (Some(*filters), Some(*kernel));
                table.stride = (*stride != 1).then_some(*stride);
                table.padding = (*padding != 0).then_some(*padding);
            }
            _ => {}
        }
        table.serialize(to)
    }
}
