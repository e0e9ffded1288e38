//! Buffers that wait to be used again.
//!
//! A batch of training needs the buffers of the one before. To hand them back to the
//! operating system would mean to have every page cleared once more at its next use, which
//! takes longer than most of what is computed on it. What waits here has been wiped.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Words of the smallest buffer that is kept (512 KiB): smaller ones the allocator keeps by
/// itself.
const SMALLEST: usize = 1 << 16;

/// Most words that a thread keeps: 256 MiB.
const MOST: usize = 1 << 25;

/// The buffers of one thread, by capacity.
#[derive(Default)]
struct Pool {
    buffers: BTreeMap<usize, Vec<Vec<u64>>>,
    words: usize,
}

impl Pool {
    /// A buffer for `len` words of which at most half is unused.
    fn take(&mut self, len: usize) -> Option<Vec<u64>> {
        let (&capacity, buffers) = self.buffers.range_mut(len..=2 * len).next()?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.buffers.remove(&capacity);
        }
        self.words -= capacity;
        buffer
    }

    fn put(&mut self, buffer: Vec<u64>) {
        let capacity = buffer.capacity();
        if self.words + capacity <= MOST {
            self.words += capacity;
            self.buffers.entry(capacity).or_default().push(buffer);
        }
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A buffer of `len` zeros.
pub(super) fn zeroed(len: usize) -> Vec<u64> {
    if len < SMALLEST {
        return vec![0; len];
    }
    match POOL.with_borrow_mut(|pool| pool.take(len)) {
        // What it held was wiped, and need not be written again.
        Some(mut buffer) => {
            buffer.resize(len, 0);
            buffer
        }
        None => vec![0; len],
    }
}

/// Keeps a buffer that holds zeros alone.
pub(super) fn keep(buffer: Vec<u64>) {
    if buffer.capacity() >= SMALLEST {
        // A thread that is ending keeps nothing.
        let _ = POOL.try_with(|pool| pool.borrow_mut().put(buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_kept_is_taken_once() {
        let buffer = zeroed(SMALLEST + 1);
        let address = buffer.as_ptr();
        keep(buffer);
        let (again, other) = (zeroed(SMALLEST), zeroed(SMALLEST));
        assert_eq!((again.as_ptr(), &again[..]), (address, &[0; SMALLEST][..]));
        assert_ne!(other.as_ptr(), address);
    }

    #[test]
    fn what_is_too_large_is_left() {
        let buffer = zeroed(3 * SMALLEST);
        let address = buffer.as_ptr();
        keep(buffer);
        let (small, large) = (zeroed(SMALLEST), zeroed(2 * SMALLEST));
        assert_ne!(small.as_ptr(), address);
        assert_eq!(large.as_ptr(), address);
    }
}
