//! Maximum of each row.
//!
//! Up to `GROUP` columns are compared all with all in one go, so the depth is that of one
//! comparison and one conjunction; more columns form groups, whose maxima are compared in
//! turn.

use crate::and::and_all;
use crate::inject::inject;
use crate::mul::column_dot;
use crate::sign::sign;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin};

/// Columns that are compared all with all.
pub(crate) const GROUP: usize = 16;

/// The largest element of each row: `rows x 1`.
///
/// # Preconditions
/// At least one column; differences of elements below `2^31` in magnitude.
///
/// # Cost
/// For `c <= 16` columns `10 + ceil(log2(c - 1))` rounds and `c (c - 1) / 2` comparisons a
/// row, besides 10 bytes per element; more columns repeat that for `ceil(c / 16)` maxima.
///
/// # Security
/// Nothing is opened, also not which element is the largest.
///
/// # Errors
/// `Misuse` when there is no column.
pub async fn max_of_rows<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    let mut candidates = x.transpose();
    loop {
        match candidates.rows() {
            0 => return Err(Error::Misuse("the maximum of no columns".into())),
            1 => return candidates.reshape([x.rows(), 1]),
            _ => candidates = max_of_groups(&ctx.step("level"), &candidates).await?,
        }
    }
}

/// The maximum of every `GROUP` rows of `x`, for all groups in the same rounds.
async fn max_of_groups<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    let rows: Vec<usize> = (0..x.rows()).collect();
    let groups = rows.chunks(GROUP).map(|group| {
        let ctx = ctx.step("group");
        async move { max_of_group(&ctx, &x.select_rows(group)?).await }
    });
    let maxima = futures_util::future::try_join_all(groups).await?;
    Arith::concat_rows(&maxima.iter().collect::<Vec<_>>())
}

/// The maximum of each column of `x`, whose few rows are compared all with all.
async fn max_of_group<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    if x.rows() == 1 {
        return Ok(x.clone());
    }
    let winners = winners(ctx, x).await?;
    column_dot(&ctx.step("select"), &winners, x).await
}

/// For each column of `x`, which has two to [`GROUP`] rows, a one in the row of its first
/// maximum and zeros in the others.
pub(crate) async fn winners<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>) -> Result<Arith<Z64>> {
    let [count, lanes] = x.shape();
    // Step 1: for all pairs j < k, whether x_j < x_k.
    let pairs: Vec<(usize, usize)> =
        (0..count).flat_map(|j| (j + 1..count).map(move |k| (j, k))).collect();
    let left = x.select_rows(&pairs.iter().map(|p| p.0).collect::<Vec<_>>())?;
    let right = x.select_rows(&pairs.iter().map(|p| p.1).collect::<Vec<_>>())?;
    let less = sign(&ctx.step("compare"), &left.sub(&right)?, 32).await?;
    let less = less.split_plane(pairs.len(), lanes);
    let not_less = less.not(ctx.party());
    // Step 2: x_j is the maximum if it is not less than those behind it and those before
    // it are less; the first of equals wins, so exactly one does.
    let wins = |j: usize| {
        let planes = pairs.iter().enumerate().filter(move |(_, (a, b))| *a == j || *b == j);
        let planes: Vec<Bin> = planes
            .map(
                |(at, (a, _))| {
                    if *a == j { not_less.slice(at..at + 1) } else { less.slice(at..at + 1) }
                },
            )
            .collect();
        Bin::concat(&planes.iter().collect::<Vec<_>>())
    };
    let columns: Vec<Bin> = (0..count).map(wins).collect();
    let is_max = and_all(&ctx.step("is-max"), Bin::side_by_side(&columns)).await?;
    let is_max = is_max.split_plane(count, lanes);
    inject(&ctx.step("inject"), &is_max, 0).await
}
