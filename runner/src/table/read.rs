//! Reading a CSV file into a [`Table`], or saying exactly why not.

use super::lines::{LineCounter, position};
use super::quotes::{self, QuoteFault};
use super::{Faults, MAX_TEXT_BYTES, RowPlace, Table};
use crate::failure::Explain;
use csv::ByteRecord;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most columns of a file.
const MAX_COLUMNS: usize = 65_536;

const UTF8_BOM: &[u8] = &[0xEF, 0xBB, 0xBF];
const UTF16_BOMS: [&[u8]; 2] = [&[0xFF, 0xFE], &[0xFE, 0xFF]];

/// What separates the fields of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Delimiter {
    /// Whichever of the others gives the header the most columns.
    #[default]
    Auto,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// The tab character.
    Tab,
}

impl Delimiter {
    const CANDIDATES: [Delimiter; 3] = [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab];

    fn byte(self, text: &[u8]) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Auto => detect(text).byte(text),
        }
    }
}

/// How a CSV file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsvFormat {
    /// What separates the fields.
    pub delimiter: Delimiter,
}

/// Why a file is no usable table.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct TableError {
    /// The file, as the caller named it.
    pub file: String,
    /// What is wrong with it.
    #[source]
    pub fault: TableFault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is longer than the reader addresses.
    #[error("has more than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// The file has no header line.
    #[error("is empty")]
    Empty,
    /// The file ends after its header line.
    #[error("has a header line but no data rows")]
    NoRows,
    /// The file is UTF-16, as some spreadsheets write it.
    #[error("is encoded as UTF-16")]
    Utf16,
    /// A byte sequence is no UTF-8.
    #[error("line {line}, byte {column} of the line: 0x{byte:02X} is not valid UTF-8")]
    NotUtf8 {
        /// Line, from 1.
        line: u32,
        /// Byte within the line, from 1.
        column: usize,
        /// The first byte that does not fit.
        byte: u8,
    },
    /// A quoted field is never closed, so that the rest of the file belongs to it.
    #[error("line {line}: the quote opened here is never closed")]
    UnclosedQuote {
        /// Line of the opening quote.
        line: u32,
    },
    /// Text follows a closing quote.
    #[error("line {line}, byte {column} of the line: text after a closing quote")]
    TextAfterQuote {
        /// Line of that text.
        line: u32,
        /// Byte within the line, from 1.
        column: usize,
    },
    /// Blanks precede an opening quote, which would make it part of the text.
    #[error("line {line}, byte {column} of the line: blanks before an opening quote")]
    BlankBeforeQuote {
        /// Line of that quote.
        line: u32,
        /// Byte within the line, from 1.
        column: usize,
    },
    /// A column has no name.
    #[error("column {0} of {1} has no name in the header line")]
    UnnamedColumn(usize, usize),
    /// Two columns have the same name.
    #[error("column '{name}' is named twice in the header line (columns {first} and {second})")]
    DuplicateColumn {
        /// The name.
        name: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// The header line has too many columns.
    #[error("has {0} columns; at most {MAX_COLUMNS} are supported")]
    TooManyColumns(usize),
    /// Rows have more or fewer fields than the header line.
    #[error("{} of its rows do not have the {columns} fields of the header line:\n{rows}",
        rows.total())]
    Ragged {
        /// Fields of the header line.
        columns: usize,
        /// The rows that differ.
        rows: Faults<Ragged>,
    },
}

/// A row with more or fewer fields than the header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fields} {}", if *fields == 1 { "field" } else { "fields" })]
pub struct Ragged {
    /// The row.
    pub place: RowPlace,
    /// How many fields it has.
    pub fields: usize,
}

impl Explain for TableError {
    fn hint(&self) -> Option<String> {
        let hint = match &self.fault {
            TableFault::Io(_) | TableFault::TooManyColumns(_) => return None,
            TableFault::TooLong => "split the file and share its parts one by one",
            TableFault::Empty => "the first line must name the columns",
            TableFault::NoRows => "nothing can be shared from it",
            TableFault::Utf16 | TableFault::NotUtf8 { .. } => {
                "save the file as \"CSV UTF-8\" in the spreadsheet program and try again"
            }
            TableFault::UnclosedQuote { .. }
            | TableFault::TextAfterQuote { .. }
            | TableFault::BlankBeforeQuote { .. } => {
                "a field with delimiters, quotes or line breaks is written \"like \"\"this\"\"\", \
                 with nothing around its outer quotes"
            }
            TableFault::UnnamedColumn(..) | TableFault::DuplicateColumn { .. } => {
                "the first line must give each column a name of its own"
            }
            TableFault::Ragged { .. } => {
                "quote the fields that contain the delimiter, and check that the delimiter is right"
            }
        };
        Some(hint.into())
    }
}

impl Table {
    /// Reads a CSV file: UTF-8 with or without a byte order mark, a header
    /// line, any line ends, fields quoted where they hold delimiters, quotes or
    /// line breaks. Blanks around fields are dropped, empty lines skipped.
    ///
    /// # Errors
    /// When the file cannot be read or is no rectangle of named columns.
    pub fn read(path: &Path, format: CsvFormat) -> Result<Table, TableError> {
        let file = path.display().to_string();
        match read_capped(path) {
            Ok(bytes) => Table::parse(&bytes, &file, format),
            Err(fault) => Err(TableError { file, fault }),
        }
    }

