//! Which vector instructions the processor has, and functions compiled once
//! for each set of them.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_permutex2var_epi64,
    _mm512_setr_epi64, _mm512_shuffle_i64x2, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// A set of vector instructions that this processor is known to have.
///
/// Holding one is the proof that functions compiled for it may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(Width);

/// The levels that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// What the target has at least.
    Portable,
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors with 64-bit products.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What any processor of the target has.
    pub(crate) const PORTABLE: Level = Level(Width::Portable);

    /// 256-bit vectors, if the processor has them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn avx2() -> Option<Level> {
        is_x86_feature_detected!("avx2").then_some(Level(Width::Avx2))
    }

    /// 512-bit vectors with 64-bit products, if the processor has them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn avx512() -> Option<Level> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        has.then_some(Level(Width::Avx512))
    }

    /// All levels that the processor has, the best one last.
    pub(crate) fn available() -> impl Iterator<Item = Level> {
        #[cfg(target_arch = "x86_64")]
        let vectors = [Level::avx2(), Level::avx512()];
        #[cfg(not(target_arch = "x86_64"))]
        let vectors: [Option<Level>; 0] = [];
        std::iter::once(Level::PORTABLE).chain(vectors.into_iter().flatten())
    }

    /// The best level that the processor has.
    pub(crate) fn best() -> Level {
        Level::available().last().unwrap_or(Level::PORTABLE)
    }

    /// Its width, to choose the function to call.
    pub(crate) fn width(self) -> Width {
        self.0
    }
}

/// Transposes an 8 x 8 matrix of words.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn transpose_8x8(m: [__m512i; 8]) -> [__m512i; 8] {
    // Rows 2i and 2i + 1: lane j of `even[i]` has their words 2j, of `odd[i]` their words 2j + 1.
    let pairs = [0, 2, 4, 6];
    let even = transpose_lanes(pairs.map(|i| _mm512_unpacklo_epi64(m[i], m[i + 1])));
    let odd = transpose_lanes(pairs.map(|i| _mm512_unpackhi_epi64(m[i], m[i + 1])));
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
}

/// Transposes a 4 x 8 matrix of words.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn transpose_4x8(m: [__m512i; 4]) -> [__m256i; 8] {
    // A lane of 128 bits has a word of each of two rows: those of an even place, or an odd one.
    let even = [0, 2].map(|i| _mm512_unpacklo_epi64(m[i], m[i + 1]));
    let odd = [0, 2].map(|i| _mm512_unpackhi_epi64(m[i], m[i + 1]));
    // The first two lanes of both pairs of rows in turns, and the last two.
    let first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    let last = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    let columns = |[upper, lower]: [__m512i; 2], lanes| {
        let two = _mm512_permutex2var_epi64(upper, lanes, lower);
        [_mm512_castsi512_si256(two), _mm512_extracti64x4_epi64::<1>(two)]
    };
    let ([c0, c2], [c4, c6]) = (columns(even, first), columns(even, last));
    let ([c1, c3], [c5, c7]) = (columns(odd, first), columns(odd, last));
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Transposes a 4 x 4 matrix of 128-bit lanes.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_lanes(m: [__m512i; 4]) -> [__m512i; 4] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let even = [0, 2].map(|i| _mm512_shuffle_i64x2::<EVEN>(m[i], m[i + 1]));
    let odd = [0, 2].map(|i| _mm512_shuffle_i64x2::<ODD>(m[i], m[i + 1]));
    [
        _mm512_shuffle_i64x2::<EVEN>(even[0], even[1]),
        _mm512_shuffle_i64x2::<EVEN>(odd[0], odd[1]),
        _mm512_shuffle_i64x2::<ODD>(even[0], even[1]),
        _mm512_shuffle_i64x2::<ODD>(odd[0], odd[1]),
    ]
}

/// Runs `f`, compiled for the best vectors that the processor has: plain loops over words that the
/// compiler inlines, so closures are to ask for it.
#[inline]
pub fn vectorized<T>(f: impl FnOnce() -> T) -> T {
    vectorized_for(Level::best(), f)
}

#[inline]
fn vectorized_for<T>(level: Level, f: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn avx2<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
    fn avx512<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    match level.width() {
        Width::Portable => f(),
        // SAFETY: a level exists only on processors that have its instructions.
        #[cfg(target_arch = "x86_64")]
        Width::Avx2 => unsafe { avx2(f) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Width::Avx512 => unsafe { avx512(f) },
    }
}

/// Defines a function that is compiled once for each [`Level`], from one plain
/// source that the compiler vectorises; the level becomes its first parameter.
macro_rules! multiversion {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<const $param:ident: usize>)? ($($arg:ident: $ty:ty),* $(,)?)
        $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name $(<const $param: usize>)? (
            level: $crate::ring::simd::Level, $($arg: $ty),*
        ) {
            #[inline(always)]
            fn portable $(<const $param: usize>)? ($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2 $(<const $param: usize>)? ($($arg: $ty),*) {
                portable $(::<$param>)? ($($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<const $param: usize>)? ($($arg: $ty),*) {
                portable $(::<$param>)? ($($arg),*);
            }

            match level.width() {
                $crate::ring::simd::Width::Portable => portable $(::<$param>)? ($($arg),*),
                // SAFETY: a level exists only on processors that have its instructions.
                #[cfg(target_arch = "x86_64")]
                $crate::ring::simd::Width::Avx2 => unsafe { avx2 $(::<$param>)? ($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::ring::simd::Width::Avx512 => unsafe { avx512 $(::<$param>)? ($($arg),*) },
            }
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What runs for wider vectors is what runs for none.
        #[test]
        fn all_levels_agree(words in prop::collection::vec(any::<[u64; 2]>(), 0..70), by in 0u32..64) {
            let f = |[x, y]: [u64; 2]| (x >> by).wrapping_mul(y) ^ u64::from(x < y).wrapping_neg();
            let expected: Vec<u64> = words.iter().map(|pair| f(*pair)).collect();
            for level in Level::available() {
                let mut mapped = vec![0; words.len()];
                vectorized_for(
                    level,
                    #[inline(always)]
                    || mapped.iter_mut().zip(&words).for_each(|(to, pair)| *to = f(*pair)),
                );
                prop_assert_eq!(&mapped, &expected, "{:?}", level);
            }
        }
    }
}
