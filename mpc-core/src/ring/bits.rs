//! Bit-slicing: words to bit planes and back.
//!
//! Plane j of n values is the vector of their bits j, 64 to a word: bit `i % 64`
//! of word `i / 64` belongs to value i, and unused bits are zero. k planes are
//! stored one after the other, `plane_words(n)` words each.

mod transpose;

use crate::ring::simd::{Level, multiversion};
use transpose::transpose;

/// Values that are sliced at a time: 8 words of each plane, a cache line, so that
/// planes which lie a power of two apart do not evict each other.
const BATCH: usize = 8 * 64;

/// Words that a plane of `n` bits takes.
pub const fn plane_words(n: usize) -> usize {
    n.div_ceil(64)
}

/// The bits of the last word of a plane of `lanes` bits.
pub fn tail_mask(lanes: usize) -> u64 {
    match lanes % 64 {
        0 => u64::MAX,
        bits => (1 << bits) - 1,
    }
}

/// Adds (`|`) a plane to the bits of `to` from number `at` on, where none is set yet. Bits of the
/// plane beyond its lanes are zero.
///
/// # Panics
/// If `to` ends before a word of the plane, or before a bit of it that is set.
pub fn put_plane(to: &mut [u64], at: usize, plane: &[u64]) {
    let (word, shift) = (at / 64, at % 64);
    for (i, bits) in (word..).zip(plane) {
        to[i] |= bits << shift;
        // What the shift drops; twice, since there is none by 64.
        let carried = bits >> 1 >> (63 - shift);
        match to.get_mut(i + 1) {
            Some(next) => *next |= carried,
            None => assert!(carried == 0, "the plane fits"),
        }
    }
}

/// Overwrites `plane`, of `lanes` bits, by the bits of `from` from number `at` on; behind its end
/// there are zeros.
///
/// # Panics
/// If `from` ends before the first bit of a word of the plane.
pub fn take_plane(from: &[u64], at: usize, plane: &mut [u64], lanes: usize) {
    let (word, shift) = (at / 64, at % 64);
    for (i, bits) in (word..).zip(&mut *plane) {
        let next = from.get(i + 1).copied().unwrap_or(0);
        *bits = from[i] >> shift | next << 1 << (63 - shift);
    }
    if let Some(last) = plane.last_mut() {
        *last &= tail_mask(lanes);
    }
}

/// The lowest `k` bit planes of `values`, plane after plane.
///
/// # Panics
/// If `k > 64`.
pub fn to_planes(values: &[u64], k: usize) -> Vec<u64> {
    let mut planes = vec![0; k * plane_words(values.len())];
    to_planes_into(values, k, &mut planes);
    planes
}

/// As [`to_planes`], overwriting `planes`.
///
/// # Panics
/// If `k > 64` or `planes` does not have `k * plane_words(values.len())` words.
pub fn to_planes_into(values: &[u64], k: usize, planes: &mut [u64]) {
    slice(Level::best(), values, k, planes);
}

/// The `n` values below 2^k whose bit planes are given.
///
/// # Panics
/// If `k > 64` or `planes` does not have `k * plane_words(n)` words.
pub fn from_planes(planes: &[u64], k: usize, n: usize) -> Vec<u64> {
    let mut values = vec![0; n];
    from_planes_into(planes, k, &mut values);
    values
}

/// As [`from_planes`], overwriting `values`.
///
/// # Panics
/// If `k > 64` or `planes` does not have `k * plane_words(values.len())` words.
pub fn from_planes_into(planes: &[u64], k: usize, values: &mut [u64]) {
    unslice(Level::best(), planes, k, values);
}

fn slice(level: Level, values: &[u64], k: usize, planes: &mut [u64]) {
    let words = checked_plane_words(values.len(), k, planes);
    if k == 1 {
        return gather_bits(level, values, planes);
    }
    if let 1..=64 = values.len() {
        let mut block = [0; 64];
        block[..values.len()].copy_from_slice(values);
        transpose(level, &mut block);
        return planes.copy_from_slice(&block[..k]);
    }
    let mut blocks = [[0; 64]; 8];
    for (w, values) in (0..).step_by(8).zip(values.chunks(BATCH)) {
        let full = values.len().div_ceil(64);
        for (block, values) in blocks.iter_mut().zip(values.chunks(64)) {
            block[..values.len()].copy_from_slice(values);
            block[values.len()..].fill(0);
            transpose(level, block);
        }
        for j in 0..k {
            let line = &mut planes[j * words + w..][..full];
            for (word, block) in line.iter_mut().zip(&blocks) {
                *word = block[j];
            }
        }
    }
}

