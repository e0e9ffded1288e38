//! The cells of one column, in one piece of memory.

/// Texts one after the other, found by where each ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cells {
    text: String,
    ends: Vec<u32>,
}

impl Cells {
    /// Appends a cell.
    ///
    /// # Panics
    /// When the column has more than 4 GiB of text; callers bound that.
    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(u32::try_from(self.text.len()).expect("the text of a table is bounded"));
    }

    /// The cell of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub(super) fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.text[start..self.ends[row] as usize]
    }
}
