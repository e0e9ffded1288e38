//! The report of the demo as a person reads it.

use super::report::Report;
use crate::evaluation::table;
use indicatif::{DecimalBytes, HumanCount};

/// The report as text with tables.
pub fn render(report: &Report) -> String {
    let mut parts = vec![headline(report), quality(report)];
    parts.extend(report.secure.confusion_text());
    parts.extend([cost(report), who_saw_what(report), last_line(report)]);
    parts.join("\n\n")
}

fn headline(report: &Report) -> String {
    let Report { data, network, seconds_train, epochs, iterations, .. } = report;
    let milliseconds = seconds_train * 1000.0 / (*iterations).max(1) as f64;
    format!(
        "{data}: {} training rows of {} data holders, network {network}.\n\
         Trained on secret shares ({}) in {seconds_train:.1} s: {epochs} {}, {} batches of \
         {milliseconds:.1} ms.",
        count(report.rows_train),
        report.holders.len(),
        report.security,
        if *epochs == 1 { "epoch" } else { "epochs" },
        HumanCount(*iterations),
    )
}

fn count(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

/// The figures of merit, on shares beside in the clear.
fn quality(report: &Report) -> String {
    let seconds = |seconds: f64| format!("{seconds:.2} s");
    let took = ("training time", seconds(report.seconds_train));
    let twin_took = ("", seconds(report.seconds_plaintext));
    let secure = report.secure.figures().into_iter().chain([took]);
    let plain = report.plaintext.figures().into_iter().chain([twin_took]);
    let figures = table(
        vec![
            format!("on {} test rows", count(report.rows_test)),
            "trained on shares".into(),
            "trained in the clear".into(),
        ],
        secure.zip(plain).map(|((name, secret), (_, clear))| vec![name.into(), secret, clear]),
    );
    match report.secure.constant_accuracy() {
        Some(constant) => format!(
            "{figures}\nOne and the same answer for every row would be right for {:.2} % at best.",
            constant * 100.0
        ),
        None => figures,
    }
}

/// What the computation cost each party.
fn cost(report: &Report) -> String {
    let per_party = |values: [String; 3], name: &str| {
        [name.to_owned()].into_iter().chain(values).collect::<Vec<_>>()
    };
    let bytes = |bytes: [u64; 3]| bytes.map(|bytes| DecimalBytes(bytes).to_string());
    let iterations = report.iterations.max(1);
    table(
        vec!["while training".into(), "party 0".into(), "party 1".into(), "party 2".into()],
        [
            per_party(report.pids.map(|id| id.to_string()), "process"),
            per_party(bytes(report.bytes_sent_per_party), "sent to the others"),
            per_party(
                bytes(report.bytes_sent_per_party.map(|bytes| bytes / iterations)),
                "sent for each batch",
            ),
            per_party([report.rounds; 3].map(|n| HumanCount(n).to_string()), "rounds"),
            per_party(bytes(report.peak_rss_bytes), "peak memory"),
        ],
    )
}

fn who_saw_what(report: &Report) -> String {
    let width = report.holders.iter().map(|holder| holder.name.len()).max().unwrap_or(0).max(9);
    let mut text = String::from("Who saw what");
    let mut line = |who: &str, what: String| text.push_str(&format!("\n  {who:<width$}  {what}"));
    for holder in &report.holders {
        line(&holder.name, format!("its own {} rows", count(holder.rows)));
    }
    line(
        "parties",
        "two of three shares of every number, which alone look uniformly random;\n\
         schema, network, numbers of rows and the order in which they were used;\n\
         of each holder's data one bit, namely that its labels are well-formed"
            .replace('\n', &format!("\n  {:width$}  ", "")),
    );
    line(&report.receiver, "the trained model; nothing else was ever opened".into());
    text
}

fn last_line(report: &Report) -> String {
    let left = match &report.directory {
        None => "nothing of it is left on the disk".into(),
        Some(dir) => format!("everything is in {}", dir.display()),
    };
    format!("All of this took {:.1} s; {left}.", report.seconds_total)
}

#[cfg(test)]
mod tests {
    use super::super::report::Holder;
    use super::*;
    use crate::evaluation::Evaluation;
    use nn::metrics::Classification;

    fn report(classes: usize) -> Report {
        let names: Vec<String> = (0..classes).map(|class| format!("a-long-name-{class}")).collect();
        let mut confusion = vec![vec![0; classes]; classes];
        confusion[1][0] = 1234;
        let figures = Classification {
            accuracy: 0.5,
            precision: 0.25,
            recall: 0.125,
            f1: 1.0,
            log_loss: 0.7,
            auc: None,
            confusion,
        };
        let secure = Evaluation::Classification { rows: 1234, classes: names.clone(), figures };
        Report {
            data: "some data".into(),
            network: "3-2".into(),
            security: "semi-honest".into(),
            plaintext: secure.clone(),
            secure,
            plaintext_accuracy: Some(0.5),
            holders: vec![Holder { name: "holder-1".into(), rows: 7654 }],
            receiver: "analyst".into(),
            rows_train: 7654,
            rows_test: 1234,
            epochs: 1,
            iterations: 100,
            seconds_train: 2.0,
            seconds_plaintext: 0.01,
            seconds_total: 3.0,
            rounds: 4321,
            bytes_sent_per_party: [1_500_000, 2_500_000, 3_500_000],
            peak_rss_bytes: [10_000_000; 3],
            pids: [11, 12, 13],
            directory: None,
        }
    }

    #[test]
    fn what_was_measured_is_shown_in_readable_units() {
        let text = render(&report(2));
        for shown in [
            "50.00 %",
            "12.50 %",
            "0.7000",
            "20.0 ms",
            "1.50 MB",
            "15.00 kB",
            "4,321",
            "7,654 rows",
        ] {
            assert!(text.contains(shown), "{shown} in\n{text}");
        }
        assert!(text.contains("a-long-n…") && text.contains("1234") && text.contains("party 2"));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn a_large_confusion_matrix_is_left_out() {
        assert!(!render(&report(13)).contains("predicted"));
        let json = serde_json::to_value(report(13)).unwrap();
        assert_eq!(json["confusion"][1][0], 1234);
        assert_eq!(json["accuracy"], json["plaintext_accuracy"]);
    }

    #[test]
    fn a_regression_has_figures_of_its_own() {
        let evaluation = Evaluation::Regression { rows: 5, rmse: 1.25, r2: 0.875 };
        let report = Report { secure: evaluation.clone(), plaintext: evaluation, ..report(2) };
        let text = render(&report);
        assert!(text.contains("1.2500") && text.contains("87.50 %") && !text.contains("accuracy"));
    }
}
