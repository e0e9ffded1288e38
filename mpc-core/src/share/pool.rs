//! Buffers that wait for their next use, a stock for each thread.
//!
//! A large buffer that is freed goes back to the system, and the next one is paged in
//! word by word: in a protocol, which makes and drops buffers again and again, that costs
//! as much as the arithmetic. What is kept here is wiped at once, but for a thread that runs
//! a session ([`Reuse`]): there it is wiped when zeros are asked for, and at the end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Binary logarithm of the shortest buffer that is kept, in words: below, the allocator is
/// quick enough.
const SHORTEST: u32 = 9;
/// The same of the longest: 32 MiB.
const LONGEST: u32 = 22;
/// Words that a thread keeps at most: 384 MiB. What was not used for longest goes first.
const CAPACITY: usize = 48 << 20;
/// A buffer goes when so many others have been put back since: its time is over, like that of
/// what prepared a training once the batches begin.
const PATIENCE: u64 = 1 << 15;

/// A buffer and how many of its words may differ from zero.
#[derive(Default)]
pub(super) struct Buffer {
    /// Zero from `written` on.
    pub(super) words: Vec<u64>,
    pub(super) written: usize,
    /// When it was last put back.
    kept_at: u64,
}

impl Buffer {
    /// Words of any content.
    pub(super) fn of(words: Vec<u64>) -> Buffer {
        Buffer { written: words.len(), words, kept_at: 0 }
    }

    fn wipe(&mut self) {
        // A plain fill is a fast memset; the barrier keeps it from being optimised away.
        self.words[..self.written].fill(0);
        zeroize::optimization_barrier(self.words.as_slice());
        self.written = 0;
    }
}

/// The buffers that a thread keeps: those of `2^k` words at `k - SHORTEST`, in the order in
/// which they were put back.
#[derive(Default)]
struct Pool {
    buffers: [VecDeque<Buffer>; (LONGEST - SHORTEST + 1) as usize],
    words: usize,
    /// How many buffers were ever put back.
    clock: u64,
    /// Whether buffers are kept as they are.
    unwiped: bool,
}

impl Pool {
    fn wipe(&mut self) {
        self.buffers.iter_mut().flatten().for_each(Buffer::wipe);
    }

    /// Keeps a buffer of a size that is kept, in the place of those that were not used for
    /// longest.
    fn keep(&mut self, size: u32, mut buffer: Buffer) {
        self.clock += 1;
        buffer.kept_at = self.clock;
        self.words += buffer.words.len();
        self.buffers[(size - SHORTEST) as usize].push_back(buffer);
        loop {
            let age = |buffers: &VecDeque<Buffer>| buffers.front().map(|b| self.clock - b.kept_at);
            let kept = self.buffers.iter_mut().filter_map(|buffers| Some((age(buffers)?, buffers)));
            let Some((age, buffers)) = kept.max_by_key(|(age, _)| *age) else { return };
            if self.words <= CAPACITY && age < PATIENCE {
                return;
            }
            let Some(mut gone) = buffers.pop_front() else { return };
            self.words -= gone.words.len();
            gone.wipe();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.wipe();
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// While it lives, buffers of secret words that this thread drops are kept as they are for
/// its next ones; when it is dropped, they are wiped.
pub struct Reuse {
    /// Whether another one was there already, which goes on.
    nested: bool,
    this_thread: PhantomData<*const ()>,
}

impl Reuse {
    /// Begins to keep buffers unwiped.
    pub fn begin() -> Reuse {
        let nested = POOL.with_borrow_mut(|pool| std::mem::replace(&mut pool.unwiped, true));
        Reuse { nested, this_thread: PhantomData }
    }
}

impl Drop for Reuse {
    fn drop(&mut self) {
        if self.nested {
            return;
        }
        // At the end of a thread the pool may be gone, wiped.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.unwiped = false;
            pool.wipe();
        });
    }
}

/// The binary logarithm of the size in which `len` words are kept, if they are.
fn size_of(len: usize) -> Option<u32> {
    let size = len.checked_next_power_of_two()?.trailing_zeros();
    (SHORTEST..=LONGEST).contains(&size).then_some(size)
}

/// A buffer of at least `len` words: zeros, or else whatever was in it.
pub(super) fn take(len: usize, zeros: bool) -> Buffer {
    let fresh = |size| Buffer { words: vec![0; size], written: len, kept_at: 0 };
    let Some(size) = size_of(len) else { return fresh(len) };
    let kept = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let buffer = pool.buffers[(size - SHORTEST) as usize].pop_back()?;
        pool.words -= buffer.words.len();
        Some(buffer)
    });
    // At the end of a thread nothing is kept any more. Zeros from the system are not
    // paged in before they are used, so it does no harm if there are too many.
    let Some(mut buffer) = kept.ok().flatten() else { return fresh(1 << size) };
    if zeros {
        let written = buffer.written.min(len);
        buffer.words[..written].fill(0);
    }
    buffer.written = buffer.written.max(len);
    buffer
}

