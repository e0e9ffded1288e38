//! Working memory of kernels, kept by each thread between calls: to clear it for each call
//! and wipe it afterwards would cost as much as what many of them do.

use super::lanes::{LANES, Octet, octets_mut};
use std::cell::RefCell;
use std::thread::LocalKey;
use zeroize::Zeroize;

/// Words of a cache line, to which packed operands are aligned.
const LINE_WORDS: usize = 8;

/// Buffers that a thread keeps for [`Scratch`].
const KEPT: usize = 4;

/// A buffer that grows to what was ever asked of it. It holds copies of shares,
/// so it is wiped when its thread ends.
#[derive(Default)]
pub(in crate::ring) struct Buffer {
    words: Vec<u64>,
}

impl Buffer {
    /// `len` words from a cache line boundary on, with arbitrary content.
    pub(in crate::ring) fn take(&mut self, len: usize) -> &mut [u64] {
        if self.words.len() < len + LINE_WORDS {
            self.words.zeroize();
            self.words = vec![0; len + LINE_WORDS];
        }
        let start = self.words.as_ptr().align_offset(LINE_WORDS * size_of::<u64>());
        &mut self.words[start..start + len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Buffer>> = RefCell::default();
}

/// Room for octets that fall into cache lines of their own, with arbitrary content.
pub(in crate::ring) struct Scratch(Buffer);

impl Scratch {
    /// A buffer of this thread.
    pub(in crate::ring) fn take() -> Scratch {
        Scratch(SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default())
    }

    /// `N` octets.
    pub(in crate::ring) fn octets<const N: usize>(&mut self) -> &mut [Octet; N] {
        octets_mut(self.0.take(N * LANES)).first_chunk_mut().expect("as many as were taken")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // At the end of a thread nothing is kept any more; then it is wiped here.
        let _ = SCRATCH.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT {
                kept.push(buffer);
            }
        });
    }
}

/// Lends a thread's value. It is taken out meanwhile: should the thread come by
/// again before it is back, it has a new one.
pub(in crate::ring) fn lend<T: Default>(
    kept: &'static LocalKey<RefCell<T>>,
    work: impl FnOnce(&mut T),
) {
    let mut value = kept.take();
    work(&mut value);
    kept.set(value);
}
