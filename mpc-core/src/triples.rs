//! Beaver triples as a computation takes them: for a product of a certain shape, once.

use crate::error::Result;
use crate::ring::Z64;
use crate::share::{Arith, Bin};

/// Kind and size of a product, and so of the triple that it uses up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductShape {
    /// Element by element, of matrices with these rows and columns.
    Elementwise([usize; 2]),
    /// The inner products of the columns of two matrices with these rows and columns.
    ColumnDot([usize; 2]),
    /// A matrix product.
    Matrix {
        /// Rows and columns of the left factor as it is stored.
        left: [usize; 2],
        /// Rows and columns of the right factor as it is stored.
        right: [usize; 2],
        /// Whether the factors are read transposed.
        transposed: [bool; 2],
    },
    /// AND of bits.
    And {
        /// Bits in a plane.
        lanes: usize,
        /// Number of planes.
        planes: usize,
    },
}

impl ProductShape {
    /// Words in a component of either factor and of the product.
    pub fn words(&self) -> [usize; 3] {
        let area = |[rows, cols]: [usize; 2]| rows * cols;
        match *self {
            ProductShape::Elementwise(shape) => [area(shape); 3],
            ProductShape::ColumnDot(shape) => [area(shape), area(shape), shape[1]],
            ProductShape::Matrix { left, right, .. } => {
                [area(left), area(right), area(self.product())]
            }
            ProductShape::And { lanes, planes } => [planes * lanes.div_ceil(64); 3],
        }
    }

    /// Rows and columns of the product; planes and lanes of bits.
    pub fn product(&self) -> [usize; 2] {
        match *self {
            ProductShape::Elementwise(shape) => shape,
            ProductShape::ColumnDot([_, cols]) => [1, cols],
            ProductShape::Matrix { left, right, transposed } => {
                let rows = left[usize::from(transposed[0])];
                [rows, right[usize::from(!transposed[1])]]
            }
            ProductShape::And { lanes, planes } => [planes, lanes],
        }
    }

    /// How many triples of single words or single bits it stands for: multiplications that
    /// the product does.
    pub fn multiplications(&self) -> u64 {
        match *self {
            ProductShape::Elementwise([rows, cols]) | ProductShape::ColumnDot([rows, cols]) => {
                rows as u64 * cols as u64
            }
            ProductShape::Matrix { left, transposed, .. } => {
                let [rows, cols] = self.product();
                let inner = left[usize::from(!transposed[0])];
                rows as u64 * cols as u64 * inner as u64
            }
            ProductShape::And { lanes, planes } => lanes as u64 * planes as u64,
        }
    }
}

/// Shares of random `a`, `b` that nobody knows and of their product `c`.
///
/// It cannot be cloned, and whoever uses it takes it apart: a triple serves once. Two
/// products masked by the same triple would reveal their difference.
///
/// ```compile_fail,E0382
/// fn twice<T>(triple: mpc_core::triples::Triple<T>) {
///     let first = triple.consume();
///     let second = triple.consume();
/// }
/// ```
pub struct Triple<T> {
    a: T,
    b: T,
    c: T,
}

impl<T> Triple<T> {
    /// Puts a triple together.
    pub fn new(a: T, b: T, c: T) -> Triple<T> {
        Triple { a, b, c }
    }

    /// Uses the triple up.
    pub fn consume(self) -> [T; 3] {
        [self.a, self.b, self.c]
    }
}

/// What a source has for a product.
pub enum Supply {
    /// A triple of words; it serves any ring up to `Z_2^64`.
    Words(Triple<Arith<Z64>>),
    /// A triple of bits.
    Bits(Triple<Bin>),
    /// Nothing: this is a dry run, and the product is zeros.
    Dry,
}

/// Where products take their triples from.
pub trait TripleSource {
    /// The next triple for products of a shape.
    ///
    /// Products of the same shape ask in the same order at all parties.
    ///
    /// # Errors
    /// `Triples` when there is none left.
    fn take(&mut self, shape: &ProductShape) -> Result<Supply>;

    /// How many triples are left over.
    fn left_over(&self) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_products() {
        let shape = |left, right, transposed| ProductShape::Matrix { left, right, transposed };
        assert_eq!(shape([2, 3], [3, 5], [false, false]).product(), [2, 5]);
        assert_eq!(shape([3, 2], [3, 5], [true, false]).product(), [2, 5]);
        assert_eq!(shape([2, 3], [5, 3], [false, true]).product(), [2, 5]);
        assert_eq!(shape([3, 2], [5, 3], [true, true]).product(), [2, 5]);
        assert_eq!(shape([3, 2], [5, 3], [true, true]).multiplications(), 30);
        assert_eq!(shape([3, 2], [5, 3], [true, true]).words(), [6, 15, 10]);
        assert_eq!(ProductShape::ColumnDot([4, 3]).words(), [12, 12, 3]);
        assert_eq!(ProductShape::And { lanes: 65, planes: 3 }.words(), [6; 3]);
    }
}
