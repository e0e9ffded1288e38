//! Matrix products, by Freivalds' check.
//!
//! Freivalds, "Probabilistic machines can use less running time", IFIP 1977: `Z = X Y` is
//! replaced by `l Z r = (l X) (Y r)` with random vectors `l` and `r`, here of challenges:
//! one inner product over the extension, as long as the inner dimension.

use super::algebra::{Algebra, Words64, vector_words};
use super::coin::Challenges;
use super::compress::Claim;
use super::line;
use super::shared::Shared;
use mpc_core::party::PartyId;
use mpc_core::ring::RowMap;
use mpc_core::ring::galois::GaloisRing;
use mpc_core::ring::gemm::{Factor, MatRef, Reading};
use mpc_core::security::Components;
use mpc_core::share::Words;
use std::ops::Range;

/// A recorded matrix product.
pub struct MatrixProduct<'a> {
    /// How the factors are read.
    pub readings: &'a [Reading; 2],
    /// How rows of the product were added up.
    pub scattered: Option<&'a RowMap>,
    /// The factors and their product.
    pub operands: &'a [Components; 3],
}

/// Both components of a factor as it was multiplied.
fn factors<'a>(operand: &'a Components, reading: &'a Reading) -> [Factor<'a>; 2] {
    [&operand.first, &operand.second].map(|words| reading.factor(words, operand.shape))
}

/// Rows of a part of a factor that is gathered, so that the part stays in cache.
const ROWS_AT_ONCE: usize = 256;

/// Both components of the sum of the rows of a factor, weighted by challenges: a vector, an
/// element a column.
fn weighted_rows<const D: usize>(factor: [Factor<'_>; 2], challenges: &[u64]) -> Shared {
    let [first, second] = factor.map(|factor| {
        let mut sums = Words::zeroed(vector_words::<Words64<D>>(factor.cols()));
        let mut add = |matrix: MatRef<'_>, challenges: &[u64]| {
            GaloisRing::<D>::add_weighted(&mut sums, matrix, challenges);
        };
        match factor.existing() {
            Some(matrix) => add(matrix, challenges),
            None => {
                for (at, challenges) in challenges.chunks(ROWS_AT_ONCE).enumerate() {
                    let start = at * ROWS_AT_ONCE;
                    let part = factor.block(start, challenges.len(), 0, factor.cols());
                    part.gathered(|matrix| add(matrix, challenges));
                }
            }
        }
        sums
    });
    Shared { first, second }
}

/// Columns whose sums are formed and made a share in one go: their components need not exist as
/// a whole, and stay in cache.
const BLOCK: usize = 256;

/// Overwrites a vector with this party's share of [`weighted_rows`].
fn share_weighted_rows<const D: usize>(
    party: PartyId,
    factor: [Factor<'_>; 2],
    challenges: &[u64],
    share: &mut [u64],
) {
    let [rows, cols] = [factor[0].rows(), factor[0].cols()];
    for (start, share) in (0..cols).step_by(BLOCK).zip(share.chunks_mut(BLOCK * D)) {
        let width = BLOCK.min(cols - start);
        let block = factor.map(|factor| factor.block(0, rows, start, width));
        let sums = weighted_rows::<D>(block, challenges);
        line::share_vector::<Words64<D>>(party, sums, share);
    }
}

impl MatrixProduct<'_> {
    /// The claim that `l Z r = (l X) (Y r)`, for fresh challenges.
    ///
    /// Where each row of `Z` is what `w` rows of `X Y`, one after the other, add up to along a
    /// map, `Z r` is their inner product with the long row of `r`. Then the claim is `l Z r =
    /// sum_j (l X_j) (Y r_j)`, where `X_j` has every `w`-th row of `X` and `r_j` is the `j`-th
    /// part of that long row.
    ///
    /// The vectors are those of `claim` from element `start` on, where there is nothing yet; what
    /// comes back is `l Z r`.
    pub fn claim<const D: usize>(
        &self,
        party: PartyId,
        challenges: &mut Challenges,
        claim: &mut Claim,
        start: usize,
    ) -> Shared {
        let [x, y, z] = self.operands;
        let [rows, cols] = z.shape;
        let left = challenges.next::<Words64<D>>(rows);
        let right = challenges.next::<Words64<D>>(cols);
        let long = match self.scattered {
            None => right.clone(),
            Some(map) => Words::overwritten(map.long(), |long| map.gather(&right, long)),
        };
        let y = factors(y, &self.readings[1]).map(Factor::t);
        let inner = y[0].cols();
        let parts = long.chunks(y[0].rows().max(1));
        let x = match self.scattered {
            None => factors(x, &self.readings[0]),
            Some(_) => {
                debug_assert!(matches!(self.readings[0], Reading::Plain), "rows of a long one");
                [&x.first, &x.second].map(|x| MatRef::new(x, rows, parts.len() * inner).into())
            }
        };
        let of_part = |part: usize| x.map(|x| x.block(0, rows, part * inner, inner));
        let words = vector_words::<Words64<D>>(inner);
        for (part, right) in parts.enumerate() {
            let start = start * D + part * words;
            let factors = [(of_part(part), &left[..]), (y, right)];
            for (number, (factor, challenges)) in factors.into_iter().enumerate() {
                let share = claim.room::<Words64<D>>(number, &(start..start + words));
                share_weighted_rows::<D>(party, factor, challenges, share);
            }
        }
        // (l Z) r or l (Z r): along the longer side first.
        let z = factors(z, &Reading::Plain);
        let (z, along, across) = match cols > rows {
            true => (z.map(Factor::t), &right, &left),
            false => (z, &left, &right),
        };
        let mut z = weighted_rows::<D>(z, along);
        let mut padded = Words::zeroed(z.first.len() / D);
        padded[..across.len()].copy_from_slice(across);
        z.update(|z| {
            <Words64<D>>::mul_challenges(z, &padded);
            // Group by group, then within the one that is left.
            let group = <Words64<D>>::GROUP;
            let mut sums = Words::zeroed(group * D);
            z.chunks_exact(group * D).for_each(|z| <Words64<D>>::add(&mut sums, z));
            let mut sum = Words::zeroed(D);
            let elements = <Words64<D>>::list(&sums, group);
            elements.chunks_exact(D).for_each(|element| <Words64<D>>::add(&mut sum, element));
            *z = sum;
        });
        z
    }

    /// Elements of the vectors of the claim.
    pub fn elements<const D: usize>(&self) -> usize {
        let [inner, cols] = self.readings[1].shape(self.operands[1].shape);
        let parts = match self.scattered {
            None => 1,
            Some(map) => map.long().div_ceil(cols.max(1)),
        };
        parts * inner.next_multiple_of(<Words64<D>>::GROUP)
    }
}

impl Claim {
    /// Adds a claim times a challenge, whose vectors are some words of those of this one.
    pub fn add<A: Algebra>(&mut self, words: &Range<usize>, mut z: Shared, factor: u64) {
        if factor != 1 {
            let block = (BLOCK * A::WIDTH).min(words.len());
            let (zeros, mut copy) = (Words::zeroed(block), Words::zeroed(block));
            for x in self.part::<A>(0, words).chunks_mut(block.max(1)) {
                let copy = &mut copy[..x.len()];
                copy.copy_from_slice(x);
                A::fold(x, &zeros[..copy.len()], copy, factor);
            }
            z.update(|z| A::scale(z, factor));
        }
        self.z.combine(&z, A::add);
    }
}
