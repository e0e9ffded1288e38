//! Bit-slicing: words to bit planes and back.
//!
//! Plane j of n values is the vector of their bits j, 64 to a word: bit `i % 64`
//! of word `i / 64` belongs to value i, and unused bits are zero. k planes are
//! stored one after the other, `plane_words(n)` words each.

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
    assert!(k <= 64, "a word has no {k} bits");
    let words = plane_words(values.len());
    assert_eq!(planes.len(), k * words, "the planes have another length");
    for (w, chunk) in values.chunks(64).enumerate() {
        let mut block = [0; 64];
        block[..chunk.len()].copy_from_slice(chunk);
        transpose(&mut block);
        for j in 0..k {
            planes[j * words + w] = block[j];
        }
    }
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
    assert!(k <= 64, "a word has no {k} bits");
    let words = plane_words(values.len());
    assert_eq!(planes.len(), k * words, "the planes have another length");
    for (w, chunk) in values.chunks_mut(64).enumerate() {
        let mut block = [0; 64];
        for j in 0..k {
            block[j] = planes[j * words + w];
        }
        transpose(&mut block);
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

/// Transposes a 64 x 64 bit matrix: bit j of word i becomes bit i of word j.
fn transpose(block: &mut [u64; 64]) {
    // Swap the off-diagonal quadrants of all 2s x 2s blocks, for s = 32, 16, .. 1.
    let mut s = 32;
    let mut mask = 0x0000_0000_ffff_ffffu64;
    while s > 0 {
        let mut i = 0;
        while i < 64 {
            for r in i..i + s {
                let swap = ((block[r] >> s) ^ block[r + s]) & mask;
                block[r] ^= swap << s;
                block[r + s] ^= swap;
            }
            i += 2 * s;
        }
        s /= 2;
        mask ^= mask << s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn planes_hold_the_bits(values in prop::collection::vec(any::<u64>(), 0..200), k in 0usize..=64) {
            let planes = to_planes(&values, k);
            let words = plane_words(values.len());
            for j in 0..k {
                for i in 0..64 * words {
                    let bit = planes[j * words + i / 64] >> (i % 64) & 1;
                    prop_assert_eq!(bit, values.get(i).map_or(0, |v| v >> j & 1));
                }
            }
            let mask = if k == 64 { u64::MAX } else { (1 << k) - 1 };
            let low: Vec<u64> = values.iter().map(|v| v & mask).collect();
            prop_assert_eq!(from_planes(&planes, k, values.len()), low);
        }
    }
}
