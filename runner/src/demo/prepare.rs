//! The rows of the demo: brought into files, one for each data holder and one to test on.

use super::report::Holder;
use super::settings::{Settings, Source};
use super::split::{Deal, Split};
use super::wine;
use crate::failure::Failure;
use crate::files::{self, FileError};
use crate::mnist::{self, Mnist};
use crate::processes::Processes;
use crate::schema::{FileRules, Label, Schema};
use crate::table::Table;
use indicatif::HumanCount;
use serde_json::Value;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// The schema, as all commands name it.
pub const SCHEMA: &str = "schema.toml";
/// The rows that are kept back, as all commands name them.
pub const TEST: &str = "test.csv";
/// Name of the file with a holder's rows, inside its own directory.
pub const ROWS: &str = "rows.csv";

/// What is ready to be shared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the rows are, for people.
    pub data: String,
    /// The schema that all holders follow.
    pub schema: Schema,
    /// The data holders; the rows of each lie in `NAME/rows.csv`.
    pub holders: Vec<Holder>,
    /// Rows in `test.csv`.
    pub rows_test: usize,
    /// What its author should know about the schema.
    pub remarks: Vec<String>,
}

impl Prepared {
    /// One line about the data.
    pub fn summary(&self) -> String {
        let label = match self.schema.label() {
            Label::Class(label) => format!("{} classes", label.classes.len()),
            Label::Number(_) => "a number to predict".into(),
        };
        let rows: usize = self.holders.iter().map(|holder| holder.rows).sum();
        format!(
            "{}: {} features, {label}; {} rows to share, {} to test",
            self.data,
            self.schema.feature_columns(),
            HumanCount(rows as u64),
            HumanCount(self.rows_test as u64),
        )
    }
}

/// Brings the rows that the settings name into files of `dir`.
///
/// # Errors
/// When the data cannot be read, are too few or do not make a schema.
pub async fn prepare(
    settings: &Settings,
    processes: &Processes,
    dir: &Path,
) -> Result<Prepared, Failure> {
    let deal = Deal { holders: settings.holders, limit: settings.rows };
    let (data, file, label) = match &settings.source {
        Source::Mnist { dir: images } => {
            let mnist = Mnist::load(images)?;
            files::write_new_public(&dir.join(SCHEMA), mnist::schema().to_toml().as_bytes())?;
            let split = Split::given(&mnist.train, mnist.test, deal)?;
            return write_all(dir, "handwritten digits (MNIST)".into(), &split, Vec::new());
        }
        Source::Wine => {
            let file = dir.join("wine.csv");
            files::write_new_public(&file, wine::csv().as_bytes())?;
            ("red wine quality".to_owned(), file, wine::LABEL)
        }
        Source::Csv { path, label } => {
            let file = std::path::absolute(path)
                .map_err(|e| Failure::new(format!("cannot find {}: {e}", path.display())))?;
            let name = path.file_name().unwrap_or(path.as_os_str());
            (name.to_string_lossy().into_owned(), file, label.as_str())
        }
    };
    let text = file.to_string_lossy();
    let drafted =
        processes.run("schema", &["schema", &text, "--label", label, "-o", SCHEMA]).await?;
    let table = Table::read(&file, FileRules::default().csv_format())?;
    let split = Split::every(&table, settings.test_every, deal)?;
    write_all(dir, data, &split, remarks(&drafted))
}

/// Writes the rows of each holder and those to test on.
fn write_all(
    dir: &Path,
    data: String,
    split: &Split,
    remarks: Vec<String>,
) -> Result<Prepared, Failure> {
    let names = holder_names(split.holders.len());
    for (name, rows) in names.iter().zip(&split.holders) {
        let dir = dir.join(name);
        files::create_private_dir(&dir)?;
        write(&dir.join(ROWS), rows)?;
    }
    write(&dir.join(TEST), &split.test)?;
    let holder = |(name, rows): (String, &Table)| Holder { name, rows: rows.rows() };
    Ok(Prepared {
        data,
        schema: Schema::load(&dir.join(SCHEMA))?,
        holders: names.into_iter().zip(&split.holders).map(holder).collect(),
        rows_test: split.test.rows(),
        remarks,
    })
}

fn write(path: &Path, rows: &Table) -> Result<(), Failure> {
    File::create_new(path)
        .and_then(|file| rows.write_csv(BufWriter::new(file)))
        .map_err(|source| FileError::Write { path: path.to_owned(), source }.into())
}

/// `holder-1`, `holder-2` and so on, of equal length, so that their order by
/// name is that of their numbers.
fn holder_names(count: usize) -> Vec<String> {
    let width = count.to_string().len();
    (1..=count).map(|number| format!("holder-{number:0width$}")).collect()
}

/// The remarks in the result of `tercet schema`.
fn remarks(drafted: &Value) -> Vec<String> {
    let remarks = drafted["remarks"].as_array().into_iter().flatten();
    let text = |remark: &Value| {
        Some(format!("column '{}': {}", remark["column"].as_str()?, remark["remark"].as_str()?))
    };
    remarks.filter_map(text).collect()
}
