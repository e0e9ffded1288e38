//! How good a network is on rows that are kept secret.
//!
//! Each figure is computed on shares down to what it needs to tell, and that alone is
//! revealed: for an accuracy how many rows were right, for a precision the mean over classes
//! and not the classes, for a root of a mean its square. `docs/SECURITY.md` lists them.

use crate::engine::{Engine, Trans};
use crate::loss::Loss;
use crate::network::Network;
use crate::rows::Rows;
use crate::spec::Metric;
use mpc_core::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Fractional bits of outputs that are compared.
const SCORE_SCALE: u32 = 16;
/// Fractional bits of outputs that are subtracted from labels.
const NUMBER_SCALE: u32 = 20;
/// Fractional bits of the inverse of a count, and of ratios.
const INVERSE_SCALE: u32 = 30;
/// Most rows whose pairs are compared for an AUC.
pub const MAX_AUC_ROWS: usize = 1 << 15;

/// A revealed figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub metric: Metric,
    /// One number; for a confusion the rows of the table, true class by true class.
    pub values: Vec<f64>,
}

/// Outputs of a network for some rows, and their labels.
struct Judged<'a, E: Engine> {
    engine: &'a E,
    loss: Loss,
    /// Exact outputs.
    outputs: E::Tensor,
    /// As the loss takes them.
    labels: E::Tensor,
    rows: usize,
}

/// What figures are made of: exact outputs of a network for the given rows, so many of which are
/// computed, and verified, at a time.
///
/// # Errors
/// `Error::Misuse` where there are no rows, and those of the engine.
pub async fn scores<E: Engine>(
    engine: &E,
    network: &Network<E::Tensor>,
    features: &Rows<E::Tensor>,
    rows: &[usize],
    at_a_time: usize,
) -> Result<E::Tensor> {
    let mut outputs: Option<E::Tensor> = None;
    for (index, chunk) in rows.chunks(at_a_time).enumerate() {
        let stage = engine.step(&format!("rows-{}", index * at_a_time));
        let part = network.outputs(&stage, features.select(engine, chunk)?).await?;
        let scale = network.loss().score_scale();
        let part = stage.step("round").align(part, scale).await?;
        stage.checkpoint().await?;
        let all = match outputs.take() {
            Some(all) => all,
            None => {
                let width = engine.shape(&part)[1];
                engine.public(&Array2::zeros((rows.len(), width)), scale)?
            }
        };
        let all = outputs.insert(all);
        engine.set_rows(all, index * at_a_time, &part)?;
    }
    outputs.ok_or_else(|| Error::Misuse("no rows to judge by".into()))
}

/// Computes and reveals figures of a network with this loss from its [`scores`] for some rows
/// and their labels.
///
/// # Security
/// Reveals the figures, through [`Engine::reveal`], and nothing else.
///
/// # Errors
/// `Error::Misuse` for an AUC of too many rows, and those of the engine.
pub async fn figures<E: Engine>(
    engine: &E,
    loss: Loss,
    scores: E::Tensor,
    labels: E::Tensor,
    metrics: &BTreeSet<Metric>,
) -> Result<Vec<Figure>> {
    let [rows, _] = engine.shape(&scores);
    Judged { engine, loss, outputs: scores, labels, rows }.figures(metrics).await
}

impl Loss {
    /// Fractional bits of outputs that figures are made of.
    fn score_scale(self) -> u32 {
        match self {
            Loss::SoftmaxCrossEntropy | Loss::Logistic => SCORE_SCALE,
            Loss::MeanSquared | Loss::Huber(_) => NUMBER_SCALE,
        }
    }
}

