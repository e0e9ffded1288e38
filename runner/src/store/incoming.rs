//! Uploads under way.

use super::{Store, StoreError, is_full};
use crate::digest::Digest;
use crate::files::FileError;
use crate::identity::Name;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// A share file that is arriving.
///
/// What has arrived stays on the disk when the connection breaks, so that the
/// sender can go on from there; [`Incoming::discard`] removes it.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: File,
    hash: Sha256,
    received: u64,
    pub(super) length: u64,
}

impl Store {
    /// Starts or resumes the upload of a file of `length` bytes with this digest.
    ///
    /// An owner has at most one unfinished upload: another one's remains are
    /// removed. The owner's name is part of the file name, so owners cannot
    /// touch each other's.
    ///
    /// # Errors
    /// When there is no room, or the file cannot be used.
    pub fn incoming(
        &self,
        owner: &Name,
        digest: &Digest,
        length: u64,
    ) -> Result<Incoming, StoreError> {
        if length > self.free_bytes() {
            return Err(StoreError::Full(self.dir.clone()));
        }
        let name = format!("{owner}.{digest}.part");
        let others = format!("{owner}.");
        super::remove_files(&self.dir.join("incoming"), |found| {
            found.starts_with(&others) && found != name
        })?;
        let path = self.path("incoming", &name);
        let failed = |source| FileError::Write { path: path.clone(), source };
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        let mut incoming =
            Incoming { path: path.clone(), file, hash: Sha256::new(), received: 0, length };
        incoming.hash_what_is_there().map_err(failed)?;
        Ok(incoming)
    }
}

impl Incoming {
    /// Bytes that have arrived so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether everything has arrived.
    pub fn is_complete(&self) -> bool {
        self.received == self.length
    }

    fn hash_what_is_there(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        while self.received < self.length {
            let wanted = usize::try_from(self.length - self.received).unwrap_or(usize::MAX);
            let wanted = wanted.min(buffer.len());
            match self.file.read(&mut buffer[..wanted])? {
                0 => break,
                count => {
                    self.hash.update(&buffer[..count]);
                    self.received += count as u64;
                }
            }
        }
        self.file.seek(SeekFrom::Start(self.received))?;
        Ok(())
    }

    /// Appends a piece; more than the announced length is refused.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be written.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let left = self.length - self.received;
        if piece.len() as u64 > left {
            let source = io::Error::other("more arrived than was announced");
            return Err(FileError::Write { path: self.path.clone(), source }.into());
        }
        self.file.write_all(piece).map_err(|e| self.failed(e))?;
        self.hash.update(piece);
        self.received += piece.len() as u64;
        Ok(())
    }

    /// Makes the file durable and returns its digest.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be written.
    pub fn complete(&mut self) -> Result<Digest, StoreError> {
        self.file.sync_all().map_err(|e| self.failed(e))?;
        Ok(Digest(self.hash.clone().finalize().into()))
    }

    /// A reader of what has arrived, from its beginning.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn reader(&self) -> Result<BufReader<File>, StoreError> {
        let file = File::open(&self.path).map_err(|e| self.failed(e))?;
        Ok(BufReader::new(file))
    }

    /// Removes what has arrived.
    pub fn discard(self) {
        if let Err(e) = fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), error = %e, "cannot remove an upload");
        }
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    fn failed(&self, source: io::Error) -> StoreError {
        if is_full(&source) {
            StoreError::Full(self.path.parent().unwrap_or(&self.path).to_owned())
        } else {
            FileError::Write { path: self.path.clone(), source }.into()
        }
    }
}
