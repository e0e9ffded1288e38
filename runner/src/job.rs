//! The job: what is trained, on whose data, and who receives the model.
//!
//! ```toml
//! name = "readmission"
//! receiver = "analyst"
//! security = "malicious"          # the default; or "semi-honest"
//! multiplication = "replicated"   # the default; or "beaver", with triples made before
//! check_inputs = "labels"          # the default; or "all", "none"
//! reveal = ["model"]              # the default: nothing else is ever opened
//!
//! [data]
//! schema = "schema.toml"          # relative to this file
//! from = ["hospital-a", "hospital-b"]   # all they submitted for this schema
//! # sets = ["..."]                # or the data sets with these ids; without either: all
//!
//! [model]
//! layers = [{ dense = 64 }, "relu", { dense = "outputs" }]
//! loss = "softmax-cross-entropy"
//!
//! [training]
//! epochs = 20
//! batch = 32
//! learning_rate = 0.1
//! ```
//!
//! With a section `[inference]` the model also stays with the parties, in shares, for
//! `tercet predict --private`; `members` and `answer` say who may ask for what. It may be all
//! that is left of the training: `reveal = []`.
//!
//! With `start = "ID"` the training starts from a model that the parties keep, whose own job allows
//! it, in place of drawn weights.
//!
//! With a section `[validation]`, figures of merit on rows that are kept back are computed on
//! shares; each must be listed in `reveal` too, for instance `reveal = ["model", "auc"]`. Instead of a
//! fraction of the rows, `sets` can name data sets that are not trained on.
//!
//! With `count_range_violations = true` in a section `[debug]`, and `"range-violations"` in `reveal`, the
//! parties count on shares how many numbers of each layer leave their range.
//!
//! `[model]`, `[training]`, `[features]`, `[precision]`, `[validation]` and `[debug]` are those of
//! [`nn::spec`].

use crate::digest::{Canonical, Digest};
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::Name;
use crate::inference::{InferencePolicy, ModelId};
use crate::schema::{Schema, SchemaError};
use crate::sharefile::DataSetId;
use mpc_core::security::{self, Security as _};
use nn::spec::{
    DebugSpec, FeatureSpec, Metric, ModelSpec, PrecisionSpec, Scaling, Spec, SpecError,
    TrainingSpec, ValidationSpec,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Longest name of a job.
const MAX_NAME_BYTES: usize = 200;
/// Most data sets or owners that a job lists.
const MAX_LISTED: usize = 10_000;

/// Why a job cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The job file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The job file is not of the expected form.
    #[error("{origin}: {reason}")]
    Malformed {
        /// The file, or where else the job came from.
        origin: String,
        /// What is wrong and where.
        reason: String,
    },
    /// Network or training cannot be as specified.
    #[error("the job is not valid: {0}")]
    Spec(#[from] SpecError),
    /// Another rule is broken.
    #[error("the job is not valid: {0}")]
    Invalid(String),
    /// The schema that the job names cannot be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Explain for JobError {
    fn hint(&self) -> Option<String> {
        match self {
            JobError::File(e) => e.hint(),
            JobError::Schema(e) => e.hint(),
            JobError::Malformed { .. } | JobError::Spec(_) | JobError::Invalid(_) => {
                Some("`tercet train --help` shows an example of a job file".into())
            }
        }
    }
}

/// Against what the computation is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// A party that follows the protocol and tries to learn from what it sees.
    SemiHonest,
    /// A party that sends whatever it likes: every product is verified, or the session aborts.
    #[default]
    Malicious,
}

impl Security {
    /// Whether it protects against all that `other` protects against.
    pub fn is_as_strong_as(self, other: Security) -> bool {
        self == Security::Malicious || other == Security::SemiHonest
    }

    /// The name in jobs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Security::SemiHonest => security::SemiHonest::NAME,
            Security::Malicious => security::Malicious::NAME,
        }
    }
}

/// How shared values are multiplied within batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Multiplication {
    /// By re-sharing local products; in the malicious mode they are verified afterwards.
    #[default]
    Replicated,
    /// With triples that `tercet preprocess` has made, and verified, before.
    Beaver,
}

impl Multiplication {
    /// The name in jobs.
    pub fn name(self) -> &'static str {
        match self {
            Multiplication::Replicated => "replicated",
            Multiplication::Beaver => "beaver",
        }
    }
}

/// What the parties check of the members' rows, on shares, before they train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckInputs {
    /// Nothing: members are trusted to have shared what their schema allows.
    None,
    /// Labels: classes are one-hot, numbers lie within their bounds.
    #[default]
    Labels,
    /// Labels and features: indicators are 0 or 1, numbers lie within their bounds.
    All,
}

impl CheckInputs {
    /// The name in jobs.
    pub fn name(self) -> &'static str {
        match self {
            CheckInputs::None => "none",
            CheckInputs::Labels => "labels",
            CheckInputs::All => "all",
        }
    }
}

