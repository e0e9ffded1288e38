//! Ring elements as bytes on the wire, k bits each.
//!
//! Bit order is little-endian throughout: bit b of element i is bit
//! `(i * k + b) % 8` of byte `(i * k + b) / 8`. Unused bits of the last byte are
//! zero, and a message that has them set is refused.

use crate::error::Misbehaviour;
use crate::ring::simd::{Level, multiversion};

#[cfg(target_arch = "x86_64")]
mod by_bytes;

/// Why bytes are no packed vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The number of bytes is not that of the vector.
    #[error("{got} bytes instead of {expected}")]
    Length {
        /// Bytes that the vector takes.
        expected: usize,
        /// Bytes received.
        got: usize,
    },
    /// Unused bits at the end are set.
    #[error("unused bits are set")]
    Padding,
}

impl From<UnpackError> for Misbehaviour {
    fn from(error: UnpackError) -> Misbehaviour {
        match error {
            UnpackError::Length { expected, got } => Misbehaviour::WrongLength { expected, got },
            UnpackError::Padding => Misbehaviour::Malformed("unused bits are set"),
        }
    }
}

/// Bytes that `n` elements of `k` bits take.
///
/// # Panics
/// If the length does not fit a `usize`.
pub const fn packed_len(n: usize, k: usize) -> usize {
    n.checked_mul(k).expect("packed length overflows").div_ceil(8)
}

/// Packs the low `k` bits of each word into `out`.
///
/// # Panics
/// If `k` is not in 1..=64 or `out` does not have `packed_len(words.len(), k)` bytes.
pub fn pack(words: &[u64], k: usize, out: &mut [u8]) {
    assert!((1..=64).contains(&k), "elements of {k} bits");
    assert_eq!(out.len(), packed_len(words.len(), k), "the packed vector has another length");
    let level = Level::best();
    match k {
        8 => pack_bytes::<1>(level, words, out),
        16 => pack_bytes::<2>(level, words, out),
        32 => pack_bytes::<4>(level, words, out),
        64 => pack_bytes::<8>(level, words, out),
        _ => {
            let done = pack_octets(words, k, out);
            pack_bits(&words[done..], k, &mut out[done * k / 8..]);
        }
    }
}

/// Packs the first elements, eight by eight, if the processor has the instructions for it; tells
/// how many.
fn pack_octets(words: &[u64], k: usize, out: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(by_bytes) = by_bytes::ByBytes::new(k) {
        return by_bytes.pack(words, out);
    }
    0
}

/// Unpacks the first elements as [`pack_octets`] packs them.
fn unpack_octets(bytes: &[u8], k: usize, out: &mut [u64]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(by_bytes) = by_bytes::ByBytes::new(k) {
        return by_bytes.unpack(bytes, out);
    }
    0
}

/// Unpacks elements of `k` bits into all of `out`.
///
/// # Errors
/// If `bytes` has not exactly the length of the packed vector, or unused bits are set.
///
/// # Panics
/// If `k` is not in 1..=64.
pub fn unpack(bytes: &[u8], k: usize, out: &mut [u64]) -> Result<(), UnpackError> {
    assert!((1..=64).contains(&k), "elements of {k} bits");
    check_length_and_padding(bytes, out.len(), k)?;
    let level = Level::best();
    match k {
        8 => unpack_bytes::<1>(level, bytes, out),
        16 => unpack_bytes::<2>(level, bytes, out),
        32 => unpack_bytes::<4>(level, bytes, out),
        64 => unpack_bytes::<8>(level, bytes, out),
        _ => {
            let done = unpack_octets(bytes, k, out);
            unpack_bits(&bytes[done * k / 8..], k, &mut out[done..]);
        }
    }
    Ok(())
}

/// Checks that `bytes` has the length of `n` packed elements of `k` bits, and no unused bit set.
fn check_length_and_padding(bytes: &[u8], n: usize, k: usize) -> Result<(), UnpackError> {
    let expected = packed_len(n, k);
    if bytes.len() != expected {
        return Err(UnpackError::Length { expected, got: bytes.len() });
    }
    let used = n * k % 8;
    match bytes.last() {
        Some(last) if used > 0 && last >> used != 0 => Err(UnpackError::Padding),
        _ => Ok(()),
    }
}

