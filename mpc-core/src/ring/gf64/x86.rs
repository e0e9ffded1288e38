//! Carry-less products by the instructions of x86 processors.

use super::super::lanes::Octet;
use super::{CarryLess, Portable, REDUCTION};
use std::arch::x86_64::{
    __m128i, __m512i, _mm_clmulepi64_si128, _mm_loadu_si128, _mm_set_epi64x, _mm_setzero_si128,
    _mm_storeu_si128, _mm_unpacklo_epi64, _mm_xor_si128, _mm512_clmulepi64_epi128,
    _mm512_loadu_si512, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_storeu_si512,
    _mm512_unpacklo_epi64, _mm512_xor_si512,
};

/// PCLMULQDQ, one product at a time; a value exists only on processors that have it.
#[derive(Clone, Copy)]
pub(super) struct Pclmul(());

impl Pclmul {
    pub(super) fn detect() -> Option<Pclmul> {
        let has = is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("sse4.1");
        has.then_some(Pclmul(()))
    }
}

/// VPCLMULQDQ on 512 bits, four products at a time; a value exists only on processors that have it.
#[derive(Clone, Copy)]
pub(super) struct Vpclmul(());

impl Vpclmul {
    pub(super) fn detect() -> Option<Vpclmul> {
        let has = is_x86_feature_detected!("vpclmulqdq") && is_x86_feature_detected!("avx512f");
        has.then_some(Vpclmul(()))
    }
}

/// Pairs of words of an octet.
fn pairs(octet: &Octet) -> &[[u64; 2]] {
    octet.as_chunks().0
}

/// Both products of two pairs of words.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn both_products(x: &[u64; 2], y: &[u64; 2]) -> [__m128i; 2] {
    // SAFETY: two words are 128 bits.
    let [x, y] = [x, y].map(|pair| unsafe { _mm_loadu_si128(pair.as_ptr().cast()) });
    [_mm_clmulepi64_si128::<0x00>(x, y), _mm_clmulepi64_si128::<0x11>(x, y)]
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn add_products(mut sum: __m128i, x: &Octet, y: &Octet) -> __m128i {
    for (x, y) in pairs(x).iter().zip(pairs(y)) {
        let [first, second] = both_products(x, y);
        sum = _mm_xor_si128(sum, _mm_xor_si128(first, second));
    }
    sum
}

/// The upper half times `X^64`, reduced, is added to the lower one; then what that pushes out.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn reduce(product: __m128i) -> __m128i {
    let reduction = _mm_set_epi64x(0, REDUCTION as i64);
    let upper = _mm_clmulepi64_si128::<0x01>(product, reduction);
    let over = _mm_clmulepi64_si128::<0x01>(upper, reduction);
    _mm_xor_si128(product, _mm_xor_si128(upper, over))
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn multiply(x: &Octet, y: &Octet) -> Octet {
    let mut products = [0; 8];
    let (out, _) = products.as_chunks_mut::<2>();
    for (out, (x, y)) in out.iter_mut().zip(pairs(x).iter().zip(pairs(y))) {
        let [first, second] = both_products(x, y);
        let both = _mm_unpacklo_epi64(reduce(first), reduce(second));
        // SAFETY: two words are 128 bits.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), both) };
    }
    products
}

/// Both words.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn words(x: __m128i) -> [u64; 2] {
    let mut words = [0; 2];
    // SAFETY: two words are 128 bits.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), x) };
    words
}

// SAFETY of all blocks: a value of the type exists only where the instructions do.

impl CarryLess for Pclmul {
    type Sum = __m128i;

    #[inline(always)]
    fn nothing(self) -> __m128i {
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn add_products(self, sum: __m128i, x: &Octet, y: &Octet) -> __m128i {
        unsafe { add_products(sum, x, y) }
    }

    #[inline(always)]
    fn total(self, sum: __m128i) -> u64 {
        unsafe { words(reduce(sum))[0] }
    }

    #[inline(always)]
    fn multiply(self, x: &Octet, y: &Octet) -> Octet {
        unsafe { multiply(x, y) }
    }
}

/// The products of the words of even places, and of odd ones.
#[inline]
#[target_feature(enable = "vpclmulqdq,avx512f")]
fn wide_products(x: &Octet, y: &Octet) -> [__m512i; 2] {
    // SAFETY: an octet is 512 bits.
    let [x, y] = [x, y].map(|octet| unsafe { _mm512_loadu_si512(octet.as_ptr().cast()) });
    [_mm512_clmulepi64_epi128::<0x00>(x, y), _mm512_clmulepi64_epi128::<0x11>(x, y)]
}

#[inline]
#[target_feature(enable = "vpclmulqdq,avx512f")]
fn add_wide_products(sum: __m512i, x: &Octet, y: &Octet) -> __m512i {
    let [even, odd] = wide_products(x, y);
    _mm512_xor_si512(sum, _mm512_xor_si512(even, odd))
}

/// As [`reduce`], four products.
#[inline]
#[target_feature(enable = "vpclmulqdq,avx512f")]
fn reduce_wide(products: __m512i) -> __m512i {
    let reduction = _mm512_set1_epi64(REDUCTION as i64);
    let upper = _mm512_clmulepi64_epi128::<0x01>(products, reduction);
    let over = _mm512_clmulepi64_epi128::<0x01>(upper, reduction);
    _mm512_xor_si512(products, _mm512_xor_si512(upper, over))
}

#[inline]
#[target_feature(enable = "vpclmulqdq,avx512f")]
fn multiply_wide(x: &Octet, y: &Octet) -> Octet {
    let [even, odd] = wide_products(x, y);
    let all = _mm512_unpacklo_epi64(reduce_wide(even), reduce_wide(odd));
    let mut products = [0; 8];
    // SAFETY: an octet is 512 bits.
    unsafe { _mm512_storeu_si512(products.as_mut_ptr().cast(), all) };
    products
}

#[inline]
#[target_feature(enable = "vpclmulqdq,avx512f")]
fn total_wide(sum: __m512i) -> u64 {
    let mut parts = [0; 8];
    // SAFETY: an octet is 512 bits.
    unsafe { _mm512_storeu_si512(parts.as_mut_ptr().cast(), sum) };
    let part = |half: usize| (0..4).fold(0u64, |sum, at| sum ^ parts[2 * at + half]);
    Portable.total(u128::from(part(0)) | u128::from(part(1)) << 64)
}

impl CarryLess for Vpclmul {
    type Sum = __m512i;

    #[inline(always)]
    fn nothing(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn add_products(self, sum: __m512i, x: &Octet, y: &Octet) -> __m512i {
        unsafe { add_wide_products(sum, x, y) }
    }

    #[inline(always)]
    fn total(self, sum: __m512i) -> u64 {
        unsafe { total_wide(sum) }
    }

    #[inline(always)]
    fn multiply(self, x: &Octet, y: &Octet) -> Octet {
        unsafe { multiply_wide(x, y) }
    }
}
