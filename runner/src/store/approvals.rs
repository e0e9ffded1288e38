//! What owners of data have approved.

use super::submissions::parsed;
use super::{Store, StoreError};
use crate::approval::Approval;
use crate::digest::Digest;
use crate::identity::Name;
use jiff::Timestamp;
use rusqlite::OptionalExtension;

/// The table, beside those of [`super::LAYOUT`]: the latest statement of each owner on each job.
pub(super) const LAYOUT: &str = "
    CREATE TABLE approvals (
        owner TEXT NOT NULL,
        job BLOB NOT NULL,
        granted INTEGER NOT NULL,
        signed TEXT NOT NULL,
        statement BLOB NOT NULL,
        PRIMARY KEY (owner, job)
    ) STRICT, WITHOUT ROWID;
";

impl Store {
    /// Keeps a verified statement durably, unless a later one of the same owner on the same job
    /// is here: so a replayed approval cannot undo its withdrawal. Answers whether it counts.
    ///
    /// # Errors
    /// When the disk is full or the database fails.
    pub fn keep_approval(&self, approval: &Approval) -> Result<bool, StoreError> {
        let mut database = self.database();
        let transaction = database.transaction()?;
        let known: Option<Timestamp> = transaction
            .query_row(
                "SELECT signed FROM approvals WHERE owner = ? AND job = ?",
                (approval.owner.as_str(), approval.job.0),
                |row| parsed(row, 0),
            )
            .optional()?;
        if known.is_some_and(|known| known > approval.signed) {
            return Ok(false);
        }
        transaction.execute(
            "INSERT OR REPLACE INTO approvals (owner, job, granted, signed, statement)
             VALUES (?, ?, ?, ?, ?)",
            (
                approval.owner.as_str(),
                approval.job.0,
                approval.granted,
                approval.signed.to_string(),
                approval.to_json(),
            ),
        )?;
        transaction.commit()?;
        Ok(true)
    }

    /// Whether the latest statement of `owner` on the job is an approval.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_approved(&self, owner: &Name, job: &Digest) -> Result<bool, StoreError> {
        let granted: Option<bool> = self
            .database()
            .query_row(
                "SELECT granted FROM approvals WHERE owner = ? AND job = ?",
                (owner.as_str(), job.0),
                |row| row.get(0),
            )
            .optional()?;
        Ok(granted.unwrap_or(false))
    }
}
