//! Optimisers: what gradients do to weights.
//!
//! An [`Updater`] says by which factor errors are multiplied when they are formed, so that
//! it costs no rounding later (see [`crate::plan`]), and makes changes out of the gradients
//! that these errors lead to. What it remembers of a tensor, a velocity or moments, is
//! secret like the tensor itself.
//!
//! Plain stochastic gradient descent reads the exact gradient as the step itself. All others
//! work at [`working_scale`], where a secret times a public factor leaves room for both, and
//! round once a factor. The updates of all layers share their rounds.

mod adam;
mod clip;
mod schedule;
mod sgd;

pub use clip::clamped;
pub use schedule::Rates;

use crate::blueprint::Blueprint;
use crate::engine::Engine;
use crate::layers::{Layer, Parameters};
use crate::plan::{FACTOR_SCALE, StepSize};
use crate::spec::{Adam, Clip, OptimiserSpec, Sgd, TrainingSpec};
use adam::Moments;
use futures_util::future::try_join_all;
use futures_util::try_join;
use mpc_core::error::{Error, Result};

/// A layer, and the gradient of its parameters where it has some.
pub type WithGradient<T> = (Layer<T>, Option<Parameters<T>>);

/// What an optimiser remembers of a tensor.
#[derive(Clone, Debug)]
enum Memory<T> {
    /// Nothing, yet or ever.
    Nothing,
    /// The last step, at the working scale.
    Velocity(T),
    /// Means of the gradient and of its square.
    Moments(Moments<T>),
}

/// The rule by which gradients change weights.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Sgd(Sgd),
    Adam {
        adam: Adam,
        /// Whether the weight decay is apart from the gradient.
        decoupled: bool,
    },
}

/// An optimiser at work.
#[derive(Clone, Debug)]
pub struct Updater<T> {
    rule: Rule,
    rates: Rates,
    clip: Option<Clip>,
    /// Steps that have been made.
    steps: usize,
    /// For each layer what is remembered of its parameters.
    memory: Vec<Parameters<Memory<T>>>,
}

/// What is known at a step about all tensors.
#[derive(Clone, Copy)]
struct Now {
    /// Steps that were made before.
    steps: usize,
    rate: f64,
    /// The learning rate of the step before, or of this one if it is the first.
    last_rate: f64,
}

/// The largest factor that errors carry for a batch of so many rows: what scales are chosen for.
pub fn largest_step(training: &TrainingSpec, batch: usize) -> StepSize {
    let unit = match training.optimiser {
        OptimiserSpec::Sgd(_) => training.learning_rate,
        OptimiserSpec::Adam(_) | OptimiserSpec::AdamW(_) => 1.0,
    };
    StepSize::new(unit / batch as f64)
}

impl<T: Clone> Updater<T> {
    /// The optimiser of a training, before its first step.
    pub fn new(blueprint: &Blueprint) -> Self {
        let training = &blueprint.spec().training;
        let rule = match training.optimiser {
            OptimiserSpec::Sgd(sgd) => Rule::Sgd(sgd),
            OptimiserSpec::Adam(adam) => Rule::Adam { adam, decoupled: false },
            OptimiserSpec::AdamW(adam) => Rule::Adam { adam, decoupled: true },
        };
        let nothing = Parameters { weights: Memory::Nothing, bias: Memory::Nothing };
        Updater {
            rule,
            rates: Rates::new(training, blueprint.batches()),
            clip: training.clip,
            steps: 0,
            memory: vec![nothing; blueprint.layers().len()],
        }
    }

    /// The factor that the errors of the next step carry, for a batch of so many rows.
    pub fn step_size(&self, batch: usize) -> StepSize {
        StepSize::new(self.unit(self.steps) / batch as f64)
    }

    /// What a gradient is multiplied by in all that follows: the learning rate where steps
    /// are proportional to it.
    fn unit(&self, step: usize) -> f64 {
        match self.rule {
            Rule::Sgd(_) => self.rates.at(step),
            Rule::Adam { .. } => 1.0,
        }
    }

    /// What components of the gradient of the next step, times the factor that errors carry, have
    /// to stay below; infinity where any that fits a word will do.
    pub fn gradient_limit(&self) -> f64 {
        match (self.clip, self.rule) {
            (Some(Clip::Norm(bound)), _) => clip::MAX_OF_NORM * bound * self.unit(self.steps),
            (None, Rule::Adam { .. }) => adam::MAX_GRADIENT,
            (Some(Clip::Value(_)), _) | (None, Rule::Sgd(_)) => f64::INFINITY,
        }
    }

