//! Training: features are scaled, batches are run, and a model is left.

use crate::blueprint::{Blueprint, Pair, Role};
use crate::engine::Engine;
use crate::layers::{Conv, Layer, Parameters};
use crate::network::Network;
use crate::order::epoch_order;
use crate::plan::Plan;
use crate::rows::Rows;
use crate::scaling::{FeatureMap, scale_features};
use crate::seed::Seed;
use crate::spec::{EarlyStopping, Metric};
use crate::validation::{self, Figure};
use crate::watch::{RangeCount, Watch};
use mpc_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// Fractional bits at which holders share numbers; classes are shared as whole numbers.
pub const DATA_SCALE: u32 = 20;

/// The rows of all holders.
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    /// `rows x columns`, mapped by public bounds: bounded columns to `[-1, 1]`.
    pub features: T,
    /// `rows x label columns`: one-hot classes, or numbers mapped to `[-1, 1]`.
    pub labels: T,
}

/// What training has come to; nothing here depends on secret values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Features are about to be scaled.
    Scaling,
    /// A batch is done, though perhaps not verified yet.
    Batch(Progress),
    /// All batches are done; the scaling is about to be folded into the model.
    Folding,
}

/// How far training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// The batch within the epoch, from 1.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
}

/// Follows a training, and can stop it.
pub trait Observer {
    /// Called between steps. `Break` ends the training with `Error::Cancelled`.
    ///
    /// Under MPC all parties must answer alike at the same event.
    fn observe(&mut self, event: Event) -> ControlFlow<()>;

    /// Called with what was revealed after an epoch, counted from 1; `last` where no other
    /// epoch follows.
    fn figures(&mut self, _epoch: usize, _figures: &[Figure], _last: bool) {}

    /// Called at the end, where it was counted how many numbers left their range.
    fn range_counts(&mut self, _counts: &[RangeCount]) {}
}

/// Follows nothing and stops nothing.
impl Observer for () {
    fn observe(&mut self, _event: Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<F: FnMut(Event) -> ControlFlow<()>> Observer for F {
    fn observe(&mut self, event: Event) -> ControlFlow<()> {
        self(event)
    }
}

/// What training leaves: a model that takes features as they came, before scaling.
#[derive(Clone, Debug)]
pub struct TrainedModel<T> {
    /// The pairs of tensors of each layer that has some, from the input on: see
    /// [`LayerShape::pairs`](crate::blueprint::LayerShape::pairs).
    pub parameters: Vec<Parameters<T>>,
}

/// Trains the network of `blueprint` from start to end.
///
/// # Errors
/// As for [`train_from`].
pub async fn train<E: Engine>(
    engine: &E,
    blueprint: &Blueprint,
    data: impl Into<Dataset<Rows<E::Tensor>>>,
    seed: &Seed,
    observer: &mut impl Observer,
) -> Result<TrainedModel<E::Tensor>> {
    train_from(engine, blueprint, None, data, seed, observer).await
}

/// The same from the tensors of a model of the same network, which takes features as they came,
/// before scaling; where there is none, from weights that the seed draws.
///
/// # Errors
/// `Error::Shape` for data of another shape than the blueprint's, `Error::Misuse` for
/// scales that leave no room, `Error::Cancelled` where the observer stops it, and those
/// of the engine.
pub async fn train_from<E: Engine>(
    engine: &E,
    blueprint: &Blueprint,
    start: Option<Vec<Parameters<E::Tensor>>>,
    data: impl Into<Dataset<Rows<E::Tensor>>>,
    seed: &Seed,
    observer: &mut impl Observer,
) -> Result<TrainedModel<E::Tensor>> {
    ask(observer, Event::Scaling, "scaling")?;
    let mut trainer = Trainer::new(engine, blueprint, data, seed).await?;
    if let Some(start) = start {
        trainer = trainer.starting_from(start).await?;
    }
    let mut patience = Patience::new(blueprint);
    let epochs = blueprint.spec().training.epochs;
    for epoch in 0..epochs {
        trainer = trainer.epoch(epoch, observer).await?;
        let Some(validation) = blueprint.validation() else { continue };
        let last = epoch + 1 == epochs;
        let metrics = if last { &validation.metrics } else { &validation.each_epoch };
        let mut figures = trainer.judged(epoch, metrics).await?;
        if !last && patience.is_over(&figures) {
            // What is still to be told of the last epoch.
            let rest = validation.metrics.difference(&validation.each_epoch).copied().collect();
            figures.extend(trainer.judged(epoch, &rest).await?);
            observer.figures(epoch + 1, &figures, true);
            break;
        }
        if !figures.is_empty() {
            observer.figures(epoch + 1, &figures, last);
        }
    }
    ask(observer, Event::Folding, "folding")?;
    if let Some(watch) = trainer.watch.take() {
        observer.range_counts(&watch.reveal(&engine.step("range")).await?);
    }
    trainer.finish().await
}

/// How long a training has gone without progress.
struct Patience {
    rule: Option<EarlyStopping>,
    best: f64,
    /// Epochs since the best.
    since: usize,
}

impl Patience {
    fn new(blueprint: &Blueprint) -> Self {
        let rule = blueprint.spec().validation.as_ref().and_then(|spec| spec.early_stopping);
        Patience { rule, best: f64::NEG_INFINITY, since: 0 }
    }

    /// Takes the figures of an epoch, and says whether the training is to end.
    fn is_over(&mut self, figures: &[Figure]) -> bool {
        let Some(rule) = self.rule else { return false };
        let figure = figures.iter().find(|figure| figure.metric == rule.metric);
        let Some(&value) = figure.and_then(|figure| figure.values.first()) else { return false };
        let sign = if rule.metric.smaller_is_better() == Some(true) { -1.0 } else { 1.0 };
        self.since += 1;
        if sign * value > self.best + rule.least_change {
            (self.best, self.since) = (sign * value, 0);
        }
        self.since >= rule.patience
    }
}

/// Tells the observer, and ends the training if it wants to.
fn ask(observer: &mut impl Observer, event: Event, step: &str) -> Result<()> {
    match observer.observe(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled { step: step.into() }),
    }
}

/// Most batches that are verified together: a verification takes 11 rounds however little there
/// is to verify, and not many more for much.
pub const MAX_BATCHES_TOGETHER: usize = 16;

/// A training under way.
pub struct Trainer<'a, E: Engine> {
    engine: &'a E,
    blueprint: &'a Blueprint,
    seed: Seed,
    network: Network<E::Tensor>,
    features: Rows<E::Tensor>,
    labels: Rows<E::Tensor>,
    /// Columns of the labels that the loss takes.
    label_columns: Range<usize>,
    map: FeatureMap<E::Tensor>,
    /// Rows that are trained on, and rows that the network is judged by.
    rows: [Vec<usize>; 2],
    /// What has left its range so far, where that is counted.
    watch: Option<Watch<E::Tensor>>,
}

