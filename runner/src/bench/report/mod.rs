//! A report of measurements as one HTML file that needs nothing else.

mod plots;

use super::environment::Environment;
use super::figures::{FIGURES, conditions, family, title};
use super::summary::Summary;
use crate::failure::Failure;
use plots::{Series, Share};
use std::collections::BTreeMap;
use std::fmt::Write;

const STYLE: &str = "\
body { font-family: system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
svg { max-width: 100%; height: auto; margin: 0.5rem 0; }";

/// The report as a page.
///
/// # Errors
/// When a plot cannot be drawn.
pub fn html(summaries: &[Summary]) -> Result<String, Failure> {
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page += "<title>Measurements of Tercet</title><style>";
    page += STYLE;
    page += "</style></head>\n<body><h1>Measurements of Tercet</h1>\n";
    page += &figures(summaries);
    for (name, series) in by_size(summaries) {
        heading(&mut page, &format!("Time of {name} by size"));
        page += &plots::time_by_size(&series)?;
    }
    heading(&mut page, "Rounds and bytes");
    page += &plots::rounds_and_bytes(&rounds_and_bytes(summaries))?;
    for summary in summaries.iter().filter(|summary| !summary.steps.is_empty()) {
        let name = format!("{} ({})", title(&summary.task), conditions(summary));
        heading(&mut page, &format!("Share of steps in {name}"));
        let shares: Vec<Share> = summary
            .steps
            .iter()
            .map(|cost| Share {
                name: cost.step.clone(),
                computing: cost.computing_seconds,
                waiting: cost.waiting_seconds,
            })
            .collect();
        page += &plots::steps(&shares)?;
    }
    heading(&mut page, "Machine and code");
    page += &machines(summaries);
    page += "</body></html>\n";
    Ok(page)
}

fn heading(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "<h2>{}</h2>", escaped(text));
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            c => safe.push(c),
        }
    }
    safe
}

fn row(cell: &str, cells: impl IntoIterator<Item = String>) -> String {
    let cells = cells.into_iter().map(|text| format!("<{cell}>{}</{cell}>", escaped(&text)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn figures(summaries: &[Summary]) -> String {
    let names = ["measured", "mode"].into_iter().chain(FIGURES.iter().map(|f| f.name));
    let mut table = format!("<table>{}", row("th", names.map(str::to_owned)));
    for summary in summaries {
        let values = FIGURES.iter().map(|figure| (figure.text)((figure.of)(summary)));
        table += &row("td", [title(&summary.task), conditions(summary)].into_iter().chain(values));
    }
    table + "</table>\n<p>Where the three parties differ, the most of them.</p>\n"
}

/// Times by size of what was measured in more than one, a series for each condition.
fn by_size(summaries: &[Summary]) -> BTreeMap<String, Vec<Series>> {
    let mut families: BTreeMap<String, BTreeMap<String, Vec<(f64, f64)>>> = BTreeMap::new();
    for summary in summaries {
        let (name, size) = family(&summary.task);
        let point = (size as f64, summary.seconds_per_iteration);
        families.entry(name).or_default().entry(conditions(summary)).or_default().push(point);
    }
    let drawn = families.into_iter().filter_map(|(name, series)| {
        let several = series.values().any(|points| points.len() > 1);
        let series = series.into_iter().map(|(name, mut points)| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series { name, points }
        });
        several.then(|| (name, series.collect()))
    });
    drawn.collect()
}

fn rounds_and_bytes(summaries: &[Summary]) -> Vec<Series> {
    let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for summary in summaries {
        let sent = summary.bytes_sent_per_party_per_iteration.into_iter().fold(0.0, f64::max);
        let name = format!("{}, {}", family(&summary.task).0, summary.security.name());
        series.entry(name).or_default().push((sent, summary.rounds_per_iteration as f64));
    }
    series.into_iter().map(|(name, points)| Series { name, points }).collect()
}

fn machines(summaries: &[Summary]) -> String {
    let mut seen: Vec<&Environment> = Vec::new();
    for summary in summaries {
        let here = &summary.environment;
        let same = |there: &&Environment| {
            Environment { time: here.time.clone(), ..(*there).clone() } == *here
        };
        if !seen.iter().any(same) {
            seen.push(here);
        }
    }
    let tables = seen.into_iter().map(|environment| {
        let gibibytes = environment.memory_bytes as f64 / (1u64 << 30) as f64;
        let rows = [
            ("processor", environment.processor.clone()),
            ("cores", environment.cores.to_string()),
            ("features", environment.features.join(" ")),
            ("memory", format!("{gibibytes:.1} GiB")),
            ("kernel", environment.kernel.clone()),
            ("code", environment.code.clone()),
            ("commit", environment.commit.clone().unwrap_or_else(|| "unknown".into())),
            ("build", environment.profile.clone()),
            ("first measured", environment.time.clone()),
        ];
        let rows = rows.map(|(name, value)| row("td", [name.to_owned(), value])).concat();
        format!("<table>{rows}</table>\n")
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escaped("<script>\"&"), "&lt;script&gt;&quot;&amp;");
    }
}