/// What may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Reveal {
    /// The trained parameters, to the receiver.
    Model,
    /// A figure of merit on the rows that are kept back, to parties, client and receiver.
    Metric(Metric),
    /// How many numbers of each layer left their range, to parties and client.
    RangeViolations,
}

impl Reveal {
    /// The name in jobs.
    pub fn name(self) -> &'static str {
        match self {
            Reveal::Model => "model",
            Reveal::Metric(metric) => metric.name(),
            Reveal::RangeViolations => "range-violations",
        }
    }
}

impl From<Reveal> for String {
    fn from(reveal: Reveal) -> String {
        reveal.name().into()
    }
}

impl TryFrom<String> for Reveal {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let others = [Reveal::Model, Reveal::RangeViolations];
        let all = || Metric::ALL.into_iter().map(Reveal::Metric).chain(others);
        all().find(|reveal| reveal.name() == name).ok_or_else(|| {
            let names: Vec<&str> = all().map(Reveal::name).collect();
            format!("`{name}` cannot be revealed: expected is one of {}", names.join(", "))
        })
    }
}

/// Which submissions are used; all that follow the schema if neither list is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSelection {
    /// The schema file.
    pub schema: PathBuf,
    /// Owners whose submissions are used; each must have at least one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub from: BTreeSet<Name>,
    /// Ids of the data sets that are used.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sets: BTreeSet<DataSetId>,
}

/// A training job, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    name: String,
    receiver: Name,
    security: Security,
    multiplication: Multiplication,
    check_inputs: CheckInputs,
    reveal: BTreeSet<Reveal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<ModelId>,
    data: DataSelection,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference: Option<InferencePolicy>,
    #[serde(flatten)]
    spec: Spec,
}

/// The file before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    receiver: Name,
    #[serde(default)]
    security: Security,
    #[serde(default)]
    multiplication: Multiplication,
    #[serde(default)]
    check_inputs: CheckInputs,
    #[serde(default = "model_only")]
    reveal: BTreeSet<Reveal>,
    data: DataSelection,
    inference: Option<InferencePolicy>,
    start: Option<ModelId>,
    model: ModelSpec,
    training: TrainingSpec,
    #[serde(default)]
    features: FeatureSpec,
    #[serde(default)]
    precision: PrecisionSpec,
    validation: Option<ValidationSpec>,
    #[serde(default)]
    debug: DebugSpec,
}

fn model_only() -> BTreeSet<Reveal> {
    BTreeSet::from([Reveal::Model])
}

impl Job {
    /// Loads a job file and the schema that it names.
    ///
    /// # Errors
    /// When either cannot be read or is not valid.
    pub fn load(path: &Path) -> Result<(Job, Schema), JobError> {
        let job = Job::from_toml(&files::read_text(path)?, &path.display().to_string())?;
        let base = path.parent().unwrap_or(Path::new(""));
        let schema = Schema::load(&base.join(&job.data.schema))?;
        Ok((job, schema))
    }

    /// Reads a job from the text of its file; `origin` names it in messages.
    ///
    /// # Errors
    /// When the text is malformed or the job not valid.
    pub fn from_toml(text: &str, origin: &str) -> Result<Job, JobError> {
        let raw: Raw = toml::from_str(text).map_err(|e| JobError::Malformed {
            origin: origin.to_owned(),
            reason: e.to_string(),
        })?;
        let Raw { name, receiver, security, multiplication, check_inputs, reveal, data, .. } = raw;
        let Raw { inference, start, model, training, features, .. } = raw;
        let Raw { precision, validation, debug, .. } = raw;
        let spec = Spec { model, training, features, precision, validation, debug };
        let job = Job {
            name,
            receiver,
            security,
            multiplication,
            check_inputs,
            reveal,
            data,
            inference,
            start,
            spec,
        };
        job.validate()?;
        Ok(job)
    }

