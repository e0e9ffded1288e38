//! A borrowed matrix whose transpose is free.

/// A matrix of ring words over borrowed storage: row-major, or the transpose
/// of a row-major matrix without a copy.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    data: &'a [u64],
    rows: usize,
    cols: usize,
    transposed: bool,
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
        MatRef { data, rows, cols, transposed: false }
    }

    /// The transpose, over the same storage.
    pub fn t(self) -> MatRef<'a> {
        MatRef { rows: self.cols, cols: self.rows, transposed: !self.transposed, ..self }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The words in storage order.
    pub(super) fn data(&self) -> &'a [u64] {
        self.data
    }

    /// Distance in words from an element to the one below it, and to its right neighbour.
    pub(super) fn strides(&self) -> (usize, usize) {
        if self.transposed { (1, self.rows) } else { (self.cols, 1) }
    }
}
