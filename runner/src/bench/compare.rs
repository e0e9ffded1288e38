//! Two runs side by side.

use super::figures::{FIGURES, conditions, title};
use super::summary::Summary;
use super::tables::ratio;
use crate::evaluation::table;
use crate::failure::Failure;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file of measurements that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Figures that are compared.
const COMPARED: [&str; 4] = ["seconds", "rounds", "bytes_sent", "cpu_seconds"];

/// A measurement that both runs made.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What was measured.
    pub measured: String,
    /// Under which conditions.
    pub conditions: String,
    /// Figures of the first run, of the second, and how many times as large these are.
    pub figures: BTreeMap<&'static str, [f64; 3]>,
}

/// Reads the measurements that `tercet --json bench` printed.
///
/// # Errors
/// When the file cannot be read, or has a line that is no measurement.
pub fn read(path: &Path) -> Result<Vec<Summary>, Failure> {
    let wrong = |e: &dyn std::fmt::Display| {
        Failure::new(format!("{}: {e}", path.display()))
            .with_hint("make such files with: tercet --json bench op relu > FILE")
    };
    let size = std::fs::metadata(path).map_err(|e| wrong(&e))?.len();
    if size > MAX_FILE_BYTES {
        return Err(wrong(&format!("{size} bytes are too many")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let summaries: Result<Vec<Summary>, Failure> = lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|e| wrong(&format!("line {}: {e}", at + 1)))
        })
        .collect();
    let summaries = summaries?;
    if summaries.is_empty() {
        return Err(wrong(&"there is no measurement in it"));
    }
    Ok(summaries)
}

/// What both runs measured under the same conditions, in the order of the first.
pub fn compare(before: &[Summary], now: &[Summary]) -> Vec<Comparison> {
    let key = |summary: &Summary| (title(&summary.task), conditions(summary));
    before
        .iter()
        .filter_map(|before| {
            let now = now.iter().find(|now| key(now) == key(before))?;
            let (measured, conditions) = key(before);
            let compared = FIGURES.iter().filter(|figure| COMPARED.contains(&figure.key));
            let figures = compared.map(|figure| {
                let (before, now) = ((figure.of)(before), (figure.of)(now));
                (figure.key, [before, now, now / before])
            });
            Some(Comparison { measured, conditions, figures: figures.collect() })
        })
        .collect()
}

/// Comparisons as a table for people.
pub fn render(comparisons: &[Comparison]) -> String {
    let figures: Vec<_> = FIGURES.iter().filter(|figure| COMPARED.contains(&figure.key)).collect();
    let mut header = vec!["measured".to_owned(), "mode".to_owned()];
    for figure in &figures {
        header.push(figure.name.to_owned());
        header.push("ratio".to_owned());
    }
    let rows = comparisons.iter().map(|comparison| {
        let mut row = vec![comparison.measured.clone(), comparison.conditions.clone()];
        for figure in &figures {
            let [before, now, _] = comparison.figures[figure.key];
            row.push(format!("{} -> {}", (figure.text)(before), (figure.text)(now)));
            row.push(ratio(now, before));
        }
        row
    });
    table(header, rows)
}