impl<E: Engine> Judged<'_, E> {
    async fn figures(&self, metrics: &BTreeSet<Metric>) -> Result<Vec<Figure>> {
        let counts = match metrics.iter().any(|metric| metric.needs_classes()) {
            true => Some(self.counts(&self.engine.step("classes")).await?),
            false => None,
        };
        let mut figures = Vec::new();
        for &metric in metrics {
            let stage = self.engine.step(metric.name());
            let values = match (metric, &counts) {
                (Metric::Loss, _) => self.loss(&stage).await?,
                (Metric::Auc, _) => self.auc(&stage).await?,
                (Metric::Rmse, _) => {
                    vec![self.residual(&stage).await?.max(0.0).sqrt()]
                }
                (Metric::R2, _) => self.r2(&stage).await?,
                (Metric::Accuracy, Some(counts)) => {
                    let right = stage.sum_columns(&counts.right)?;
                    let right = stage.reveal(&right).await?;
                    vec![right[(0, 0)] / self.rows as f64]
                }
                (Metric::Confusion, Some(counts)) => {
                    stage.reveal(&counts.table).await?.iter().copied().collect()
                }
                (metric, Some(counts)) => counts.mean(&stage, metric).await?,
                (_, None) => Vec::new(),
            };
            figures.push(Figure { metric, values });
        }
        Ok(figures)
    }

    /// One-hot labels of all classes.
    fn truth(&self) -> Result<E::Tensor> {
        match self.loss {
            Loss::Logistic => {
                // From the second column, y, to (1 - y, y).
                let both = self.engine.repeat_columns(&self.labels, 2)?;
                let signed = self.engine.mul_public_row(both, &[-1.0, 1.0], 0)?;
                let first = Array2::from_shape_fn((1, 2), |(_, column)| [1.0, 0.0][column]);
                self.engine.add_row(signed, &self.engine.public(&first, 0)?)
            }
            _ => Ok(self.labels.clone()),
        }
    }

    async fn counts(&self, engine: &E) -> Result<Counts<E::Tensor>> {
        let truth = self.truth()?;
        let classes = engine.shape(&truth)[1];
        let index = match self.loss {
            Loss::Logistic => engine.step("class").relu(self.outputs.clone(), SCORE_SCALE).await?.1,
            _ => engine.step("class").argmax(&self.outputs).await?,
        };
        let predicted = engine.step("predicted").one_hot(&index, classes).await?;
        let table = engine.step("table");
        let counts = Counts {
            right: engine.step("right").column_dot(&truth, &predicted).await?,
            table: table.matmul(&truth, Trans::Yes, &predicted, Trans::No).await?,
            truly: engine.sum_rows(&truth)?,
            predicted: engine.sum_rows(&predicted)?,
        };
        engine.checkpoint().await?;
        Ok(counts)
    }

    /// The mean loss over the rows.
    async fn loss(&self, engine: &E) -> Result<Vec<f64>> {
        let (sum, shift) = match self.loss {
            Loss::SoftmaxCrossEntropy => {
                let of_class = engine.step("of-class").mul(&self.outputs, &self.labels).await?;
                let of_class = engine.sum_columns(&of_class)?;
                self.logs(engine, self.outputs.clone(), of_class).await?
            }
            Loss::Logistic => {
                let of_class = engine.step("of-class").mul(&self.outputs, &self.labels).await?;
                let both = engine.repeat_columns(&self.outputs, 2)?;
                let both = engine.mul_public_row(both, &[0.0, 1.0], 0)?;
                self.logs(engine, both, of_class).await?
            }
            Loss::MeanSquared => (self.squares(engine, self.errors()?).await?, 1),
            Loss::Huber(distance) => {
                let errors = self.errors()?;
                let within =
                    crate::optim::clamped(&engine.step("clamp"), errors.clone(), distance).await?;
                let beyond = engine.sub(errors.clone(), &within)?;
                let all = self.squares(&engine.step("all"), errors).await?;
                let beyond = self.squares(&engine.step("beyond"), beyond).await?;
                (engine.sub(all, &beyond)?, 1)
            }
        };
        let sum = engine.reveal(&sum).await?[(0, 0)];
        Ok(vec![sum / f64::from(1 << shift) / self.rows as f64])
    }

    /// The sum of `log sum_k e^z_k - z_y`.
    async fn logs(
        &self,
        engine: &E,
        z: E::Tensor,
        of_class: E::Tensor,
    ) -> Result<(E::Tensor, u32)> {
        let log = engine.step("log-sum-exp").log_sum_exp(z).await?;
        let of_class = engine.lift(of_class, engine.scale(&log))?;
        Ok((engine.sum_rows(&engine.sub(log, &of_class)?)?, 0))
    }

    fn errors(&self) -> Result<E::Tensor> {
        let labels = self.engine.lift(self.labels.clone(), NUMBER_SCALE)?;
        self.engine.sub(self.outputs.clone(), &labels)
    }

    /// The sum of the squares of a tensor's elements.
    async fn squares(&self, engine: &E, x: E::Tensor) -> Result<E::Tensor> {
        let of_columns = engine.step("squares").column_dot(&x, &x).await?;
        engine.sum_columns(&of_columns)
    }

    /// The mean squared error, of all columns.
    async fn residual(&self, engine: &E) -> Result<f64> {
        let sum = self.squares(engine, self.errors()?).await?;
        let columns = engine.shape(&self.labels)[1];
        Ok(engine.reveal(&sum).await?[(0, 0)] / (self.rows * columns) as f64)
    }

    /// `1 - sum of squared errors / sum of squared distances from the mean`, where the mean
    /// square of the latter is at least `2^-20`.
    async fn r2(&self, engine: &E) -> Result<Vec<f64>> {
        let labels = engine.lift(self.labels.clone(), NUMBER_SCALE)?;
        let mean = engine.mul_public(engine.sum_rows(&labels)?, 1.0 / self.rows as f64, 34)?;
        let mean = engine.step("mean").rescale(mean, NUMBER_SCALE).await?;
        let away = engine.sub_row(labels, &mean)?;
        let total = self.squares(&engine.step("total"), away).await?;
        let residual = self.squares(&engine.step("residual"), self.errors()?).await?;
        // Both by the same power of two, so that they are about means.
        let bits = (self.rows * engine.shape(&self.labels)[1]).next_power_of_two().ilog2();
        let small = |sum: E::Tensor| {
            let scale = engine.scale(&sum) + bits;
            engine.with_scale(sum, scale)
        };
        let total = engine.step("total-scale").align(small(total), 40).await?;
        let residual = engine.step("residual-scale").align(small(residual), 30).await?;
        let root = engine.step("root").inv_sqrt(total, 16).await?;
        let once = engine.step("once").mul(&residual, &root).await?;
        let once = engine.step("once-scale").rescale(once, 30).await?;
        let ratio = engine.step("twice").mul(&once, &root).await?;
        let ratio = engine.step("ratio").rescale(ratio, 24).await?;
        Ok(vec![1.0 - engine.reveal(&ratio).await?[(0, 0)]])
    }

    async fn auc(&self, engine: &E) -> Result<Vec<f64>> {
        if self.rows > MAX_AUC_ROWS {
            return Err(Error::Misuse(format!(
                "an AUC compares all pairs of rows: at most {MAX_AUC_ROWS} rows, not {}",
                self.rows
            )));
        }
        let (score, label) = match self.loss {
            Loss::Logistic => (self.outputs.clone(), self.labels.clone()),
            _ => {
                let second = engine.select_columns(&self.outputs, 1..2)?;
                let first = engine.select_columns(&self.outputs, 0..1)?;
                (engine.sub(second, &first)?, engine.select_columns(&self.labels, 1..2)?)
            }
        };
        let right = engine.step("pairs").concordance(&score, &label).await?;
        let ones = engine.sum_rows(&label)?;
        let all = engine.public(&Array2::from_elem((1, 1), self.rows as f64), 0)?;
        let zeros = engine.sub(all, &ones)?;
        let by_ones = inverse(&engine.step("by-ones"), ones).await?;
        let by_zeros = inverse(&engine.step("by-zeros"), zeros).await?;
        let ratio = engine.step("first").mul(&right, &by_ones).await?;
        let ratio = engine.step("first-scale").rescale(ratio, 28).await?;
        let ratio = engine.step("second").mul(&ratio, &by_zeros).await?;
        let ratio = engine.step("ratio").rescale(ratio, INVERSE_SCALE).await?;
        Ok(vec![engine.reveal(&ratio).await?[(0, 0)]])
    }
}

