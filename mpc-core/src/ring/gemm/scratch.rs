//! Working memory of the matrix products, kept by each thread between calls.

pub(super) use crate::ring::scratch::Buffer;
use crate::ring::scratch::lend;
use std::cell::RefCell;

/// Operands as a kernel wants them.
#[derive(Default)]
pub(super) struct Panels {
    /// Packed panels of the left operand.
    pub(super) lhs: Buffer,
    /// Packed panels of the right operand.
    pub(super) rhs: Buffer,
    /// What is not packed yet.
    pub(super) room: Room,
}

/// Room for parts of operands that do not exist as a whole.
#[derive(Default)]
pub(super) struct Room {
    /// Both components of a part that is gathered.
    pub(super) gathered: [Buffer; 2],
    /// A part that is mixed.
    pub(super) mixed: Buffer,
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
    static GATHERED: RefCell<Buffer> = RefCell::default();
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

/// Runs `work` with the buffer that this thread keeps for a part of a factor.
pub(super) fn with_gathered(work: impl FnOnce(&mut Buffer)) {
    lend(&GATHERED, work);
}