impl<'a, E: Engine> Trainer<'a, E> {
    /// Scales the features and draws the initial weights.
    ///
    /// # Errors
    /// As for [`train`].
    pub async fn new(
        engine: &'a E,
        blueprint: &'a Blueprint,
        data: impl Into<Dataset<Rows<E::Tensor>>>,
        seed: &Seed,
    ) -> Result<Self> {
        let (spec, shape) = (blueprint.spec(), blueprint.data());
        let Dataset { features, labels } = data.into();
        let [found, of_labels] = [&features, &labels].map(|rows| rows.shape(engine));
        require_shape("features", found, [shape.rows, shape.columns.len()])?;
        require_shape("labels", of_labels, [shape.rows, shape.target.columns()])?;
        let label_columns = spec.model.loss.label_columns(shape.target);
        let plan = Plan::choose(blueprint, features.scale(engine))
            .map_err(|error| Error::Misuse(error.to_string()))?;
        let network = Network::new(engine, blueprint, plan, seed)?;
        let (step, scaling) = (engine.step("scaling"), spec.features.scaling);
        let (features, map) =
            scale_features(&step, scaling, &shape.columns, features, plan.input).await?;
        let rows = blueprint.divided(seed);
        let watch = spec.debug.count_range_violations.then(Watch::default);
        let network = if watch.is_some() { network.watched() } else { network };
        let seed = *seed;
        Ok(Trainer {
            engine,
            blueprint,
            seed,
            network,
            features,
            labels,
            label_columns,
            map,
            rows,
            watch,
        })
    }

    /// The same with the weights of a model, made for the features as they came, in place of
    /// those that were drawn.
    ///
    /// # Errors
    /// `Error::Misuse` for features that are standardised, or tensors that are not those of the
    /// network, and those of the engine.
    pub async fn starting_from(self, start: Vec<Parameters<E::Tensor>>) -> Result<Self> {
        let stage = self.engine.step("start");
        let first = self.blueprint.layers().iter().find_map(|layer| layer.pairs().first().copied());
        let map = match first {
            Some(Pair { role: Role::Weights { .. }, shapes: [[_, inputs], _] }) => {
                self.map.clone().for_windows_of(inputs)
            }
            _ => FeatureMap::Identity,
        };
        let mut start = start;
        if let Some(first) = start.first_mut() {
            *first = map.unfold(&stage, first.clone())?;
        }
        let network = self.network.with_tensors(&stage, self.blueprint, start).await?;
        stage.checkpoint().await?;
        Ok(Trainer { network, ..self })
    }

    /// Trains on all rows once; `epoch` counts from 0.
    ///
    /// # Errors
    /// As for [`train`].
    pub async fn epoch(mut self, epoch: usize, observer: &mut impl Observer) -> Result<Self> {
        let (training, rows) = (&self.blueprint.spec().training, self.blueprint.training_rows());
        let (epochs, batches) = (training.epochs, self.blueprint.batches());
        let order = epoch_order(training.order, rows, &self.seed, epoch);
        let stage = self.engine.step(&format!("epoch-{}", epoch + 1));
        let rows = |places: &[usize]| places.iter().map(|&place| self.rows[0][place]).collect();
        let rows: Vec<Vec<usize>> = order.chunks(self.blueprint.batch()).map(rows).collect();
        let mut done = 0;
        while done < rows.len() {
            let told = |batch| {
                let progress = Progress { epoch: epoch + 1, epochs, batch: batch + 1, batches };
                let step = format!("epoch-{}/batch-{}", progress.epoch, progress.batch);
                ask(observer, Event::Batch(progress), &step)
            };
            (self, done) = self.group(&stage, &rows, done, told).await?;
        }
        Ok(self)
    }

