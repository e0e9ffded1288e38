//! Ring elements as bytes on the wire, k bits each.
//!
//! Bit order is little-endian throughout: bit b of element i is bit
//! `(i * k + b) % 8` of byte `(i * k + b) / 8`. Unused bits of the last byte are
//! zero, and a message that has them set is refused.

use crate::error::Misbehaviour;

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
    let mask = u64::MAX >> (64 - k);
    let (mut pending, mut filled, mut at) = (0u128, 0, 0);
    for word in words {
        pending |= u128::from(word & mask) << filled;
        filled += k;
        while filled >= 8 {
            out[at] = pending as u8;
            pending >>= 8;
            filled -= 8;
            at += 1;
        }
    }
    if filled > 0 {
        out[at] = pending as u8;
    }
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
    let expected = packed_len(out.len(), k);
    if bytes.len() != expected {
        return Err(UnpackError::Length { expected, got: bytes.len() });
    }
    let mask = u64::MAX >> (64 - k);
    let (mut pending, mut filled, mut rest) = (0u128, 0, bytes.iter());
    for word in out {
        while filled < k {
            pending |= u128::from(*rest.next().expect("length was checked")) << filled;
            filled += 8;
        }
        *word = pending as u64 & mask;
        pending >>= k;
        filled -= k;
    }
    if pending != 0 { Err(UnpackError::Padding) } else { Ok(()) }
}

/// Writes the first `n` bits of a bit plane as bytes.
///
/// # Panics
/// If `plane` does not have `n.div_ceil(64)` words or `out` not `n.div_ceil(8)` bytes.
pub fn plane_to_bytes(plane: &[u64], n: usize, out: &mut [u8]) {
    assert_eq!(plane.len(), n.div_ceil(64), "the plane has another length");
    assert_eq!(out.len(), n.div_ceil(8), "the packed plane has another length");
    for (word, bytes) in plane.iter().zip(out.chunks_mut(8)) {
        bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
    }
    if n % 8 > 0 {
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
    let expected = n.div_ceil(8);
    if bytes.len() != expected {
        return Err(UnpackError::Length { expected, got: bytes.len() });
    }
    if n % 8 > 0 && bytes[n / 8] >> (n % 8) != 0 {
        return Err(UnpackError::Padding);
    }
    for (word, bytes) in plane.iter_mut().zip(bytes.chunks(8)) {
        let mut full = [0; 8];
        full[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(full);
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
