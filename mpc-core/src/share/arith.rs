//! Replicated sharings of matrices over a ring.

use super::Words;
use crate::error::{Error, Result};
use crate::party::PartyId;
use crate::ring::{Ring, elementwise};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

mod rearranged;

/// One party's replicated share of a matrix over `R`: `x = x_0 + x_1 + x_2`, and
/// `P_i` holds `x_i` ("first") and `x_{i+1}` ("second"), row-major.
///
/// A clone shares the buffers. All methods are local: they send nothing.
#[derive(Clone)]
pub struct Arith<R: Ring> {
    shape: [usize; 2],
    first: Arc<Words>,
    second: Arc<Words>,
    ring: PhantomData<R>,
}

impl<R: Ring> Arith<R> {
    /// Takes the two components that this party holds.
    ///
    /// # Panics
    /// If a component does not have rows times columns words.
    pub fn from_components(
        shape: [usize; 2],
        first: impl Into<Arc<Words>>,
        second: impl Into<Arc<Words>>,
    ) -> Self {
        let (len, first, second) = (shape[0] * shape[1], first.into(), second.into());
        assert!(first.len() == len && second.len() == len, "one word an element");
        Self { shape, first, second, ring: PhantomData }
    }

    /// The sharing of a public matrix in which `x_0` is the value and the rest is zero.
    pub fn public(party: PartyId, shape: [usize; 2], values: Vec<u64>) -> Self {
        Self::known(party, PartyId::P0, shape, values)
    }

    /// The free sharing of a matrix that the two holders of component `component`
    /// know: that component is the value and the others are zero.
    ///
    /// `component.prev()` and `component` pass the value, the third party passes anything
    /// of the same length (it is ignored).
    pub fn known(
        party: PartyId,
        component: PartyId,
        shape: [usize; 2],
        values: impl Into<Words>,
    ) -> Self {
        let values: Words = values.into();
        let zero = Words::zeroed(values.len());
        match party {
            p if p == component => Self::from_components(shape, values, zero),
            p if p.next() == component => Self::from_components(shape, zero, values),
            _ => Self::from_components(shape, zero.clone(), zero),
        }
    }

    /// A matrix of zeros.
    pub fn zeros(shape: [usize; 2]) -> Self {
        let zero = Arc::new(Words::zeroed(shape[0] * shape[1]));
        Self { shape, first: zero.clone(), second: zero, ring: PhantomData }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.shape[1]
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The component `x_i` that party `P_i` holds.
    pub fn first(&self) -> &[u64] {
        &self.first
    }

    /// The component `x_{i+1}` that party `P_i` holds.
    pub fn second(&self) -> &[u64] {
        &self.second
    }

    /// The buffers of both components, shared with this share.
    pub(crate) fn buffers(&self) -> (Arc<Words>, Arc<Words>) {
        (self.first.clone(), self.second.clone())
    }

    /// The same words read in another ring: right only where `S` is no wider than `R`
    /// (reduction modulo `2^S`), which the compiler checks.
    pub fn reduce<S: Ring>(&self) -> Arith<S> {
        const { assert!(S::BITS <= R::BITS, "reduction goes to a narrower ring") };
        Arith {
            shape: self.shape,
            first: self.first.clone(),
            second: self.second.clone(),
            ring: PhantomData,
        }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// `Shape` when the number of elements differs.
    pub fn reshape(&self, shape: [usize; 2]) -> Result<Self> {
        if shape[0].checked_mul(shape[1]) != Some(self.len()) {
            return Err(Error::Shape { op: "reshape", left: self.shape, right: shape });
        }
        Ok(Self { shape, ..self.clone() })
    }

    /// Applies one linear map to both components; `f` maps the words of a matrix of
    /// this shape to those of a matrix of shape `shape`.
    pub fn linear(&self, shape: [usize; 2], f: impl Fn(&[u64]) -> Words) -> Self {
        Self::from_components(shape, f(&self.first), f(&self.second))
    }

    /// Applies `f` to every word of both components: meaningful where `f` is linear, or where a
    /// protocol works on the components.
    pub fn map(&self, f: impl Fn(u64) -> u64) -> Self {
        self.linear(self.shape, |x| Words::map(x, &f))
    }

    /// Applies `f_0` to the words of `x_0` and `f` to those of both others: meaningful where a
    /// public value comes in with the first component.
    pub fn map_components(
        &self,
        party: PartyId,
        f_0: impl Fn(u64) -> u64,
        f: impl Fn(u64) -> u64,
    ) -> Self {
        let (first, second) = (&self.first, &self.second);
        let (first, second) = match party {
            PartyId::P0 => (Words::map(first, f_0), Words::map(second, f)),
            PartyId::P1 => (Words::map(first, &f), Words::map(second, &f)),
            PartyId::P2 => (Words::map(first, f), Words::map(second, f_0)),
        };
        Self::from_components(self.shape, first, second)
    }

    fn zip(&self, op: &'static str, other: &Self, f: impl Fn(u64, u64) -> u64) -> Result<Self> {
        if self.shape != other.shape {
            return Err(Error::Shape { op, left: self.shape, right: other.shape });
        }
        Ok(Self::from_components(
            self.shape,
            Words::zip(&self.first, &other.first, &f),
            Words::zip(&self.second, &other.second, &f),
        ))
    }

    /// `self + other`, element by element.
    ///
    /// # Errors
    /// `Shape` when the shapes differ.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.zip("add", other, u64::wrapping_add)
    }

    /// `self - other`, element by element.
    ///
    /// # Errors
    /// `Shape` when the shapes differ.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.zip("sub", other, u64::wrapping_sub)
    }

