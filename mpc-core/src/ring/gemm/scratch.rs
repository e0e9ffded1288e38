//! Working memory of the matrix products, kept by each thread between calls.

use std::cell::RefCell;
use std::thread::LocalKey;
use zeroize::Zeroize;

/// Words of a cache line, to which packed operands are aligned.
const LINE_WORDS: usize = 8;

/// A buffer that grows to what was ever asked of it. It holds copies of shares,
/// so it is wiped when its thread ends.
#[derive(Default)]
pub(super) struct Buffer {
    words: Vec<u64>,
}

impl Buffer {
    /// `len` words from a cache line boundary on, with arbitrary content.
    pub(super) fn take(&mut self, len: usize) -> &mut [u64] {
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

/// Operands as a kernel wants them.
#[derive(Default)]
pub(super) struct Panels {
    /// Packed panels of the left operand.
    pub(super) lhs: Buffer,
    /// Packed panels of the right operand.
    pub(super) rhs: Buffer,
}

/// What one product needs.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) panels: Panels,
    /// The transpose of a narrow product.
    pub(super) product: Buffer,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static SUM: RefCell<Buffer> = RefCell::default();
}

/// Runs `work` with the buffers that this thread keeps for products.
pub(super) fn with_scratch(work: impl FnOnce(&mut Scratch)) {
    lend(&SCRATCH, work);
}

/// Runs `work` with the buffer that this thread keeps for the sum of the two
/// components of an operand.
pub(super) fn with_sum(work: impl FnOnce(&mut Buffer)) {
    lend(&SUM, work);
}

/// Lends a thread's value. It is taken out meanwhile: should the thread come by
/// again before it is back, it has a new one.
fn lend<T: Default>(kept: &'static LocalKey<RefCell<T>>, work: impl FnOnce(&mut T)) {
    let mut value = kept.take();
    work(&mut value);
    kept.set(value);
}
