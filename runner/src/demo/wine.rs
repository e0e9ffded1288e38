//! Real data to start with: the red wine quality table.
//!
//! P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis: "Modeling wine
//! preferences by data mining from physicochemical properties", Decision Support
//! Systems 47(4), 2009: 1,599 Portuguese red wines, eleven laboratory
//! measurements each, and the median grade of at least three tasters.

use std::fmt::Write as _;

/// The column to predict.
pub const LABEL: &str = "quality";

/// The table as a CSV file with a header line.
pub fn csv() -> String {
    let wines = linfa_datasets::winequality();
    let mut text = String::new();
    for name in wines.feature_names() {
        let _ = write!(text, "{name},");
    }
    let _ = writeln!(text, "{LABEL}");
    for (measurements, grade) in wines.records().rows().into_iter().zip(wines.targets()) {
        for measurement in measurements {
            let _ = write!(text, "{measurement},");
        }
        let _ = writeln!(text, "{grade}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{CsvFormat, Table};

    #[test]
    fn the_table_is_whole_and_readable() {
        let table = Table::parse(csv().as_bytes(), "wine.csv", CsvFormat::default()).unwrap();
        assert_eq!((table.rows(), table.columns().len()), (1599, 12));
        let first: Vec<&str> = (0..12).map(|column| table.cell(0, column)).collect();
        let expected =
            ["7.4", "0.7", "0", "1.9", "0.076", "11", "34", "0.9978", "3.51", "0.56", "9.4", "5"];
        assert_eq!(first, expected);
        let label = table.column_index(LABEL).unwrap();
        let best = table.column(label).filter(|&grade| grade == "8").count();
        assert_eq!(best, 18);
    }
}
