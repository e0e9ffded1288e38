//! Models that the parties keep, and rows that have done their work.

use super::{Store, StoreError};
use crate::files::{FileError, PendingFile};
use crate::inference::ModelId;
use crate::sharefile::DataSetId;
use std::fs;
use std::io::{self, Write};

impl Store {
    /// Keeps a share of a model, encrypted to this party; durable when this returns.
    ///
    /// # Errors
    /// When the disk is full, or a model of this id is kept, which stays as it is: ids are
    /// chosen by members.
    pub fn keep_model(&self, id: ModelId, sealed: &[u8]) -> Result<(), StoreError> {
        let path = self.path("kept", &file_name(id));
        let failed = |source| FileError::Write { path: path.clone(), source };
        let mut pending = PendingFile::create_public(&path)?;
        pending.write_all(sealed).map_err(failed)?;
        Ok(pending.keep_new()?)
    }

    /// The share of a model that is kept here, as [`Store::keep_model`] was given it.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn kept_model(&self, id: ModelId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path("kept", &file_name(id));
        match fs::read(&path) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FileError::Read { path, source }.into()),
        }
    }

    /// Removes a submission for good, its file included.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove_submission(&self, id: DataSetId) -> Result<(), StoreError> {
        let Some(submission) = self.submission(id)? else { return Ok(()) };
        self.database().execute("DELETE FROM submissions WHERE id = ?", [id.to_string()])?;
        // Without its row the file is a leftover; it would be removed at the next start.
        let _ =
            fs::remove_file(self.path("submissions", &super::submissions::file_name(&submission)));
        Ok(())
    }
}

fn file_name(id: ModelId) -> String {
    format!("{id}.model")
}
