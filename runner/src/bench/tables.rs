//! Summaries as tables: for a terminal, for a spreadsheet, and for a paper.

use super::data::Judged;
use super::figures::{FIGURES, Figure, bytes, conditions, milliseconds, title};
use super::steps::StepCost;
use super::summary::Summary;
use crate::evaluation::table;
use crate::failure::Failure;

/// Figures that have a column where each measurement has a line.
const IN_LINES: [&str; 6] =
    ["seconds", "rounds", "bytes_sent", "cpu_seconds", "waiting_seconds", "peak_rss_bytes"];

/// The summaries for a terminal: those of one task side by side, those of several one below
/// the other; then the steps, where they were recorded.
pub fn render(summaries: &[Summary]) -> String {
    let Some(first) = summaries.first() else { return String::new() };
    let one_task = summaries.iter().all(|summary| summary.task == first.task);
    let figures = if one_task { side_by_side(summaries) } else { lines(summaries) };
    let mut text = format!(
        "{figures}\nmost of the three parties where they differ; {} repetitions; one core \
         multiplies matrices of words at {}",
        first.iterations,
        first.speed.text(),
    );
    for summary in summaries {
        if let Some(offline) = &summary.offline {
            let sent = offline.bytes_sent_per_party.into_iter().fold(0.0, f64::max);
            text += &format!(
                "\n{}: before there are data, for each: {}, {} rounds, {} sent by a party",
                conditions(summary),
                milliseconds(offline.seconds),
                offline.rounds,
                bytes(sent),
            );
        }
    }
    for summary in summaries {
        if let Some(Judged { accuracy, test_rows, training_rows }) = summary.judged {
            text += &format!(
                "\n{}: the model is right about {:.2} % of {test_rows} rows that were kept back \
                 ({training_rows} rows to train on)",
                conditions(summary),
                100.0 * accuracy,
            );
        }
    }
    let recorded = summaries.iter().filter(|summary| !summary.steps.is_empty());
    for summary in recorded {
        text += &format!(
            "\n\nSteps of {} ({}), means of the three parties:\n{}",
            title(&summary.task),
            conditions(summary),
            steps(&summary.steps)
        );
    }
    text
}

/// A column a summary, and of two their ratio.
fn side_by_side(summaries: &[Summary]) -> String {
    let both = summaries.len() == 2;
    let mut header: Vec<String> = summaries.first().map(|s| title(&s.task)).into_iter().collect();
    header.extend(summaries.iter().map(conditions));
    header.extend(both.then(|| "ratio".to_owned()));
    let rows = FIGURES.iter().map(|figure| {
        let mut row = vec![figure.name.to_owned()];
        row.extend(summaries.iter().map(|summary| (figure.text)((figure.of)(summary))));
        row.extend(both.then(|| ratio((figure.of)(&summaries[1]), (figure.of)(&summaries[0]))));
        row
    });
    table(header, rows)
}

fn shown() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| IN_LINES.contains(&figure.key))
}

/// A line a summary.
fn lines(summaries: &[Summary]) -> String {
    let header = ["measured", "mode"].into_iter().chain(shown().map(|figure| figure.name));
    let rows = summaries.iter().map(|summary| {
        let figures = shown().map(|figure| (figure.text)((figure.of)(summary)));
        [title(&summary.task), conditions(summary)].into_iter().chain(figures).collect()
    });
    table(header.map(str::to_owned).collect(), rows)
}

/// A line a step.
fn steps(costs: &[StepCost]) -> String {
    let header = ["step", "phase", "rounds", "messages", "payload", "computing", "waiting"];
    let rows = costs.iter().map(|cost| {
        vec![
            cost.step.clone(),
            if cost.offline { "offline" } else { "online" }.to_owned(),
            format!("{:.1}", cost.rounds),
            format!("{:.1}", cost.messages),
            bytes(cost.payload_bytes),
            milliseconds(cost.computing_seconds),
            milliseconds(cost.waiting_seconds),
        ]
    });
    table(header.map(str::to_owned).to_vec(), rows)
}

/// How many times as large a figure is.
pub fn ratio(now: f64, before: f64) -> String {
    match now / before {
        ratio if ratio.is_finite() => format!("{ratio:.2}"),
        _ => "-".into(),
    }
}

/// All figures in basic units, a line a summary, for spreadsheets.
///
/// # Errors
/// When a line cannot be written.
pub fn csv(summaries: &[Summary]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = ["measured", "security", "link", "clock", "iterations"];
    let header = names.into_iter().chain(FIGURES.iter().map(|figure| figure.key));
    writer.write_record(header).map_err(Failure::new)?;
    for summary in summaries {
        let clock = format!("{:?}", summary.clock).to_lowercase();
        let link = summary.link.map(|link| link.to_string()).unwrap_or_default();
        let told = [
            title(&summary.task),
            summary.security.name().into(),
            link,
            clock,
            summary.iterations.to_string(),
        ];
        let figures = FIGURES.iter().map(|figure| (figure.of)(summary).to_string());
        writer.write_record(told.into_iter().chain(figures)).map_err(Failure::new)?;
    }
    let bytes = writer.into_inner().map_err(Failure::new)?;
    String::from_utf8(bytes).map_err(Failure::new)
}

/// A table for LaTeX's `booktabs`.
pub fn latex(summaries: &[Summary]) -> String {
    let escaped = |text: String| {
        let special = |c: char| matches!(c, '_' | '%' | '&' | '#' | '$');
        let escape = |c| if special(c) { format!("\\{c}") } else { c.to_string() };
        text.chars().map(escape).collect::<String>()
    };
    let line = |cells: Vec<String>| {
        format!("{} \\\\\n", cells.into_iter().map(escaped).collect::<Vec<_>>().join(" & "))
    };
    let names = ["measured", "mode"].into_iter().chain(shown().map(|figure| figure.name));
    let columns = "r".repeat(shown().count());
    let mut text = format!("\\begin{{tabular}}{{ll{columns}}}\n\\toprule\n");
    text += &line(names.map(str::to_owned).collect());
    text += "\\midrule\n";
    for summary in summaries {
        let figures = shown().map(|figure| (figure.text)((figure.of)(summary)));
        text +=
            &line([title(&summary.task), conditions(summary)].into_iter().chain(figures).collect());
    }
    text + "\\bottomrule\n\\end{tabular}\n"
}
