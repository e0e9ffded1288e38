//! Combinations of rows of words whose weights are small, with IFMA52.
//!
//! Weights that are products of a few challenges are mostly below `2^31` in magnitude. A product
//! modulo `2^64` and its addition take four operations of the processor, with such a weight two: the
//! 20 lower bits of a word times `w + 2^31` are below `2^52`, so one instruction multiplies and adds
//! that exactly; of the 44 upper bits times the same only 44 bits count, and the instruction adds
//! 52. What `2^31` adds is taken off at the end.

use super::super::lanes::{Octet, octets, octets_mut};
use super::Weights;
use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_loadu_si512, _mm512_madd52lo_epu64,
    _mm512_mullo_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
};

/// The instructions; a value exists only on processors that have them.
#[derive(Clone, Copy)]
pub(super) struct Ifma(());

/// What is added to a weight, which is then less than `2 OFFSET = 2^32`.
const OFFSET: u64 = 1 << 31;

/// The lower bits of a word that are multiplied apart from the upper ones.
const LOWER: u32 = 20;

/// Coefficients that are computed together: two registers each.
const TILE: usize = 12;

/// The number of a row, and its weights.
type Row = (usize, Vec<[u64; TILE]>);

/// Weights of rows, those that are small apart from the others.
pub(super) struct Split {
    /// `w + OFFSET`.
    small: Vec<Row>,
    large: Vec<Row>,
}

impl Split {
    /// The weights, `D` a row. They are public, so to branch on them is safe.
    pub(super) fn new<const D: usize>(weights: &[u64]) -> Split {
        let raise = |weight: u64| weight.wrapping_add(OFFSET);
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (row, weights) in weights.chunks_exact(D).enumerate() {
            let (tiles, _) = weights.as_chunks::<TILE>();
            if weights.iter().all(|weight| raise(*weight) < 2 * OFFSET) {
                small.push((row, tiles.iter().map(|tile| tile.map(raise)).collect()));
            } else {
                large.push((row, tiles.to_vec()));
            }
        }
        Split { small, large }
    }
}

impl Ifma {
    pub(super) fn detect() -> Option<Ifma> {
        let has = is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq");
        has.then_some(Ifma(()))
    }

    /// As `GaloisRing::combine`, whose conditions the caller has checked.
    pub(super) fn combine<const D: usize>(self, out: &mut [u64], parts: &[(&[u64], &Weights<D>)]) {
        // SAFETY: a value exists only where the instructions do.
        unsafe { combine(octets_mut(out), parts) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(octet: &Octet) -> __m512i {
    // SAFETY: an octet is 512 bits.
    unsafe { _mm512_loadu_si512(octet.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn combine<const D: usize>(out: &mut [Octet], parts: &[(&[u64], &Weights<D>)]) {
    let lower = _mm512_set1_epi64((1 << LOWER) - 1);
    for (number, out) in out.chunks_exact_mut(D).enumerate() {
        let parts = parts.iter().map(|(rows, weights)| {
            (&octets(rows)[number * weights.rows()..][..weights.rows()], &weights.split)
        });
        let mut raised_by = _mm512_setzero_si512();
        for (rows, weights) in parts.clone() {
            for (row, _) in &weights.small {
                raised_by = _mm512_add_epi64(raised_by, load(&rows[*row]));
            }
        }
        raised_by = _mm512_slli_epi64::<{ OFFSET.trailing_zeros() }>(raised_by);
        let (tiles, _) = out.as_chunks_mut::<TILE>();
        for (tile, out) in tiles.iter_mut().enumerate() {
            let mut lows = [_mm512_setzero_si512(); TILE];
            let mut highs = [_mm512_setzero_si512(); TILE];
            for (rows, weights) in parts.clone() {
                for (row, weights) in &weights.small {
                    let (x, weights) = (load(&rows[*row]), &weights[tile]);
                    let (low, high) = (_mm512_and_si512(x, lower), _mm512_srli_epi64::<LOWER>(x));
                    for at in 0..TILE {
                        let weight = _mm512_set1_epi64(weights[at] as i64);
                        lows[at] = _mm512_madd52lo_epu64(lows[at], low, weight);
                        highs[at] = _mm512_madd52lo_epu64(highs[at], high, weight);
                    }
                }
            }
            let mut sums = lows;
            for (sum, high) in sums.iter_mut().zip(highs) {
                let both = _mm512_add_epi64(*sum, _mm512_slli_epi64::<LOWER>(high));
                *sum = _mm512_sub_epi64(both, raised_by);
            }
            for (rows, weights) in parts.clone() {
                for (row, weights) in &weights.large {
                    let x = load(&rows[*row]);
                    for (sum, weight) in sums.iter_mut().zip(&weights[tile]) {
                        let weight = _mm512_set1_epi64(*weight as i64);
                        *sum = _mm512_add_epi64(*sum, _mm512_mullo_epi64(x, weight));
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                // SAFETY: an octet is 512 bits.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
            }
        }
    }
}
