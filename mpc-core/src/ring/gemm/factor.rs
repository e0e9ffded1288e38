//! Factors of a product: matrices, and those that are gathered part by part.

use super::MatRef;
use super::scratch::{self, Buffer};
use crate::ring::{RowMap, Unfolded};
use std::sync::Arc;

/// How a row-major matrix is read as a factor.
#[derive(Clone, Debug)]
pub enum Reading {
    /// As it is.
    Plain,
    /// Transposed.
    Transposed,
    /// Each row made a long one, which is cut into rows of `width`; that of the map is a multiple.
    Unfolded {
        /// From rows to long rows.
        map: Arc<RowMap>,
        /// Columns of the factor.
        width: usize,
    },
}

impl Reading {
    /// The shape of the factor, given that of the matrix.
    pub fn shape(&self, [rows, cols]: [usize; 2]) -> [usize; 2] {
        match self {
            Reading::Plain => [rows, cols],
            Reading::Transposed => [cols, rows],
            Reading::Unfolded { map, width } => [map.long() / (*width).max(1) * rows, *width],
        }
    }

    /// The factor.
    ///
    /// # Panics
    /// If the matrix has another number of words, or its rows are not those of the map.
    pub fn factor<'a>(&'a self, words: &'a [u64], [rows, cols]: [usize; 2]) -> Factor<'a> {
        match self {
            Reading::Plain => MatRef::new(words, rows, cols).into(),
            Reading::Transposed => MatRef::new(words, rows, cols).t().into(),
            Reading::Unfolded { map, width } => {
                assert_eq!((words.len(), cols), (rows * cols, map.short()), "rows of the map");
                Unfolded::new(words, map, *width).into()
            }
        }
    }
}

/// A component of a factor.
#[derive(Clone, Copy)]
pub struct Factor<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Matrix(MatRef<'a>),
    Gathered(Part<'a>),
}

/// A part of a matrix that does not exist as a whole.
#[derive(Clone, Copy)]
struct Part<'a> {
    of: Unfolded<'a>,
    first_row: usize,
    rows: usize,
    first_col: usize,
    cols: usize,
    /// Whether it is read transposed.
    transposed: bool,
}

impl<'a> From<MatRef<'a>> for Factor<'a> {
    fn from(matrix: MatRef<'a>) -> Self {
        Factor(Source::Matrix(matrix))
    }
}

impl<'a> From<Unfolded<'a>> for Factor<'a> {
    fn from(of: Unfolded<'a>) -> Self {
        let (rows, cols) = (of.rows(), of.cols());
        Factor(Source::Gathered(Part {
            of,
            first_row: 0,
            rows,
            first_col: 0,
            cols,
            transposed: false,
        }))
    }
}

impl<'a> Factor<'a> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self.0 {
            Source::Matrix(matrix) => matrix.rows(),
            Source::Gathered(Part { transposed: true, cols, .. }) => cols,
            Source::Gathered(Part { rows, .. }) => rows,
        }
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.t().rows()
    }

    /// The transpose.
    pub fn t(self) -> Factor<'a> {
        Factor(match self.0 {
            Source::Matrix(matrix) => Source::Matrix(matrix.t()),
            Source::Gathered(part) => {
                Source::Gathered(Part { transposed: !part.transposed, ..part })
            }
        })
    }

    /// The `rows` x `cols` part whose top left element is at (`row`, `col`).
    ///
    /// # Panics
    /// If it does not lie in the matrix.
    pub fn block(&self, row: usize, rows: usize, col: usize, cols: usize) -> Factor<'a> {
        match self.0 {
            Source::Matrix(matrix) => matrix.block(row, rows, col, cols).into(),
            Source::Gathered(Part { transposed: true, .. }) => {
                self.t().block(col, cols, row, rows).t()
            }
            Source::Gathered(part) => {
                assert!(
                    row + rows <= part.rows && col + cols <= part.cols,
                    "outside of the matrix"
                );
                let (first_row, first_col) = (part.first_row + row, part.first_col + col);
                Factor(Source::Gathered(Part { first_row, rows, first_col, cols, ..part }))
            }
        }
    }

    /// Whether both have their elements in the same places.
    pub(super) fn is_laid_out_as(&self, other: &Factor<'_>) -> bool {
        match (&self.0, &other.0) {
            (Source::Matrix(x), Source::Matrix(y)) => x.is_laid_out_as(y),
            (Source::Gathered(x), Source::Gathered(y)) => {
                let place = |part: &Part<'_>| {
                    let (rows, cols) = ([part.first_row, part.rows], [part.first_col, part.cols]);
                    (rows, cols, part.transposed)
                };
                x.of.is_laid_out_as(&y.of) && place(x) == place(y)
            }
            _ => false,
        }
    }

    /// The matrix, if it exists.
    pub fn existing(&self) -> Option<MatRef<'a>> {
        match self.0 {
            Source::Matrix(matrix) => Some(matrix),
            Source::Gathered(_) => None,
        }
    }

    /// Whether the elements of a row are neighbours.
    pub(super) fn has_rows_in_one_piece(&self) -> bool {
        match self.0 {
            Source::Matrix(matrix) => matrix.right() == 1,
            Source::Gathered(part) => !part.transposed || part.cols == 1,
        }
    }

    /// Calls `work` with the matrix, which is gathered for that where it does not exist.
    pub fn gathered(&self, work: impl FnOnce(MatRef<'_>)) {
        scratch::with_gathered(|buffer| work(self.matrix(buffer)));
    }

    /// The matrix; what has to be gathered first lies in `buffer`.
    pub(super) fn matrix<'b>(&self, buffer: &'b mut Buffer) -> MatRef<'b>
    where
        'a: 'b,
    {
        let part = match self.0 {
            Source::Matrix(matrix) => return matrix,
            Source::Gathered(part) => part,
        };
        let storage = buffer.take(part.rows * part.cols);
        let (rows, cols) = (part.first_row..part.first_row + part.rows, part.first_col..);
        part.of.gather(rows, cols.start..cols.start + part.cols, storage);
        let matrix = MatRef::new(storage, part.rows, part.cols);
        if part.transposed { matrix.t() } else { matrix }
    }
}
