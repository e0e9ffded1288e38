//! Drafting a schema from one holder's file, for the members to agree on.

use super::{
    CategoricalColumn, CategoricalMissing, ClassLabel, Column, Decimal, FileRules, Label,
    NumberLabel, NumericColumn, NumericMissing, OutOfRange, Schema, SchemaError, propose,
};
use crate::failure::Explain;
use crate::table::Table;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

/// Names that suggest a label, in order of preference.
const LABEL_NAMES: [&str; 6] = ["label", "class", "target", "outcome", "y", "diagnosis"];
/// A label of whole numbers has this many different values or fewer to count as classes.
const MAX_NUMERIC_CLASSES: usize = 32;
/// A label of texts has at most this many classes.
const MAX_TEXT_CLASSES: usize = 1_000;
/// Categories with fewer rows than this may point at persons.
const RARE: usize = 5;

/// How to draft.
#[derive(Clone, Debug)]
pub struct DraftOptions {
    /// Name of the label's column; guessed if left out.
    pub label: Option<String>,
    /// How the file is written.
    pub file: FileRules,
    /// A text column with more different values than this is ignored.
    pub max_categories: usize,
}

impl Default for DraftOptions {
    fn default() -> Self {
        DraftOptions { label: None, file: FileRules::default(), max_categories: 100 }
    }
}

/// Why no schema can be drafted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The label's column is not in the file.
    #[error("{file} has no column '{label}'")]
    NoLabel {
        /// The file.
        file: String,
        /// The column asked for.
        label: String,
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// The label's column cannot be learned.
    #[error("column '{label}' of {file} cannot be the label: {reason}")]
    BadLabel {
        /// The file.
        file: String,
        /// The column.
        label: String,
        /// What is the matter with it.
        reason: String,
    },
    /// What the file says does not make a schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Explain for DraftError {
    fn hint(&self) -> Option<String> {
        match self {
            DraftError::NoLabel { columns, .. } => {
                Some(format!("its columns are {}", columns.join(", ")))
            }
            DraftError::BadLabel { .. } => Some("name another column with --label".into()),
            DraftError::Schema(error) => error.hint(),
        }
    }
}

/// A drafted schema with remarks on its columns.
///
/// Remarks name no value and no count of the file, since the draft is meant to
/// be handed to the other members.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The schema.
    pub schema: Schema,
    /// The remarks, each with the column it is about, in the order of the columns.
    pub remarks: Vec<(String, String)>,
}

impl Draft {
    /// Drafts a schema: guesses kinds, proposes bounds, lists categories.
    ///
    /// # Errors
    /// When there is no usable label or nothing to learn from.
    pub fn of(table: &Table, options: &DraftOptions) -> Result<Draft, DraftError> {
        let mut remarks = Vec::new();
        let label_index = label_index(table, options)?;
        let label = draft_label(table, label_index, &options.file)?;
        if options.label.is_none() {
            remark(&mut remarks, label.name(), "taken as the label; name another with --label");
        }
        let columns = (0..table.columns().len())
            .filter(|&index| index != label_index)
            .map(|index| draft_column(table, index, options, &mut remarks))
            .collect();
        let schema = Schema::new(options.file.clone(), columns, label)?;
        Ok(Draft { schema, remarks })
    }

    /// The schema file, with explanations and the remarks as comments.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(HEAD);
        for line in self.schema.to_toml().lines() {
            text.push_str(explanation(line));
            let _ = writeln!(text, "{line}");
            if let Some(name) = line.strip_prefix("name = ") {
                let about = |(column, _): &&(String, String)| toml_string(column) == name;
                for (_, remark) in self.remarks.iter().filter(about) {
                    let _ = writeln!(text, "# {remark}");
                }
            }
        }
        text
    }
}

const HEAD: &str = "\
# A data schema, drafted from one holder's file. All members use the same one:
# check every bound and category, add what other holders' files may contain, and
# agree on the digest that `tercet schema --check` prints. Remove remarks that
# tell too much about the file it was drafted from.
";

