//! How one holder's file is written: delimiter, decimal sign, signs of absence.

use crate::table::{CsvFormat, Delimiter};
use serde::{Deserialize, Serialize};

/// Texts that stand for a missing value unless the schema lists others.
const DEFAULT_MISSING: [&str; 6] = ["", "?", "NA", "N/A", "NaN", "null"];
/// Most texts that may stand for a missing value.
const MAX_MARKERS: usize = 1_000;

/// The `[file]` section of a schema. Each holder may adapt it to its own file:
/// it is not part of the schema's digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileRules {
    /// What separates the fields of a line.
    pub delimiter: Delimiter,
    /// What separates the digits of a fraction.
    pub decimal: Decimal,
    /// Texts that stand for a missing value, in any case of their letters.
    pub missing: Vec<String>,
}

/// What separates the digits of a fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Decimal {
    /// `3.5`
    #[default]
    Point,
    /// `3,5`
    Comma,
}

impl Default for FileRules {
    fn default() -> Self {
        FileRules {
            delimiter: Delimiter::default(),
            decimal: Decimal::default(),
            missing: DEFAULT_MISSING.map(String::from).to_vec(),
        }
    }
}

impl FileRules {
    /// How the CSV reader is to take the file.
    pub fn csv_format(&self) -> CsvFormat {
        CsvFormat { delimiter: self.delimiter }
    }

    /// Whether a trimmed cell stands for a missing value.
    pub fn is_missing(&self, cell: &str) -> bool {
        self.missing.iter().any(|marker| marker.eq_ignore_ascii_case(cell))
    }

    /// The number that a trimmed cell spells; it may be infinite or NaN.
    pub fn number(&self, cell: &str) -> Option<f64> {
        match self.decimal {
            Decimal::Point => cell.parse().ok(),
            Decimal::Comma if cell.contains('.') => None,
            Decimal::Comma => cell.replacen(',', ".", 1).parse().ok(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if self.missing.len() > MAX_MARKERS {
            return Err(format!("[file] lists more than {MAX_MARKERS} texts for missing values"));
        }
        match self.missing.iter().find(|marker| marker.trim() != marker.as_str()) {
            Some(marker) => Err(format!(
                "[file] missing: '{marker}' has blanks around it, which cells never have"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_decimal_sign() {
        let point = FileRules::default();
        let comma = FileRules { decimal: Decimal::Comma, ..FileRules::default() };
        assert_eq!((point.number("-3.5e2"), comma.number("-3,5e2")), (Some(-350.0), Some(-350.0)));
        assert_eq!((point.number("3,5"), comma.number("3.5")), (None, None));
        assert_eq!((comma.number("1,234,5"), comma.number("7")), (None, Some(7.0)));
        for text in ["", "abc", "1 000", "0x10", "1_000", "--1"] {
            assert_eq!((point.number(text), comma.number(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn markers_match_in_any_case() {
        let rules = FileRules::default();
        assert!(["", "?", "na", "NaN", "NULL", "n/a"].iter().all(|cell| rules.is_missing(cell)));
        assert!(!["0", "none", "-"].iter().any(|cell| rules.is_missing(cell)));
    }
}
