//! `tercet schema`: draft a data schema, or check one.

use crate::encode::{self, ColumnSpread, Report};
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::schema::{Column, Decimal, Draft, DraftOptions, FileRules, Label, Schema};
use crate::table::{Delimiter, Table};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Draft a data schema from a CSV file, or check one.
///
/// A schema says what the columns of all members' files mean: kinds, public
/// bounds, categories, classes and what to do with missing values. All members
/// must use the same one; its digest tells. A draft tells no exact extremes and
/// no identifiers of your file, but lists categories and classes: read it before
/// you hand it on.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet schema patients.csv --label outcome -o schema.toml
  tercet schema --check schema.toml                 # print the digest to agree on
  tercet schema --check schema.toml patients.csv    # does my file fit? nothing is shared")]
pub struct Args {
    /// The CSV file.
    #[arg(value_name = "DATA.csv", required_unless_present = "check")]
    data: Option<PathBuf>,
    /// Column to predict; guessed if left out.
    #[arg(long, value_name = "COLUMN", conflicts_with = "check")]
    label: Option<String>,
    /// Schema file to write; standard output if left out.
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    output: Option<PathBuf>,
    /// Check this schema instead of drafting one, and the CSV file against it.
    #[arg(long, value_name = "SCHEMA")]
    check: Option<PathBuf>,
    /// What separates the fields of the CSV file.
    #[arg(long, default_value = "auto", conflicts_with = "check")]
    delimiter: Delimiter,
    /// What separates the digits of a fraction.
    #[arg(long, default_value = "point", conflicts_with = "check")]
    decimal: Decimal,
    /// A cell that counts as missing, besides the usual ones; may be repeated.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "check")]
    missing: Vec<String>,
    /// Ignore text columns with more different values than this.
    #[arg(long, value_name = "N", default_value_t = DraftOptions::default().max_categories, conflicts_with = "check")]
    max_categories: usize,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    match (&args.check, &args.data) {
        (Some(schema), data) => check(schema, data.as_deref(), out),
        (None, Some(data)) => draft(&args, data, out),
        (None, None) => Err(Failure::new("a CSV file or --check is needed")),
    }
}

fn draft(args: &Args, data: &Path, out: Output) -> Result<(), Failure> {
    let mut file =
        FileRules { delimiter: args.delimiter, decimal: args.decimal, ..Default::default() };
    file.missing.extend(args.missing.iter().cloned());
    let table = Table::read(data, file.csv_format())?;
    let options =
        DraftOptions { label: args.label.clone(), file, max_categories: args.max_categories };
    let draft = Draft::of(&table, &options)?;
    let text = draft.to_toml();
    if let Some(path) = &args.output {
        files::write_new_public(path, text.as_bytes())?;
    }
    let remarks: Vec<_> = draft
        .remarks
        .iter()
        .map(|(column, remark)| json!({ "column": column, "remark": remark }))
        .collect();
    let value = json!({
        "schema": args.output,
        "digest": draft.schema.digest(),
        "rows": table.rows(),
        "features": draft.schema.feature_columns(),
        "label": draft.schema.label().name(),
        "classes": draft.schema.label().classes(),
        "remarks": remarks,
    });
    out.result(&value, || match &args.output {
        None => text,
        Some(path) => {
            let mut text = format!("Drafted {} from {}.\n\n", path.display(), data.display());
            text.push_str(&describe(&draft.schema));
            for (column, remark) in &draft.remarks {
                text.push_str(&format!("\n  {column}: {remark}"));
            }
            text.push_str("\n\nCheck bounds, categories and policies in it before others use it.");
            text
        }
    });
    Ok(())
}

fn check(path: &Path, data: Option<&Path>, out: Output) -> Result<(), Failure> {
    let schema = Schema::load(path)?;
    let report = match data {
        Some(data) => {
            let table = Table::read(data, schema.file().csv_format())?;
            Some(encode::encode(&table, &schema)?.1)
        }
        None => None,
    };
    let value = json!({
        "schema": path,
        "digest": schema.digest(),
        "features": schema.feature_columns(),
        "label": schema.label().name(),
        "classes": schema.label().classes(),
        "data": report,
    });
    out.result(&value, || match &report {
        None => describe(&schema),
        Some(report) => {
            format!("{}\n\nThe file fits.\n{}", describe(&schema), report_lines(report))
        }
    });
    Ok(())
}

/// What a schema amounts to, in a few lines.
fn describe(schema: &Schema) -> String {
    let count = |kind: fn(&Column) -> bool| schema.columns().iter().filter(|c| kind(c)).count();
    let numeric = count(|column| matches!(column, Column::Numeric(_)));
    let categorical = count(|column| matches!(column, Column::Categorical(_)));
    let ignored = count(|column| matches!(column, Column::Ignore(_)));
    let label = match schema.label() {
        Label::Class(label) => format!("'{}', {} classes", label.name, label.classes.len()),
        Label::Number(label) => format!("'{}', a number from {}", label.name, label.bounds),
    };
    format!(
        "Columns   {numeric} numeric, {categorical} categorical, {ignored} ignored\n\
         Features  {}\n\
         Label     {label}\n\
         Digest    {}",
        schema.feature_columns(),
        schema.digest()
    )
}

/// What was done to a file on the way to its numbers.
pub(super) fn report_lines(report: &Report) -> String {
    let mut text = format!("Rows      {}", report.rows);
    for (what, list) in [("Filled in", &report.filled), ("Clipped", &report.clipped)] {
        if !list.is_empty() {
            let columns: Vec<String> =
                list.iter().map(|count| format!("{} in '{}'", count.cells, count.column)).collect();
            text.push_str(&format!("\n{what:<9} {}", columns.join(", ")));
        }
    }
    if !report.unused.is_empty() {
        text.push_str(&format!("\nUnused    '{}'", report.unused.join("', '")));
    }
    for ColumnSpread { column, deviation } in &report.narrow {
        text.push_str(&format!(
            "\nNarrow    the values of '{column}' deviate by {deviation:.1e} of max - min: if it is so \
             with all members, agree on tighter bounds, or training makes little of them"
        ));
    }
    text
}
