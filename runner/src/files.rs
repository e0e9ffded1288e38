//! Reading and writing files so that secrets stay private and nothing is half-written.

use crate::failure::Explain;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Largest configuration file that is read (1 MiB).
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Access rights of a file with secrets: its owner alone.
const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// The file cannot be created or written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// The file exists and is not replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is longer than any honest file of its kind.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Longest length that is accepted.
        limit: u64,
    },
    /// Others than the owner can read a secret file.
    #[error("{} holds secrets but others may read it (mode {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Explain for FileError {
    fn hint(&self) -> Option<String> {
        match self {
            FileError::Exists(_) => {
                Some("choose another place, or move the old file away first".into())
            }
            FileError::Exposed { path, .. } => Some(format!("run: chmod 600 {}", path.display())),
            FileError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space on that disk and try again".into())
            }
            FileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("check the path".into())
            }
            _ => None,
        }
    }
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
    move |source| FileError::Read { path: path.to_owned(), source }
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
    move |source| FileError::Write { path: path.to_owned(), source }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// When the file cannot be read or is longer.
pub fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(read_error(path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(read_error(path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a UTF-8 configuration file of at most [`MAX_CONFIG_BYTES`].
///
/// # Errors
/// When the file cannot be read, is longer or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read_capped(path, MAX_CONFIG_BYTES)?)
        .map_err(|e| read_error(path)(io::Error::new(io::ErrorKind::InvalidData, e.utf8_error())))
}

/// Refuses a secret file that its group or the world may access.
///
/// # Errors
/// [`FileError::Exposed`], or `Read` when the file cannot be inspected.
pub fn require_private(path: &Path) -> Result<(), FileError> {
    let mode = fs::metadata(path).map_err(read_error(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Creates a directory and its parents; nothing happens where it exists.
///
/// # Errors
/// When it cannot be created.
pub fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(write_error(path))
}

/// Creates a directory that its owner alone can enter.
///
/// # Errors
/// When it cannot be created or its access rights cannot be set.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(write_error(path))
}

/// Writes a new secret file (mode 0600) and never replaces one.
///
/// # Errors
/// [`FileError::Exists`], or `Write` when it cannot be written.
pub fn write_new_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_new(path, bytes, SECRET_MODE)
}

/// Writes a new public file and never replaces one.
///
/// # Errors
/// [`FileError::Exists`], or `Write` when it cannot be written.
pub fn write_new_public(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_new(path, bytes, PUBLIC_MODE)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists(path.to_owned()));
        }
        Err(e) => return Err(write_error(path)(e)),
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(e) = written.and_then(|()| sync_parent(path)) {
        // A file that is not whole must not be mistaken for one; the first error is the one to tell.
        let _ = fs::remove_file(path);
        return Err(write_error(path)(e));
    }
    Ok(())
}

/// Replaces a file by one step: readers see the old or the new content, never a part.
///
/// The new content is on the disk when this returns.
///
/// # Errors
/// When any step fails; the old file is then still in place.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, PUBLIC_MODE)
}

/// Like [`write_atomic`], for a file that its owner alone may read.
///
/// # Errors
/// When any step fails; the old file is then still in place.
pub fn replace_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, SECRET_MODE)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut pending = PendingFile::create(path, mode)?;
    pending.write_all(bytes).map_err(write_error(path))?;
    pending.replace()
}

/// A file that is being written and has its name only once it is whole.
///
/// Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    temp: tempfile::NamedTempFile,
}

impl PendingFile {
    /// Starts a public file that is to become `path`.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn create_public(path: &Path) -> Result<Self, FileError> {
        PendingFile::create(path, PUBLIC_MODE)
    }

    fn create(path: &Path, mode: u32) -> Result<Self, FileError> {
        let temp = tempfile::Builder::new()
            .prefix(".tercet-")
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(parent_of(path))
            .map_err(write_error(path))?;
        Ok(PendingFile { path: path.to_owned(), temp })
    }

    /// Bytes written so far.
    ///
    /// # Errors
    /// When the file cannot be inspected.
    pub fn length(&self) -> Result<u64, FileError> {
        Ok(self.temp.as_file().metadata().map_err(write_error(&self.path))?.len())
    }

    /// Gives the file its name; the content is on the disk when this returns.
    ///
    /// # Errors
    /// When any step fails; what had the name before is then still in place.
    pub fn replace(self) -> Result<(), FileError> {
        self.temp
            .as_file()
            .sync_all()
            .and_then(|()| self.temp.persist(&self.path).map_err(|e| e.error))
            .and_then(|_| sync_parent(&self.path))
            .map_err(write_error(&self.path))
    }

    /// Like [`PendingFile::replace`], but leaves a file alone that has the name.
    ///
    /// # Errors
    /// [`FileError::Exists`], or `Write` when any step fails.
    pub fn keep_new(self) -> Result<(), FileError> {
        let PendingFile { path, temp } = self;
        temp.as_file().sync_all().map_err(write_error(&path))?;
        match temp.persist_noclobber(&path) {
            Ok(_) => sync_parent(&path).map_err(write_error(&path)),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FileError::Exists(path))
            }
            Err(e) => Err(write_error(&path)(e.error)),
        }
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.flush()
    }
}

/// Whether two paths lead to one file that is there.
pub fn is_same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Makes the directory entry of a file durable.
///
/// # Errors
/// What the system reports.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent_of(path))?.sync_all()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_private_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        write_new_secret(&path, b"one").unwrap();
        require_private(&path).unwrap();
        assert!(matches!(write_new_secret(&path, b"two"), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"one");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(require_private(&path), Err(FileError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_file_over_the_cap_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        fs::write(&path, [0; 11]).unwrap();
        assert!(matches!(read_capped(&path, 10), Err(FileError::TooLarge { limit: 10, .. })));
        assert_eq!(read_capped(&path, 11).unwrap().len(), 11);
    }

    #[test]
    fn atomic_writing_replaces_and_leaves_no_scratch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.json");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pending_file_appears_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tercet");
        let write = |text: &[u8]| {
            let mut pending = PendingFile::create_public(&path).unwrap();
            pending.write_all(text).unwrap();
            pending
        };
        drop(write(b"abandoned"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        write(b"first").keep_new().unwrap();
        assert!(matches!(write(b"second").keep_new(), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
