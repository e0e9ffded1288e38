//! Polynomials of degree two in each of a few variables, as values on a grid.
//!
//! `2^v` vectors `x_a`, numbered by bits, become one multilinear polynomial with `X(a) =
//! x_a`. A product of two such has degree two in each variable and is given by its values
//! on `{0, 1, oo}^v`, where the value at infinity is the leading coefficient: for one
//! variable, `p(t) = p(0) (1 - t) + p(1) t + p(oo) (t^2 - t)`. These points need no
//! extension, so the `3^v` vectors on the grid stay in the base ring, as in Karatsuba's
//! multiplication.
//!
//! Points are numbered in base 3, the digit 2 standing for infinity; the first variable
//! is the highest digit, and the highest bit of `a`.

use super::algebra::Algebra;
use super::shared::Shared;
pub use mpc_core::ring::grid::{LANES, MAX_VARIABLES, corner_point, points};
use mpc_core::share::Words;

/// The points whose digits are bits, in the order of `a`.
pub fn corners(variables: usize) -> Vec<usize> {
    (0..1 << variables).map(corner_point).collect()
}

/// The points that are not corners.
pub fn between_corners(variables: usize) -> Vec<usize> {
    let corners = corners(variables);
    (0..points(variables)).filter(|point| !corners.contains(point)).collect()
}

/// The polynomial with the given values on the grid (a list), at `at`: one element of the
/// extension.
pub fn evaluate<A: Algebra>(mut values: Shared, at: &[u64]) -> Shared {
    for &r in at {
        values.update(|values| {
            let third = values.len() / 3;
            let (low, rest) = values.split_at_mut(third);
            let (high, leading) = rest.split_at_mut(third);
            let (high, leading) =
                (high.chunks_exact_mut(A::WIDTH), leading.chunks_exact_mut(A::WIDTH));
            for ((low, high), leading) in low.chunks_exact_mut(A::WIDTH).zip(high).zip(leading) {
                // p(0) + r (p(1) - p(0) - p(oo) + r p(oo))
                A::sub(high, low);
                A::sub(high, leading);
                A::scale(leading, r);
                A::add(high, leading);
                A::scale(high, r);
                A::add(low, high);
            }
            *values = Words::from(&*low);
        });
    }
    values
}

/// `low += r (high - low)`, for elements and a challenge `r`.
pub fn move_along<A: Algebra>(low: &mut [u64], high: &[u64], r: u64) {
    let mut difference = Words::from(high.to_vec());
    A::sub(&mut difference, low);
    A::scale(&mut difference, r);
    A::add(low, &difference);
}

/// The weights of the coefficients in the value at `at`, products of its challenges, each times a
/// challenge.
pub fn weights<A: Algebra>(at: &[u64], factor: u64) -> Vec<u64> {
    let mut weights = vec![A::embed(factor)];
    for &r in at {
        weights = weights
            .into_iter()
            .flat_map(|low| {
                let mut high = low.clone();
                A::scale(&mut high, r);
                [low, high]
            })
            .collect();
    }
    weights.concat()
}

/// What is known of the values at the corners, up to an error of whoever provided it.
pub enum Known {
    /// Each of them.
    Corners(Shared),
    /// Their sum: one element.
    Sum(Shared),
}

impl Known {
    /// The points whose values the parties have to compute, in order.
    pub fn missing(&self, variables: usize) -> Vec<usize> {
        match self {
            Known::Corners(_) => between_corners(variables),
            Known::Sum(_) => {
                let last = corner_point((1 << variables) - 1);
                (0..points(variables)).filter(|point| *point != last).collect()
            }
        }
    }

    /// The values at all points, from those at the missing ones.
    pub fn complete<A: Algebra>(&self, variables: usize, computed: &Shared) -> Shared {
        let place = |values: &mut [u64], points: &[usize], from: &[u64]| {
            for (point, x) in points.iter().zip(from.chunks_exact(A::WIDTH)) {
                values[point * A::WIDTH..][..A::WIDTH].copy_from_slice(x);
            }
        };
        let (corners, missing) = (corners(variables), self.missing(variables));
        let mut values = Shared::zeroed(points(variables) * A::WIDTH);
        values.combine(computed, |values, computed| place(values, &missing, computed));
        match self {
            Known::Corners(given) => {
                values.combine(given, |values, given| place(values, &corners, given));
            }
            Known::Sum(sum) => values.combine(sum, |values, sum| {
                let (last, others) = corners.split_last().expect("a grid has corners");
                let mut rest = sum.to_vec();
                for corner in others {
                    A::sub(&mut rest, &values[corner * A::WIDTH..][..A::WIDTH]);
                }
                place(values, &[*last], &rest);
            }),
        }
        values
    }
}
