//! A network in training: the forward pass, and the backward pass with its updates.

use crate::blueprint::Blueprint;
use crate::engine::Engine;
use crate::init;
use crate::layers::{Layer, Parameters, Saved};
use crate::loss::Loss;
use crate::optim::Optimiser;
use crate::plan::{FACTOR_SCALE, Plan, StepSize};
use crate::seed::Seed;
use futures_util::future::LocalBoxFuture;
use futures_util::try_join;
use mpc_core::error::Result;

/// The layers of a network over tensors `T`, with all that a step of training needs.
#[derive(Clone)]
pub struct Network<T> {
    layers: Vec<Layer<T>>,
    loss: Loss,
    optimiser: Optimiser,
    plan: Plan,
    seed: Seed,
    /// Steps of training so far.
    steps: u32,
}

/// A layer and what its forward pass saved.
type Passed<T> = (Layer<T>, Saved<T>);

impl<T: Clone> Network<T> {
    /// The network of a blueprint with its initial weights.
    ///
    /// # Errors
    /// Those of the engine where a weight does not fit its scale.
    pub fn new<E: Engine<Tensor = T>>(
        engine: &E,
        blueprint: &Blueprint,
        plan: Plan,
        seed: &Seed,
    ) -> Result<Self> {
        let training = &blueprint.spec().training;
        let mut layers = Vec::with_capacity(blueprint.layers().len());
        for (index, shape) in blueprint.layers().iter().enumerate() {
            let input_scale = plan.input_of(index);
            layers.push(Layer::new(shape, input_scale, plan.activations, |weights| {
                let initial = init::dense(training.initial, weights, seed, index);
                Parameters::public(engine, &initial, input_scale, plan.weights(input_scale))
            })?);
        }
        let loss = blueprint.spec().model.loss;
        let optimiser = Optimiser::new(training);
        Ok(Network { layers, loss, optimiser, plan, seed: *seed, steps: 0 })
    }

    /// The network's layers, for the model that training leaves.
    pub fn into_layers(self) -> Vec<Layer<T>> {
        self.layers
    }

    /// The network after one step of training on a batch.
    ///
    /// An update has no round of its own: it runs beside the errors of the layers below.
    ///
    /// # Errors
    /// Those of the engine. The network is gone then, and so is the session.
    pub async fn trained<E: Engine<Tensor = T>>(
        self,
        engine: &E,
        input: T,
        labels: &T,
        batch: usize,
    ) -> Result<Self> {
        let Network { layers, loss, optimiser, plan, seed, steps } = self;
        let mut passed = Vec::with_capacity(layers.len());
        let mut value = input;
        for (index, layer) in layers.into_iter().enumerate() {
            let step = engine.step(&format!("forward-{index}"));
            let layer = layer.in_step(&seed, index as u32, steps);
            let (output, saved) = layer.forward(&step, value).await?;
            passed.push((layer, saved));
            value = output;
        }
        let step = optimiser.step_size(batch);
        let backward = Backward { optimiser, scale: plan.errors, step };
        let stage = engine.step("loss");
        let error = loss.error(&stage, value, labels, plan.errors).await?;
        let error = backward.weighted(&stage.step("weight"), error).await?;
        let layers = backward.descend(engine, passed, error).await?;
        Ok(Network { layers, loss, optimiser, plan, seed, steps: steps.wrapping_add(1) })
    }
}

/// What the backward pass knows at every layer.
#[derive(Clone, Copy)]
struct Backward {
    optimiser: Optimiser,
    /// Scale of the errors.
    scale: u32,
    step: StepSize,
}

impl Backward {
    /// The error at the output with the factor of the step, at the scale of errors.
    async fn weighted<E: Engine>(&self, engine: &E, error: E::Tensor) -> Result<E::Tensor> {
        let error = if self.step.factor == 1.0 {
            error
        } else {
            engine.mul_public(error, self.step.factor, FACTOR_SCALE)?
        };
        engine.align(error, self.scale).await
    }

    /// Passes the error down through the layers, last first, and answers with the layers
    /// after their update.
    fn descend<'a, E: Engine>(
        &'a self,
        engine: &'a E,
        mut passed: Vec<Passed<E::Tensor>>,
        error: E::Tensor,
    ) -> LocalBoxFuture<'a, Result<Vec<Layer<E::Tensor>>>> {
        Box::pin(async move {
            let Some((layer, saved)) = passed.pop() else { return Ok(Vec::new()) };
            let stage = engine.step(&format!("backward-{}", passed.len()));
            let error = layer.receive_error(&stage.step("receive"), error, self.scale).await?;
            let (change, mut layers) =
                try_join!(self.change(&stage, &layer, &saved, &error), async {
                    if !passed.iter().any(|(layer, _)| layer.is_trained()) {
                        return Ok(passed.into_iter().map(|(layer, _)| layer).collect());
                    }
                    let step = stage.step("input");
                    let error = layer.input_error(&step, &saved, &error, self.scale).await?;
                    self.descend(engine, passed, error).await
                },)?;
            layers.push(match change {
                Some(change) => layer.subtract(engine, &change)?,
                None => layer,
            });
            Ok(layers)
        })
    }

    /// The change of the layer's parameters, where it has some.
    async fn change<E: Engine>(
        &self,
        stage: &E,
        layer: &Layer<E::Tensor>,
        saved: &Saved<E::Tensor>,
        error: &E::Tensor,
    ) -> Result<Option<Parameters<E::Tensor>>> {
        let gradient = layer.gradient(&stage.step("gradient"), saved, error).await?;
        let (Some(parameters), Some(gradient)) = (layer.parameters(), gradient) else {
            return Ok(None);
        };
        let step = stage.step("update");
        self.optimiser.change(&step, parameters, gradient, self.step).await.map(Some)
    }
}