multiversion! {
    /// Packs elements of `BYTES` whole bytes.
    fn pack_bytes<const BYTES: usize>(words: &[u64], out: &mut [u8]) {
        for (bytes, word) in out.as_chunks_mut::<BYTES>().0.iter_mut().zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..BYTES]);
        }
    }
}

multiversion! {
    /// Unpacks elements of `BYTES` whole bytes.
    fn unpack_bytes<const BYTES: usize>(bytes: &[u8], out: &mut [u64]) {
        for (bytes, word) in bytes.as_chunks::<BYTES>().0.iter().zip(out) {
            let mut full = [0; 8];
            full[..BYTES].copy_from_slice(bytes);
            *word = u64::from_le_bytes(full);
        }
    }
}

/// Packs elements of any width, a word at a time.
fn pack_bits(words: &[u64], k: usize, out: &mut [u8]) {
    let mask = low_bits(k);
    let (mut pending, mut filled, mut at) = (0u64, 0, 0);
    for word in words {
        let word = word & mask;
        pending |= word << filled;
        filled += k;
        if filled >= 64 {
            out[at..at + 8].copy_from_slice(&pending.to_le_bytes());
            at += 8;
            filled -= 64;
            // What of the word did not fit; shifted in two steps, as it may be nothing.
            pending = word >> (k - filled - 1) >> 1;
        }
    }
    let rest = &mut out[at..];
    rest.copy_from_slice(&pending.to_le_bytes()[..rest.len()]);
}

/// Unpacks elements of any width. Each lies within the 8 bytes from its first on, or within 16
/// where it has more than 57 bits.
fn unpack_bits(bytes: &[u8], k: usize, out: &mut [u64]) {
    let mask = low_bits(k);
    let window = if k <= 57 { 8 } else { 16 };
    // The elements from which on a window exists are read at once, the last ones from a copy.
    let roomy = bytes.len().checked_sub(window).map_or(0, |room| (room * 8 / k + 1).min(out.len()));
    let (whole, last) = out.split_at_mut(roomy);
    let places = |from: usize| (from * k..).step_by(k).map(|bit| (bit / 8, bit % 8));
    if window == 8 {
        for (word, (first, bit)) in whole.iter_mut().zip(places(0)) {
            let window = bytes[first..].first_chunk().expect("8 bytes follow");
            *word = u64::from_le_bytes(*window) >> bit & mask;
        }
    } else {
        for (word, (first, bit)) in whole.iter_mut().zip(places(0)) {
            let window = bytes[first..].first_chunk().expect("16 bytes follow");
            *word = (u128::from_le_bytes(*window) >> bit) as u64 & mask;
        }
    }
    for (word, (first, bit)) in last.iter_mut().zip(places(roomy)) {
        let rest = &bytes[first..];
        let rest = &rest[..rest.len().min(16)];
        let mut full = [0; 16];
        full[..rest.len()].copy_from_slice(rest);
        *word = (u128::from_le_bytes(full) >> bit) as u64 & mask;
    }
}

/// The word whose lowest `k` bits are set, for `k` in 1..=64.
fn low_bits(k: usize) -> u64 {
    u64::MAX >> (64 - k)
}

/// Writes the first `n` bits of a bit plane as bytes.
///
/// # Panics
/// If `plane` does not have `n.div_ceil(64)` words or `out` not `n.div_ceil(8)` bytes.
pub fn plane_to_bytes(plane: &[u64], n: usize, out: &mut [u8]) {
    assert_eq!(plane.len(), n.div_ceil(64), "the plane has another length");
    assert_eq!(out.len(), n.div_ceil(8), "the packed plane has another length");
    let (whole, rest) = out.as_chunks_mut();
    whole.iter_mut().zip(plane).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
    if let Some(last) = plane.last() {
        rest.copy_from_slice(&last.to_le_bytes()[..rest.len()]);
    }
    if !n.is_multiple_of(8) {
        out[n / 8] &= (1 << (n % 8)) - 1;
    }
}