    /// `self + other`, element by element, in place where nobody else holds the buffers.
    ///
    /// # Errors
    /// `Shape` when the shapes differ.
    pub fn plus(self, other: &Self) -> Result<Self> {
        self.combine("add", other, u64::wrapping_add)
    }

    /// `self - other`, element by element, in place where nobody else holds the buffers.
    ///
    /// # Errors
    /// `Shape` when the shapes differ.
    pub fn minus(self, other: &Self) -> Result<Self> {
        self.combine("sub", other, u64::wrapping_sub)
    }

    /// `f` of the words of all three: meaningful where `f` is linear, or where a protocol works on
    /// the components.
    ///
    /// # Errors
    /// `Shape`, for the operation `op`, when the shapes differ.
    pub fn combine_three(
        op: &'static str,
        [x, y, z]: [&Self; 3],
        f: impl Fn(u64, u64, u64) -> u64,
    ) -> Result<Self> {
        if let Some(odd) = [y, z].into_iter().find(|other| other.shape != x.shape) {
            return Err(Error::Shape { op, left: x.shape, right: odd.shape });
        }
        let [first, second] =
            [Self::first, Self::second].map(|of| Words::zip3([of(x), of(y), of(z)], &f));
        Ok(Self::from_components(x.shape, first, second))
    }

    /// `f` of the words of both, in place where nobody else holds the buffers: meaningful where
    /// `f` is linear, or where a protocol works on the components.
    ///
    /// # Errors
    /// `Shape`, for the operation `op`, when the shapes differ.
    pub fn combine(
        mut self,
        op: &'static str,
        other: &Self,
        f: impl Fn(u64, u64) -> u64,
    ) -> Result<Self> {
        if self.shape != other.shape {
            return Err(Error::Shape { op, left: self.shape, right: other.shape });
        }
        for (x, y) in [(&mut self.first, &other.first), (&mut self.second, &other.second)] {
            match Arc::get_mut(x) {
                Some(x) => elementwise::update_with(x, y, &f),
                None => *x = Arc::new(Words::zip(x, y, &f)),
            }
        }
        Ok(self)
    }

    /// `f` of every word of both components, in place where nobody else holds the buffers;
    /// meaningful as in [`Arith::map`].
    pub fn mapped(mut self, f: impl Fn(u64) -> u64) -> Self {
        for x in [&mut self.first, &mut self.second] {
            match Arc::get_mut(x) {
                Some(x) => elementwise::update(x, &f),
                None => *x = Arc::new(Words::map(x, &f)),
            }
        }
        self
    }

    /// `-self`.
    pub fn neg(&self) -> Self {
        self.map(u64::wrapping_neg)
    }

    /// `self * factor` for a public factor.
    pub fn scale(&self, factor: u64) -> Self {
        if factor == 1 {
            return self.clone();
        }
        if factor.is_power_of_two() {
            let shift = factor.trailing_zeros();
            return self.map(|x| x << shift);
        }
        self.map(|x| x.wrapping_mul(factor))
    }

