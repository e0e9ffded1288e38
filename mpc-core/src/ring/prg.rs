//! The pseudorandom generator behind all correlated randomness: AES-128 in
//! counter mode (NIST SP 800-38A), the big-endian 128-bit counter starting at zero.
//!
//! Two parties that share a key must derive the same stream whatever their
//! processors, so there is no second generator: where AES instructions are
//! missing, the `aes` crate computes the same in constant-time software.

use crate::ring::simd::{Level, multiversion};
use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use std::fmt;

/// Words in a block of the cipher.
const BLOCK_WORDS: usize = 2;
/// A block, as words that lie in memory as its bytes do.
type Block = [u64; BLOCK_WORDS];
/// Blocks enciphered in one go: many enough to hide what a call of the cipher costs,
/// few enough for the first-level cache, and a multiple of what the widest
/// implementation does at once.
const BULK_BLOCKS: usize = 512;
/// The same for short draws, where clearing the working memory would dominate.
const FEW_BLOCKS: usize = 64;

/// A keystream that two holders of the same key read in step.
///
/// Every call starts at a fresh block and uses up whole blocks: both holders
/// must ask for the same lengths in the same order. No block is ever used twice.
pub struct Prg {
    cipher: Aes128Enc,
    counter: u64,
}

impl Prg {
    /// The stream of `key`, from its beginning.
    pub fn new(key: &[u8; 16]) -> Prg {
        Prg { cipher: Aes128Enc::new(&Array(*key)), counter: 0 }
    }

    /// Overwrites `out` with pseudorandom words.
    pub fn fill_words(&mut self, out: &mut [u64]) {
        let (blocks, rest) = out.as_chunks_mut::<BLOCK_WORDS>();
        for blocks in blocks.chunks_mut(BULK_BLOCKS) {
            self.next_blocks(blocks);
            blocks.as_flattened_mut().iter_mut().for_each(|word| *word = u64::from_le(*word));
        }
        self.combine(rest, |word, random| *word = random);
    }

    /// Adds pseudorandom words to `acc`, mod 2^64.
    pub fn add_words(&mut self, acc: &mut [u64]) {
        self.combine(acc, |word, random| *word = word.wrapping_add(random));
    }

    /// Subtracts pseudorandom words from `acc`, mod 2^64.
    pub fn sub_words(&mut self, acc: &mut [u64]) {
        self.combine(acc, |word, random| *word = word.wrapping_sub(random));
    }

    /// XORs pseudorandom words onto `acc`.
    pub fn xor_words(&mut self, acc: &mut [u64]) {
        self.combine(acc, |word, random| *word ^= random);
    }

    /// Overwrites `out` with pseudorandom bytes.
    pub fn fill_bytes(&mut self, out: &mut [u8]) {
        let mut stream = Stream::<BULK_BLOCKS>::new();
        for chunk in out.chunks_mut(BULK_BLOCKS * 16) {
            let blocks = self.next_blocks(&mut stream.0[..chunk.len().div_ceil(16)]);
            chunk.copy_from_slice(&bytemuck::cast_slice(blocks)[..chunk.len()]);
        }
    }

    /// Reads the stream as little-endian words and combines them with those of `acc`.
    #[inline(always)]
    fn combine(&mut self, acc: &mut [u64], op: impl Fn(&mut u64, u64)) {
        if acc.len() <= FEW_BLOCKS * BLOCK_WORDS {
            self.combine_by::<FEW_BLOCKS>(acc, op);
        } else {
            self.combine_by::<BULK_BLOCKS>(acc, op);
        }
    }

    /// As [`combine`](Self::combine), up to `N` blocks at a time.
    #[inline(always)]
    fn combine_by<const N: usize>(&mut self, acc: &mut [u64], op: impl Fn(&mut u64, u64)) {
        let mut stream = Stream::<N>::new();
        for chunk in acc.chunks_mut(N * BLOCK_WORDS) {
            let blocks = self.next_blocks(&mut stream.0[..chunk.len().div_ceil(BLOCK_WORDS)]);
            for (word, random) in chunk.iter_mut().zip(blocks.as_flattened()) {
                op(word, u64::from_le(*random));
            }
        }
    }