/// Keeps a buffer if it is of a size that is kept; wipes it if it is not, or if it is to be.
pub(super) fn keep(mut buffer: Buffer) {
    let len = buffer.words.len();
    let size = size_of(len).filter(|_| len.is_power_of_two());
    let kept = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if size.is_none() || !pool.unwiped {
            buffer.wipe();
        }
        if let Some(size) = size {
            pool.keep(size, std::mem::take(&mut buffer));
        }
    });
    if kept.is_err() {
        buffer.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(len: usize) -> Buffer {
        let mut buffer = take(len, true);
        buffer.words[..len].fill(7);
        buffer
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let longest = 1 << LONGEST;
        keep(used(1000));
        let all: Vec<Buffer> = (0..CAPACITY / longest).map(|_| take(longest, true)).collect();
        all.into_iter().for_each(keep);
        let kept =
            |size: u32| POOL.with_borrow(|pool| pool.buffers[(size - SHORTEST) as usize].len());
        assert_eq!(POOL.with_borrow(|pool| pool.words), CAPACITY / longest * longest + 1024);
        assert_eq!((kept(10), kept(LONGEST)), (1, CAPACITY / longest));
        let all: Vec<Buffer> = (0..=CAPACITY / longest).map(|_| take(longest, true)).collect();
        all.into_iter().for_each(keep);
        assert_eq!((kept(10), kept(LONGEST)), (0, CAPACITY / longest), "the short one went");
        assert!(POOL.with_borrow(|pool| pool.words) <= CAPACITY);
    }

    #[test]
    fn short_and_very_long_buffers_are_as_long_as_asked() {
        for len in [0, 1, 255, (1 << LONGEST) + 1] {
            assert_eq!(take(len, true).words.len(), len);
        }
        for len in [257, 512, 513, 100_000, 1 << LONGEST] {
            assert_eq!(take(len, true).words.len(), len.next_power_of_two());
        }
    }

    #[test]
    fn buffers_are_wiped_at_once_or_at_the_end_of_a_session() {
        let kept = || POOL.with_borrow(|pool| pool.buffers[1].back().unwrap().words[0]);
        keep(used(1000));
        assert_eq!(kept(), 0);
        let reuse = Reuse::begin();
        keep(used(1000));
        assert_eq!(kept(), 7);
        assert_eq!(take(1000, false).words[..1001], [&[7; 1000][..], &[0]].concat());
        keep(used(1000));
        let zeros = take(600, true);
        assert_eq!((zeros.words[..600].iter().max(), zeros.words[600]), (Some(&0), 7));
        assert_eq!(zeros.written, 1000, "so it is wiped as far as it was written");
        keep(zeros);
        drop(Reuse::begin());
        keep(used(1000));
        assert_eq!(kept(), 7, "the outer one goes on");
        drop(reuse);
        assert!(POOL.with_borrow(|pool| pool.buffers[1].iter().all(|b| b.words == [0; 1024])));
    }
}
