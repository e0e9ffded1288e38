//! Sums of products of polynomials on the grid.
//!
//! Variable after variable is set to 0, 1 and infinity, which leaves half of the corners: those
//! that are there for 0 and 1, differences for infinity. The points of the last variables are
//! computed in registers. So little is stored, and it stays in the first-level cache.

use super::super::lanes::{
    BITS, LANES, Octet, Ring, Simd, Subtract, WORDS, ZERO, octets, octets_mut, vectorised,
};
use super::super::scratch::Scratch;
use super::super::simd::Level;
use super::{MAX_VARIABLES, points};

/// The last variables, whose points are computed in registers: four corners, nine points.
const LAST_VARIABLES: usize = 2;
const LAST_CORNERS: usize = 1 << LAST_VARIABLES;
const LAST_POINTS: usize = points(LAST_VARIABLES);

/// Variables that are set before. One more is between: what it leaves is not stored either.
const FIRST_VARIABLES: usize = MAX_VARIABLES - LAST_VARIABLES - 1;

/// The corners that they leave.
type Left = [Octet; 2 * LAST_CORNERS];
const NONE_LEFT: Left = [ZERO; 2 * LAST_CORNERS];

/// Products that are added up, at most.
const MAX_TERMS: usize = 2;

/// What is stored of a polynomial: its corners, if it is a sum or small, and differences for each
/// of the first variables; see [`Polynomial::room`].
type Stored = [Left; Polynomial::room(FIRST_VARIABLES + 1)];

/// The same of the factors of all products.
const STORED: usize = 2 * MAX_TERMS * size_of::<Stored>() / size_of::<Octet>();

/// A product of polynomials: a factor, and one or two that are added up to the other one.
pub type Term<'a> = (&'a [u64], &'a [&'a [u64]]);

/// Sums of products of polynomials at some points, for eight columns at a time.
///
/// A factor is given by its values at the corners: for each octet of columns, an octet a
/// corner. `out` has room for some octets for each octet of columns: the last ones get the
/// products, one a point. The points are in ascending order, none twice, which is not checked in a
/// release.
///
/// # Panics
/// If there are more than `2^MAX_VARIABLES` corners or two terms, or a length does not fit.
pub fn multiply_words(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    check(out, at, corners, terms);
    multiply::<WORDS>(Level::best(), out, at, corners, terms, Scratch::take().octets());
}

/// As [`multiply_words`], over the bits of words.
///
/// # Panics
/// As [`multiply_words`].
pub fn multiply_bits(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    check(out, at, corners, terms);
    multiply::<BITS>(Level::best(), out, at, corners, terms, Scratch::take().octets());
}

fn check(out: &[u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
    assert!(corners.is_power_of_two() && corners <= 1 << MAX_VARIABLES, "{corners} corners");
    assert!(terms.len() <= MAX_TERMS, "{} products", terms.len());
    let len = terms.first().map_or(0, |(x, _)| x.len());
    for (x, y) in terms {
        assert!((1..=2).contains(&y.len()), "one or two parts of a factor");
        assert!(x.len() == len && y.iter().all(|y| y.len() == len), "operands differ in length");
    }
    assert!(len.is_multiple_of(corners * LANES), "octets of columns");
    let columns = len / corners;
    assert!(out.len().is_multiple_of(columns.max(1)), "octets for each octet of columns");
    assert!(out.len() >= at.len() * columns, "one octet a point");
    debug_assert!(at.is_sorted_by(|a, b| a < b), "points in ascending order");
    debug_assert!(at.iter().all(|at| *at < points(corners.ilog2() as usize)), "points of the grid");
}

vectorised! {
    fn multiply<const KIND: usize>(
        simd, out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>],
        stored: &mut [Octet; STORED],
    ) {
        let ring = Ring::<S, KIND>(simd);
        let variables = corners.ilog2() as usize;
        let first = variables.saturating_sub(LAST_VARIABLES + 1);
        // Which of the points belong to each point of the variables before the last ones.
        let last_points = points(variables.min(LAST_VARIABLES));
        let mut ends = [0; points(MAX_VARIABLES - LAST_VARIABLES)];
        for (block, end) in ends.iter_mut().enumerate() {
            *end = at.partition_point(|at| *at < (block + 1) * last_points);
        }
        let columns = terms.first().map_or(0, |(x, _)| x.len() / corners / LANES);
        let room = (out.len() / LANES / columns.max(1)).max(1);
        let out = octets_mut(out).chunks_exact_mut(room).take(columns);
        let (stored, _): (&mut [Left], _) = stored.as_chunks_mut();
        let (stored, _): (&mut [Stored], _) = stored.as_chunks_mut();
        let (stored, _) = stored.as_chunks_mut::<2>();
        let stored: &mut [_; MAX_TERMS] = stored.first_chunk_mut().expect("room for all");
        let mut factors = stored.each_mut().map(|pair| pair.each_mut().map(Polynomial::new));
        let factors = &mut factors[..terms.len()];
        for (column, out) in out.enumerate() {
            let column = column * corners..(column + 1) * corners;
            let out = &mut out[room - at.len()..];
            for ([left, right], (x, y)) in factors.iter_mut().zip(terms) {
                left.begin(ring, &octets(x)[column.clone()], None);
                let more = y.get(1).map(|y| &octets(y)[column.clone()]);
                right.begin(ring, &octets(y[0])[column.clone()], more);
            }
            let mut blocks = Blocks { out, at, last_points, ends: &ends[..], block: 0, begin: 0 };
            for outer in 0..points(first) {
                for variable in 0..first {
                    // Digits behind which there are zeros are new.
                    let behind = points(first - 1 - variable);
                    if outer % behind == 0 {
                        let digit = outer / behind % 3;
                        for factor in factors.as_flattened_mut() {
                            factor.set(ring, variable, digit);
                        }
                    }
                }
                let mut left = [[&NONE_LEFT; 2]; MAX_TERMS];
                for (left, factors) in left.iter_mut().zip(&*factors) {
                    *left = factors.each_ref().map(|factor| factor.left(first));
                }
                let left = &left[..terms.len()];
                blocks.fill::<S, KIND, 0>(ring, left);
                if variables > LAST_VARIABLES {
                    blocks.fill::<S, KIND, 1>(ring, left);
                    blocks.fill::<S, KIND, 2>(ring, left);
                }
            }
        }
    }
}

