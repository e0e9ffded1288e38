//! The directory of a demo: temporary, or kept where the user wants it.

use crate::failure::Failure;
use crate::files::{self, FileError};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that the demo may fill.
#[derive(Debug)]
pub enum Workspace {
    /// Removed when this is dropped.
    Temporary(TempDir),
    /// Left in place.
    Kept(PathBuf),
}

impl Workspace {
    /// A new directory: `keep`, or else a temporary one. Others than its owner
    /// cannot read it, since keys are made inside.
    ///
    /// # Errors
    /// When it cannot be made, or `keep` is there and not empty.
    pub fn create(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(dir) = keep else {
            let dir = tempfile::Builder::new().prefix("tercet-demo-").tempdir();
            return dir.map(Workspace::Temporary).map_err(|e| {
                Failure::new(format!("cannot make a temporary directory: {e}"))
                    .with_hint("name a directory with --keep")
            });
        };
        if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(FileError::Exists(dir.to_owned()).into());
        }
        files::create_private_dir(dir)?;
        let dir = dir.canonicalize().map_err(|e| {
            Failure::new(format!("cannot use the directory {}: {e}", dir.display()))
        })?;
        Ok(Workspace::Kept(dir))
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        match self {
            Workspace::Temporary(dir) => dir.path(),
            Workspace::Kept(dir) => dir,
        }
    }

    /// Where it is, if it will still be there afterwards.
    pub fn kept(&self) -> Option<PathBuf> {
        match self {
            Workspace::Temporary(_) => None,
            Workspace::Kept(dir) => Some(dir.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_vanishes_and_a_kept_one_stays() {
        let temporary = Workspace::create(None).unwrap();
        let path = temporary.dir().to_owned();
        assert!(path.is_dir() && temporary.kept().is_none());
        drop(temporary);
        assert!(!path.exists());

        let parent = tempfile::tempdir().unwrap();
        let wanted = parent.path().join("demo");
        let kept = Workspace::create(Some(&wanted)).unwrap();
        fs::write(kept.dir().join("file"), "x").unwrap();
        drop(kept);
        assert!(wanted.join("file").exists());
        let again = Workspace::create(Some(&wanted)).unwrap_err();
        assert!(again.message.contains("exists already"), "{}", again.message);
    }
}
