//! Elements of a matrix in another order, and several matrices as one: all of it local.

use super::Arith;
use crate::error::{Error, Result};
use crate::ring::{Ring, RowMap};
use crate::share::Words;
use std::ops::Range;
use std::sync::Arc;

impl<R: Ring> Arith<R> {
    /// A `1 x cols` row repeated `rows` times.
    pub fn repeat_rows(&self, rows: usize) -> Self {
        self.linear([rows, self.cols()], |x| x.repeat(rows).into())
    }

    /// A `rows x 1` column repeated `cols` times.
    pub fn repeat_cols(&self, cols: usize) -> Self {
        self.linear([self.len(), cols], |x| {
            Words::overwritten(x.len() * cols, |out| {
                out.chunks_exact_mut(cols.max(1)).zip(x).for_each(|(row, x)| row.fill(*x));
            })
        })
    }

    /// The transposed matrix.
    pub fn transpose(&self) -> Self {
        let [rows, cols] = self.shape;
        self.linear([cols, rows], |x| {
            let mut out = Words::zeroed(rows * cols);
            for (c, column) in out.chunks_exact_mut(rows.max(1)).enumerate() {
                column.iter_mut().zip(x[c..].iter().step_by(cols)).for_each(|(to, x)| *to = *x);
            }
            out
        })
    }

    /// The rows with the given numbers, in that order.
    ///
    /// # Errors
    /// `Misuse` when there is no such row.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        let cols = self.cols();
        if let Some(row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::Misuse(format!("there is no row {row} among {}", self.rows())));
        }
        Ok(self.linear([rows.len(), cols], |x| {
            rows.iter().map(|r| &x[r * cols..(r + 1) * cols]).collect()
        }))
    }

    /// Overwrites the rows from `start` on.
    ///
    /// # Errors
    /// `Shape` when `part` does not fit.
    pub fn set_rows(&mut self, start: usize, part: &Self) -> Result<()> {
        let fits = start.checked_add(part.rows()).is_some_and(|end| end <= self.rows());
        if !fits || part.cols() != self.cols() {
            return Err(Error::Shape { op: "set rows", left: self.shape, right: part.shape });
        }
        let range = start * self.cols()..(start + part.rows()) * self.cols();
        Arc::make_mut(&mut self.first)[range.clone()].copy_from_slice(&part.first);
        Arc::make_mut(&mut self.second)[range].copy_from_slice(&part.second);
        Ok(())
    }

    /// The given columns.
    ///
    /// # Errors
    /// `Misuse` when there are no such columns.
    pub fn select_columns(&self, columns: Range<usize>) -> Result<Self> {
        let [rows, cols] = self.shape;
        if columns.start > columns.end || columns.end > cols {
            return Err(Error::Misuse(format!("there are no columns {columns:?} among {cols}")));
        }
        let len = columns.len();
        if len == cols {
            return Ok(self.clone());
        }
        Ok(self.linear([rows, len], |x| {
            Words::overwritten(rows * len, |out| {
                let rows = out.chunks_exact_mut(len.max(1)).zip(x.chunks_exact(cols.max(1)));
                rows.for_each(|(out, row)| out.copy_from_slice(&row[columns.clone()]));
            })
        }))
    }

    /// The matrices side by side.
    ///
    /// # Errors
    /// `Shape` when the numbers of rows differ; `Misuse` when there is no matrix.
    pub fn concat_columns(parts: &[&Self]) -> Result<Self> {
        let Some(head) = parts.first() else {
            return Err(Error::Misuse("nothing to put together".into()));
        };
        if let Some(odd) = parts.iter().find(|part| part.rows() != head.rows()) {
            return Err(Error::Shape { op: "concat", left: head.shape, right: odd.shape });
        }
        let (rows, cols) = (head.rows(), parts.iter().map(|part| part.cols()).sum::<usize>());
        let join = |component: fn(&Self) -> &[u64]| {
            Words::overwritten(rows * cols, |out| {
                let mut start = 0;
                for part in parts {
                    let range = start..start + part.cols();
                    let from = component(part).chunks_exact(part.cols().max(1));
                    for (out, from) in out.chunks_exact_mut(cols.max(1)).zip(from) {
                        out[range.clone()].copy_from_slice(from);
                    }
                    start = range.end;
                }
            })
        };
        Ok(Self::from_components([rows, cols], join(Self::first), join(Self::second)))
    }

    /// The long row of each row along a public map.
    ///
    /// # Errors
    /// `Shape` when rows are not as wide as the map's short ones.
    pub fn gather(&self, map: &RowMap) -> Result<Self> {
        if self.cols() != map.short() {
            let right = [self.rows(), map.short()];
            return Err(Error::Shape { op: "gather", left: self.shape, right });
        }
        let shape = [self.rows(), map.long()];
        Ok(self
            .linear(shape, |x| Words::overwritten(shape[0] * shape[1], |long| map.gather(x, long))))
    }

    /// The sums of what comes from the same element of a short row: the adjoint of
    /// [`Arith::gather`].
    ///
    /// # Errors
    /// `Shape` when rows are not as wide as the map's long ones.
    pub fn scatter_add(&self, map: &RowMap) -> Result<Self> {
        if self.cols() != map.long() {
            let right = [self.rows(), map.long()];
            return Err(Error::Shape { op: "scatter", left: self.shape, right });
        }
        let shape = [self.rows(), map.short()];
        Ok(self.linear(shape, |x| {
            let mut short = Words::zeroed(shape[0] * shape[1]);
            map.scatter_add(x, &mut short, u64::wrapping_add);
            short
        }))
    }

    /// The matrices one below the other.
    ///
    /// # Errors
    /// `Shape` when the numbers of columns differ; `Misuse` when there is no matrix.
    pub fn concat_rows(parts: &[&Self]) -> Result<Self> {
        let Some(head) = parts.first() else {
            return Err(Error::Misuse("nothing to put together".into()));
        };
        if let Some(odd) = parts.iter().find(|part| part.cols() != head.cols()) {
            return Err(Error::Shape { op: "concat", left: head.shape, right: odd.shape });
        }
        let rows = parts.iter().map(|part| part.rows()).sum();
        let join = |component: fn(&Self) -> &[u64]| -> Words {
            parts.iter().map(|part| component(part)).collect()
        };
        Ok(Self::from_components([rows, head.cols()], join(Self::first), join(Self::second)))
    }
}