/// Reads a bit plane of `n` bits from bytes into `plane`.
///
/// # Errors
/// If `bytes` has not exactly `n.div_ceil(8)` bytes, or unused bits are set.
///
/// # Panics
/// If `plane` does not have `n.div_ceil(64)` words.
pub fn plane_from_bytes(bytes: &[u8], n: usize, plane: &mut [u64]) -> Result<(), UnpackError> {
    assert_eq!(plane.len(), n.div_ceil(64), "the plane has another length");
    check_length_and_padding(bytes, n, 1)?;
    let (whole, rest) = bytes.as_chunks();
    plane.iter_mut().zip(whole).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    if let (Some(last), false) = (plane.last_mut(), rest.is_empty()) {
        let mut full = [0; 8];
        full[..rest.len()].copy_from_slice(rest);
        *last = u64::from_le_bytes(full);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unpack_inverts_pack(words in prop::collection::vec(any::<u64>(), 0..200), k in 1usize..=64) {
            let mut bytes = vec![0xff; packed_len(words.len(), k)];
            pack(&words, k, &mut bytes);
            for (i, word) in words.iter().enumerate() {
                for b in 0..k {
                    let at = i * k + b;
                    prop_assert_eq!(bytes[at / 8] >> (at % 8) & 1, (word >> b & 1) as u8);
                }
            }
            let mut back = vec![0; words.len()];
            prop_assert_eq!(unpack(&bytes, k, &mut back), Ok(()));
            let mask = u64::MAX >> (64 - k);
            prop_assert!(back.iter().zip(&words).all(|(b, w)| *b == w & mask));
        }

        /// Element by element, or eight at a time where the processor can.
        #[test]
        fn ways_to_pack_agree(words in prop::collection::vec(any::<u64>(), 0..40), k in 1usize..=64) {
            let [mut bytes, mut same] = [(); 2].map(|()| vec![0xff; packed_len(words.len(), k)]);
            pack(&words, k, &mut bytes);
            pack_bits(&words, k, &mut same);
            prop_assert_eq!(&bytes, &same);
            let [mut back, mut also] = [(); 2].map(|()| vec![u64::MAX; words.len()]);
            prop_assert_eq!(unpack(&bytes, k, &mut back), Ok(()));
            unpack_bits(&bytes, k, &mut also);
            prop_assert_eq!(back, also);
        }

        #[test]
        fn padding_must_be_zero(n in 1usize..100, k in 1usize..=64, bit in 0u32..7) {
            let unused = (8 - n * k % 8) % 8;
            prop_assume!((bit as usize) < unused);
            let mut bytes = vec![0; packed_len(n, k)];
            *bytes.last_mut().unwrap() = 0x80 >> bit;
            prop_assert_eq!(unpack(&bytes, k, &mut vec![0; n]), Err(UnpackError::Padding));
        }
    }

    proptest! {
        #[test]
        fn planes_travel_as_bytes(plane in prop::collection::vec(any::<u64>(), 1..6), unused in 0usize..64) {
            let n = 64 * plane.len() - unused;
            let mut bytes = vec![0; n.div_ceil(8)];
            plane_to_bytes(&plane, n, &mut bytes);
            let mut back = vec![0; plane.len()];
            prop_assert_eq!(plane_from_bytes(&bytes, n, &mut back), Ok(()));
            let mut wanted = plane;
            *wanted.last_mut().unwrap() &= u64::MAX >> unused;
            prop_assert_eq!(back, wanted);
            if n % 8 > 0 {
                bytes[n / 8] |= 0x80;
                let refused = plane_from_bytes(&bytes, n, &mut vec![0; n.div_ceil(64)]);
                prop_assert_eq!(refused, Err(UnpackError::Padding));
            }
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for got in [0, 4, 6] {
            let outcome = unpack(&vec![0; got], 13, &mut [0; 3]);
            assert_eq!(outcome, Err(UnpackError::Length { expected: 5, got }));
        }
    }
}