/// What is computed for eight columns, block by block: the points that differ in the last
/// variables alone.
struct Blocks<'a> {
    out: &'a mut [Octet],
    at: &'a [usize],
    /// Points in a block, and where those asked for end, block by block.
    last_points: usize,
    ends: &'a [usize],
    /// The next block, and where the points begin that are asked for of it.
    block: usize,
    begin: usize,
}

impl Blocks<'_> {
    /// Fills the next block: with sums of products at a point of the variable before, of factors
    /// with these corners.
    #[inline(always)]
    fn fill<S: Simd, const KIND: usize, const DIGIT: usize>(
        &mut self,
        ring: Ring<S, KIND>,
        factors: &[[&Left; 2]],
    ) {
        let mut sums = [ring.0.splat(0); LAST_POINTS];
        for [left, right] in factors {
            let x = ring.at_nine_points(last_corners::<S, KIND, DIGIT>(ring, left));
            let y = ring.at_nine_points(last_corners::<S, KIND, DIGIT>(ring, right));
            for (sum, (x, y)) in sums.iter_mut().zip(x.into_iter().zip(y)) {
                *sum = ring.add(*sum, ring.mul(x, y));
            }
        }
        let (block, points) = (self.block, self.begin..self.ends[self.block]);
        (self.block, self.begin) = (block + 1, points.end);
        let out = &mut self.out[points.clone()];
        if let Ok(out) = <&mut [Octet; LAST_POINTS]>::try_from(&mut *out) {
            for (out, sum) in out.iter_mut().zip(sums) {
                ring.0.store(out, sum);
            }
        } else {
            let mut products = [ZERO; LAST_POINTS];
            for (product, sum) in products.iter_mut().zip(sums) {
                ring.0.store(product, sum);
            }
            for (point, out) in self.at[points].iter().zip(out) {
                *out = products[point - block * self.last_points];
            }
        }
    }
}

/// Values at the last corners at a point of the variable before.
#[inline(always)]
fn last_corners<S: Simd, const KIND: usize, const DIGIT: usize>(
    ring: Ring<S, KIND>,
    corners: &Left,
) -> [S::Vector; LAST_CORNERS] {
    let (low, high) = corners.split_at(LAST_CORNERS);
    let mut vectors = [ring.0.splat(0); LAST_CORNERS];
    for (vector, (low, high)) in vectors.iter_mut().zip(low.iter().zip(high)) {
        *vector = match DIGIT {
            0 => ring.0.load(low),
            1 => ring.0.load(high),
            _ => ring.sub(ring.0.load(high), ring.0.load(low)),
        };
    }
    vectors
}

/// A polynomial whose first variables are set one after the other.
struct Polynomial<'a> {
    /// Its values at the corners, unless it is a sum or small.
    corners: &'a [Left],
    stored: &'a mut Stored,
    /// Where the corners lie that are left when so many variables are set.
    places: [Place; FIRST_VARIABLES + 1],
}

/// A place among the corners, or in what is stored.
#[derive(Clone, Copy)]
struct Place {
    stored: bool,
    at: usize,
    len: usize,
}

impl<'a> Polynomial<'a> {
    /// Where in what is stored there is room for the corners that are left when so many variables
    /// are set.
    const fn room(set: usize) -> usize {
        (2 << FIRST_VARIABLES) - ((2 << FIRST_VARIABLES) >> set)
    }

