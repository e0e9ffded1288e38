//! Rows of shares that are too many for memory: in a file that nobody else can read.
//!
//! The file has no name, so it is gone when the session ends, however that ends. Each component of
//! each row is a record of its own, encrypted with AES-256-GCM under a key that is drawn for the
//! file and never leaves memory:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | number of the write: the nonce, which no other record ever has |
//! | 8n | the words as they are in memory, encrypted; the place of the record is authenticated, too |
//! | 16 | tag |
//!
//! A row that was damaged on the disk is refused.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use mpc_core::error::{Error, Result};
use mpc_core::share::{Arith, Fixed, Words};
use nn::rows::StoredRows;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use zeroize::Zeroizing;

const NUMBER_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// Bytes that are written or read at a time, or one record.
const BLOCK_BYTES: usize = 1 << 18;

/// Rows of shares in a file.
pub(super) struct SealedRows {
    file: File,
    cipher: Aes256Gcm,
    shape: [usize; 2],
    /// Records that were written.
    writes: u64,
}

impl SealedRows {
    /// Room for rows of this shape in a directory; none can be read before it was written.
    ///
    /// # Errors
    /// When there can be no file, no room for it, or no key.
    pub(super) fn create(dir: &Path, shape: [usize; 2]) -> io::Result<SealedRows> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut()).map_err(io::Error::other)?;
        let rows = SealedRows {
            file: tempfile::tempfile_in(dir)?,
            cipher: Aes256Gcm::new_from_slice(key.as_ref()).map_err(io::Error::other)?,
            shape,
            writes: 0,
        };
        let bytes = rows.record(2, 0) * rows.record_bytes() as u64;
        // Now, and not when half of it is written; a file system that cannot promise it does without.
        match rustix::fs::fallocate(&rows.file, FallocateFlags::empty(), 0, bytes.max(1)) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
            _ => Ok(rows),
        }
    }

    fn record_bytes(&self) -> usize {
        NUMBER_BYTES + size_of::<u64>() * self.shape[1] + TAG_BYTES
    }

    fn records_at_a_time(&self) -> usize {
        (BLOCK_BYTES / self.record_bytes()).max(1)
    }

    /// The number of a record: all rows of the first component come first.
    fn record(&self, component: usize, row: usize) -> u64 {
        component as u64 * self.shape[0] as u64 + row as u64
    }

    /// Writes the words of whole rows of one component.
    ///
    /// # Errors
    /// When the rows are not there, or the file cannot be written.
    pub(super) fn put(&mut self, component: usize, first: usize, words: &[u64]) -> io::Result<()> {
        let [rows, columns] = self.shape;
        let count = words.len() / columns.max(1);
        if component > 1 || count * columns != words.len() || count > rows.saturating_sub(first) {
            return Err(io::Error::other("the rows do not fit"));
        }
        let (record_bytes, at_a_time) = (self.record_bytes(), self.records_at_a_time());
        let mut bytes = vec![0; record_bytes * at_a_time.min(count)];
        let mut record = self.record(component, first);
        for words in words.chunks(at_a_time * columns.max(1)) {
            let rows = words.chunks(columns.max(1));
            let bytes = &mut bytes[..record_bytes * rows.len()];
            let place = record * record_bytes as u64;
            for (bytes, words) in bytes.chunks_mut(record_bytes).zip(rows) {
                self.seal(record, words, bytes)?;
                record += 1;
            }
            self.file.write_all_at(bytes, place)?;
        }
        Ok(())
    }

    fn seal(&mut self, record: u64, words: &[u64], bytes: &mut [u8]) -> io::Result<()> {
        let number = self.writes;
        self.writes += 1;
        let (at, rest) = bytes.split_at_mut(NUMBER_BYTES);
        let (sealed, tag) = rest.split_at_mut(size_of_val(words));
        at.copy_from_slice(&number.to_ne_bytes());
        let both = InOutBuf::new(bytemuck::cast_slice(words), sealed).map_err(io::Error::other)?;
        let (nonce, place) = (nonce(number), record.to_ne_bytes());
        let sealing = self.cipher.encrypt_inout_detached(&nonce, &place, both);
        tag.copy_from_slice(&sealing.map_err(io::Error::other)?);
        Ok(())
    }

    /// Reads one component of rows one below the other.
    ///
    /// # Errors
    /// When a row is not there, was never written or is damaged, or the file cannot be read.
    fn get(&self, component: usize, rows: &[usize], to: &mut [u64]) -> io::Result<()> {
        let [count, columns] = self.shape;
        if let Some(row) = rows.iter().find(|&&row| row >= count) {
            return Err(io::Error::other(format!("there is no row {row}")));
        }
        let (record_bytes, at_a_time) = (self.record_bytes(), self.records_at_a_time());
        let mut bytes = vec![0; record_bytes * at_a_time.min(rows.len())];
        let mut to = to.chunks_exact_mut(columns.max(1));
        // Rows that lie one behind the other are read at once.
        for run in rows.chunk_by(|row, next| row + 1 == *next).flat_map(|run| run.chunks(at_a_time))
        {
            let first = self.record(component, run[0]);
            let bytes = &mut bytes[..record_bytes * run.len()];
            self.file.read_exact_at(bytes, first * record_bytes as u64)?;
            for ((bytes, words), record) in bytes.chunks(record_bytes).zip(&mut to).zip(first..) {
                self.open(record, bytes, words)?;
            }
        }
        Ok(())
    }

    fn open(&self, record: u64, bytes: &[u8], words: &mut [u64]) -> io::Result<()> {
        let damaged =
            || io::Error::new(io::ErrorKind::InvalidData, "a row was damaged on the disk");
        let (number, rest) = bytes.split_first_chunk::<NUMBER_BYTES>().ok_or_else(damaged)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(damaged)?;
        let both = InOutBuf::new(sealed, bytemuck::cast_slice_mut(words)).map_err(|_| damaged())?;
        let (nonce, place) = (nonce(u64::from_ne_bytes(*number)), record.to_ne_bytes());
        let opened =
            self.cipher.decrypt_inout_detached(&nonce, &place, both, &Tag::<Aes256Gcm>::from(*tag));
        opened.map_err(|_| damaged())
    }
}

