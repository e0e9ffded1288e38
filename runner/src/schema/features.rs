//! The features that columns become, in the order of the shared tensor.

use super::{Bounds, CategoricalMissing, Column};

/// One column of the shared features.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// `age` for a number, `sex=female` for a category.
    pub name: String,
    /// What its values mean.
    pub kind: FeatureKind,
}

/// What the values of a feature mean.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureKind {
    /// A number mapped from these bounds to [-1, 1].
    Number(Bounds),
    /// 1 where the column has a certain category, otherwise 0.
    Indicator,
}

impl Feature {
    /// Whether it is 0 or 1 and is to be left as it is when features are standardised.
    pub fn is_indicator(&self) -> bool {
        self.kind == FeatureKind::Indicator
    }
}

/// The features of one column; none for an ignored one.
pub(super) fn of_column(column: &Column) -> Vec<Feature> {
    let indicator = |category: &str| Feature {
        name: format!("{}={category}", column.name()),
        kind: FeatureKind::Indicator,
    };
    match column {
        Column::Numeric(numeric) => {
            vec![Feature { name: numeric.name.clone(), kind: FeatureKind::Number(numeric.bounds) }]
        }
        Column::Categorical(categorical) => {
            let mut features: Vec<Feature> =
                categorical.categories.iter().map(|category| indicator(category)).collect();
            if categorical.missing == CategoricalMissing::OwnCategory {
                features.push(indicator("(missing)"));
            }
            features
        }
        Column::Ignore(_) => Vec::new(),
    }
}
