//! What a specification says about the optimiser: its rule, the course of the learning
//! rate, and what is clipped.

use super::SpecError;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The least `epsilon` of Adam: below it the noise of fixed point would divide by itself.
pub const MIN_EPSILON: f64 = 4e-6;
/// The largest `beta2` of Adam, for the same reason.
pub const MAX_BETA2: f64 = 0.9999;
/// The largest momentum and `beta1`.
pub const MAX_MOMENTUM: f64 = 0.9999;
/// The largest weight decay.
pub const MAX_WEIGHT_DECAY: f64 = 1.0;
/// What gradients can be clipped to.
pub const CLIP_BOUNDS: [f64; 2] = [1e-4, 1024.0];

/// How gradients change the weights: a name, `"sgd"`, or a table with the name as `kind`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimiserSpec {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam (Kingma, Ba, ICLR 2015); weight decay is added to the gradient.
    Adam(Adam),
    /// Adam whose weight decay is apart from the gradient (Loshchilov, Hutter, ICLR 2019).
    AdamW(Adam),
}

impl Default for OptimiserSpec {
    fn default() -> Self {
        OptimiserSpec::Sgd(Sgd::default())
    }
}

/// Stochastic gradient descent: with `g` the gradient and its weight decay, `v <- momentum v +
/// g`, and `w <- w - learning_rate v`, or with Nesterov's momentum `w <- w - learning_rate (g +
/// momentum v)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// How much of the last step is taken again.
    #[serde(skip_serializing_if = "is_zero")]
    pub momentum: f64,
    /// Whether the gradient counts as if that had been done already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nesterov: bool,
    /// What is added to the gradient for each unit of a weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_decay: f64,
}

/// Adam and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// How slowly the mean of the gradient follows.
    pub beta1: f64,
    /// How slowly the mean of its square follows.
    pub beta2: f64,
    /// Keeps the step finite: it is divided by `sqrt(v + epsilon^2)`.
    pub epsilon: f64,
    /// What is added to the gradient, or to the step, for each unit of a weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_decay: f64,
    /// Whether the mean square never falls (Reddi, Kale, Kumar, ICLR 2018).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weight_decay: 0.0, amsgrad: false }
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// An optimiser as it is written in a table.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Table {
    Sgd(Sgd),
    Adam(Adam),
    AdamW(Adam),
}

impl From<Table> for OptimiserSpec {
    fn from(table: Table) -> Self {
        match table {
            Table::Sgd(sgd) => OptimiserSpec::Sgd(sgd),
            Table::Adam(adam) => OptimiserSpec::Adam(adam),
            Table::AdamW(adam) => OptimiserSpec::AdamW(adam),
        }
    }
}

impl Serialize for OptimiserSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            OptimiserSpec::Sgd(sgd) if sgd == Sgd::default() => serializer.serialize_str("sgd"),
            OptimiserSpec::Sgd(sgd) => Table::Sgd(sgd).serialize(serializer),
            OptimiserSpec::Adam(adam) => Table::Adam(adam).serialize(serializer),
            OptimiserSpec::AdamW(adam) => Table::AdamW(adam).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OptimiserSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = OptimiserSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"sgd\", \"adam\", \"adamw\" or a table with one of these as `kind`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
                #[derive(Deserialize)]
                #[serde(rename_all = "lowercase")]
                enum Name {
                    Sgd,
                    Adam,
                    AdamW,
                }
                Ok(match Name::deserialize(StrDeserializer::new(name))? {
                    Name::Sgd => OptimiserSpec::Sgd(Sgd::default()),
                    Name::Adam => OptimiserSpec::Adam(Adam::default()),
                    Name::AdamW => OptimiserSpec::AdamW(Adam::default()),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl OptimiserSpec {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        let within = |key: &str, value: f64, min: f64, max: f64| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                let reason = format!("must be {min} to {max}, not {value}");
                Err(SpecError::invalid(format!("training.optimiser.{key}"), reason))
            }
        };
        match self {
            OptimiserSpec::Sgd(sgd) => {
                within("momentum", sgd.momentum, 0.0, MAX_MOMENTUM)?;
                if sgd.nesterov && sgd.momentum == 0.0 {
                    return Err(SpecError::invalid(
                        "training.optimiser.nesterov",
                        "needs a momentum, for instance 0.9",
                    ));
                }
                within("weight_decay", sgd.weight_decay, 0.0, MAX_WEIGHT_DECAY)
            }
            OptimiserSpec::Adam(adam) | OptimiserSpec::AdamW(adam) => {
                within("beta1", adam.beta1, 0.0, MAX_MOMENTUM)?;
                within("beta2", adam.beta2, 0.5, MAX_BETA2)?;
                within("epsilon", adam.epsilon, MIN_EPSILON, 1.0)?;
                within("weight_decay", adam.weight_decay, 0.0, MAX_WEIGHT_DECAY)
            }
        }
    }
}

/// The course of the learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It stays as it is.
    #[default]
    Constant,
    /// It is multiplied by `factor` after every so many epochs.
    Step {
        /// So many epochs.
        every: usize,
        /// Above 0 and at most 1.
        factor: f64,
    },
    /// It falls along half a cosine, batch by batch, to `end` after the last.
    Cosine {
        /// Where it comes to.
        #[serde(default)]
        end: f64,
    },
}

impl Schedule {
    pub(super) fn is_constant(&self) -> bool {
        *self == Schedule::Constant
    }

    pub(super) fn validate(&self, learning_rate: f64) -> Result<(), SpecError> {
        let invalid = |key: &str, reason: String| {
            Err(SpecError::invalid(format!("training.schedule.{key}"), reason))
        };
        match *self {
            Schedule::Constant => Ok(()),
            Schedule::Step { every: 0, .. } => invalid("every", "must be at least 1 epoch".into()),
            Schedule::Step { factor, .. } if !(1e-3..=1.0).contains(&factor) => {
                invalid("factor", format!("must be 0.001 to 1, not {factor}"))
            }
            Schedule::Cosine { end } if !(0.0..=learning_rate).contains(&end) => {
                invalid("end", format!("must be 0 to the learning rate, not {end}"))
            }
            Schedule::Step { .. } | Schedule::Cosine { .. } => Ok(()),
        }
    }
}

/// To what gradients, averaged over the rows of the batch, are clipped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// Each component to a range of this size either side of zero.
    Value(f64),
    /// All together to this Euclidean norm.
    Norm(f64),
}

impl Clip {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        let (Clip::Value(bound) | Clip::Norm(bound)) = *self;
        let [min, max] = CLIP_BOUNDS;
        if (min..=max).contains(&bound) {
            return Ok(());
        }
        Err(SpecError::invalid("training.clip", format!("must be {min} to {max}, not {bound}")))
    }
}
