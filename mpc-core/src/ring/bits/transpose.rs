//! Transposition of a 64 x 64 bit matrix.

use crate::ring::simd::{Level, multiversion};
#[cfg(target_arch = "x86_64")]
use crate::ring::simd::{Width, transpose_8x8};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m512i, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_permutexvar_epi8,
    _mm512_set1_epi64, _mm512_storeu_si512,
};

/// Transposes in place: bit j of word i becomes bit i of word j.
pub(super) fn transpose(level: Level, block: &mut [u64; 64]) {
    #[cfg(target_arch = "x86_64")]
    if level.width() == Width::Avx512
        && is_x86_feature_detected!("gfni")
        && is_x86_feature_detected!("avx512vbmi")
    {
        // SAFETY: the processor has the instructions.
        return unsafe { by_bytes(block) };
    }
    by_quadrants(level, block);
}

multiversion! {
    /// Swaps the off-diagonal quadrants of all blocks of 2s x 2s bits, for s = 32, 16, .. 1
    /// (Warren, 'Hacker's Delight', 7-3).
    fn by_quadrants(block: &mut [u64; 64]) {
        let mut s = 32;
        let mut mask = 0x0000_0000_ffff_ffff;
        while s > 0 {
            for pair in block.chunks_exact_mut(2 * s) {
                let (above, below) = pair.split_at_mut(s);
                for (a, b) in above.iter_mut().zip(below) {
                    let swap = ((*a >> s) ^ *b) & mask;
                    *a ^= swap << s;
                    *b ^= swap;
                }
            }
            s /= 2;
            mask ^= mask << s;
        }
    }
}

/// Transposes each 8 x 8 block of bits by one instruction, and the 8 x 8 blocks as bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn by_bytes(block: &mut [u64; 64]) {
    /// Where each byte comes from when byte c of word w becomes byte 7 - w of word c:
    /// a block of 8 x 8 bits to each word, upside down as the affine transform counts
    /// the rows of its matrix.
    const BLOCK_TO_WORD: [u8; 64] = byte_map(true);
    /// Where each byte comes from when byte c of word w becomes byte w of word c.
    const TRANSPOSE_BYTES: [u8; 64] = byte_map(false);
    /// Byte i is the unit vector of bit i: a matrix times it is its column i.
    const UNIT_VECTORS: i64 = 0x8040_2010_0804_0201_u64 as i64;

    // SAFETY: the maps have 64 bytes.
    let (block_to_word, transpose_bytes) = unsafe {
        (
            _mm512_loadu_si512(BLOCK_TO_WORD.as_ptr().cast()),
            _mm512_loadu_si512(TRANSPOSE_BYTES.as_ptr().cast()),
        )
    };
    let units = _mm512_set1_epi64(UNIT_VECTORS);
    let rows: [__m512i; 8] = std::array::from_fn(|r| {
        // SAFETY: the block has words 8r..8r + 8.
        let words = unsafe { _mm512_loadu_si512(block.as_ptr().add(8 * r).cast()) };
        let blocks = _mm512_permutexvar_epi8(block_to_word, words);
        _mm512_gf2p8affine_epi64_epi8::<0>(units, blocks)
    });
    for (c, columns) in transpose_8x8(rows).into_iter().enumerate() {
        let words = _mm512_permutexvar_epi8(transpose_bytes, columns);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(block.as_mut_ptr().add(8 * c).cast(), words) };
    }
}

/// The map of bytes that transposes an 8 x 8 matrix of bytes, turned upside down or not.
#[cfg(target_arch = "x86_64")]
const fn byte_map(upside_down: bool) -> [u8; 64] {
    let mut map = [0; 64];
    let mut i = 0;
    while i < 64 {
        let (word, byte) = (i / 8, i % 8);
        let from = if upside_down { 7 - byte } else { byte };
        map[i] = (8 * from + word) as u8;
        i += 1;
    }
    map
}
