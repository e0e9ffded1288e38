//! Wiped buffers that wait for their next use, a stock for each thread.
//!
//! A large buffer that is freed goes back to the system, and the next one is paged in
//! word by word: in a protocol, which makes and drops buffers again and again, that costs
//! as much as the arithmetic. What is kept here is all zero, so a buffer of zeros is had
//! without writing any.

use std::cell::RefCell;

/// Binary logarithm of the shortest buffer that is kept, in words: below, the allocator is
/// quick enough.
const SHORTEST: u32 = 9;
/// The same of the longest: 8 MiB.
const LONGEST: u32 = 20;
/// Words that a thread keeps at most: 64 MiB.
const CAPACITY: usize = 1 << 23;

/// The buffers that a thread keeps: those of `2^k` words at `k - SHORTEST`.
#[derive(Default)]
struct Pool {
    buffers: [Vec<Vec<u64>>; (LONGEST - SHORTEST + 1) as usize],
    words: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// The binary logarithm of the size in which `len` words are kept, if they are.
fn size_of(len: usize) -> Option<u32> {
    let size = len.checked_next_power_of_two()?.trailing_zeros();
    (SHORTEST..=LONGEST).contains(&size).then_some(size)
}

/// `len` zeros, and perhaps some more.
pub(super) fn take(len: usize) -> Vec<u64> {
    let Some(size) = size_of(len) else { return vec![0; len] };
    let kept = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let buffer = pool.buffers[(size - SHORTEST) as usize].pop()?;
        pool.words -= buffer.len();
        Some(buffer)
    });
    // At the end of a thread nothing is kept any more. Zeros from the system are not
    // paged in before they are used, so it does no harm if there are too many.
    kept.ok().flatten().unwrap_or_else(|| vec![0; 1 << size])
}

/// Keeps a buffer, which must be all zero, if it is of a size that is kept.
pub(super) fn keep(buffer: Vec<u64>) {
    let len = buffer.len();
    let Some(size) = size_of(len).filter(|_| len.is_power_of_two()) else { return };
    // At the end of a thread nothing is kept any more.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.words + len <= CAPACITY {
            pool.words += len;
            pool.buffers[(size - SHORTEST) as usize].push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_limit() {
        let longest = 1 << LONGEST;
        let fill: Vec<Vec<u64>> = (0..2 * CAPACITY / longest).map(|_| vec![0; longest]).collect();
        fill.into_iter().for_each(keep);
        assert_eq!(POOL.with(|pool| pool.borrow().words), CAPACITY);
        assert_eq!(take(longest).len(), longest);
        assert_eq!(POOL.with(|pool| pool.borrow().words), CAPACITY - longest);
    }

    #[test]
    fn short_and_very_long_buffers_are_as_long_as_asked() {
        for len in [0, 1, 255, (1 << LONGEST) + 1] {
            assert_eq!(take(len).len(), len);
        }
        for len in [257, 512, 513, 100_000, 1 << LONGEST] {
            assert_eq!(take(len).len(), len.next_power_of_two());
        }
    }
}