    /// The layers after a step, and the optimiser that will make the next one.
    ///
    /// The gradients are exact and made of errors that carry the factor of `step`.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn update<E: Engine<Tensor = T>>(
        self,
        engine: &E,
        layers: Vec<WithGradient<T>>,
        step: StepSize,
    ) -> Result<(Self, Vec<Layer<T>>)> {
        let now = Now {
            steps: self.steps,
            rate: self.rates.at(self.steps),
            last_rate: self.rates.at(self.steps.saturating_sub(1)),
        };
        let unit = self.unit(self.steps);
        let (layers, gradients): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
        let gradients = stepped(engine, gradients, step)?;
        let gradients = match self.clip {
            None => gradients,
            Some(Clip::Value(bound)) => {
                clip::by_value(&engine.step("clip"), gradients, bound * unit).await?
            }
            Some(Clip::Norm(bound)) => {
                clip::by_norm(&engine.step("clip"), gradients, bound * unit).await?
            }
        };
        let updates = layers.into_iter().zip(gradients).zip(self.memory).enumerate();
        let updates = updates.map(|(index, ((layer, gradient), memory))| {
            let stage = engine.step(&format!("layer-{index}"));
            let rule = self.rule;
            async move {
                let (Some(values), Some(gradient)) = (layer.parameters(), gradient) else {
                    return Ok((layer, memory));
                };
                let (on_weights, on_bias) = (stage.step("weights"), stage.step("bias"));
                let (weights, bias) = try_join!(
                    rule.change(
                        &on_weights,
                        &values.weights,
                        gradient.weights,
                        memory.weights,
                        now
                    ),
                    rule.change(&on_bias, &values.bias, gradient.bias, memory.bias, now),
                )?;
                let change = Parameters { weights: weights.0, bias: bias.0 };
                let memory = Parameters { weights: weights.1, bias: bias.1 };
                Ok((layer.subtract(&stage, &change)?, memory))
            }
        });
        let (layers, memory) = try_join_all(updates).await?.into_iter().unzip();
        Ok((Updater { steps: self.steps + 1, memory, ..self }, layers))
    }
}

impl Rule {
    /// What to take off a tensor, at its scale, and what to remember of it.
    async fn change<E: Engine>(
        self,
        engine: &E,
        value: &E::Tensor,
        gradient: E::Tensor,
        memory: Memory<E::Tensor>,
        now: Now,
    ) -> Result<(E::Tensor, Memory<E::Tensor>)> {
        let scale = engine.scale(value);
        let (change, memory) = match self {
            Rule::Sgd(sgd) if sgd == Sgd::default() => (gradient, Memory::Nothing),
            Rule::Sgd(sgd) => sgd::change(engine, sgd, value, gradient, memory, now).await?,
            Rule::Adam { adam, decoupled } => {
                let decay = adam.weight_decay;
                let (step, memory) = if decoupled {
                    let adam = Adam { weight_decay: 0.0, ..adam };
                    adam::change(engine, adam, value, gradient, memory, now).await?
                } else {
                    adam::change(engine, adam, value, gradient, memory, now).await?
                };
                let step = if decoupled && decay > 0.0 {
                    let decay = decayed(&engine.step("decay"), value, decay * now.rate).await?;
                    let step = engine.step("meet").align(step, engine.scale(&decay)).await?;
                    engine.add(step, &decay)?
                } else {
                    step
                };
                (step, memory)
            }
        };
        Ok((engine.step("align").align(change, scale).await?, memory))
    }
}

/// Gradients read at the scale at which they are the steps themselves.
fn stepped<E: Engine>(
    engine: &E,
    gradients: Vec<Option<Parameters<E::Tensor>>>,
    step: StepSize,
) -> Result<Vec<Option<Parameters<E::Tensor>>>> {
    let read = |tensor: E::Tensor| {
        let scale = engine.scale(&tensor).checked_add_signed(step.shift).ok_or_else(|| {
            Error::Misuse(format!("a step of 2^{} does not fit the scale of errors", -step.shift))
        })?;
        Ok(engine.with_scale(tensor, scale))
    };
    let both = |gradient: Parameters<E::Tensor>| {
        Ok(Parameters { weights: read(gradient.weights)?, bias: read(gradient.bias)? })
    };
    gradients.into_iter().map(|gradient| gradient.map(both).transpose()).collect()
}

/// The most fractional bits at which a weight, a velocity or a step is multiplied by a public
/// factor of [`FACTOR_SCALE`] bits: magnitudes up to 64 remain.
pub const MAX_WORKING_SCALE: u32 = 40;

/// The scale at which the step of a tensor is computed.
pub fn working_scale<E: Engine>(engine: &E, value: &E::Tensor) -> u32 {
    engine.scale(value).min(MAX_WORKING_SCALE)
}

/// `a * factor` at `scale`, for any public factor above zero: its magnitude costs no precision.
pub(crate) async fn scaled<E: Engine>(
    engine: &E,
    a: E::Tensor,
    factor: f64,
    factor_scale: u32,
    scale: u32,
) -> Result<E::Tensor> {
    let StepSize { factor, shift } = StepSize::new(factor);
    let product = engine.mul_public(a, factor, factor_scale)?;
    let read_at = engine.scale(&product).checked_add_signed(shift);
    let read_at = read_at.ok_or_else(|| Error::Misuse(format!("a factor of 2^{}", -shift)))?;
    engine.align(engine.with_scale(product, read_at), scale).await
}

/// A weight times a small public factor, at its working scale.
async fn decayed<E: Engine>(engine: &E, value: &E::Tensor, factor: f64) -> Result<E::Tensor> {
    let scale = working_scale(engine, value);
    let value = engine.step("value").align(value.clone(), scale).await?;
    scaled(&engine.step("factor"), value, factor, FACTOR_SCALE, scale).await
}
