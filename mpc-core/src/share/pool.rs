//! Buffers that wait for their next use, a stock for each thread.
//!
//! A large buffer that is freed goes back to the system, and the next one is paged in
//! word by word: in a protocol, which makes and drops buffers again and again, that costs
//! as much as the arithmetic. What is kept here is wiped at once, but for a thread that runs
//! a session ([`Reuse`]): there it is wiped when zeros are asked for, and at the end.

use super::memory::Memory;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Binary logarithm of the shortest buffer that is kept, in words: below, the allocator is
/// quick enough.
const SHORTEST: u32 = 9;
/// The same of the longest: 32 MiB.
const LONGEST: u32 = 22;
/// Words of the buffers of a thread, in use or kept, beyond which it keeps none: 512 MiB. What
/// was not used for longest goes first.
const BUDGET: usize = 64 << 20;
/// Of so many sizes, its own and larger ones, a buffer may be: one that fits is better than one
/// that has to be paged in.
const SIZES: usize = 2;
/// A buffer goes when so many others have been put back since: its time is over, like that of
/// what prepared a training once the batches begin.
const PATIENCE: u64 = 1 << 15;

/// A buffer and how many of its words may differ from zero.
#[derive(Default)]
pub(super) struct Buffer {
    /// Zero from `written` on.
    pub(super) words: Memory,
    pub(super) written: usize,
    /// Whether it was handed out here: what comes from elsewhere is not kept.
    pooled: bool,
    /// When it was last put back.
    kept_at: u64,
}

impl Buffer {
    /// Words of any content.
    pub(super) fn of(words: Vec<u64>) -> Buffer {
        Buffer { written: words.len(), words: Memory::Given(words), ..Buffer::default() }
    }

    fn wipe(&mut self) {
        // A plain fill is a fast memset; the barrier keeps it from being optimised away.
        self.words[..self.written].fill(0);
        zeroize::optimization_barrier(&self.words[..]);
        self.written = 0;
    }
}

/// The buffers that a thread keeps: those of `2^k` words at `k - SHORTEST`, in the order in
/// which they were put back.
#[derive(Default)]
struct Pool {
    buffers: [VecDeque<Buffer>; (LONGEST - SHORTEST + 1) as usize],
    /// Words of the buffers that are kept.
    words: usize,
    /// About how many words of such buffers are in use: some come from other threads.
    in_use: usize,
    /// How many buffers were ever put back.
    clock: u64,
    /// Whether buffers are kept as they are.
    unwiped: bool,
}

impl Pool {
    fn wipe(&mut self) {
        self.buffers.iter_mut().flatten().for_each(Buffer::wipe);
    }

    /// Hands out a buffer of `2^size` words, or of the next size, if one is kept.
    fn take(&mut self, size: u32) -> Option<Buffer> {
        let fits = (size - SHORTEST) as usize..;
        let buffer = self.buffers[fits].iter_mut().take(SIZES).find_map(VecDeque::pop_back);
        self.in_use += buffer.as_ref().map_or(1 << size, |buffer| buffer.words.len());
        match &buffer {
            Some(buffer) => self.words -= buffer.words.len(),
            None => self.drop_old(),
        }
        buffer
    }

    /// Keeps a buffer of `2^size` words.
    fn keep(&mut self, size: u32, mut buffer: Buffer) {
        self.clock += 1;
        buffer.kept_at = self.clock;
        self.words += 1 << size;
        self.in_use = self.in_use.saturating_sub(1 << size);
        self.buffers[(size - SHORTEST) as usize].push_back(buffer);
        self.drop_old();
    }

    /// Lets go of what was not used for longest, while that is too long ago or there is too much.
    fn drop_old(&mut self) {
        loop {
            let age = |buffers: &VecDeque<Buffer>| buffers.front().map(|b| self.clock - b.kept_at);
            let kept = self.buffers.iter_mut().filter_map(|buffers| Some((age(buffers)?, buffers)));
            let Some((age, buffers)) = kept.max_by_key(|(age, _)| *age) else { return };
            if self.words + self.in_use <= BUDGET && age < PATIENCE {
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
    let fresh = |words, pooled| {
        let words = Memory::zeroed(words);
        Buffer { words, written: len, pooled, kept_at: 0 }
    };
    let Some(size) = size_of(len) else { return fresh(len, false) };
    let kept = POOL.try_with(|pool| pool.borrow_mut().take(size));
    // At the end of a thread nothing is kept any more. Zeros from the system are not
    // paged in before they are used, so it does no harm if there are too many.
    let Some(mut buffer) = kept.ok().flatten() else { return fresh(1 << size, true) };
    if zeros {
        let written = buffer.written.min(len);
        buffer.words[..written].fill(0);
    }
    buffer.written = buffer.written.max(len);
    buffer
}

/// Keeps a buffer if it is of a size that is kept; wipes it if it is not, or if it is to be.
pub(super) fn keep(mut buffer: Buffer) {
    let size = size_of(buffer.words.len()).filter(|_| buffer.pooled);
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
        let (longest, most) = (1 << LONGEST, BUDGET >> LONGEST);
        let kept =
            |size: u32| POOL.with_borrow(|pool| pool.buffers[(size - SHORTEST) as usize].len());
        keep(used(1000));
        let all: Vec<Buffer> = (0..most - 1).map(|_| take(longest, false)).collect();
        all.into_iter().for_each(keep);
        assert_eq!((kept(10), kept(LONGEST)), (1, most - 1));
        let all: Vec<Buffer> = (0..most).map(|_| take(longest, false)).collect();
        assert_eq!((kept(10), kept(LONGEST)), (0, 0), "the short one went");
        all.into_iter().for_each(keep);
        assert_eq!(kept(LONGEST), most);
        // What is in use counts as well.
        let one = take(longest / 4, false);
        assert_eq!(kept(LONGEST), most - 1);
        keep(one);
        // What nobody has asked for in a long time goes.
        (0..PATIENCE).for_each(|_| keep(take(1000, false)));
        assert_eq!((kept(10), kept(LONGEST)), (1, 0));
    }

    #[test]
    fn short_and_very_long_buffers_are_hardly_longer_than_asked() {
        for len in [0, 1, 8, 255] {
            assert_eq!(take(len, true).words.len(), len.next_multiple_of(8), "whole cache lines");
        }
        assert_eq!(take((1 << LONGEST) + 1, true).words.len(), (1 << LONGEST) + 1);
        for len in [257, 512, 513, 100_000, 1 << LONGEST] {
            assert_eq!(take(len, true).words.len(), len.next_power_of_two());
        }
    }

    #[test]
    fn a_buffer_of_the_next_size_serves() {
        let counts = || POOL.with_borrow(|pool| (pool.words, pool.in_use));
        let reuse = Reuse::begin();
        keep(used(2000));
        let before = counts();
        let zeros = take(1000, true);
        assert_eq!((zeros.words.len(), zeros.written), (2048, 2000));
        assert!(zeros.words[..1000].iter().all(|word| *word == 0));
        assert_eq!(zeros.words[1500], 7, "beyond, it may hold anything");
        keep(zeros);
        assert_eq!(counts(), before);
        let short = take(500, false);
        assert_eq!(short.words.len(), 512, "no more than one size larger");
        drop(reuse);
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
        assert!(POOL.with_borrow(|pool| pool.buffers[1].iter().all(|b| b.words[..] == [0; 1024])));
    }
}
