//! Feature columns: their kinds, and what to do with cells that do not fit.

use super::{Bounds, check_texts};
use crate::digest::Canonical;
use serde::{Deserialize, Serialize};

/// A column of the holders' files other than the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Column {
    /// A number, mapped by its bounds to one feature in [-1, 1].
    Numeric(NumericColumn),
    /// One of a list of texts, turned into one 0/1 feature a category.
    Categorical(CategoricalColumn),
    /// A column that is never shared: an identifier, a remark, a date.
    Ignore(IgnoredColumn),
}

/// A column of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NumericText", into = "NumericText")]
pub struct NumericColumn {
    /// Its name in the header line.
    pub name: String,
    /// The public bounds of its values.
    pub bounds: Bounds,
    /// What to do with missing values.
    pub missing: NumericMissing,
    /// What to do with values outside the bounds.
    pub out_of_range: OutOfRange,
}

/// A column of numbers as the file describes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumericText {
    name: String,
    min: f64,
    max: f64,
    #[serde(default)]
    missing: NumericMissing,
    #[serde(default)]
    out_of_range: OutOfRange,
}

/// A column of texts out of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalColumn {
    /// Its name in the header line.
    pub name: String,
    /// The categories of all holders, in the order of their features.
    pub categories: Vec<String>,
    /// What to do with missing values.
    #[serde(default)]
    pub missing: CategoricalMissing,
}

/// A column that stays where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoredColumn {
    /// Its name in the header line; it need not be there.
    pub name: String,
}

/// What to do with a missing number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumericMissing {
    /// Refuse the file and name the cells.
    #[default]
    Refuse,
    /// Take the mean of the values that this holder's own file has.
    Mean,
    /// Take the median of the values that this holder's own file has.
    Median,
    /// Take a value on which all members agreed.
    Constant(f64),
}

/// What to do with a missing category.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CategoricalMissing {
    /// Refuse the file and name the cells.
    #[default]
    Refuse,
    /// Count missing as a category of its own, after all others.
    OwnCategory,
    /// Take a category on which all members agreed.
    Constant(String),
}

/// What to do with a number outside the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutOfRange {
    /// Refuse the file and name the cells.
    #[default]
    Refuse,
    /// Take the bound that was crossed.
    Clip,
}

impl Column {
    /// The column's name in the header line.
    pub fn name(&self) -> &str {
        match self {
            Column::Numeric(column) => &column.name,
            Column::Categorical(column) => &column.name,
            Column::Ignore(column) => &column.name,
        }
    }

    /// A column that is never shared.
    pub fn ignore(name: impl Into<String>) -> Self {
        Column::Ignore(IgnoredColumn { name: name.into() })
    }

    /// How many features it becomes.
    pub(super) fn width(&self) -> usize {
        match self {
            Column::Numeric(_) => 1,
            Column::Categorical(column) => column.width(),
            Column::Ignore(_) => 0,
        }
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        match self {
            Column::Numeric(column) => column.validate(),
            Column::Categorical(column) => column.validate(),
            Column::Ignore(_) => Ok(()),
        }
    }

    pub(super) fn append(&self, to: Canonical) -> Canonical {
        match self {
            Column::Numeric(column) => column.append(to.text("numeric")),
            Column::Categorical(column) => column.append(to.text("categorical")),
            Column::Ignore(_) => to,
        }
    }
}

impl NumericColumn {
    fn validate(&self) -> Result<(), String> {
        match self.missing {
            NumericMissing::Constant(value) if !self.bounds.contains(value) => Err(format!(
                "the constant {value} for missing values lies outside of {}",
                self.bounds
            )),
            _ => Ok(()),
        }
    }

    fn append(&self, to: Canonical) -> Canonical {
        let to = self.bounds.append(to.text(&self.name));
        let to = match self.missing {
            NumericMissing::Refuse => to.text("refuse"),
            NumericMissing::Mean => to.text("mean"),
            NumericMissing::Median => to.text("median"),
            NumericMissing::Constant(value) => to.text("constant").number((value + 0.0).to_bits()),
        };
        self.out_of_range.append(to)
    }
}

impl TryFrom<NumericText> for NumericColumn {
    type Error = String;
    fn try_from(text: NumericText) -> Result<Self, String> {
        let NumericText { name, min, max, missing, out_of_range } = text;
        let bounds = Bounds::new(min, max).map_err(|fault| format!("column '{name}': {fault}"))?;
        Ok(NumericColumn { name, bounds, missing, out_of_range })
    }
}

impl From<NumericColumn> for NumericText {
    fn from(column: NumericColumn) -> Self {
        let NumericColumn { name, bounds, missing, out_of_range } = column;
        NumericText { name, min: bounds.min(), max: bounds.max(), missing, out_of_range }
    }
}

impl OutOfRange {
    pub(super) fn append(self, to: Canonical) -> Canonical {
        to.text(match self {
            OutOfRange::Refuse => "refuse",
            OutOfRange::Clip => "clip",
        })
    }
}

impl CategoricalColumn {
    fn width(&self) -> usize {
        let own = self.missing == CategoricalMissing::OwnCategory;
        self.categories.len() + usize::from(own)
    }

    fn validate(&self) -> Result<(), String> {
        if self.categories.is_empty() {
            return Err("it lists no category".into());
        }
        check_texts("category", &self.categories)?;
        match &self.missing {
            CategoricalMissing::Constant(text) if !self.categories.contains(text) => Err(format!(
                "the constant '{text}' for missing values is not one of its categories"
            )),
            _ => Ok(()),
        }
    }

    fn append(&self, to: Canonical) -> Canonical {
        let to = to.text(&self.name);
        let to = to.list(self.categories.iter(), |to, category| to.text(category));
        match &self.missing {
            CategoricalMissing::Refuse => to.text("refuse"),
            CategoricalMissing::OwnCategory => to.text("own-category"),
            CategoricalMissing::Constant(text) => to.text("constant").text(text),
        }
    }
}
