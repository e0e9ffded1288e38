//! A borrowed matrix whose transpose is free.

/// A matrix of ring words over borrowed storage: row-major, or the transpose
/// of a row-major matrix without a copy.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    /// Begins with the top left element.
    data: &'a [u64],
    rows: usize,
    cols: usize,
    /// Distance from an element to the one below it.
    down: usize,
    /// Distance from an element to its right neighbour.
    right: usize,
}

impl<'a> MatRef<'a> {
    /// Views `data` as a row-major matrix of `rows` x `cols`.
    ///
    /// # Panics
    /// If `data` does not have exactly `rows * cols` words.
    pub fn new(data: &'a [u64], rows: usize, cols: usize) -> MatRef<'a> {
        assert_eq!(
            Some(data.len()),
            rows.checked_mul(cols),
            "a {rows} x {cols} matrix over {} words",
            data.len()
        );
        MatRef { data, rows, cols, down: cols, right: 1 }
    }

    /// The transpose, over the same storage.
    pub fn t(self) -> MatRef<'a> {
        MatRef { rows: self.cols, cols: self.rows, down: self.right, right: self.down, ..self }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Whether elements of both have the same place in their storage.
    pub(super) fn is_laid_out_as(&self, other: &MatRef<'_>) -> bool {
        let layout = |m: &MatRef<'_>| (m.rows, m.cols, m.down, m.right);
        layout(self) == layout(other)
    }

    /// The sum of two whole matrices, laid out as they are, in `storage`.
    ///
    /// # Panics
    /// If they are not laid out alike, or `storage` has another length.
    pub(super) fn sum(terms: [MatRef<'_>; 2], storage: &'a mut [u64]) -> MatRef<'a> {
        let [x, y] = terms;
        assert!(x.is_laid_out_as(&y), "components of one matrix are not laid out alike");
        assert_eq!([x.data.len(), y.data.len()], [storage.len(); 2], "a part of a matrix");
        for ((sum, x), y) in storage.iter_mut().zip(x.data).zip(y.data) {
            *sum = x.wrapping_add(*y);
        }
        MatRef { data: storage, rows: x.rows, cols: x.cols, down: x.down, right: x.right }
    }

    /// The words from the top left element on.
    pub(super) fn data(&self) -> &'a [u64] {
        self.data
    }

    /// Distance in words from an element to the one below it.
    pub(super) fn down(&self) -> usize {
        self.down
    }

    /// Distance in words from an element to its right neighbour.
    pub(super) fn right(&self) -> usize {
        self.right
    }

    /// The element at a position.
    pub(super) fn at(&self, row: usize, col: usize) -> u64 {
        self.data[row * self.down + col * self.right]
    }

    /// The `rows` x `cols` part whose top left element is at (`row`, `col`).
    ///
    /// # Panics
    /// If it does not lie in the matrix.
    pub fn block(&self, row: usize, rows: usize, col: usize, cols: usize) -> MatRef<'a> {
        assert!(
            row + rows <= self.rows && col + cols <= self.cols,
            "a block outside of the matrix"
        );
        let start = (row * self.down + col * self.right).min(self.data.len());
        MatRef { data: &self.data[start..], rows, cols, ..*self }
    }
}