    /// Steps of training on `batches` from number `first` on, as many as are verified together;
    /// `told` hears the number of each. Answers with that of the batch after them.
    ///
    /// # Errors
    /// Those of the engine and of `told`.
    pub async fn group(
        mut self,
        stage: &E,
        batches: &[Vec<usize>],
        first: usize,
        mut told: impl FnMut(usize) -> Result<()>,
    ) -> Result<(Self, usize)> {
        let last = batches.len().min(first + MAX_BATCHES_TOGETHER);
        for (number, rows) in batches.iter().enumerate().take(last).skip(first) {
            let stage = stage.step(&format!("batch-{}", number + 1));
            self = self.unverified_batch(&stage, rows).await?;
            let over = number + 1 == last || stage.checkpoint_is_due();
            if over {
                stage.checkpoint().await?;
            }
            told(number)?;
            if over {
                return Ok((self, number + 1));
            }
        }
        Ok((self, last))
    }

    /// One step of training on the given rows, verified; `stage` is a step of its own.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn batch(self, stage: &E, rows: &[usize]) -> Result<Self> {
        let trained = self.unverified_batch(stage, rows).await?;
        stage.checkpoint().await?;
        Ok(trained)
    }

    async fn unverified_batch(self, stage: &E, rows: &[usize]) -> Result<Self> {
        stage.begin_batch(rows.len())?;
        let features = self.features.select(stage, rows)?;
        let labels = self.labels(stage, rows)?;
        let (network, notes) = self.network.trained(stage, features, &labels, rows.len()).await?;
        let watch = match (self.watch, notes) {
            (Some(watch), Some(notes)) => {
                // What was prepared for the batch does not have to serve for this as well.
                stage.step("trained").checkpoint().await?;
                Some(watch.count(&stage.step("range"), notes).await?)
            }
            (watch, _) => watch,
        };
        Ok(Trainer { network, watch, ..self })
    }

    /// The labels of the given rows, as the loss takes them.
    fn labels(&self, stage: &E, rows: &[usize]) -> Result<E::Tensor> {
        let labels = self.labels.select(stage, rows)?;
        let columns = self.label_columns.clone();
        if columns == (0..stage.shape(&labels)[1]) {
            return Ok(labels);
        }
        stage.select_columns(&labels, columns)
    }

    /// Figures of the network on the rows that are kept back.
    async fn judged(&self, epoch: usize, metrics: &BTreeSet<Metric>) -> Result<Vec<Figure>> {
        if metrics.is_empty() {
            return Ok(Vec::new());
        }
        let stage = self.engine.step(&format!("epoch-{}", epoch + 1)).step("validation");
        let rows = &self.rows[1];
        let scores = self.scores(&stage, rows).await?;
        self.figures(&stage, scores, rows, metrics).await
    }

    /// What [`Trainer::figures`] of the network as it is on the given rows are made of.
    ///
    /// # Errors
    /// Those of [`validation::scores`].
    pub async fn scores(&self, stage: &E, rows: &[usize]) -> Result<E::Tensor> {
        let at_a_time = self.blueprint.judged_at_a_time();
        validation::scores(stage, &self.network, &self.features, rows, at_a_time).await
    }

    /// Reveals figures of the network on the given rows, from its scores for these.
    ///
    /// # Errors
    /// Those of [`validation::figures`].
    pub async fn figures(
        &self,
        stage: &E,
        scores: E::Tensor,
        rows: &[usize],
        metrics: &BTreeSet<Metric>,
    ) -> Result<Vec<Figure>> {
        let labels = self.labels(stage, rows)?;
        validation::figures(stage, self.network.loss(), scores, labels, metrics).await
    }

    /// Folds the scaling of the features into the model.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn finish(self) -> Result<TrainedModel<E::Tensor>> {
        let stage = self.engine.step("fold");
        let (mut parameters, mut map) = (Vec::new(), Some(self.map));
        for layer in self.network.into_layers() {
            let (map, trained) = match layer {
                Layer::Dense(dense) => (map.take(), dense.parameters),
                Layer::Conv(Conv { parameters, .. }) => {
                    let [_, window] = stage.shape(&parameters.weights);
                    (map.take().map(|map| map.for_windows(window)), parameters)
                }
                other => {
                    parameters.extend(other.pairs().into_iter().map(Parameters::cloned));
                    continue;
                }
            };
            parameters.push(match map {
                Some(map) => map.fold(&stage, trained).await?,
                None => trained,
            });
        }
        stage.checkpoint().await?;
        Ok(TrainedModel { parameters })
    }
}

fn require_shape(op: &'static str, left: [usize; 2], right: [usize; 2]) -> Result<()> {
    if left == right { Ok(()) } else { Err(Error::Shape { op, left, right }) }
}