    fn validate(&self) -> Result<(), JobError> {
        self.spec.validate()?;
        let invalid = |reason: String| Err(JobError::Invalid(reason));
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            return invalid(format!("its name must have 1 to {MAX_NAME_BYTES} bytes"));
        }
        if !self.releases_model() && self.inference.is_none() {
            let reason = "nothing would be left of it: `reveal` must list \"model\", or a section \
                          [inference] keep the model with the parties";
            return invalid(reason.into());
        }
        if let Some(policy) = &self.inference {
            policy.validate(self.spec.model.loss).map_err(JobError::Invalid)?;
        }
        if self.start.is_some() && self.spec.features.scaling == Scaling::Standardise {
            return invalid(
                "a training that starts from a model takes features as that model does: set \
                 features.scaling to \"none\" or \"unit\""
                    .into(),
            );
        }
        if self.multiplication == Multiplication::Beaver && !self.spec.training.is_uniform() {
            return invalid(
                "multiplication = \"beaver\" needs batches that are all alike: an optimiser \
                 \"sgd\", without schedule and warm-up"
                    .into(),
            );
        }
        self.validate_figures()?;
        let judged_by = self.spec.validation.iter().flat_map(|spec| &spec.sets);
        if let Some((id, e)) =
            judged_by.clone().find_map(|id| Some((id, id.parse::<DataSetId>().err()?)))
        {
            return invalid(format!("validation.sets: `{id}`: {e}"));
        }
        if judged_by.count() > MAX_LISTED {
            return invalid(format!("more than {MAX_LISTED} data sets are listed to judge by"));
        }
        if !self.data.sets.is_empty() && self.data.sets.is_subset(&self.validation_sets()) {
            return invalid("all data sets of `sets` are kept back by validation.sets".into());
        }
        if !self.data.from.is_empty() && !self.data.sets.is_empty() {
            return invalid("give `from` or `sets`, not both".into());
        }
        if self.data.from.len().max(self.data.sets.len()) > MAX_LISTED {
            return invalid(format!("more than {MAX_LISTED} data sets or owners are listed"));
        }
        Ok(())
    }

    /// Every figure must be allowed, and what is allowed must be computed.
    fn validate_figures(&self) -> Result<(), JobError> {
        let counted = self.spec.debug.count_range_violations;
        if counted != self.reveal.contains(&Reveal::RangeViolations) {
            return Err(JobError::Invalid(
                "debug.count_range_violations = true, and \"range-violations\" in `reveal`: both \
                 or neither"
                    .into(),
            ));
        }
        let none = BTreeSet::new();
        let computed = self.spec.validation.as_ref().map_or(&none, |spec| &spec.metrics);
        let allowed = |metric: &Metric| self.reveal.contains(&Reveal::Metric(*metric));
        if let Some(metric) = computed.iter().find(|metric| !allowed(metric)) {
            return Err(JobError::Invalid(format!(
                "[validation] is to open \"{metric}\", but `reveal` does not list it"
            )));
        }
        let idle = |reveal: &&Reveal| matches!(reveal, Reveal::Metric(m) if !computed.contains(m));
        if let Some(reveal) = self.reveal.iter().find(idle) {
            return Err(JobError::Invalid(format!(
                "`reveal` lists \"{}\", but validation.metrics does not",
                reveal.name()
            )));
        }
        Ok(())
    }

    /// The job as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a job is plain fields")
    }

    /// Name of the job, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The member who may fetch the model.
    pub fn receiver(&self) -> &Name {
        &self.receiver
    }

    /// Against what the computation is protected.
    pub fn security(&self) -> Security {
        self.security
    }

    /// How shared values are multiplied.
    pub fn multiplication(&self) -> Multiplication {
        self.multiplication
    }

    /// What is checked of the rows before they are used.
    pub fn check_inputs(&self) -> CheckInputs {
        self.check_inputs
    }

    /// Whether the receiver gets the model.
    pub fn releases_model(&self) -> bool {
        self.reveal.contains(&Reveal::Model)
    }

    /// Who may ask the model for what, if the parties keep it.
    pub fn inference(&self) -> Option<&InferencePolicy> {
        self.inference.as_ref()
    }

    /// The kept model that the training starts from, in place of drawn weights.
    pub fn start(&self) -> Option<ModelId> {
        self.start
    }

    /// Which submissions are used.
    pub fn data(&self) -> &DataSelection {
        &self.data
    }

    /// Data sets that the model is judged by and not trained on.
    pub fn validation_sets(&self) -> BTreeSet<DataSetId> {
        let validation = self.spec.validation.iter();
        // Whether they are ids was checked.
        validation.flat_map(|spec| &spec.sets).filter_map(|id| id.parse().ok()).collect()
    }

    /// Network, training, feature scaling and precision.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What identifies the job: all of its content and that of its schema.
    ///
    /// Where the schema file lies, comments and formatting do not matter.
    pub fn digest(&self, schema: &Schema) -> Digest {
        let spec = toml::to_string(&self.spec).expect("a specification is plain fields");
        Canonical::new("tercet/job/1")
            .text(&self.name)
            .text(self.receiver.as_str())
            .text(self.security.name())
            .text(self.multiplication.name())
            .text(self.check_inputs.name())
            .list(self.reveal.iter(), |to, reveal| to.text(reveal.name()))
            .list(self.data.from.iter(), |to, owner| to.text(owner.as_str()))
            .list(self.data.sets.iter(), |to, set| to.bytes(&set.0))
            .list(self.inference.iter(), |to, policy| policy.append(to))
            .list(self.start.iter(), |to, model| to.bytes(&model.0))
            .text(&spec)
            .bytes(&schema.digest().0)
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
