//! Where the maximum of each row is.
//!
//! The comparisons are those of [`crate::max`]. They leave, for up to `GROUP` columns, a one
//! where the maximum is and zeros elsewhere, of which the number of the column is a public
//! combination; of more columns each group passes its maximum on, and with it the number.

use crate::max::{GROUP, winners};
use crate::mul::column_dot;
use futures_util::future::try_join_all;
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::Arith;

/// The column, from 0, of the largest element of each row, the first of equals: `rows x 1`.
///
/// # Preconditions
/// At least one column; differences of elements below `2^31` in magnitude.
///
/// # Cost
/// That of [`max_of_rows`](crate::max::max_of_rows), less the last selection, which is one
/// round; beyond 16 columns 8 bytes more for each group and row.
///
/// # Security
/// Nothing is opened.
///
/// # Errors
/// `Misuse` when there is no column.
pub async fn argmax_of_rows<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    let mut level = Level { values: x.transpose(), columns: None };
    while level.values.rows() > GROUP {
        level = level.narrowed(&ctx.step("level")).await?;
    }
    let columns = match level.values.rows() {
        0 => return Err(Error::Misuse("the maximum of no columns".into())),
        1 => level.columns_of(ctx, &[0])?,
        _ => {
            let ctx = ctx.step("last");
            let winners = winners(&ctx, &level.values).await?;
            level.column_of_winner(&ctx, &winners, 0).await?
        }
    };
    columns.reshape([x.rows(), 1])
}

/// What is still compared: a row a candidate, a column a row of the input.
struct Level {
    values: Arith<Z64>,
    /// From which column of the input each candidate comes; its own row where that is `None`.
    columns: Option<Arith<Z64>>,
}

impl Level {
    /// The maximum of every `GROUP` candidates, for all groups in the same rounds.
    async fn narrowed<S: Security>(&self, ctx: &Ctx<S>) -> Result<Level> {
        let rows: Vec<usize> = (0..self.values.rows()).collect();
        let groups = rows.chunks(GROUP).map(|rows| {
            let ctx = ctx.step("group");
            async move { self.best_of(&ctx, rows).await }
        });
        let (values, columns): (Vec<_>, Vec<_>) = try_join_all(groups).await?.into_iter().unzip();
        Ok(Level {
            values: Arith::concat_rows(&values.iter().collect::<Vec<_>>())?,
            columns: Some(Arith::concat_rows(&columns.iter().collect::<Vec<_>>())?),
        })
    }

    /// The maximum of the candidates in these rows, and its column.
    async fn best_of<S: Security>(
        &self,
        ctx: &Ctx<S>,
        rows: &[usize],
    ) -> Result<(Arith<Z64>, Arith<Z64>)> {
        let values = self.values.select_rows(rows)?;
        let [count, lanes] = values.shape();
        if count == 1 {
            return Ok((values, self.columns_of(ctx, rows)?));
        }
        let winners = winners(ctx, &values).await?;
        let (select, number) = (ctx.step("select"), ctx.step("number"));
        let (value, column) = try_join!(
            column_dot(&select, &winners, &values),
            self.column_of_winner(&number, &winners, rows[0])
        )?;
        Ok((value.reshape([1, lanes])?, column.reshape([1, lanes])?))
    }

    /// The columns that the candidates in these rows come from.
    fn columns_of<S: Security>(&self, ctx: &Ctx<S>, rows: &[usize]) -> Result<Arith<Z64>> {
        match &self.columns {
            Some(columns) => columns.select_rows(rows),
            None => {
                let lanes = self.values.cols();
                let numbers = rows.iter().flat_map(|&row| std::iter::repeat_n(row as u64, lanes));
                Ok(Arith::public(ctx.party(), [rows.len(), lanes], numbers.collect()))
            }
        }
    }

    /// The column of the candidate that has won among those from row `first` on: free where
    /// columns are still rows, for then everybody knows their numbers.
    async fn column_of_winner<S: Security>(
        &self,
        ctx: &Ctx<S>,
        winners: &Arith<Z64>,
        first: usize,
    ) -> Result<Arith<Z64>> {
        let [count, lanes] = winners.shape();
        match &self.columns {
            Some(columns) => {
                let rows: Vec<usize> = (first..first + count).collect();
                column_dot(ctx, winners, &columns.select_rows(&rows)?).await
            }
            None => {
                let numbers: Vec<u64> = (first..first + count).map(|row| row as u64).collect();
                Ok(winners.transpose().scale_columns(&numbers)?.sum_cols().reshape([1, lanes])?)
            }
        }
    }
}