fn unslice(level: Level, planes: &[u64], k: usize, values: &mut [u64]) {
    let words = checked_plane_words(values.len(), k, planes);
    if k == 1 {
        return spread_bits(level, planes, values);
    }
    let mut blocks = [[0; 64]; 8];
    for (w, values) in (0..).step_by(8).zip(values.chunks_mut(BATCH)) {
        let full = values.len().div_ceil(64);
        for j in 0..k {
            let line = &planes[j * words + w..][..full];
            for (word, block) in line.iter().zip(&mut blocks) {
                block[j] = *word;
            }
        }
        for (block, values) in blocks.iter_mut().zip(values.chunks_mut(64)) {
            block[k..].fill(0);
            transpose(level, block);
            values.copy_from_slice(&block[..values.len()]);
        }
    }
}

multiversion! {
    /// The plane of the lowest bits.
    fn gather_bits(values: &[u64], plane: &mut [u64]) {
        let (whole, rest) = values.as_chunks::<64>();
        for (word, values) in plane.iter_mut().zip(whole) {
            *word = values.iter().enumerate().fold(0, |bits, (i, value)| bits | (value & 1) << i);
        }
        if let (Some(last), false) = (plane.last_mut(), rest.is_empty()) {
            *last = rest.iter().enumerate().fold(0, |bits, (i, value)| bits | (value & 1) << i);
        }
    }
}

multiversion! {
    /// The bits of a plane as words.
    fn spread_bits(plane: &[u64], values: &mut [u64]) {
        let (whole, rest) = values.as_chunks_mut::<64>();
        for (word, values) in plane.iter().zip(whole) {
            values.iter_mut().enumerate().for_each(|(i, value)| *value = word >> i & 1);
        }
        if let Some(word) = plane.last() {
            rest.iter_mut().enumerate().for_each(|(i, value)| *value = word >> i & 1);
        }
    }
}

/// Words of one of the `k` planes of `n` values, after checking all lengths.
fn checked_plane_words(n: usize, k: usize, planes: &[u64]) -> usize {
    assert!(k <= 64, "a word has no {k} bits");
    let words = plane_words(n);
    assert_eq!(planes.len(), k * words, "the planes have another length");
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few, and more than one batch.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let len = prop_oneof![0usize..200, BATCH - 70..BATCH + 70];
        len.prop_flat_map(|len| prop::collection::vec(any::<u64>(), len))
    }

    proptest! {
        #[test]
        fn planes_behind_each_other_are_those_that_were_put_there(
            planes in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..200), 1..8),
        ) {
            let all: Vec<u64> = planes.iter().flatten().map(|bit| u64::from(*bit)).collect();
            let mut joined = vec![0; plane_words(all.len())];
            let mut at = 0;
            for bits in &planes {
                let values: Vec<u64> = bits.iter().map(|bit| u64::from(*bit)).collect();
                put_plane(&mut joined, at, &to_planes(&values, 1));
                at += bits.len();
            }
            prop_assert_eq!(&joined, &to_planes(&all, 1));
            let mut at = 0;
            for bits in &planes {
                let mut plane = vec![u64::MAX; plane_words(bits.len())];
                take_plane(&joined, at, &mut plane, bits.len());
                prop_assert_eq!(plane, to_planes(&all[at..at + bits.len()], 1));
                at += bits.len();
            }
        }

        #[test]
        fn planes_hold_the_bits(values in values(), k in prop_oneof![Just(1), 0usize..=64]) {
            let words = plane_words(values.len());
            for level in Level::available() {
                let mut planes = vec![u64::MAX; k * words];
                slice(level, &values, k, &mut planes);
                for j in 0..k {
                    for i in 0..64 * words {
                        let bit = planes[j * words + i / 64] >> (i % 64) & 1;
                        prop_assert_eq!(bit, values.get(i).map_or(0, |v| v >> j & 1));
                    }
                }
                let mask = if k == 64 { u64::MAX } else { (1 << k) - 1 };
                let low: Vec<u64> = values.iter().map(|v| v & mask).collect();
                let mut back = vec![u64::MAX; values.len()];
                unslice(level, &planes, k, &mut back);
                prop_assert_eq!(back, low);
            }
        }
    }
}
