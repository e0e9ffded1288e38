//! How often a score ranks two rows of different classes rightly: the numerator of the area
//! under the ROC curve (Mann, Whitney, Annals of Mathematical Statistics 18, 1947).
//!
//! All pairs are compared, so the count is exact. For rows `i < j` with labels `y` of 0 or 1 and
//! `c = [x_i < x_j]`, the pair counts where `y_i (1 - y_j) (1 - c) + (1 - y_i) y_j c` is one,
//! which is `y_i (1 - y_j) + c (y_j - y_i)`: a product of one secret bit.

use crate::inject::inject;
use crate::mul::column_dot;
use crate::sign::sign;
use crate::verify::verify;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Words};

/// Pairs that are compared in one go: it bounds the memory and the length of messages.
pub const PAIRS_AT_A_TIME: usize = 1 << 17;

/// The number of pairs of a row of label 1 and one of label 0 in which the first has the higher
/// score; of equal scores the row that comes first counts as the higher. `1 x 1`.
///
/// # Preconditions
/// `scores` and `labels` are `rows x 1`; differences of scores are below `2^31` in magnitude,
/// labels are 0 or 1.
///
/// # Cost
/// For each pair of rows a sign of 32 bits and an injected bit, 150 bits a party; 10 rounds for
/// each block of `2^17` pairs. In the malicious mode they are verified block by block.
///
/// # Security
/// Products and ANDs of shares; nothing is opened.
///
/// # Errors
/// `Shape` for operands of other shapes.
pub async fn concordance<S: Security>(
    ctx: &Ctx<S>,
    scores: &Arith<Z64>,
    labels: &Arith<Z64>,
) -> Result<Arith<Z64>> {
    let rows = scores.rows();
    if scores.shape() != [rows, 1] || labels.shape() != [rows, 1] {
        let (left, right) = (scores.shape(), labels.shape());
        return Err(Error::Shape { op: "concordance", left, right });
    }
    // Step 1: sum of y_i (1 - y_j), a product of y_i with the zeros after it, which are linear.
    let zeros_after = labels.linear([rows, 1], |y| {
        let mut ones = Words::zeroed(rows);
        for row in (1..rows).rev() {
            ones[row - 1] = ones[row].wrapping_sub(y[row]);
        }
        ones
    });
    let after: Vec<u64> = (0..rows as u64).rev().collect();
    let zeros_after = zeros_after.add_public_matrix(ctx.party(), &after)?;
    let mut count = column_dot(&ctx.step("first"), labels, &zeros_after).await?;
    // Step 2: sum of c (y_j - y_i), block by block.
    let mut pairs = (0..rows).flat_map(|i| (i + 1..rows).map(move |j| (i, j)));
    for block in 0.. {
        let (left, right): (Vec<usize>, Vec<usize>) = pairs.by_ref().take(PAIRS_AT_A_TIME).unzip();
        if left.is_empty() {
            break;
        }
        let stage = ctx.step(&format!("pairs-{block}"));
        let difference = |of: &Arith<Z64>, a: &[usize], b: &[usize]| {
            of.select_rows(a)?.sub(&of.select_rows(b)?)?.reshape([1, a.len()])
        };
        let less = sign(&stage.step("less"), &difference(scores, &left, &right)?, 32).await?;
        let less = inject(&stage.step("inject"), &less, 0).await?.reshape([left.len(), 1])?;
        let labels = difference(labels, &right, &left)?.reshape([left.len(), 1])?;
        count = count.add(&column_dot(&stage.step("count"), &less, &labels).await?)?;
        verify(&stage).await?;
    }
    Ok(count)
}
