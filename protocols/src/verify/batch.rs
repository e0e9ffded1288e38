//! All products over one ring: from many claims to one.

use super::algebra::{Algebra, Bits, Words64, vector_words};
use super::coin::Coins;
use super::compress::{Claim, compress};
use super::grid::{self, Known};
use super::layout::Factors;
use super::matrices::MatrixProduct;
use super::shared::Shared;
use super::table::Table;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::galois::GaloisRing;
use mpc_core::ring::gemm::MatRef;
use mpc_core::security::{Components, Product, Security, Support};
use mpc_core::share::Words;
use std::ops::Range;

fn factors(operands: &[Components; 3], supports: [Support; 2], row: usize) -> Factors<'_> {
    let [x, y, z] = operands.each_ref().map(|o| [&o.first[..], &o.second[..]]);
    Factors { x, y, z, supports, row }
}

/// Reduces all ANDs to one claim.
///
/// # Cost
/// Three rounds and those of [`compress`].
pub async fn bits<S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    products: &[Product],
) -> Result<Claim> {
    let ands = products.iter().filter_map(|product| match product {
        Product::And { supports, operands } => {
            let [lanes, _] = operands[0].shape;
            Some(factors(operands, *supports, lanes.div_ceil(64)))
        }
        _ => None,
    });
    let table = Table::consecutive::<Bits>(ctx.party(), ands.collect());
    let challenges = coins.toss().await.next::<Bits>(table.columns());
    let missing = grid::between_corners(table.variables());
    let (claimed, local) = table.weighted::<Bits>(&challenges, &missing, true);
    let known = Known::Corners(claimed);
    let computed = Bits::reshare(&ctx.step("table"), local).await?;
    let values = known.complete::<Bits>(table.variables(), &computed);
    let at = coins.toss().await.next::<Bits>(table.variables());
    let mut claim = Claim::zero::<Bits>(table.elements::<Bits>());
    table.add_claim::<Bits>(&mut claim, 0, &challenges, values, (&at, 1));
    compress::<Bits, S>(ctx, coins, claim).await
}

