//! A network in training: the forward pass, and the backward pass with its updates.

use crate::blueprint::{Blueprint, Pair};
use crate::engine::Engine;
use crate::init;
use crate::layers::{Layer, Parameters, Saved};
use crate::loss::Loss;
use crate::optim::{Updater, WithGradient};
use crate::plan::{FACTOR_SCALE, Plan, StepSize};
use crate::seed::Seed;
use crate::watch::Notes;
use futures_util::future::LocalBoxFuture;
use futures_util::try_join;
use mpc_core::error::{Error, Result};

/// The layers of a network over tensors `T`, with all that a step of training needs.
#[derive(Clone)]
pub struct Network<T> {
    layers: Vec<Layer<T>>,
    loss: Loss,
    class_weights: Vec<f64>,
    updater: Updater<T>,
    plan: Plan,
    seed: Seed,
    /// Steps of training so far.
    steps: u32,
    watched: bool,
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
            layers.push(Layer::new(shape, input_scale, plan.activations, |pair| {
                let initial = init::initial(training.initial, pair, seed, index);
                Parameters::public(engine, &initial, plan.tensors(pair.role, input_scale))
            })?);
        }
        let loss = blueprint.spec().model.loss;
        let class_weights = training.class_weights.clone();
        let updater = Updater::new(blueprint);
        let (seed, watched) = (*seed, false);
        Ok(Network { layers, loss, class_weights, updater, plan, seed, steps: 0, watched })
    }

    /// The same network with other tensors, in the order of [`LayerShape::pairs`](crate::blueprint::LayerShape::pairs) and at any scale.
    ///
    /// # Errors
    /// `Error::Misuse` for too few or too many, `Error::Shape` for one of another shape, and those
    /// of the engine.
    pub async fn with_tensors<E: Engine<Tensor = T>>(
        self,
        engine: &E,
        blueprint: &Blueprint,
        tensors: Vec<Parameters<T>>,
    ) -> Result<Self> {
        let misfit = || Error::Misuse("the tensors are not those of the network".into());
        let (plan, mut tensors) = (self.plan, tensors.into_iter());
        let mut layers = Vec::with_capacity(blueprint.layers().len());
        for (index, shape) in blueprint.layers().iter().enumerate() {
            let input_scale = plan.input_of(index);
            let stage = engine.step(&format!("layer-{index}"));
            let mut aligned = Vec::new();
            for Pair { role, shapes } in shape.pairs() {
                let Parameters { weights, bias } = tensors.next().ok_or_else(misfit)?;
                for (left, right) in
                    [(engine.shape(&weights), shapes[0]), (engine.shape(&bias), shapes[1])]
                {
                    if left != right {
                        return Err(Error::Shape { op: "start", left, right });
                    }
                }
                let scales = plan.tensors(role, input_scale);
                let (first, second) = (stage.step("first"), stage.step("second"));
                let (weights, bias) =
                    try_join!(first.align(weights, scales[0]), second.align(bias, scales[1]))?;
                aligned.push(Parameters { weights, bias });
            }
            let mut aligned = aligned.into_iter();
            layers.push(Layer::new(shape, input_scale, plan.activations, |_| {
                aligned.next().ok_or_else(misfit)
            })?);
        }
        match tensors.next() {
            None => Ok(Network { layers, ..self }),
            Some(_) => Err(misfit()),
        }
    }

    /// What the network is trained to minimise.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The exact outputs of the last layer for each row.
    ///
    /// # Errors
    /// `Error::Shape` where rows are not as wide as the network, and those of the engine.
    pub async fn outputs<E: Engine<Tensor = T>>(&self, engine: &E, rows: T) -> Result<T> {
        let mut value = rows;
        for (index, layer) in self.layers.iter().enumerate() {
            let step = engine.step(&format!("forward-{index}"));
            (value, _) = layer.forward(&step, value).await?;
        }
        Ok(value)
    }

    /// The network's layers, for the model that training leaves.
    pub fn into_layers(self) -> Vec<Layer<T>> {
        self.layers
    }

    /// The same, whose steps of training note down the numbers that have to stay in range.
    pub fn watched(self) -> Self {
        Network { watched: true, ..self }
    }

    /// The network after one step of training on a batch, and what the step noted, if it is
    /// [`Network::watched`].
    ///
    /// The gradient of a layer runs beside the errors of the layers below; the updates of all
    /// layers come last and share their rounds, if they need any.
    ///
    /// # Errors
    /// Those of the engine. The network is gone then, and so is the session.
    pub async fn trained<E: Engine<Tensor = T>>(
        self,
        engine: &E,
        input: T,
        labels: &T,
        batch: usize,
    ) -> Result<(Self, Option<Notes<T>>)> {
        let Network { layers, loss, class_weights, updater, plan, seed, steps, watched } = self;
        let step = updater.step_size(batch);
        let notes =
            watched.then(|| Notes::new(plan.head_room, (updater.gradient_limit(), step.shift)));
        let mut passed = Vec::with_capacity(layers.len());
        let mut value = input;
        let mut layers = layers.into_iter().enumerate().peekable();
        while let Some((index, layer)) = layers.next() {
            let step = engine.step(&format!("forward-{index}"));
            let layer = layer.in_step(&seed, index as u32, steps);
            let (output, saved) = layer.forward(&step, value).await?;
            if let Some(notes) = notes.as_ref().filter(|_| layer.is_trained()) {
                let matched = matches!(layers.peek(), Some((_, Layer::MaxPool(_))));
                notes.outputs(engine, index, &output, matched);
            }
            passed.push((layer.after_forward(&saved), saved));
            value = output;
            step.relieve().await?;
        }
        let backward = Backward { scale: plan.errors, step, notes: notes.as_ref() };
        let stage = engine.step("loss");
        let mut error = loss.error(&stage, value, labels, plan.errors).await?;
        if !class_weights.is_empty() {
            error = loss.weighted(&stage.step("class"), error, labels, &class_weights).await?;
        }
        let error = backward.weighted(&stage.step("weight"), error).await?;
        let layers = backward.descend(engine, passed, error).await?;
        let (updater, layers) = updater.update(&engine.step("update"), layers, step).await?;
        let layers = layers.into_iter().map(Layer::predicting).collect();
        let steps = steps.wrapping_add(1);
        let network = Network { layers, loss, class_weights, updater, plan, seed, steps, watched };
        Ok((network, notes))
    }
}