    /// `self + value` for a public value, the same for all elements.
    pub fn add_public(&self, party: PartyId, value: u64) -> Self {
        let shifted = |words: &Words| Arc::new(Words::map(words, |x| x.wrapping_add(value)));
        match party {
            PartyId::P0 => Self { first: shifted(&self.first), ..self.clone() },
            // Another value lies in another buffer, at each party.
            PartyId::P1 => Self { first: Arc::new(Words::clone(&self.first)), ..self.clone() },
            PartyId::P2 => Self { second: shifted(&self.second), ..self.clone() },
        }
    }

    /// [`Arith::add_public`] of a share that is new, in place. One that others hold would keep both
    /// of its buffers at one party, as if it had not changed.
    pub fn plus_public(mut self, party: PartyId, value: u64) -> Self {
        let x_0 = match party {
            PartyId::P0 => &mut self.first,
            PartyId::P1 => return self,
            PartyId::P2 => &mut self.second,
        };
        debug_assert!(Arc::get_mut(x_0).is_some(), "the share is new");
        let x_0: &mut Words = Arc::make_mut(x_0);
        elementwise::update(x_0, |x| x.wrapping_add(value));
        self
    }

    /// `self + values` for a public matrix of the same shape.
    ///
    /// # Errors
    /// `Shape` when the number of values differs.
    pub fn add_public_matrix(&self, party: PartyId, values: &[u64]) -> Result<Self> {
        if values.len() != self.len() {
            let right = [1, values.len()];
            return Err(Error::Shape { op: "add public", left: self.shape, right });
        }
        self.add(&Self::public(party, self.shape, values.to_vec()))
    }

    /// Adds a row to every row, in place where nobody else holds the buffers.
    ///
    /// # Errors
    /// `Shape` when `row` is not `1 x cols`.
    pub fn add_row(mut self, row: &Self) -> Result<Self> {
        if row.shape != [1, self.cols()] {
            return Err(Error::Shape { op: "add row", left: self.shape, right: row.shape });
        }
        let cols = row.cols().max(1);
        for (words, row) in [(&mut self.first, &row.first), (&mut self.second, &row.second)] {
            if let Some(words) = Arc::get_mut(words) {
                for words in words.chunks_exact_mut(cols) {
                    words.iter_mut().zip(row.iter()).for_each(|(x, y)| *x = x.wrapping_add(*y));
                }
                continue;
            }
            *words = Arc::new(Words::overwritten(words.len(), |sums| {
                for (sums, words) in sums.chunks_exact_mut(cols).zip(words.chunks_exact(cols)) {
                    let terms = words.iter().zip(row.iter());
                    sums.iter_mut().zip(terms).for_each(|(to, (x, y))| *to = x.wrapping_add(*y));
                }
            }));
        }
        Ok(self)
    }

    /// The sum of all rows, `1 x cols`.
    pub fn sum_rows(&self) -> Self {
        let cols = self.cols();
        self.linear([1, cols], |x| {
            let mut sum = Words::zeroed(cols);
            for row in x.chunks_exact(cols.max(1)) {
                sum.iter_mut().zip(row).for_each(|(s, &x)| *s = s.wrapping_add(x));
            }
            sum
        })
    }

    /// The sum of each row, `rows x 1`.
    pub fn sum_cols(&self) -> Self {
        let [rows, cols] = self.shape;
        self.linear([rows, 1], |x| {
            let sum = |row: &[u64]| row.iter().fold(0u64, |s, &x| s.wrapping_add(x));
            (0..rows).map(|r| sum(&x[r * cols..(r + 1) * cols])).collect()
        })
    }

    /// Each column times a public factor of its own, in place where nobody else holds the
    /// buffers.
    ///
    /// # Errors
    /// `Shape` when there is not one factor a column.
    pub fn scale_columns(mut self, factors: &[u64]) -> Result<Self> {
        if factors.len() != self.cols() {
            let right = [1, factors.len()];
            return Err(Error::Shape { op: "scale columns", left: self.shape, right });
        }
        for words in [&mut self.first, &mut self.second] {
            for row in Arc::make_mut(words).chunks_exact_mut(factors.len().max(1)) {
                row.iter_mut().zip(factors).for_each(|(x, f)| *x = x.wrapping_mul(*f));
            }
        }
        Ok(self)
    }
}

impl<R: Ring> fmt::Debug for Arith<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arith<Z2^{}>({}x{} secret)", R::BITS, self.shape[0], self.shape[1])
    }
}