    #[inline(always)]
    fn new(stored: &'a mut Stored) -> Polynomial<'a> {
        let places = [Place { stored: true, at: 0, len: 1 }; FIRST_VARIABLES + 1];
        Polynomial { corners: &[], stored, places }
    }

    /// Takes the polynomial with these corners, or the sum of two. If there are few of them, zeros
    /// take the place of others.
    #[inline(always)]
    fn begin<S: Simd, const KIND: usize>(
        &mut self,
        ring: Ring<S, KIND>,
        corners: &'a [Octet],
        more: Option<&[Octet]>,
    ) {
        let (whole, few) = corners.as_chunks();
        self.corners = whole;
        self.places[0] = Place { stored: false, at: 0, len: whole.len() };
        if !few.is_empty() {
            self.places[0] = Place { stored: true, at: 0, len: 1 };
            let stored = self.stored.as_flattened_mut();
            stored[..few.len()].copy_from_slice(few);
            stored[few.len()..][..2 * LAST_CORNERS - few.len()].fill(ZERO);
        }
        let Some(more) = more else { return };
        self.places[0].stored = true;
        let stored = self.stored.as_flattened_mut();
        for ((to, x), y) in stored.iter_mut().zip(corners).zip(more) {
            ring.0.store(to, ring.add(ring.0.load(x), ring.0.load(y)));
        }
    }

    /// Sets a variable, given those before it.
    #[inline(always)]
    fn set<S: Simd, const KIND: usize>(
        &mut self,
        ring: Ring<S, KIND>,
        variable: usize,
        digit: usize,
    ) {
        let place = self.places[variable];
        let half = place.len / 2;
        self.places[variable + 1] = match digit {
            0 => Place { len: half, ..place },
            1 => Place { at: place.at + half, len: half, ..place },
            _ => {
                let room = Self::room(variable + 1);
                let (before, after) = self.stored.split_at_mut(room);
                let both = &if place.stored { before } else { self.corners }[place.at..];
                let (low, high) = both[..place.len].split_at(half);
                for ((to, high), low) in after.iter_mut().zip(high).zip(low) {
                    ring.subtract(to, high, low);
                }
                Place { stored: true, at: room, len: half }
            }
        };
    }

    /// The corners that are left when the first variables are set.
    #[inline(always)]
    fn left(&self, first: usize) -> &Left {
        let Place { stored, at, .. } = self.places[first];
        if stored { &self.stored[at] } else { &self.corners[at] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at_point, digits};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_follow_the_definition(
            variables in 0usize..=MAX_VARIABLES, octets in 0usize..3, seed: [Octet; 4], every in 1usize..4,
            two: bool, sum: bool, spare in 0usize..3,
        ) {
            let corners = 1 << variables;
            let operand = |which: usize| -> Vec<u64> {
                let word = |i: usize| seed[which][i % LANES].rotate_left(i as u32).wrapping_mul(i as u64 | 1);
                (0..octets * corners * LANES).map(word).collect()
            };
            let [x0, x1, y0, y1] = [0, 1, 2, 3].map(operand);
            let both = [&y0[..], &y1];
            let terms: [Term<'_>; 2] = [(&x0, &both[..1 + usize::from(sum)]), (&x1, &both[..1])];
            let terms = &terms[..1 + usize::from(two)];
            let at: Vec<usize> = (0..points(variables)).step_by(every).collect();
            let value = |operand: &[u64], octet: usize, lane: usize, point: usize, subtract| {
                let corner = |corner: usize| operand[(octet * corners + corner) * LANES + lane];
                let corners: Vec<u64> = (0..corners).map(corner).collect();
                at_point(&corners, &digits(point, variables), subtract)
            };
            for level in Level::available() {
                let room = spare + at.len();
                let mut products = vec![1; octets * room * LANES];
                let mut ands = products.clone();
                multiply::<WORDS>(level, &mut products, &at, corners, terms, Scratch::take().octets());
                multiply::<BITS>(level, &mut ands, &at, corners, terms, Scratch::take().octets());
                for (i, (product, and)) in products.into_iter().zip(ands).enumerate() {
                    let (octet, row, lane) = (i / LANES / room, i / LANES % room, i % LANES);
                    let Some(point) = row.checked_sub(spare).map(|row| at[row]) else {
                        prop_assert_eq!((product, and), (1, 1), "what is before the products stays");
                        continue;
                    };
                    let of = |operand: &[u64]| value(operand, octet, lane, point, u64::wrapping_sub);
                    let sum = |y: &[&[u64]]| y.iter().map(|y| of(y)).fold(0, u64::wrapping_add);
                    let expected = terms.iter().map(|(x, y)| of(x).wrapping_mul(sum(y)));
                    prop_assert_eq!(product, expected.fold(0, u64::wrapping_add));
                    let of = |operand: &[u64]| value(operand, octet, lane, point, |x, y| x ^ y);
                    let sum = |y: &[&[u64]]| y.iter().map(|y| of(y)).fold(0, |x, y| x ^ y);
                    prop_assert_eq!(and, terms.iter().map(|(x, y)| of(x) & sum(y)).fold(0, |x, y| x ^ y));
                }
            }
        }
    }
}