    /// Overwrites `blocks` with the next blocks of the keystream.
    fn next_blocks<'b>(&mut self, blocks: &'b mut [Block]) -> &'b [Block] {
        count(Level::best(), blocks, self.counter);
        // 2^64 blocks are out of reach.
        self.counter = self.counter.wrapping_add(blocks.len() as u64);
        let bytes: &mut [[u8; 16]] = bytemuck::cast_slice_mut(blocks);
        self.cipher.encrypt_blocks(Array::cast_slice_from_core_mut(bytes));
        blocks
    }
}

multiversion! {
    /// Overwrites `blocks` with the big-endian numbers from `first` on.
    fn count(blocks: &mut [Block], first: u64) {
        for (number, block) in (first..).zip(blocks) {
            *block = [0, number.to_be()];
        }
    }
}

/// Keystream on the stack, in whole cache lines, wiped when it goes out of scope.
#[repr(align(64))]
struct Stream<const N: usize>([Block; N]);

impl<const N: usize> Stream<N> {
    fn new() -> Self {
        Stream([Block::default(); N])
    }
}

impl<const N: usize> Drop for Stream<N> {
    fn drop(&mut self) {
        // A plain fill and a barrier: several times as fast as volatile writes byte by byte.
        self.0.fill(Block::default());
        zeroize::optimization_barrier(&self.0);
    }
}

impl fmt::Debug for Prg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prg").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The keystream of the zero key: known from the first test cases of GCM,
    /// whose counter blocks are 0, 1 and 2 (McGrew and Viega, cases 1 and 2).
    const ZERO_KEY_STREAM: [u128; 3] = [
        0x66e94bd4ef8a2c3b884cfa59ca342b2e,
        0x58e2fccefa7e3061367f1d57a4e7455a,
        0x0388dace60b6a392f328c2b971b2fe78,
    ];

    #[test]
    fn stream_is_aes_in_counter_mode() {
        let mut bytes = [0; 48];
        Prg::new(&[0; 16]).fill_bytes(&mut bytes);
        let expected: Vec<u8> = ZERO_KEY_STREAM.iter().flat_map(|b| b.to_be_bytes()).collect();
        assert_eq!(bytes, *expected);
    }

    /// A way to draw words, and how it combines a word with one of the stream.
    type Draw = (fn(&mut Prg, &mut [u64]), fn(u64, u64) -> u64);

    #[test]
    fn debug_shows_no_state() {
        assert_eq!(format!("{:?}", Prg::new(&[7; 16])), "Prg { .. }");
    }

    proptest! {
        #[test]
        fn all_ways_to_draw_read_the_same_stream(
            key: [u8; 16],
            lengths in prop::collection::vec(0usize..1500, 1..4),
            start: u64,
        ) {
            let mut prgs: [Prg; 5] = std::array::from_fn(|_| Prg::new(&key));
            let mut block = 0u128;
            for n in lengths {
                let cipher = Aes128Enc::new(&Array(key));
                let mut expected = Vec::new();
                while expected.len() < 8 * n {
                    let mut bytes = Array(block.to_be_bytes());
                    cipher.encrypt_block(&mut bytes);
                    expected.extend_from_slice(&bytes);
                    block += 1;
                }
                expected.truncate(8 * n);
                let words: Vec<u64> =
                    expected.as_chunks().0.iter().map(|w| u64::from_le_bytes(*w)).collect();
                let mut bytes = vec![0; 8 * n];
                prgs[0].fill_bytes(&mut bytes);
                prop_assert_eq!(bytes, expected);
                let draws: [Draw; 4] = [
                    (Prg::fill_words, |_, r| r),
                    (Prg::add_words, u64::wrapping_add),
                    (Prg::sub_words, u64::wrapping_sub),
                    (Prg::xor_words, |w, r| w ^ r),
                ];
                for (prg, (draw, combined)) in prgs[1..].iter_mut().zip(draws) {
                    let mut acc = vec![start; n];
                    draw(prg, &mut acc);
                    let wanted: Vec<u64> = words.iter().map(|r| combined(start, *r)).collect();
                    prop_assert_eq!(acc, wanted);
                }
            }
        }
    }
}
