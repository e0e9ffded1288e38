//! Fixed-point sharings: the scale travels with the tensor.

use super::Arith;
use crate::error::{Error, Result};
use crate::party::PartyId;
use crate::ring::Z64;

/// A shared matrix of reals, each as the integer `round(x * 2^scale)` in `Z_2^64`.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The integers.
    pub share: Arith<Z64>,
    /// Fractional bits.
    pub scale: u32,
}

/// `round(value * 2^scale)` as a ring word, for public constants.
pub fn fixed_word(value: f64, scale: u32) -> u64 {
    (value * 2f64.powi(scale as i32)).round() as i64 as u64
}

impl Fixed {
    /// Reads integers at a scale.
    pub fn new(share: Arith<Z64>, scale: u32) -> Fixed {
        Fixed { share, scale }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.share.shape()
    }

    /// Refuses an operand of another scale.
    ///
    /// # Errors
    /// `Misuse` when the scales differ.
    pub fn same_scale(&self, other: &Fixed) -> Result<()> {
        if self.scale == other.scale {
            return Ok(());
        }
        let (a, b) = (self.scale, other.scale);
        Err(Error::Misuse(format!("operands at scales {a} and {b} cannot be added")))
    }

    /// `self + other`, in place where nobody else holds the buffers.
    ///
    /// # Errors
    /// `Shape` or, for different scales, `Misuse`.
    pub fn plus(self, other: &Fixed) -> Result<Fixed> {
        self.same_scale(other)?;
        Ok(Fixed::new(self.share.plus(&other.share)?, self.scale))
    }

    /// `self - other`, in place where nobody else holds the buffers.
    ///
    /// # Errors
    /// `Shape` or, for different scales, `Misuse`.
    pub fn minus(self, other: &Fixed) -> Result<Fixed> {
        self.same_scale(other)?;
        Ok(Fixed::new(self.share.minus(&other.share)?, self.scale))
    }

    /// `self + value` for a public value.
    pub fn add_public(&self, party: PartyId, value: f64) -> Fixed {
        Fixed::new(self.share.add_public(party, fixed_word(value, self.scale)), self.scale)
    }

    /// `self * factor` with the factor rounded to `factor_scale` fractional bits; the
    /// scales add up, nothing is rounded.
    pub fn mul_public(&self, factor: f64, factor_scale: u32) -> Fixed {
        let factor = fixed_word(factor, factor_scale);
        Fixed::new(self.share.scale(factor), self.scale + factor_scale)
    }

    /// The same reals with more fractional bits.
    ///
    /// # Panics
    /// If `scale` is less than now.
    pub fn upscale(&self, scale: u32) -> Fixed {
        Fixed::new(self.share.scale(1 << (scale - self.scale)), scale)
    }

    /// `-self`.
    pub fn neg(&self) -> Fixed {
        Fixed::new(self.share.neg(), self.scale)
    }
}
