//! What a specification says about the rows that are kept back to judge the model by.

use super::{ModelSpec, SpecError};
use crate::loss::Loss;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What fraction of the rows can be kept back.
pub const FRACTIONS: [f64; 2] = [0.001, 0.9];
/// Most epochs without progress that a training can wait.
pub const MAX_PATIENCE: usize = 10_000;

/// A figure of merit, computed on shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The mean of what the training minimises.
    Loss,
    /// Rows whose class was predicted, by all rows.
    Accuracy,
    /// Rows by their class and the class that was predicted.
    Confusion,
    /// Mean over classes of: rows rightly predicted as the class, by rows predicted as it.
    Precision,
    /// Mean over classes of: rows rightly predicted as the class, by rows of it.
    Recall,
    /// Mean over classes of the harmonic mean of precision and recall.
    F1,
    /// Area under the ROC curve, of two classes.
    Auc,
    /// Root of the mean squared error, on the label's mapped scale.
    Rmse,
    /// The part of the variance that is explained.
    R2,
}

impl Metric {
    /// All there are.
    pub const ALL: [Metric; 9] = [
        Metric::Loss,
        Metric::Accuracy,
        Metric::Confusion,
        Metric::Precision,
        Metric::Recall,
        Metric::F1,
        Metric::Auc,
        Metric::Rmse,
        Metric::R2,
    ];

    /// The name in jobs.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Loss => "loss",
            Metric::Accuracy => "accuracy",
            Metric::Confusion => "confusion",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::F1 => "f1",
            Metric::Auc => "auc",
            Metric::Rmse => "rmse",
            Metric::R2 => "r2",
        }
    }

    /// Whether it suits a network that is trained for this loss.
    fn suits(self, loss: Loss) -> bool {
        match self {
            Metric::Loss => true,
            Metric::Rmse | Metric::R2 => matches!(loss, Loss::MeanSquared | Loss::Huber(_)),
            _ => matches!(loss, Loss::SoftmaxCrossEntropy | Loss::Logistic),
        }
    }

    /// Whether a smaller one is better; none for a table.
    pub fn smaller_is_better(self) -> Option<bool> {
        match self {
            Metric::Confusion => None,
            Metric::Loss | Metric::Rmse => Some(true),
            _ => Some(false),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Rows that are kept back, and what is told of how the model does on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationSpec {
    /// What fraction of all rows is not trained on; which ones, the seed decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// Instead: data sets that are not trained on. Who puts the rows together knows which rows
    /// these are ([`Blueprint::keeping_back`](crate::blueprint::Blueprint::keeping_back)).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sets: BTreeSet<String>,
    /// Opened after the last epoch.
    pub metrics: BTreeSet<Metric>,
    /// Opened after each epoch; some of `metrics`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub each_epoch: BTreeSet<Metric>,
    /// When the training ends early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
}

/// A training ends when a figure that is opened after each epoch gets no better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// The figure.
    pub metric: Metric,
    /// For so many epochs.
    pub patience: usize,
    /// By at least this much.
    #[serde(default)]
    pub least_change: f64,
}

impl ValidationSpec {
    pub(super) fn validate(&self, model: &ModelSpec) -> Result<(), SpecError> {
        let invalid = |key: &str, reason: String| {
            Err(SpecError::invalid(format!("validation.{key}"), reason))
        };
        let [min, max] = FRACTIONS;
        match self.fraction {
            Some(fraction) if !self.sets.is_empty() => {
                let reason = format!("give a fraction ({fraction}) or data sets, not both");
                return invalid("sets", reason);
            }
            Some(fraction) if !(min..=max).contains(&fraction) => {
                return invalid("fraction", format!("must be {min} to {max}, not {fraction}"));
            }
            None if self.sets.is_empty() => {
                let reason = "say which rows are kept back: a fraction of all, or `sets`";
                return invalid("fraction", reason.into());
            }
            _ => {}
        }
        if self.metrics.is_empty() {
            return invalid("metrics", "list at least one, for instance \"accuracy\"".into());
        }
        if let Some(metric) = self.metrics.iter().find(|metric| !metric.suits(model.loss)) {
            let reason = format!("\"{metric}\" does not suit the loss \"{}\"", model.loss);
            return invalid("metrics", reason);
        }
        if let Some(metric) = self.each_epoch.difference(&self.metrics).next() {
            return invalid("each_epoch", format!("\"{metric}\" is not among validation.metrics"));
        }
        let Some(EarlyStopping { metric, patience, least_change }) = self.early_stopping else {
            return Ok(());
        };
        if !self.each_epoch.contains(&metric) || metric.smaller_is_better().is_none() {
            let reason = "the metric must be a number that validation.each_epoch lists";
            return invalid("early_stopping", reason.into());
        }
        if !(1..=MAX_PATIENCE).contains(&patience) || !(0.0..=1e6).contains(&least_change) {
            let reason = format!(
                "patience must be 1 to {MAX_PATIENCE} epochs, and the least change 0 or more"
            );
            return invalid("early_stopping", reason);
        }
        Ok(())
    }
}
