//! Octets in the vector registers of x86 processors.

use super::{Octet, Simd};
use crate::ring::simd::{Level, Width, transpose_8x8};
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_loadu_si256,
    _mm256_mul_epu32, _mm256_mullo_epi32, _mm256_set1_epi64x, _mm256_shuffle_epi32,
    _mm256_slli_epi64, _mm256_storeu_si256, _mm256_sub_epi64, _mm256_xor_si256, _mm512_add_epi64,
    _mm512_and_si512, _mm512_loadu_si512, _mm512_mask_add_epi64, _mm512_mullo_epi64,
    _mm512_set1_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_xor_si512,
};

/// One register of 512 bits.
#[derive(Clone, Copy)]
pub(in crate::ring) struct Avx512(());

impl Avx512 {
    /// The instructions, if `level` is theirs.
    pub(in crate::ring) fn new(level: Level) -> Option<Avx512> {
        (level.width() == Width::Avx512).then_some(Avx512(()))
    }
}

/// Two registers of 256 bits.
#[derive(Clone, Copy)]
pub(in crate::ring) struct Avx2(());

impl Avx2 {
    /// The instructions, if `level` is theirs.
    pub(in crate::ring) fn new(level: Level) -> Option<Avx2> {
        (level.width() == Width::Avx2).then_some(Avx2(()))
    }
}

// SAFETY of all blocks below: a value of the type exists only where the level is, and so
// are the instructions; an octet has the words of two, or one, registers.

impl Simd for Avx512 {
    type Vector = __m512i;
    type Factor = __m512i;
    type Sum = __m512i;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn load(self, octet: &Octet) -> __m512i {
        unsafe { _mm512_loadu_si512(octet.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, octet: &mut Octet, x: __m512i) {
        unsafe { _mm512_storeu_si512(octet.as_mut_ptr().cast(), x) }
    }

    #[inline(always)]
    fn splat(self, word: u64) -> __m512i {
        unsafe { _mm512_set1_epi64(word as i64) }
    }

    #[inline(always)]
    fn add(self, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_add_epi64(x, y) }
    }

    #[inline(always)]
    fn sub(self, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_sub_epi64(x, y) }
    }

    #[inline(always)]
    fn mul(self, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_mullo_epi64(x, y) }
    }

    #[inline(always)]
    fn factor(self, y: __m512i) -> __m512i {
        y
    }

    #[inline(always)]
    fn no_products(self) -> __m512i {
        self.splat(0)
    }

    #[inline(always)]
    fn add_product(self, sum: __m512i, x: __m512i, y: __m512i) -> __m512i {
        self.add(sum, self.mul(x, y))
    }

    #[inline(always)]
    fn add_sum(self, x: __m512i, sum: __m512i) -> __m512i {
        self.add(x, sum)
    }

    #[inline(always)]
    fn xor(self, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_xor_si512(x, y) }
    }

    #[inline(always)]
    fn and(self, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(x, y) }
    }

    #[inline(always)]
    fn add_where(self, lanes: u8, x: __m512i, y: __m512i) -> __m512i {
        unsafe { _mm512_mask_add_epi64(x, lanes, x, y) }
    }

    #[inline(always)]
    fn transpose(self, rows: [__m512i; 8]) -> [__m512i; 8] {
        unsafe { transpose_8x8(rows) }
    }
}

/// Both halves of an octet.
type Pair = [__m256i; 2];

#[inline(always)]
fn zip(x: Pair, y: Pair, f: impl Fn(__m256i, __m256i) -> __m256i) -> Pair {
    [f(x[0], y[0]), f(x[1], y[1])]
}

impl Avx2 {
    /// Swaps the 32-bit halves of each word.
    #[inline(always)]
    fn swap_halves(self, words: Pair) -> Pair {
        words.map(|words| unsafe { _mm256_shuffle_epi32::<0b10_11_00_01>(words) })
    }
}

impl Simd for Avx2 {
    type Vector = Pair;
    /// The factor, and the same with the halves of its words swapped.
    type Factor = [Pair; 2];
    /// Products of lower halves; and of crossed ones, from which the lower 32 bits count.
    type Sum = [Pair; 2];
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn load(self, octet: &Octet) -> Pair {
        let (halves, _) = octet.as_chunks::<4>();
        [0, 1].map(|half: usize| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, octet: &mut Octet, x: Pair) {
        let (halves, _) = octet.as_chunks_mut::<4>();
        for (half, x) in halves.iter_mut().zip(x) {
            unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), x) }
        }
    }

    #[inline(always)]
    fn splat(self, word: u64) -> Pair {
        unsafe { [_mm256_set1_epi64x(word as i64); 2] }
    }

    #[inline(always)]
    fn add(self, x: Pair, y: Pair) -> Pair {
        zip(x, y, |x, y| unsafe { _mm256_add_epi64(x, y) })
    }

    #[inline(always)]
    fn sub(self, x: Pair, y: Pair) -> Pair {
        zip(x, y, |x, y| unsafe { _mm256_sub_epi64(x, y) })
    }

    #[inline(always)]
    fn mul(self, x: Pair, y: Pair) -> Pair {
        let sum = self.add_product(self.no_products(), x, self.factor(y));
        self.add_sum(self.splat(0), sum)
    }

    #[inline(always)]
    fn factor(self, y: Pair) -> [Pair; 2] {
        [y, self.swap_halves(y)]
    }

    #[inline(always)]
    fn no_products(self) -> [Pair; 2] {
        [self.splat(0); 2]
    }

    /// `x y = x_0 y_0 + 2^32 (x_0 y_1 + x_1 y_0)`, from halves of words.
    #[inline(always)]
    fn add_product(self, [low, crossed]: [Pair; 2], x: Pair, [y, swapped]: [Pair; 2]) -> [Pair; 2] {
        let low_products = zip(x, y, |x, y| unsafe { _mm256_mul_epu32(x, y) });
        let both = zip(x, swapped, |x, y| unsafe { _mm256_mullo_epi32(x, y) });
        let crossed = zip(crossed, both, |x, y| unsafe { _mm256_add_epi32(x, y) });
        [self.add(low, low_products), crossed]
    }

    #[inline(always)]
    fn add_sum(self, x: Pair, [low, crossed]: [Pair; 2]) -> Pair {
        let both = self.add(crossed, self.swap_halves(crossed));
        let crossed = both.map(|both| unsafe { _mm256_slli_epi64::<32>(both) });
        self.add(self.add(x, low), crossed)
    }

    #[inline(always)]
    fn xor(self, x: Pair, y: Pair) -> Pair {
        zip(x, y, |x, y| unsafe { _mm256_xor_si256(x, y) })
    }

    #[inline(always)]
    fn and(self, x: Pair, y: Pair) -> Pair {
        zip(x, y, |x, y| unsafe { _mm256_and_si256(x, y) })
    }

    #[inline(always)]
    fn add_where(self, lanes: u8, x: Pair, y: Pair) -> Pair {
        let mut chosen = [0; 8];
        for (lane, chosen) in chosen.iter_mut().enumerate() {
            *chosen = u64::from(lanes >> lane & 1).wrapping_neg();
        }
        self.add(x, self.and(y, self.load(&chosen)))
    }
}
