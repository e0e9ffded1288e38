//! Optimisers: what gradients do to weights.
//!
//! An optimiser says by which factor errors are multiplied when they are formed (so
//! that it costs no rounding later, see [`crate::plan`]), and makes changes out of the
//! gradients that these errors lead to.

use crate::engine::Engine;
use crate::layers::Parameters;
use crate::plan::StepSize;
use crate::spec::{OptimiserKind, TrainingSpec};
use futures_util::try_join;
use mpc_core::error::{Error, Result};

/// How gradients change weights.
#[derive(Clone, Copy, Debug)]
pub enum Optimiser {
    /// Stochastic gradient descent.
    Sgd {
        /// The learning rate.
        learning_rate: f64,
    },
}

impl Optimiser {
    /// The optimiser of a training.
    pub fn new(training: &TrainingSpec) -> Self {
        match training.optimiser {
            OptimiserKind::Sgd => Optimiser::Sgd { learning_rate: training.learning_rate },
        }
    }

    /// The factor that errors carry for a batch of so many rows.
    pub fn step_size(&self, batch: usize) -> StepSize {
        match self {
            Optimiser::Sgd { learning_rate } => StepSize::new(learning_rate / batch as f64),
        }
    }

    /// What to take off the parameters, at their scales.
    ///
    /// `gradient` is exact and made of errors that carry the factor of `step`.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn change<E: Engine>(
        &self,
        engine: &E,
        parameters: &Parameters<E::Tensor>,
        gradient: Parameters<E::Tensor>,
        step: StepSize,
    ) -> Result<Parameters<E::Tensor>> {
        match self {
            Optimiser::Sgd { .. } => {
                let weights = stepped(engine, gradient.weights, step)?;
                let bias = stepped(engine, gradient.bias, step)?;
                let (on_weights, on_bias) = (engine.step("weights"), engine.step("bias"));
                let (weights, bias) = try_join!(
                    on_weights.align(weights, engine.scale(&parameters.weights)),
                    on_bias.align(bias, engine.scale(&parameters.bias)),
                )?;
                Ok(Parameters { weights, bias })
            }
        }
    }
}

/// A gradient read at the scale at which it is the step itself.
fn stepped<E: Engine>(engine: &E, gradient: E::Tensor, step: StepSize) -> Result<E::Tensor> {
    let scale = engine.scale(&gradient).checked_add_signed(step.shift).ok_or_else(|| {
        Error::Misuse(format!("a step of 2^{} does not fit the scale of errors", -step.shift))
    })?;
    Ok(engine.with_scale(gradient, scale))
}