/// What the backward pass knows at every layer.
struct Backward<'n, T> {
    /// Scale of the errors.
    scale: u32,
    step: StepSize,
    /// What is noted of its numbers, if anything is.
    notes: Option<&'n Notes<T>>,
}

impl<T: Clone> Backward<'_, T> {
    /// The error at the output with the factor of the step, at the scale of errors.
    async fn weighted<E: Engine<Tensor = T>>(&self, engine: &E, error: T) -> Result<T> {
        let error = if self.step.factor == 1.0 {
            error
        } else {
            engine.mul_public(error, self.step.factor, FACTOR_SCALE)?
        };
        engine.align(error, self.scale).await
    }

    /// Passes the error down through the layers, last first, and answers with the layers
    /// and their gradients.
    fn descend<'a, E: Engine<Tensor = T>>(
        &'a self,
        engine: &'a E,
        mut passed: Vec<Passed<T>>,
        error: T,
    ) -> LocalBoxFuture<'a, Result<Vec<WithGradient<T>>>> {
        Box::pin(async move {
            let Some((layer, saved)) = passed.pop() else { return Ok(Vec::new()) };
            let index = passed.len();
            let stage = engine.step(&format!("backward-{index}"));
            stage.relieve().await?;
            let error = layer.receive_error(&stage.step("receive"), error, self.scale).await?;
            let gradient = stage.step("gradient");
            let (gradient, mut layers) =
                try_join!(layer.gradient(&gradient, &saved, &error), async {
                    if !passed.iter().any(|(layer, _)| layer.is_trained()) {
                        return Ok(passed.into_iter().map(|(layer, _)| (layer, None)).collect());
                    }
                    let step = stage.step("input");
                    let error = layer.input_error(&step, &saved, &error, self.scale).await?;
                    if let Some(notes) = self.notes.filter(|_| layer.is_trained()) {
                        notes.errors(engine, index, &error);
                    }
                    self.descend(engine, passed, error).await
                },)?;
            if let (Some(notes), Some(Parameters { weights, bias })) = (self.notes, &gradient) {
                notes.gradient(engine, index, weights);
                notes.gradient(engine, index, bias);
            }
            layers.push((layer, gradient));
            Ok(layers)
        })
    }
}
