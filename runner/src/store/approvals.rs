//! What owners of data have approved.

use super::submissions::parsed;
use super::{Store, StoreError};
use crate::approval::Approval;
use crate::digest::Digest;
use crate::identity::Name;
use jiff::Timestamp;
use rusqlite::OptionalExtension;

/// Most statements of a member that are kept. A withdrawal has to stay, lest the approval that it
/// took back be replayed; so the oldest cannot make room.
const MAX_PER_OWNER: u64 = 10_000;

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It counts.
    Kept,
    /// A later one of the same owner on the same job is here.
    Outdated,
    /// The owner has made so many that no other job fits.
    TooMany {
        /// How many a member can make.
        most: u64,
    },
}

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
    /// A statement on a job that the owner has not spoken of before needs room: there is a bound
    /// for each owner.
    ///
    /// # Errors
    /// When the disk is full or the database fails.
    pub fn keep_approval(&self, approval: &Approval) -> Result<Keeping, StoreError> {
        self.keep_approval_of(approval, MAX_PER_OWNER)
    }

    /// The same with a bound of `most` statements an owner.
    pub(super) fn keep_approval_of(
        &self,
        approval: &Approval,
        most: u64,
    ) -> Result<Keeping, StoreError> {
        let mut database = self.database();
        let transaction = database.transaction()?;
        let known: Option<Timestamp> = transaction
            .query_row(
                "SELECT signed FROM approvals WHERE owner = ? AND job = ?",
                (approval.owner.as_str(), approval.job.0),
                |row| parsed(row, 0),
            )
            .optional()?;
        match known {
            Some(known) if known > approval.signed => return Ok(Keeping::Outdated),
            Some(_) => {}
            None => {
                let kept: i64 = transaction.query_row(
                    "SELECT count(*) FROM approvals WHERE owner = ?",
                    (approval.owner.as_str(),),
                    |row| row.get(0),
                )?;
                if kept.unsigned_abs() >= most {
                    return Ok(Keeping::TooMany { most });
                }
            }
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
        Ok(Keeping::Kept)
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