impl Metric {
    /// Whether it is made of predicted classes.
    fn needs_classes(self) -> bool {
        !matches!(self, Metric::Loss | Metric::Auc | Metric::Rmse | Metric::R2)
    }
}

/// How often classes occur, `1 x classes` each; all at scale 0.
struct Counts<T> {
    right: T,
    truly: T,
    predicted: T,
    /// True class by predicted class.
    table: T,
}

impl<T: Clone> Counts<T> {
    /// The mean of a figure over the classes that occur in truth or prediction.
    async fn mean<E: Engine<Tensor = T>>(&self, engine: &E, metric: Metric) -> Result<Vec<f64>> {
        let both = engine.add(self.truly.clone(), &self.predicted)?;
        let (part, whole) = match metric {
            Metric::Precision => (self.right.clone(), self.predicted.clone()),
            Metric::Recall => (self.right.clone(), self.truly.clone()),
            _ => (engine.mul_public(self.right.clone(), 2.0, 0)?, both.clone()),
        };
        let by_whole = inverse(&engine.step("whole"), whole).await?;
        let ratios = engine.step("ratios").mul(&part, &by_whole).await?;
        // One where the class occurs, zero elsewhere.
        let by_both = inverse(&engine.step("both"), both.clone()).await?;
        let occurs = engine.step("occurs").mul(&both, &by_both).await?;
        let classes = engine.sum_columns(&occurs)?;
        let classes = engine.step("classes").rescale(classes, 8).await?;
        let by_classes = inverse(&engine.step("by-classes"), engine.with_scale(classes, 0)).await?;
        let by_classes = engine.with_scale(by_classes, INVERSE_SCALE - 8);
        let sum = engine.step("sum").rescale(engine.sum_columns(&ratios)?, 24).await?;
        let mean = engine.step("mean").mul(&sum, &by_classes).await?;
        Ok(vec![engine.reveal(&mean).await?[(0, 0)]])
    }
}

/// `1 / count` at [`INVERSE_SCALE`], and zero where `count`, at scale 0 and below `2^30`, is.
async fn inverse<E: Engine>(engine: &E, count: E::Tensor) -> Result<E::Tensor> {
    // Read at scale 28, a count is 2^-28 of what it is, and its inverse root 2^14.
    let root = engine.step("root").inv_sqrt(engine.with_scale(count, 28), 28).await?;
    let root = engine.with_scale(root, 28 + 14);
    let root = engine.step("round").rescale(root, 28).await?;
    let square = engine.step("square").mul(&root, &root).await?;
    engine.step("rescale").rescale(square, INVERSE_SCALE).await
}