/// Reduces all products of words of `width` bits to one claim.
///
/// # Cost
/// Three rounds and those of [`compress`].
///
/// # Security
/// Each kind of product gives a claim that is wrong if one of its products is, except with
/// probability `2 / 2^D` for the challenges of columns and matrices and `2 v / 2^D` for the
/// point of a table. The claims are added up with coefficients tossed *after* all of them
/// are fixed, but for the first one, which counts once: otherwise the values that the parties
/// compute on one grid could cancel an error in another.
pub async fn words<const D: usize, S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    products: &[Product],
    width: u32,
) -> Result<Claim> {
    let (mut single, mut dots, mut widths, mut matrices) = (vec![], vec![], vec![], vec![]);
    for product in products {
        match product {
            Product::Elementwise { bits, supports, operands } if *bits == width => {
                single.push(factors(operands, *supports, operands[0].first.len()));
            }
            Product::ColumnDot { bits, operands } if *bits == width && operands[0].shape[1] > 0 => {
                dots.push(factors(operands, [Support::ALL; 2], operands[0].shape[1]));
                widths.push(operands[0].shape[1]);
            }
            Product::Matrix { bits, readings, scattered, operands } if *bits == width => {
                let scattered = scattered.as_deref();
                matrices.push(MatrixProduct { readings, scattered, operands });
            }
            _ => {}
        }
    }
    // Step 1: a challenge for each column of a table and each row and column of a matrix.
    let mut challenges = coins.toss().await;
    let single = Table::consecutive::<Words64<D>>(ctx.party(), single);
    let of_single = challenges.next::<Words64<D>>(single.columns());
    let mut next = |count| challenges.next::<Words64<D>>(count);
    let dots = DotTable::new::<D>(ctx.party(), dots, &widths, &mut next);
    let in_tables = single.elements::<Words64<D>>() + dots.table.elements::<Words64<D>>();
    let in_matrices: usize = matrices.iter().map(|matrix| matrix.elements::<D>()).sum();
    let mut claim = Claim::zero::<Words64<D>>(in_tables + in_matrices);
    let mut start = in_tables;
    let mut of_matrices: Vec<(Range<usize>, Shared)> = Vec::with_capacity(matrices.len());
    for matrix in &matrices {
        let end = start + matrix.elements::<D>();
        let z = matrix.claim::<D>(ctx.party(), &mut challenges, &mut claim, start);
        of_matrices.push((start * D..end * D, z));
        start = end;
    }
    // Step 2: what is missing on the grids of the two tables, in one message.
    let missing = grid::between_corners(single.variables());
    let (claimed, local) = single.weighted::<Words64<D>>(&of_single, &missing, true);
    let claimed = Known::Corners(claimed);
    let missing = dots.claimed.missing(dots.table.variables());
    let (_, local_dots) = dots.table.weighted::<Words64<D>>(&dots.challenges, &missing, false);
    let both = [&local[..], &local_dots[..]].concat().into();
    let computed = <Words64<D>>::reshare(&ctx.step("tables"), both).await?;
    let (computed, computed_dots) = computed.split_at(local.len());
    // Step 3: one claim, at a random point and with random coefficients.
    let mut random = coins.toss().await;
    let at = random.next::<Words64<D>>(single.variables());
    let at_dots = random.next::<Words64<D>>(dots.table.variables());
    let mut factors_of_matrices = random.next::<Words64<D>>(matrices.len());
    // Without tables the first claim, which counts once, is that of a matrix.
    if let (0, Some(first)) = (in_tables, factors_of_matrices.first_mut()) {
        *first = 1;
    }
    let factor_of_dots = random.next::<Words64<D>>(1)[0];
    let values = claimed.complete::<Words64<D>>(single.variables(), &computed);
    single.add_claim::<Words64<D>>(&mut claim, 0, &of_single, values, (&at, 1));
    let values = dots.claimed.complete::<Words64<D>>(dots.table.variables(), &computed_dots);
    let (start, point) = (single.elements::<Words64<D>>(), (&at_dots[..], factor_of_dots));
    dots.table.add_claim::<Words64<D>>(&mut claim, start, &dots.challenges, values, point);
    for ((words, z), factor) in of_matrices.into_iter().zip(&*factors_of_matrices) {
        claim.add::<Words64<D>>(&words, z, *factor);
    }
    compress::<Words64<D>, S>(ctx, coins, claim).await
}

/// Inner products of columns: a table in which all columns that belong to one column of a
/// matrix have its challenge, and of which the sum of all corners is claimed.
struct DotTable<'a> {
    table: Table<'a>,
    challenges: Words,
    claimed: Known,
}

impl<'a> DotTable<'a> {
    fn new<const D: usize>(
        party: PartyId,
        factors: Vec<Factors<'a>>,
        widths: &[usize],
        next: &mut impl FnMut(usize) -> Words,
    ) -> DotTable<'a> {
        let mut sum = Shared::zeroed(vector_words::<Words64<D>>(1));
        let products: Vec<[&[u64]; 2]> = factors.iter().map(|f| f.z).collect();
        let (table, places) = Table::aligned::<Words64<D>>(party, factors, widths);
        let mut challenges = Words::zeroed(table.columns());
        for ((z, width), place) in products.iter().zip(widths).zip(places) {
            let of_columns = next(*width);
            for (sum, z) in [&mut sum.first, &mut sum.second].into_iter().zip(z) {
                let column = MatRef::new(z, *width, 1);
                GaloisRing::<D>::add_weighted(sum, column, &of_columns);
            }
            for challenges in challenges[place].chunks_exact_mut(*width) {
                challenges.copy_from_slice(&of_columns);
            }
        }
        sum.update(|sum| *sum = <Words64<D>>::list(sum, 1));
        DotTable { table, challenges, claimed: Known::Sum(sum) }
    }
}
