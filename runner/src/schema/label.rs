//! The label: what the model learns to predict.

use super::{Bounds, OutOfRange, check_texts};
use crate::digest::Canonical;
use serde::{Deserialize, Serialize};

/// The column that the model learns to predict. A missing label is always refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Label {
    /// One of a list of classes, shared as one 0/1 column a class.
    Class(ClassLabel),
    /// A number, mapped by its bounds to one column in [-1, 1].
    Number(NumberLabel),
}

/// A label out of a list of classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLabel {
    /// Name of the column in the header line.
    pub name: String,
    /// The classes of all holders, in the order of the model's outputs. A class
    /// may be missing in any one holder's file.
    pub classes: Vec<String>,
}

/// A label that is a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NumberText", into = "NumberText")]
pub struct NumberLabel {
    /// Name of the column in the header line.
    pub name: String,
    /// The public bounds of its values.
    pub bounds: Bounds,
    /// What to do with values outside the bounds.
    pub out_of_range: OutOfRange,
}

/// A number label as the file describes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberText {
    name: String,
    min: f64,
    max: f64,
    #[serde(default)]
    out_of_range: OutOfRange,
}

impl Label {
    /// Name of the label's column in the header line.
    pub fn name(&self) -> &str {
        match self {
            Label::Class(label) => &label.name,
            Label::Number(label) => &label.name,
        }
    }

    /// The classes, or `None` where the label is a number.
    pub fn classes(&self) -> Option<&[String]> {
        match self {
            Label::Class(label) => Some(&label.classes),
            Label::Number(_) => None,
        }
    }

    /// How many columns it has in the shared tensor.
    pub(super) fn width(&self) -> usize {
        self.classes().map_or(1, <[String]>::len)
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        match self {
            Label::Class(label) if label.classes.len() < 2 => {
                Err("it needs two classes or more".into())
            }
            Label::Class(label) => check_texts("class", &label.classes),
            Label::Number(_) => Ok(()),
        }
    }

    pub(super) fn append(&self, to: Canonical) -> Canonical {
        match self {
            Label::Class(label) => to
                .text("class")
                .text(&label.name)
                .list(label.classes.iter(), |to, class| to.text(class)),
            Label::Number(label) => {
                let to = label.bounds.append(to.text("number").text(&label.name));
                label.out_of_range.append(to)
            }
        }
    }
}

impl TryFrom<NumberText> for NumberLabel {
    type Error = String;
    fn try_from(text: NumberText) -> Result<Self, String> {
        let NumberText { name, min, max, out_of_range } = text;
        let bounds = Bounds::new(min, max).map_err(|fault| format!("label '{name}': {fault}"))?;
        Ok(NumberLabel { name, bounds, out_of_range })
    }
}

impl From<NumberLabel> for NumberText {
    fn from(label: NumberLabel) -> Self {
        let NumberLabel { name, bounds, out_of_range } = label;
        NumberText { name, min: bounds.min(), max: bounds.max(), out_of_range }
    }
}
