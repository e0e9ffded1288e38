//! What a node keeps on its disk: submissions, approvals, sessions and model shares.
//!
//! ```text
//! data-dir/
//!   lock                       held while a node uses the directory
//!   node.db                    SQLite: one row a submission, an approval, a session
//!   incoming/DIGEST.part       uploads under way; removed at start
//!   submissions/DIGEST.share   share files as received, still encrypted
//!   models/SESSION.model       model shares, encrypted to their receiver
//!   kept/MODEL.model           shares of models that answer questions, encrypted to this party
//!   triples/STOCK-N.triples    blocks of triples, encrypted to this party
//!   evidence/SESSION.json      what this party saw of sessions that broke off
//! ```
//!
//! A file is written, synchronised and renamed before its row is committed, and
//! rows are committed with full synchronisation: what has a row survives a crash
//! of the process or the machine, and a file without a row is removed at start.

mod approvals;
mod incoming;
mod kept;
mod sessions;
mod submissions;
mod triples;

pub use approvals::Keeping;
pub use incoming::Incoming;
pub use sessions::{NewSession, SessionRow};
pub use submissions::StoredSubmission;

use crate::digest::Digest;
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::Card;
use rusqlite::Connection;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Version of the database layout.
const LAYOUT_VERSION: i64 = 3;
/// The last layout that knew no triples.
const WITHOUT_TRIPLES: i64 = 1;
/// The last layout that knew no approvals.
const WITHOUT_APPROVALS: i64 = 2;
/// How long a statement waits for a lock on the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const LAYOUT: &str = "
    CREATE TABLE node (name TEXT NOT NULL, verifying_key BLOB NOT NULL);
    CREATE TABLE submissions (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        schema BLOB NOT NULL,
        rows INTEGER NOT NULL,
        file BLOB NOT NULL UNIQUE,
        manifest BLOB NOT NULL,
        receipt BLOB NOT NULL,
        received TEXT NOT NULL
    ) STRICT;
    CREATE INDEX submissions_by_schema ON submissions (schema);
    CREATE TABLE sessions (
        session BLOB PRIMARY KEY,
        job BLOB NOT NULL,
        job_name TEXT NOT NULL,
        client TEXT NOT NULL,
        receiver TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        finished INTEGER NOT NULL DEFAULT 0,
        outcome BLOB
    ) STRICT;
    CREATE INDEX sessions_by_job ON sessions (job);
";

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file of the store could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database reported an error.
    #[error("the database of the node failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// There is no room on the disk.
    #[error("there is no room left in {}", .0.display())]
    Full(PathBuf),
    /// Another process uses the directory.
    #[error("another node uses the data directory {}", .0.display())]
    InUse(PathBuf),
    /// The directory belongs to another party.
    #[error("the data directory {} belongs to {owner}, not to {asked}", dir.display())]
    OtherNode {
        /// The directory.
        dir: PathBuf,
        /// The party whose data it holds.
        owner: String,
        /// The party that wants to use it.
        asked: String,
    },
    /// The database was made by another version.
    #[error("the data directory {} has layout {found}, this version knows {LAYOUT_VERSION}", dir.display())]
    Layout {
        /// The directory.
        dir: PathBuf,
        /// Its layout.
        found: i64,
    },
    /// There are files, but no database that knows them.
    #[error("{} holds submissions or models, but its node.db is missing or empty", .0.display())]
    NoDatabase(PathBuf),
    /// A row holds something that was never written there.
    #[error("the database of the node is damaged: {0}")]
    Damaged(String),
    /// A block of triples is not here, or was used before.
    #[error("block {number} of the triples {} is not here: it was used", stock.short())]
    NoBlock {
        /// The stock.
        stock: Digest,
        /// The number of the block.
        number: u64,
    },
    /// The session was started before.
    #[error("session {0} was used before")]
    SessionUsed(String),
}

impl StoreError {
    /// Whether more room on the disk would help.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Full(_) => true,
            StoreError::File(FileError::Write { source, .. }) => is_full(source),
            StoreError::Database(e) => e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            _ => false,
        }
    }
}

impl Explain for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            _ if self.is_full() => Some("the operator of the node has to make room".into()),
            StoreError::File(e) => e.hint(),
            StoreError::InUse(_) => {
                Some("stop the other node, or give this one a data directory of its own".into())
            }
            StoreError::OtherNode { .. } => Some("check data-dir in party.toml".into()),
            StoreError::Layout { .. } => {
                Some("use the version that made it, or a later one".into())
            }
            StoreError::Damaged(_) | StoreError::NoDatabase(_) => {
                Some("restore the data directory from a backup".into())
            }
            _ => None,
        }
    }
}

