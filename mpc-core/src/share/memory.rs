//! Where words lie: in the heap, or from a megabyte on in pages of their own; either way from the
//! beginning of a cache line on, so that no octet lies in two. (Words that come from elsewhere lie
//! where they lay.)

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// From how many words on a buffer gets pages of its own: 1 MiB. They go back to the system
/// when it is dropped, whatever lies behind it; in the heap, buffers of many sizes leave gaps
/// that stay.
const PAGED_FROM: usize = 1 << 17;
/// From how many words on these are large pages, where the system has them: 2 MiB.
const LARGE_PAGES_FROM: usize = 1 << 18;

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([u64; LINE_WORDS]);

const LINE_WORDS: usize = 8;

/// Words of a fixed number.
pub(super) enum Memory {
    /// Words that were there before, wherever they begin.
    Given(Vec<u64>),
    Lines(Vec<Line>),
    Paged(MmapMut),
}

impl Memory {
    /// At least so many zeros, which take no memory before they are written where they have pages
    /// of their own.
    pub(super) fn zeroed(words: usize) -> Memory {
        let pages = (words >= PAGED_FROM)
            .then(|| MmapMut::map_anon(words.saturating_mul(size_of::<u64>())));
        let Some(Ok(pages)) = pages else {
            return Memory::Lines(bytemuck::zeroed_vec(words.div_ceil(LINE_WORDS)));
        };
        // Wishes: a system that does not know them does without.
        #[cfg(target_os = "linux")]
        {
            use memmap2::Advice;
            let _ = pages.advise(Advice::DontDump);
            if words >= LARGE_PAGES_FROM {
                let _ = pages.advise(Advice::HugePage);
            }
        }
        Memory::Paged(pages)
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::Given(Vec::new())
    }
}

impl Deref for Memory {
    type Target = [u64];
    #[inline]
    fn deref(&self) -> &[u64] {
        match self {
            Memory::Given(words) => words,
            Memory::Lines(lines) => bytemuck::cast_slice(lines),
            Memory::Paged(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl DerefMut for Memory {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        match self {
            Memory::Given(words) => words,
            Memory::Lines(lines) => bytemuck::cast_slice_mut(lines),
            Memory::Paged(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_zero_wherever_they_lie() {
        for words in [0, 1, 8, PAGED_FROM - 1, PAGED_FROM, LARGE_PAGES_FROM, LARGE_PAGES_FROM + 8] {
            let mut memory = Memory::zeroed(words);
            assert_eq!(matches!(memory, Memory::Paged(_)), words >= PAGED_FROM);
            assert_eq!(memory.len(), words.next_multiple_of(LINE_WORDS));
            assert!(memory.as_ptr().cast::<Line>().is_aligned());
            assert!(memory.iter().all(|word| *word == 0));
            memory.fill(u64::MAX);
            assert!(memory.iter().all(|word| *word == u64::MAX));
        }
    }
}
