//! The public interval of a number and its map to [-1, 1].

use crate::digest::Canonical;
use std::fmt;

/// An interval that a column's values lie in, known to everyone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    min: f64,
    max: f64,
}

impl Bounds {
    /// The interval from `min` to `max`.
    ///
    /// # Errors
    /// When it is empty, or an end or its width is not a finite number.
    pub fn new(min: f64, max: f64) -> Result<Self, String> {
        if !(max - min).is_finite() {
            return Err(format!("min = {min} and max = {max} must be finite numbers"));
        }
        if min >= max {
            return Err(format!("min = {min} must be less than max = {max}"));
        }
        // Adding zero turns -0.0 into 0.0: equal bounds have one digest.
        Ok(Bounds { min: min + 0.0, max: max + 0.0 })
    }

    /// The lower end.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The upper end.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Whether a value lies within, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// The nearest value within.
    pub fn clip(&self, value: f64) -> f64 {
        value.clamp(self.min, self.max)
    }

    /// Maps the interval to [-1, 1], linearly; values outside land on its ends.
    pub fn to_unit(&self, value: f64) -> f64 {
        (2.0 * ((value - self.min) / (self.max - self.min)) - 1.0).clamp(-1.0, 1.0)
    }

    /// The inverse of [`Bounds::to_unit`], also outside of [-1, 1].
    pub fn from_unit(&self, unit: f64) -> f64 {
        self.min + (unit + 1.0) / 2.0 * (self.max - self.min)
    }

    pub(super) fn append(&self, to: Canonical) -> Canonical {
        to.number(self.min.to_bits()).number(self.max.to_bits())
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_and_middle_are_exact() {
        let bounds = Bounds::new(-339_603.0, 1_684_259.0).unwrap();
        assert_eq!(bounds.to_unit(-339_603.0), -1.0);
        assert_eq!(bounds.to_unit(1_684_259.0), 1.0);
        assert_eq!(bounds.to_unit((1_684_259.0 - 339_603.0) / 2.0), 0.0);
        assert_eq!((bounds.from_unit(-1.0), bounds.from_unit(1.0)), (-339_603.0, 1_684_259.0));
    }

    #[test]
    fn empty_and_infinite_intervals_are_refused() {
        for (min, max) in
            [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (f64::MIN, f64::MAX)]
        {
            assert!(Bounds::new(min, max).is_err(), "{min} {max}");
        }
    }

    proptest! {
        #[test]
        fn the_map_stays_inside_and_inverts(
            min in -1e9..1e9f64, width in 1e-3..1e9f64, at in 0.0..=1.0f64,
        ) {
            let bounds = Bounds::new(min, min + width).unwrap();
            let value = bounds.clip(min + at * width);
            let unit = bounds.to_unit(value);
            prop_assert!((-1.0..=1.0).contains(&unit));
            prop_assert!((bounds.from_unit(unit) - value).abs() <= 1e-12 * (width + min.abs()));
        }
    }
}