fn nonce(number: u64) -> Nonce<Aes256Gcm> {
    let mut nonce = Nonce::<Aes256Gcm>::default();
    nonce[..NUMBER_BYTES].copy_from_slice(&number.to_ne_bytes());
    nonce
}

impl StoredRows<Fixed> for SealedRows {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn read(&self, rows: &[usize]) -> Result<Fixed> {
        let shape = [rows.len(), self.shape[1]];
        let component = |component| {
            Words::written(shape[0] * shape[1], |words| self.get(component, rows, words))
                .map_err(|e| Error::Rows(format!("they cannot be read: {e}")))
        };
        Ok(Fixed::new(Arith::from_components(shape, component(0)?, component(1)?), 0))
    }

    fn write(&mut self, first: usize, part: &Fixed) -> Result<()> {
        let [_, columns] = part.shape();
        if columns != self.shape[1] {
            return Err(Error::Shape { op: "write rows", left: part.shape(), right: self.shape });
        }
        self.put(0, first, part.share.first())
            .and_then(|()| self.put(1, first, part.share.second()))
            .map_err(|e| Error::Rows(format!("they cannot be kept: {e}")))
    }
}

impl fmt::Debug for SealedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRows({}x{} secret)", self.shape[0], self.shape[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: usize = 700;

    /// Words that tell where they belong.
    fn row(component: usize, row: usize, columns: usize) -> impl Iterator<Item = u64> {
        (0..columns).map(move |column| (component << 40 | row << 20 | column) as u64)
    }

    fn filled(dir: &Path, columns: usize) -> SealedRows {
        let mut rows = SealedRows::create(dir, [ROWS, columns]).unwrap();
        for component in 0..2 {
            let words: Vec<u64> = (0..ROWS).flat_map(|at| row(component, at, columns)).collect();
            let (start, rest) = words.split_at(3 * columns);
            rows.put(component, 3, rest).unwrap();
            rows.put(component, 0, start).unwrap();
        }
        rows
    }

    fn component(rows: &Fixed, component: usize) -> &[u64] {
        [rows.share.first(), rows.share.second()][component]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn rows_come_back_in_any_order(
            which in proptest::collection::vec(0..ROWS, 0..50),
            run in 0..ROWS,
            columns in 1..200usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let rows = filled(dir.path(), columns);
            // Some here and there, and all from one on: more than are read at a time.
            let which: Vec<usize> = which.into_iter().chain(run..ROWS).collect();
            let read = rows.read(&which).unwrap();
            prop_assert_eq!(read.shape(), [which.len(), columns]);
            for of in 0..2 {
                let expected = which.iter().flat_map(|&at| row(of, at, columns));
                prop_assert!(component(&read, of).iter().copied().eq(expected));
            }
        }
    }

    #[test]
    fn rows_can_be_overwritten_and_no_nonce_is_used_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = filled(dir.path(), 5);
        let part = rows.read(&[9, 8, 7]).unwrap();
        rows.write(100, &part).unwrap();
        let read = rows.read(&[99, 100, 101, 102, 103]).unwrap();
        for of in 0..2 {
            let expected = [99, 9, 8, 7, 103].into_iter().flat_map(|at| row(of, at, 5));
            assert!(component(&read, of).iter().copied().eq(expected));
        }
        let mut seen = vec![false; rows.writes as usize];
        let mut bytes = vec![0; rows.record_bytes()];
        for record in 0..2 * ROWS as u64 {
            rows.file.read_exact_at(&mut bytes, record * rows.record_bytes() as u64).unwrap();
            let number = u64::from_ne_bytes(*bytes.first_chunk().unwrap()) as usize;
            assert!(!std::mem::replace(&mut seen[number], true), "record {record}");
        }
        assert_eq!(seen.iter().filter(|used| !**used).count(), 6, "those that were overwritten");
    }

    #[test]
    fn the_file_holds_no_words_and_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let rows = filled(dir.path(), 5);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut bytes = vec![0; rows.file.metadata().unwrap().len() as usize];
        assert_eq!(bytes.len(), 2 * ROWS * rows.record_bytes());
        rows.file.read_exact_at(&mut bytes, 0).unwrap();
        let secret: Vec<u64> = row(1, ROWS - 1, 5).collect();
        let secret: &[u8] = bytemuck::cast_slice(&secret);
        assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret));
    }

    #[test]
    fn what_is_not_as_it_was_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let rows = filled(dir.path(), 3);
        let record_bytes = rows.record_bytes();
        let mut intact = vec![0; record_bytes];
        rows.file.read_exact_at(&mut intact, 5 * record_bytes as u64).unwrap();
        let refused = |bytes: &[u8]| {
            rows.file.write_all_at(bytes, 5 * record_bytes as u64).unwrap();
            let error = rows.read(&[4, 5]).unwrap_err();
            assert!(matches!(error, Error::Rows(_)), "{error}");
            assert!(error.to_string().contains("a row was damaged on the disk"), "{error}");
        };
        for at in 0..record_bytes {
            let mut altered = intact.clone();
            altered[at] ^= 1;
            refused(&altered);
        }
        // Another row, and none at all.
        let mut other = intact.clone();
        rows.file.read_exact_at(&mut other, 6 * record_bytes as u64).unwrap();
        refused(&other);
        refused(&vec![0; record_bytes]);
        rows.file.write_all_at(&intact, 5 * record_bytes as u64).unwrap();
        rows.read(&[4, 5]).unwrap();
        // What is not there.
        assert!(rows.read(&[ROWS]).is_err());
        assert!(SealedRows::create(dir.path(), [2, 2]).unwrap().read(&[0]).is_err());
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = filled(dir.path(), 3);
        let part = rows.read(&[0, 1]).unwrap();
        assert!(rows.write(ROWS - 1, &part).is_err());
        assert!(rows.put(0, 0, &[1, 2]).is_err());
        assert!(rows.put(2, 0, &[1, 2, 3]).is_err());
        let narrow = Fixed::new(Arith::zeros([2, 2]), 0);
        assert!(matches!(rows.write(0, &narrow), Err(Error::Shape { .. })));
        rows.write(ROWS - 2, &part).unwrap();
    }
}
