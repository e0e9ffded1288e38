//! Optional use of several cores by one product.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewest products of words worth handing to another thread.
const WORTH_A_THREAD: usize = 1 << 20;
/// Rows are dealt out in multiples of this: of what kernels take at once, or half of it.
const ROW_UNIT: usize = 8;

/// Most threads that a product can be given.
pub const MAX_THREADS: usize = 1024;

static THREADS: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    /// The helpers of this thread. When it ends they are told to, and wipe what they packed as they
    /// do: a pool of the process would keep copies of shares from one session to the next.
    static HELPERS: RefCell<Option<ThreadPool>> = const { RefCell::new(None) };
}

/// Lets each matrix product of this process use up to `threads` cores. The default is 1:
/// where parties share a machine, each has its own thread already.
///
/// # Panics
/// If `threads` is 0 or more than [`MAX_THREADS`].
pub fn set_threads(threads: usize) {
    assert!((1..=MAX_THREADS).contains(&threads), "{threads} threads for a product");
    THREADS.store(threads, Ordering::Relaxed);
}

/// Calls `work` for parts of the rows of `out` that cover it, with the number of
/// the first row of each; in parallel where that was allowed and pays.
pub(super) fn for_row_parts(
    out: &mut [u64],
    cols: usize,
    depth: usize,
    work: impl Fn(usize, &mut [u64]) + Sync,
) {
    let worthwhile = out.len().saturating_mul(depth) / WORTH_A_THREAD;
    let threads = THREADS.load(Ordering::Relaxed).min(worthwhile);
    if threads <= 1 {
        return work(0, out);
    }
    let rows = (out.len() / cols).div_ceil(threads).next_multiple_of(ROW_UNIT);
    HELPERS.with_borrow_mut(|helpers| {
        let wanted = THREADS.load(Ordering::Relaxed);
        if helpers.as_ref().is_none_or(|pool| pool.current_num_threads() != wanted) {
            *helpers = ThreadPoolBuilder::new().num_threads(wanted).build().ok();
        }
        // Where the system gives no threads, this one does it all.
        let Some(pool) = helpers else { return work(0, out) };
        let parts = out.par_chunks_mut(rows * cols).enumerate();
        pool.install(|| parts.for_each(|(part, out)| work(part * rows, out)));
    });
}
