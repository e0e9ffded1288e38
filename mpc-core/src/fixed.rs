//! Fixed point: real numbers as words of Z_2^64.
//!
//! A real number `x` at scale `f` is the word `round(x * 2^f) mod 2^64`, read
//! as two's complement. The scale travels with the tensor, so that products
//! and sums of differently scaled values stay exact until they are truncated.

use ::fixed::{FixedI64, types::extra::U0};

/// Bits of a word's magnitude that a value may use: `|x| * 2^f < 2^61`.
///
/// The two bits above are the head-room that the wrap-free truncation needs.
pub const MAGNITUDE_BITS: u32 = 61;

/// The largest scale: beyond it not even 1.0 has a word.
pub const MAX_SCALE: u32 = MAGNITUDE_BITS - 1;

/// A number that has no word at the scale asked for.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value is not a number.
    #[error("the value is not a number (NaN)")]
    NotANumber,
    /// The value is infinite.
    #[error("the value is infinite")]
    Infinite,
    /// The value does not fit into the head-room of the scale.
    #[error("{value} is out of range: at scale {scale} magnitudes must stay below {limit}")]
    OutOfRange {
        /// The value.
        value: f64,
        /// Fractional bits asked for.
        scale: u32,
        /// The magnitude that no value may reach at this scale.
        limit: f64,
    },
    /// The scale leaves no room for values.
    #[error("scale {0} is too large: at most {MAX_SCALE} fractional bits fit into a word")]
    Scale(u32),
}

/// Encodes a real number at `scale` fractional bits, rounded to the nearest
/// word (ties to even): the error is at most `2^-(scale+1)`.
///
/// # Errors
/// NaN, infinities, magnitudes of `2^(61-scale)` and more, scales above
/// [`MAX_SCALE`].
pub fn encode(value: f64, scale: u32) -> Result<u64, EncodeError> {
    if scale > MAX_SCALE {
        return Err(EncodeError::Scale(scale));
    }
    if value.is_nan() {
        return Err(EncodeError::NotANumber);
    }
    if value.is_infinite() {
        return Err(EncodeError::Infinite);
    }
    // Multiplying by a power of two is exact, so `fixed` rounds only once.
    FixedI64::<U0>::checked_from_num(value * power_of_two(scale))
        .map(FixedI64::to_bits)
        .filter(|word| word.unsigned_abs() < 1 << MAGNITUDE_BITS)
        .map(|word| word as u64)
        .ok_or(EncodeError::OutOfRange {
            value,
            scale,
            limit: power_of_two(MAGNITUDE_BITS - scale),
        })
}

/// The real number that a word stands for at `scale` fractional bits: the
/// nearest `f64` where the word has more than 53 significant bits.
///
/// Any word decodes, also those that [`encode`] never returns.
pub fn decode(word: u64, scale: u32) -> f64 {
    let integer: f64 = FixedI64::<U0>::from_bits(word as i64).to_num();
    integer / power_of_two(scale)
}

/// `2^exponent`, exactly; infinite where `f64` does not reach.
fn power_of_two(exponent: u32) -> f64 {
    const BIAS: u32 = 1023;
    match exponent {
        0..=BIAS => f64::from_bits(u64::from(BIAS + exponent) << (f64::MANTISSA_DIGITS - 1)),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_words() {
        assert_eq!(encode(1.0, 20), Ok(1 << 20));
        assert_eq!(encode(-1.0, 20), Ok(0u64.wrapping_sub(1 << 20)));
        assert_eq!(encode(-0.0, 20), Ok(0));
        assert_eq!(encode(0.375, 2), Ok(2), "a tie goes to the even word");
        assert_eq!(encode(0.625, 2), Ok(2), "a tie goes to the even word");
        assert_eq!(encode(2f64.powi(-21) + 2f64.powi(-70), 20), Ok(1), "just above a tie");
        assert_eq!(encode(f64::from_bits(1), 20), Ok(0), "the smallest subnormal");
    }

    #[test]
    fn what_has_no_word_is_refused() {
        assert_eq!(encode(f64::NAN, 20), Err(EncodeError::NotANumber));
        assert_eq!(encode(f64::NEG_INFINITY, 20), Err(EncodeError::Infinite));
        assert_eq!(encode(0.0, MAX_SCALE + 1), Err(EncodeError::Scale(MAX_SCALE + 1)));
        for value in [2f64.powi(41), -2f64.powi(41), f64::MAX] {
            assert!(matches!(encode(value, 20), Err(EncodeError::OutOfRange { .. })), "{value}");
        }
        let just_inside = 2f64.powi(41).next_down();
        assert_eq!(decode(encode(just_inside, 20).unwrap(), 20), just_inside);
        assert_eq!(
            encode(1e13, 20).unwrap_err().to_string(),
            "10000000000000 is out of range: at scale 20 magnitudes must stay below 2199023255552"
        );
    }

    #[test]
    fn powers_of_two_are_exact() {
        assert_eq!([0, 1, 20].map(power_of_two), [1.0, 2.0, 1_048_576.0]);
        assert_eq!(power_of_two(1023) * 2f64.powi(-1023), 1.0);
        assert_eq!(power_of_two(1024), f64::INFINITY);
    }

    #[test]
    fn every_scale_takes_one() {
        for scale in 0..=MAX_SCALE {
            assert_eq!(encode(1.0, scale), Ok(1 << scale));
            assert_eq!(decode(1 << scale, scale), 1.0);
        }
    }

    proptest! {
        #[test]
        fn encoding_is_within_half_a_unit(value in -1e9..1e9f64, scale in 0u32..=30) {
            let unit = 2f64.powi(-(scale as i32));
            let decoded = decode(encode(value, scale).unwrap(), scale);
            prop_assert!((decoded - value).abs() <= unit / 2.0);
        }

        #[test]
        fn words_of_53_bits_survive(word in -(1i64 << 53)..(1i64 << 53), scale in 0u32..=40) {
            let word = word as u64;
            prop_assert_eq!(encode(decode(word, scale), scale), Ok(word));
        }

        #[test]
        fn no_bit_pattern_panics(bits: u64, scale: u32) {
            if let Ok(word) = encode(f64::from_bits(bits), scale) {
                prop_assert!((word as i64).unsigned_abs() < 1 << MAGNITUDE_BITS);
            }
        }
    }
}