    /// Like [`Table::read`], from memory; `file` names the source in messages.
    ///
    /// # Errors
    /// When the text is no rectangle of named columns.
    pub fn parse(bytes: &[u8], file: &str, format: CsvFormat) -> Result<Table, TableError> {
        parse(bytes, file, format).map_err(|fault| TableError { file: file.to_owned(), fault })
    }
}

fn read_capped(path: &Path) -> Result<Vec<u8>, TableFault> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_TEXT_BYTES {
        return Err(TableFault::TooLong);
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8], file: &str, format: CsvFormat) -> Result<Table, TableFault> {
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(TableFault::TooLong);
    }
    let text = decode_utf8(bytes)?.as_bytes();
    let delimiter = format.delimiter.byte(text);
    check_quotes(text, delimiter)?;

    let mut reader = reader(text, delimiter);
    let mut record = ByteRecord::new();
    let mut lines = LineCounter::new(text);
    if !read_record(&mut reader, &mut record)? {
        return Err(TableFault::Empty);
    }
    let columns = column_names(&record)?;
    let mut table = Table::empty(file.to_owned(), columns);
    let mut ragged = Faults::none();
    while read_record(&mut reader, &mut record)? {
        let line = lines.line_at(start_of(&record, text));
        table.lines.push(line);
        if record.len() != table.columns.len() {
            let place = RowPlace { row: table.lines.len(), line };
            ragged.push(Ragged { place, fields: record.len() });
        } else if ragged.is_empty() {
            for (cells, field) in table.cells.iter_mut().zip(&record) {
                cells.push(trimmed(field)?);
            }
        }
    }
    if !ragged.is_empty() {
        return Err(TableFault::Ragged { columns: table.columns.len(), rows: ragged });
    }
    if table.lines.is_empty() {
        return Err(TableFault::NoRows);
    }
    Ok(table)
}

/// The text without its byte order mark.
fn decode_utf8(bytes: &[u8]) -> Result<&str, TableFault> {
    if UTF16_BOMS.iter().any(|bom| bytes.starts_with(bom)) {
        return Err(TableFault::Utf16);
    }
    let bytes = bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let (line, column) = position(bytes, offset);
        TableFault::NotUtf8 { line, column, byte: bytes[offset] }
    })
}

fn check_quotes(text: &[u8], delimiter: u8) -> Result<(), TableFault> {
    quotes::check(text, delimiter).map_err(|(fault, offset)| {
        let (line, column) = position(text, offset);
        match fault {
            QuoteFault::Unclosed => TableFault::UnclosedQuote { line },
            QuoteFault::TextAfter => TableFault::TextAfterQuote { line, column },
            QuoteFault::BlankBefore => TableFault::BlankBeforeQuote { line, column },
        }
    })
}

fn reader(text: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text)
}

fn read_record(
    reader: &mut csv::Reader<&[u8]>,
    record: &mut ByteRecord,
) -> Result<bool, TableFault> {
    reader.read_byte_record(record).map_err(|error| TableFault::Io(error.into()))
}

/// The offset of the first byte of a record: the reader's own position still
/// lies before the line end of the previous record and before empty lines.
fn start_of(record: &ByteRecord, text: &[u8]) -> usize {
    let before = record.position().map_or(0, |position| position.byte() as usize);
    let rest = text.get(before..).unwrap_or_default();
    before + rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count()
}

/// A field as text; fields of valid UTF-8 split at ASCII bytes are valid UTF-8.
fn trimmed(field: &[u8]) -> Result<&str, TableFault> {
    std::str::from_utf8(field).map(str::trim).map_err(|error| {
        TableFault::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    })
}

fn column_names(header: &ByteRecord) -> Result<Vec<String>, TableFault> {
    if header.len() > MAX_COLUMNS {
        return Err(TableFault::TooManyColumns(header.len()));
    }
    let mut names = Vec::with_capacity(header.len());
    let mut seen = std::collections::HashMap::new();
    for (index, field) in header.iter().enumerate() {
        let name = trimmed(field)?.to_owned();
        if name.is_empty() {
            return Err(TableFault::UnnamedColumn(index + 1, header.len()));
        }
        if let Some(first) = seen.insert(name.clone(), index + 1) {
            return Err(TableFault::DuplicateColumn { name, first, second: index + 1 });
        }
        names.push(name);
    }
    Ok(names)
}

/// The delimiter that gives the header line the most columns; a comma on a tie.
fn detect(text: &[u8]) -> Delimiter {
    let columns = |delimiter: Delimiter| {
        let mut header = ByteRecord::new();
        match reader(text, delimiter.byte(text)).read_byte_record(&mut header) {
            Ok(true) => header.len(),
            _ => 0,
        }
    };
    let best = Delimiter::CANDIDATES.map(columns).into_iter().max().unwrap_or(0);
    Delimiter::CANDIDATES
        .into_iter()
        .find(|&delimiter| columns(delimiter) == best)
        .unwrap_or(Delimiter::Comma)
}
