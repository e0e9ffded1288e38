//! Evaluations as tables for people.

use super::Evaluation;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::HumanCount;

/// Confusion matrices of more classes are left to `--json`.
const MAX_SHOWN_CLASSES: usize = 12;
/// Longer names of classes are cut in the confusion matrix.
const MAX_NAME: usize = 9;

/// A table with names on the left and numbers to the right of them.
pub fn table(header: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

impl Evaluation {
    /// The figures and the confusion matrix, one under the other.
    pub fn text(&self) -> String {
        let header =
            vec![format!("on {} rows", HumanCount(self.rows() as u64)), "the model".into()];
        let figures = self.figures().into_iter().map(|(name, value)| vec![name.into(), value]);
        let parts = [table(header, figures)].into_iter().chain(self.confusion_text());
        parts.collect::<Vec<_>>().join("\n\n")
    }

    /// Names and values of the figures of merit.
    pub fn figures(&self) -> Vec<(&'static str, String)> {
        let percent = |ratio: f64| format!("{:.2} %", ratio * 100.0);
        match self {
            Evaluation::Classification { figures, .. } => vec![
                ("accuracy", percent(figures.accuracy)),
                ("precision, mean of classes", percent(figures.precision)),
                ("recall, mean of classes", percent(figures.recall)),
                ("F1, mean of classes", percent(figures.f1)),
                ("log loss", format!("{:.4}", figures.log_loss)),
            ],
            Evaluation::Regression { rmse, r2, .. } => vec![
                ("root mean squared error", format!("{rmse:.4}")),
                ("variance explained", percent(*r2)),
            ],
        }
    }

    /// The confusion matrix, if there is one that is small enough to read.
    pub fn confusion_text(&self) -> Option<String> {
        let Evaluation::Classification { classes, figures, .. } = self else { return None };
        if classes.len() > MAX_SHOWN_CLASSES {
            return None;
        }
        let header = ["true \\ predicted".into()]
            .into_iter()
            .chain(classes.iter().map(|class| short(class)));
        let rows = |&rows: &usize| if rows == 0 { "·".into() } else { rows.to_string() };
        let line = |(class, counts): (&String, &Vec<usize>)| {
            [short(class)].into_iter().chain(counts.iter().map(rows)).collect()
        };
        Some(table(header.collect(), classes.iter().zip(&figures.confusion).map(line)))
    }
}

fn short(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some(_) => name.chars().take(MAX_NAME - 1).chain(['…']).collect(),
        None => name.to_owned(),
    }
}
