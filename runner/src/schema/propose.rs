//! Proposing public bounds from one holder's values without giving them away.

use super::Bounds;

/// Bounds that contain all of a column's values, pushed outwards by a margin and
/// rounded to a coarse grid, so that they tell the order of magnitude of the
/// extremes and not the extremes.
///
/// The grid is the power of ten below the width of the values; the margin is a
/// twentieth of that width. Zero stays a bound where all values are on one side
/// of it, and a flag of 0 and 1 keeps these as bounds.
pub(super) fn bounds(values: &[f64]) -> Option<Bounds> {
    let min = values.iter().copied().reduce(f64::min)?;
    let max = values.iter().copied().reduce(f64::max)?;
    if values.iter().all(|&value| value == 0.0 || value == 1.0) {
        return Bounds::new(0.0, 1.0).ok();
    }
    let width = if max > min { max - min } else { max.abs() };
    if width == 0.0 || !width.is_finite() {
        return None;
    }
    let grid = 10f64.powi(width.log10().floor() as i32);
    let margin = width / 20.0;
    let low = round(((min - margin) / grid).floor(), grid);
    let high = round(((max + margin) / grid).ceil(), grid);
    Bounds::new(
        if min >= 0.0 { low.max(0.0) } else { low },
        if max <= 0.0 { high.min(0.0) } else { high },
    )
    .ok()
}

/// `steps * grid` for a power of ten, without the noise of multiplying by 0.1.
fn round(steps: f64, grid: f64) -> f64 {
    if grid < 1.0 { steps / (1.0 / grid).round() } else { steps * grid }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proposed(values: &[f64]) -> (f64, f64) {
        let bounds = bounds(values).unwrap();
        (bounds.min(), bounds.max())
    }

    #[test]
    fn bounds_are_round() {
        assert_eq!(proposed(&[17.0, 90.0]), (10.0, 100.0));
        assert_eq!(proposed(&[8.825, 43.675]), (0.0, 50.0));
        assert_eq!(proposed(&[3.504, 9.935]), (3.0, 11.0));
        assert_eq!(proposed(&[-339_603.0, 1_684_259.0]), (-1_000_000.0, 2_000_000.0));
        assert_eq!(proposed(&[0.05263, 0.1634]), (0.0, 0.2));
        assert_eq!(proposed(&[-9.0, -2.0]), (-10.0, -1.0));
        assert_eq!(proposed(&[0.0, 1.0, 0.0]), (0.0, 1.0));
        assert_eq!(proposed(&[1.0, 2.0]), (0.0, 3.0));
        assert_eq!(proposed(&[7.0, 7.0]), (6.0, 8.0));
        assert_eq!(proposed(&[0.0]), (0.0, 1.0));
    }

    #[test]
    fn nothing_is_proposed_for_nothing() {
        assert_eq!(bounds(&[]), None);
        assert_eq!(bounds(&[f64::MIN, f64::MAX]), None);
    }

    proptest! {
        #[test]
        fn every_value_fits_and_few_digits_are_told(
            values in proptest::collection::vec(-1e12..1e12f64, 1..20), exponent in -9..9i32,
        ) {
            let values: Vec<f64> =
                values.iter().map(|value| value * 10f64.powi(exponent)).collect();
            if let Some(bounds) = bounds(&values) {
                prop_assert!(values.iter().all(|&value| bounds.contains(value)));
                let min = values.iter().copied().fold(f64::MAX, f64::min);
                let max = values.iter().copied().fold(f64::MIN, f64::max);
                let flag = min == 0.0 || max == 0.0;
                prop_assert!(flag || (bounds.min() < min && bounds.max() > max));
            }
        }
    }
}
