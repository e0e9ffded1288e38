//! Submissions that were accepted.

use super::{Incoming, Store, StoreError};
use crate::digest::Digest;
use crate::files::{self, FileError};
use crate::identity::Name;
use crate::sharefile::DataSetId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;

/// An accepted submission; its share file lies encrypted in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubmission {
    /// Id of the data set.
    pub id: DataSetId,
    /// The member who submitted it.
    pub owner: Name,
    /// Digest of the schema that its values follow.
    pub schema: Digest,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 of the share file.
    pub file: Digest,
    /// Digest of the manifest, which the three parties hold in common.
    pub manifest: Digest,
    /// The signed receipt, as it was sent to the owner.
    pub receipt: Vec<u8>,
    /// When it was accepted.
    pub received: Timestamp,
}

const COLUMNS: &str = "id, owner, schema, rows, file, manifest, receipt, received";

impl Store {
    /// Keeps an upload as a submission; when this returns, both file and row are durable.
    ///
    /// # Errors
    /// When the disk is full or the database fails; nothing is kept then.
    pub fn accept(
        &self,
        incoming: Incoming,
        submission: &StoredSubmission,
    ) -> Result<(), StoreError> {
        let path = self.path("submissions", &file_name(submission));
        let renamed = fs::rename(incoming.path(), &path).and_then(|()| files::sync_parent(&path));
        if let Err(source) = renamed {
            incoming.discard();
            return Err(FileError::Write { path, source }.into());
        }
        let inserted = self.insert(submission);
        if inserted.is_err() && self.submission_of_file(&submission.file)?.is_none() {
            // Without its row the file is a leftover; it would be removed at the next start.
            let _ = fs::remove_file(&path);
        }
        inserted
    }

    fn insert(&self, submission: &StoredSubmission) -> Result<(), StoreError> {
        self.database().execute(
            &format!("INSERT INTO submissions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
            (
                submission.id.to_string(),
                submission.owner.as_str(),
                submission.schema.0,
                submission.rows.cast_signed(),
                submission.file.0,
                submission.manifest.0,
                &submission.receipt,
                submission.received.to_string(),
            ),
        )?;
        Ok(())
    }

    /// The submission of a data set.
    ///
    /// # Errors
    /// When the database fails.
    pub fn submission(&self, id: DataSetId) -> Result<Option<StoredSubmission>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM submissions WHERE id = ?");
        Ok(self.database().query_row(&sql, [id.to_string()], read_row).optional()?)
    }

    /// The submission that arrived as the file with this digest.
    ///
    /// # Errors
    /// When the database fails.
    pub fn submission_of_file(
        &self,
        file: &Digest,
    ) -> Result<Option<StoredSubmission>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM submissions WHERE file = ?");
        Ok(self.database().query_row(&sql, [file.0], read_row).optional()?)
    }

    /// All submissions that follow a schema, in the order of owner and id.
    ///
    /// The order is the same at all parties, whatever the order of arrival.
    ///
    /// # Errors
    /// When the database fails.
    pub fn submissions(&self, schema: &Digest) -> Result<Vec<StoredSubmission>, StoreError> {
        let database = self.database();
        let mut query = database.prepare(&format!(
            "SELECT {COLUMNS} FROM submissions WHERE schema = ? ORDER BY owner, id"
        ))?;
        let rows = query.query_map([schema.0], read_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many submissions are stored.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_submissions(&self) -> Result<u64, StoreError> {
        let count: i64 =
            self.database().query_row("SELECT count(*) FROM submissions", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The share file of a submission, as it was received.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn share_file(&self, submission: &StoredSubmission) -> Result<BufReader<File>, StoreError> {
        let path = self.path("submissions", &file_name(submission));
        let file = File::open(&path).map_err(|source| FileError::Read { path, source })?;
        Ok(BufReader::new(file))
    }

    pub(super) fn submission_files(&self) -> Result<BTreeSet<String>, StoreError> {
        let database = self.database();
        let mut query = database.prepare(&format!("SELECT {COLUMNS} FROM submissions"))?;
        let rows = query.query_map([], |row| read_row(row).map(|found| file_name(&found)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

pub(super) fn file_name(submission: &StoredSubmission) -> String {
    format!("{}.share", submission.file)
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<StoredSubmission> {
    Ok(StoredSubmission {
        id: parsed(row, 0)?,
        owner: parsed(row, 1)?,
        schema: Digest(row.get(2)?),
        rows: row.get::<_, i64>(3)?.cast_unsigned(),
        file: Digest(row.get(4)?),
        manifest: Digest(row.get(5)?),
        receipt: row.get(6)?,
        received: parsed(row, 7)?,
    })
}

/// Reads a text column of a type that is parsed.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
    })
}
