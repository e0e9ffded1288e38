//! From a secret number to a row with a one in its column.
//!
//! The number `x` is not `k` exactly where `-(x - k)^2` is negative: a product and a short sign
//! for each column.

use crate::inject::inject;
use crate::mul::mul;
use crate::sign::sign;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::Arith;

/// The most columns.
const MAX_COLUMNS: usize = 1 << 12;

/// For each row of `index`, `rows x 1`, a one in the column that it names and zeros in the
/// others: `rows x columns`.
///
/// # Preconditions
/// `0 <= index < columns`, and at most 4096 columns.
///
/// # Cost
/// For each element of the result a product, a sign of `2 log2 columns + 1` bits, and an injected
/// bit; 3 rounds and those of the sign: for ten columns 8 rounds and 184 bytes a row and party.
///
/// # Security
/// Products and ANDs of shares; nothing is opened.
///
/// # Errors
/// `Shape` for an index of more than a column, `Misuse` for no columns or too many.
pub async fn one_hot<S: Security>(
    ctx: &Ctx<S>,
    index: &Arith<Z64>,
    columns: usize,
) -> Result<Arith<Z64>> {
    let rows = index.rows();
    if index.cols() != 1 {
        return Err(Error::Shape { op: "one_hot", left: index.shape(), right: [rows, 1] });
    }
    if !(1..=MAX_COLUMNS).contains(&columns) {
        return Err(Error::Misuse(format!("one of {columns} columns")));
    }
    let minus: Vec<u64> = (0..columns as u64).map(u64::wrapping_neg).collect();
    let away = index.repeat_cols(columns).add_public_matrix(ctx.party(), &minus.repeat(rows))?;
    let square = mul(&ctx.step("square"), &away, &away).await?;
    // The square is below 2^width for the width of columns^2, and one bit is the sign.
    let width = 2 * columns.next_power_of_two().ilog2() as usize + 1;
    let other = sign(&ctx.step("sign"), &square.neg(), width.max(2)).await?;
    let here = inject(&ctx.step("inject"), &other.not(ctx.party()), 0).await?;
    here.reshape([rows, columns])
}