/// What to say before a line of the file.
fn explanation(line: &str) -> &'static str {
    match line {
        "[file]" => {
            "# How the file is written; each holder may adapt this section to its own file.\n\
             # delimiter: auto, comma, semicolon, tab; decimal: point, comma;\n\
             # missing: cells that count as missing.\n"
        }
        "[label]" => {
            "# What the model learns. kind: class (classes, in the order of the outputs) or\n\
             # number (min, max).\n"
        }
        _ => "",
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn remark(remarks: &mut Vec<(String, String)>, column: &str, text: &str) {
    remarks.push((column.to_owned(), text.to_owned()));
}

fn label_index(table: &Table, options: &DraftOptions) -> Result<usize, DraftError> {
    match &options.label {
        Some(name) => table.column_index(name).ok_or_else(|| DraftError::NoLabel {
            file: table.file().to_owned(),
            label: name.clone(),
            columns: table.columns().to_vec(),
        }),
        None => {
            let named = |wanted: &&str| {
                table.columns().iter().position(|name| name.eq_ignore_ascii_case(wanted))
            };
            Ok(LABEL_NAMES.iter().find_map(named).unwrap_or(table.columns().len() - 1))
        }
    }
}

fn draft_label(table: &Table, index: usize, rules: &FileRules) -> Result<Label, DraftError> {
    let name = table.columns()[index].clone();
    let column = Content::of(table, index, rules);
    let bad = |reason: &str| DraftError::BadLabel {
        file: table.file().to_owned(),
        label: name.clone(),
        reason: reason.into(),
    };
    let whole = column.numbers.iter().all(|number| number.fract() == 0.0);
    if column.all_numbers() && !(whole && column.texts.len() <= MAX_NUMERIC_CLASSES) {
        let bounds =
            propose::bounds(&column.numbers).ok_or_else(|| bad("its numbers are out of range"))?;
        return Ok(Label::Number(NumberLabel { name, bounds, out_of_range: OutOfRange::Refuse }));
    }
    match column.texts.len() {
        0 | 1 => Err(bad("it has fewer than two different values")),
        2..=MAX_TEXT_CLASSES => {
            Ok(Label::Class(ClassLabel { name, classes: column.sorted_texts(rules) }))
        }
        _ => Err(bad("it is a text with too many different values")),
    }
}

fn draft_column(
    table: &Table,
    index: usize,
    options: &DraftOptions,
    remarks: &mut Vec<(String, String)>,
) -> Column {
    let name = table.columns()[index].clone();
    let column = Content::of(table, index, &options.file);
    let mut remark = |text: &str| remark(remarks, &name, text);
    if column.texts.is_empty() {
        remark("ignored: the file has no value in it");
        return Column::ignore(name);
    }
    if column.has_decimal_commas(&options.file) {
        remark("its numbers seem to have a decimal comma: draft again with --decimal comma");
    }
    if column.identifies(&name) {
        remark("ignored: every row has a value of its own, as identifiers have");
        return Column::ignore(name);
    }
    if column.texts.len() == 1 {
        remark("constant in the file it was drafted from");
    }
    if column.mostly_numbers() {
        if let Some(bounds) = propose::bounds(&column.numbers) {
            if !column.all_numbers() {
                remark("some cells are not numbers; `tercet share` will name them");
            }
            let missing = match column.has_missing {
                true => NumericMissing::Median,
                false => NumericMissing::Refuse,
            };
            let out_of_range = OutOfRange::Refuse;
            return Column::Numeric(NumericColumn { name, bounds, missing, out_of_range });
        }
        remark("ignored: its numbers are out of range");
        return Column::ignore(name);
    }
    if column.texts.len() > options.max_categories {
        remark("ignored: a text with too many different values for categories");
        return Column::ignore(name);
    }
    if column.texts.values().any(|&rows| rows < RARE) {
        remark("some categories are rare in the file: naming them here may tell about single rows");
    }
    let missing = match column.has_missing {
        true => CategoricalMissing::OwnCategory,
        false => CategoricalMissing::Refuse,
    };
    let categories = column.sorted_texts(&options.file);
    Column::Categorical(CategoricalColumn { name, categories, missing })
}

/// What a column of the file contains.
struct Content<'a> {
    rows: usize,
    has_missing: bool,
    /// How often each text occurs.
    texts: BTreeMap<&'a str, usize>,
    /// The finite numbers among the cells.
    numbers: Vec<f64>,
}

impl<'a> Content<'a> {
    fn of(table: &'a Table, column: usize, rules: &FileRules) -> Self {
        let mut content = Content {
            rows: table.rows(),
            has_missing: false,
            texts: BTreeMap::new(),
            numbers: Vec::new(),
        };
        for cell in table.column(column) {
            if rules.is_missing(cell) {
                content.has_missing = true;
                continue;
            }
            *content.texts.entry(cell).or_default() += 1;
            content.numbers.extend(rules.number(cell).filter(|number| number.is_finite()));
        }
        content
    }

    fn present(&self) -> usize {
        self.texts.values().sum()
    }

    fn all_numbers(&self) -> bool {
        self.numbers.len() == self.present() && !self.numbers.is_empty()
    }

    /// At least nine cells in ten: a typing error does not make a column categorical.
    fn mostly_numbers(&self) -> bool {
        self.numbers.len() * 10 >= self.present() * 9
    }

    /// Whether cells that are no numbers would be, in a file with decimal commas.
    fn has_decimal_commas(&self, rules: &FileRules) -> bool {
        let comma = FileRules { decimal: Decimal::Comma, ..rules.clone() };
        !self.mostly_numbers() && self.texts.keys().all(|text| comma.number(text).is_some())
    }

    /// Whether the column tells rows apart: all different, and texts, or whole
    /// numbers that are named like an identifier or count the rows.
    fn identifies(&self, name: &str) -> bool {
        let all_different = self.rows > 2 && self.texts.len() == self.rows;
        if !all_different || !self.mostly_numbers() {
            return all_different;
        }
        let whole: HashSet<i64> = self
            .numbers
            .iter()
            .filter(|number| number.fract() == 0.0 && number.abs() < 9e15)
            .map(|&number| number as i64)
            .collect();
        let consecutive = match (whole.iter().min(), whole.iter().max()) {
            (Some(min), Some(max)) => whole.len() == self.rows && max - min == self.rows as i64 - 1,
            _ => false,
        };
        consecutive || (whole.len() == self.rows && is_identifier(name))
    }

    /// The texts in the order of their numbers if all are numbers, otherwise in byte order.
    fn sorted_texts(&self, rules: &FileRules) -> Vec<String> {
        let mut texts: Vec<String> = self.texts.keys().map(|text| text.to_string()).collect();
        if self.all_numbers() {
            let number = |text: &String| rules.number(text).unwrap_or(f64::NAN);
            texts.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
        texts
    }
}

/// Whether a column is named like an identifier: `id`, `patient_id`, `RowId`, `uuid`.
fn is_identifier(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let word = lower.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    matches!(word, "id" | "uuid" | "guid" | "key" | "index" | "number" | "no")
        || name.ends_with("Id")
        || name.ends_with("ID")
}