/// Whether an I/O error means that the disk, a quota or a file-size limit is exhausted.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The data directory of a node, in use.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    database: Mutex<Connection>,
    /// The lock is held as long as the file is open.
    _lock: File,
}

impl Store {
    /// Opens or makes the data directory of the party with this card.
    ///
    /// Removes what an interrupted upload left, and marks sessions that an
    /// earlier process left running as interrupted.
    ///
    /// # Errors
    /// When the directory is in use, belongs to another party or is damaged.
    pub fn open(dir: &Path, card: &Card) -> Result<Store, StoreError> {
        files::create_private_dir(dir)?;
        let lock = lock(dir)?;
        for part in ["incoming", "submissions", "models", "kept", "triples", "evidence"] {
            files::create_dir(&dir.join(part))?;
        }
        let mut database = Connection::open(dir.join("node.db"))?;
        database.busy_timeout(BUSY_TIMEOUT)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        prepare_layout(&mut database, dir)?;
        claim(&database, dir, card)?;
        let store = Store { dir: dir.to_owned(), database: Mutex::new(database), _lock: lock };
        store.remove_leftovers()?;
        store.mark_interrupted()?;
        Ok(store)
    }

    /// Bytes that can still be written to the disk below the directory.
    pub fn free_bytes(&self) -> u64 {
        let free = rustix::fs::statvfs(&self.dir);
        free.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a statement leaves the connection usable: it was rolled back.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, part: &str, name: &str) -> PathBuf {
        self.dir.join(part).join(name)
    }

    /// Removes uploads that were under way and files that no row knows.
    fn remove_leftovers(&self) -> Result<(), StoreError> {
        remove_files(&self.dir.join("incoming"), |_| true)?;
        let known = self.submission_files()?;
        remove_files(&self.dir.join("submissions"), |name| !known.contains(name))?;
        let known = self.model_files()?;
        remove_files(&self.dir.join("models"), |name| !known.contains(name))?;
        let known = self.block_files()?;
        remove_files(&self.dir.join("triples"), |name| !known.contains(name))
    }
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let failed = |source| StoreError::File(FileError::Write { path: path.clone(), source });
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

fn prepare_layout(database: &mut Connection, dir: &Path) -> Result<(), StoreError> {
    let transaction = database.transaction()?;
    let found = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !matches!(found, 0 | WITHOUT_TRIPLES | WITHOUT_APPROVALS | LAYOUT_VERSION) {
        return Err(StoreError::Layout { dir: dir.to_owned(), found });
    }
    if found == 0 {
        require_empty(dir)?;
        transaction.execute_batch(LAYOUT)?;
    }
    if found <= WITHOUT_TRIPLES {
        transaction.execute_batch(triples::LAYOUT)?;
    }
    if found <= WITHOUT_APPROVALS {
        transaction.execute_batch(approvals::LAYOUT)?;
    }
    transaction.pragma_update(None, "user_version", LAYOUT_VERSION)?;
    Ok(transaction.commit()?)
}

/// Without its database the files are not leftovers but all that is left.
fn require_empty(dir: &Path) -> Result<(), StoreError> {
    for part in ["submissions", "models", "kept"] {
        let path = dir.join(part);
        let mut entries =
            fs::read_dir(&path).map_err(|source| FileError::Read { path: path.clone(), source })?;
        if entries.next().is_some() {
            return Err(StoreError::NoDatabase(dir.to_owned()));
        }
    }
    Ok(())
}

/// Writes down whose directory this is, or checks that it is still the same party's.
fn claim(database: &Connection, dir: &Path, card: &Card) -> Result<(), StoreError> {
    let key = card.verifying_key().as_bytes().as_slice();
    let owner = database.query_row("SELECT name, verifying_key FROM node", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
    });
    match owner {
        Ok((_, owner_key)) if owner_key == key => Ok(()),
        Ok((owner, _)) => Err(StoreError::OtherNode {
            dir: dir.to_owned(),
            owner,
            asked: card.name().to_string(),
        }),
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            database.execute(
                "INSERT INTO node (name, verifying_key) VALUES (?, ?)",
                (card.name().as_str(), key),
            )?;
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

fn remove_files(dir: &Path, unwanted: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let failed = |source| FileError::Write { path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if unwanted(&entry.file_name().to_string_lossy()) {
            tracing::info!(file = %entry.path().display(), "removing a leftover file");
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
