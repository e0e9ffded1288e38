//! Cells and columns that do not fit the schema.

use crate::failure::Explain;
use crate::schema::Bounds;
use crate::table::{Faults, RowPlace};

/// A list of categories up to this long is spelt out in a message.
const SPELT_OUT: usize = 8;
/// A cell is quoted in a message up to this many characters.
const QUOTED_CHARS: usize = 40;

/// Why a table cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The table lacks columns of the schema.
    #[error("{file} has no column '{}', which the schema needs", missing.join("', '"))]
    MissingColumns {
        /// The file.
        file: String,
        /// The names that are not in its header line.
        missing: Vec<String>,
    },
    /// Cells do not fit the schema.
    #[error("{file}: {} {} not fit the schema; the file was not used:\n{faults}",
        faults.total(), if faults.total() == 1 { "cell does" } else { "cells do" })]
    BadCells {
        /// The file.
        file: String,
        /// The cells.
        faults: Faults<CellFault>,
    },
    /// A mean or median is asked for where the file has no value at all.
    #[error("{file}: column '{column}' has no value from which missing ones could be filled in")]
    NoValues {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
}

impl Explain for EncodeError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            EncodeError::MissingColumns { .. } => {
                "compare the header line with the names in the schema, letter by letter"
            }
            EncodeError::BadCells { faults, .. } if faults.shown().iter().any(decimal_comma) => {
                "if the file writes fractions with a comma, set decimal = \"comma\" under [file] \
                 in the schema"
            }
            EncodeError::BadCells { .. } => {
                "correct the cells, or agree with all members on another rule in the schema"
            }
            EncodeError::NoValues { .. } => {
                "agree with all members on missing = { constant = VALUE } for this column"
            }
        };
        Some(hint.into())
    }
}

/// A cell that does not fit the schema.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{place}, column '{column}': {kind}")]
pub struct CellFault {
    /// Its row.
    pub place: RowPlace,
    /// Its column.
    pub column: String,
    /// What is wrong with it.
    pub kind: CellFaultKind,
}

/// What is wrong with a cell.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CellFaultKind {
    /// It is missing, and the schema refuses that.
    #[error("the value is missing")]
    Missing,
    /// It is no number.
    #[error("'{text}' is not a number")]
    NotANumber {
        /// The cell.
        text: String,
    },
    /// It is NaN or infinite.
    #[error("'{text}' is not a finite number")]
    NotFinite {
        /// The cell.
        text: String,
    },
    /// It lies outside the bounds, and the schema refuses that.
    #[error("{text} is outside the bounds {bounds}")]
    OutOfRange {
        /// The cell.
        text: String,
        /// The bounds of the column.
        bounds: Bounds,
    },
    /// It is none of the categories or classes.
    #[error("'{text}' is not one of {known}{suggestion}")]
    Unknown {
        /// The cell.
        text: String,
        /// The categories, or how many there are.
        known: String,
        /// The category that was probably meant, as ` (did you mean ..)`.
        suggestion: String,
    },
}

impl CellFaultKind {
    pub(super) fn unknown(cell: &str, known: &[String]) -> Self {
        let suggestion = known
            .iter()
            .find(|text| same_but_for_form(text, cell))
            .map_or(String::new(), |text| format!(" (did you mean '{}'?)", quoted(text)));
        let known = if known.len() <= SPELT_OUT {
            let quoted: Vec<String> =
                known.iter().map(|text| format!("'{}'", quoted(text))).collect();
            quoted.join(", ")
        } else {
            format!("the {} values that the schema lists", known.len())
        };
        CellFaultKind::Unknown { text: quoted(cell), known, suggestion }
    }
}

/// Whether two texts differ in case and punctuation only, or spell the same number.
fn same_but_for_form(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (letters_a, letters_b) = (letters(a), letters(b));
    let same_number = matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b);
    same_number || (!letters_a.is_empty() && letters_a == letters_b)
}

fn decimal_comma(fault: &CellFault) -> bool {
    let fraction = |text: &str| text.replacen(',', ".", 1).parse::<f64>().is_ok();
    matches!(&fault.kind, CellFaultKind::NotANumber { text } if text.contains(',') && fraction(text))
}

/// A cell as a message shows it: on one line and not too long.
pub(super) fn quoted(cell: &str) -> String {
    let mut shown: String = cell
        .chars()
        .take(QUOTED_CHARS)
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<char>>(),
            false => vec![c],
        })
        .collect();
    if cell.chars().nth(QUOTED_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}
