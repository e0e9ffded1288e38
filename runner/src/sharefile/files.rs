//! The three share files of a data set in a directory.

use super::{ShareError, Split};
use crate::digest::Digest;
use crate::files::{self, FileError, PendingFile};
use crate::identity::Name;
use mpc_core::party::PartyId;
use std::path::{Path, PathBuf};

/// The end of a share file's name.
pub const SHARE_FILE_EXTENSION: &str = "tercet";

/// A share file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// The party that it is encrypted to.
    pub party: PartyId,
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Where the share file of a party lies: `DIR/NAME.party0.tercet`.
pub fn share_file_path(dir: &Path, name: &Name, party: PartyId) -> PathBuf {
    dir.join(format!("{name}.party{}.{SHARE_FILE_EXTENSION}", party.index()))
}

impl Split<'_> {
    /// Writes the three share files into a directory, which is made if needed.
    ///
    /// The files appear under their names only when all three are whole and on
    /// the disk; nothing is overwritten.
    ///
    /// # Errors
    /// When a file exists already or cannot be written, and those of [`Split::write`].
    pub fn write_files(
        self,
        dir: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<[WrittenFile; 3], ShareError> {
        files::create_dir(dir)?;
        let name = &self.manifest().name;
        let paths = PartyId::ALL.map(|party| share_file_path(dir, name, party));
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return Err(FileError::Exists(path.clone()).into());
        }
        let [path0, path1, path2] = &paths;
        let pending = [
            PendingFile::create_public(path0)?,
            PendingFile::create_public(path1)?,
            PendingFile::create_public(path2)?,
        ];
        let mut written = Vec::with_capacity(paths.len());
        for (pending, digest) in self.write(pending, progress)? {
            written.push((pending.length()?, digest));
            pending.keep_new()?;
        }
        Ok(PartyId::ALL.map(|party| {
            let (bytes, digest) = written[party.index()];
            WrittenFile { party, path: paths[party.index()].clone(), digest, bytes }
        }))
    }
}
