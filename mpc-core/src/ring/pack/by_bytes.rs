//! Packing by permutations of bytes (AVX-512 VBMI): eight elements of `k` bits are `k` bytes.
//!
//! Shifted by less than a byte, an element lies where it belongs within at most eight bytes, so it
//! travels as bytes. It shares bytes with its neighbours, but with nothing further away: so the
//! elements of even places and those of odd ones are moved apart, and added up.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_mask_storeu_epi8,
    _mm512_maskz_loadu_epi8, _mm512_maskz_permutexvar_epi8, _mm512_or_si512,
    _mm512_permutexvar_epi8, _mm512_set1_epi64, _mm512_sllv_epi64, _mm512_srlv_epi64,
    _mm512_storeu_si512,
};
use std::ops::RangeInclusive;

/// Elements that are packed at a time.
const LANES: usize = 8;

/// The widths that it serves: an element fits into eight bytes wherever it begins, and the next but
/// one begins in another byte.
const WIDTHS: RangeInclusive<usize> = 7..=57;

/// Which byte goes where, for elements of one width.
#[repr(align(64))]
struct Plan {
    /// Of eight words, the byte that becomes each packed byte, of those in even places and in odd
    /// ones.
    scatter: [[u8; 64]; 2],
    /// Of the packed bytes, the one that becomes each byte of eight words.
    gather: [u8; 64],
    /// Bits by which each element is shifted within its bytes.
    shifts: [u64; LANES],
    /// The packed bytes in which there are elements of even places, and of odd ones.
    holds: [u64; 2],
}

static PLANS: [Plan; *WIDTHS.end() + 1] = {
    const EMPTY: Plan =
        Plan { scatter: [[0; 64]; 2], gather: [0; 64], shifts: [0; LANES], holds: [0; 2] };
    let mut plans = [EMPTY; *WIDTHS.end() + 1];
    let mut k = *WIDTHS.start();
    while k <= *WIDTHS.end() {
        let mut lane = 0;
        while lane < LANES {
            let (first, last) = (lane * k / 8, (lane * k + k - 1) / 8);
            plans[k].shifts[lane] = (lane * k % 8) as u64;
            let mut byte = 0;
            while byte < 8 {
                plans[k].gather[8 * lane + byte] = (first + byte) as u8;
                if first + byte <= last {
                    plans[k].scatter[lane % 2][first + byte] = (8 * lane + byte) as u8;
                    plans[k].holds[lane % 2] |= 1 << (first + byte);
                }
                byte += 1;
            }
            lane += 1;
        }
        k += 1;
    }
    plans
};

/// Proof that the processor has the instructions, and that a width is served.
pub(super) struct ByBytes {
    k: usize,
}

impl ByBytes {
    /// For elements of `k` bits.
    pub(super) fn new(k: usize) -> Option<ByBytes> {
        let has = || {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi")
        };
        (WIDTHS.contains(&k) && has()).then_some(ByBytes { k })
    }

    /// Packs as many elements as are eights; tells how many.
    pub(super) fn pack(&self, words: &[u64], out: &mut [u8]) -> usize {
        let (octets, _) = words.as_chunks::<LANES>();
        // SAFETY: `new` has checked the instructions.
        unsafe { pack(octets, self.k, &mut out[..octets.len() * self.k]) };
        octets.len() * LANES
    }

    /// Unpacks as many elements as are eights; tells how many.
    pub(super) fn unpack(&self, bytes: &[u8], out: &mut [u64]) -> usize {
        let (octets, _) = out.as_chunks_mut::<LANES>();
        let unpacked = octets.len() * LANES;
        // SAFETY: `new` has checked the instructions.
        unsafe { unpack(&bytes[..octets.len() * self.k], self.k, octets) };
        unpacked
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[u64; LANES]) -> __m512i {
    // SAFETY: there are 64 bytes.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(from: &[u8; 64]) -> __m512i {
    // SAFETY: there are 64 bytes.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// The bits that count of each element.
#[inline]
#[target_feature(enable = "avx512f")]
fn low_bits(k: usize) -> __m512i {
    _mm512_set1_epi64((u64::MAX >> (64 - k)) as i64)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn pack(octets: &[[u64; LANES]], k: usize, out: &mut [u8]) {
    let plan = &PLANS[k];
    let (mask, shifts) = (low_bits(k), load(&plan.shifts));
    let [even, odd] = [load_bytes(&plan.scatter[0]), load_bytes(&plan.scatter[1])];
    let (whole, [in_even, in_odd]) = (u64::MAX >> (64 - k), plan.holds);
    for (octet, bytes) in octets.iter().zip(out.chunks_exact_mut(k)) {
        let words = _mm512_sllv_epi64(_mm512_and_si512(load(octet), mask), shifts);
        let packed = _mm512_or_si512(
            _mm512_maskz_permutexvar_epi8(in_even, even, words),
            _mm512_maskz_permutexvar_epi8(in_odd, odd, words),
        );
        // SAFETY: only the first `k` bytes are written, which are those of the chunk.
        unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), whole, packed) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn unpack(bytes: &[u8], k: usize, octets: &mut [[u64; LANES]]) {
    let plan = &PLANS[k];
    let (mask, shifts) = (low_bits(k), load(&plan.shifts));
    let (gather, whole) = (load_bytes(&plan.gather), u64::MAX >> (64 - k));
    for (bytes, octet) in bytes.chunks_exact(k).zip(octets) {
        // SAFETY: only the first `k` bytes are read, which are those of the chunk.
        let packed = unsafe { _mm512_maskz_loadu_epi8(whole, bytes.as_ptr().cast()) };
        let words = _mm512_srlv_epi64(_mm512_permutexvar_epi8(gather, packed), shifts);
        // SAFETY: there are 64 bytes.
        unsafe {
            _mm512_storeu_si512(octet.as_mut_ptr().cast(), _mm512_and_si512(words, mask));
        }
    }
}
