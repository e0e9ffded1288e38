//! Matrix products, by Freivalds' check.
//!
//! Freivalds, "Probabilistic machines can use less running time", IFIP 1977: `Z = X Y` is
//! replaced by `l Z r = (l X) (Y r)` with random vectors `l` and `r`, here of challenges:
//! one inner product over the extension, as long as the inner dimension.

use super::algebra::{Algebra, Words64, embed_all};
use super::coin::Challenges;
use super::compress::Claim;
use super::shared::Shared;
use mpc_core::ring::gemm::{MatRef, gemm_acc};
use mpc_core::security::Components;
use mpc_core::share::Words;

/// A recorded matrix product.
pub struct MatrixProduct<'a> {
    /// Whether the factors are read transposed.
    pub transposed: [bool; 2],
    /// The factors and their product.
    pub operands: &'a [Components; 3],
}

/// Both components of a matrix as it was multiplied.
fn views(operand: &Components, transposed: bool) -> [MatRef<'_>; 2] {
    [&operand.first, &operand.second].map(|words| {
        let matrix = MatRef::new(words, operand.shape[0], operand.shape[1]);
        if transposed { matrix.t() } else { matrix }
    })
}

/// Both components of `matrix * vectors`, where `vectors` has `D` columns.
fn times<const D: usize>(matrix: [MatRef<'_>; 2], vectors: &[u64]) -> Shared {
    let [first, second] = matrix.map(|matrix| {
        let mut out = Words::zeroed(matrix.rows() * D);
        gemm_acc(&mut out, matrix, MatRef::new(vectors, matrix.cols(), D));
        out
    });
    Shared { first, second }
}

impl MatrixProduct<'_> {
    /// The claim that `l Z r = (l X) (Y r)`, for fresh challenges.
    pub fn claim<const D: usize>(&self, challenges: &mut Challenges) -> Claim {
        let [x, y, z] = self.operands;
        let [rows, cols] = z.shape;
        let left = embed_all::<D>(&challenges.next::<Words64<D>>(rows));
        let right = challenges.next::<Words64<D>>(cols);
        // An element of the extension is a row of D words: (l X) as X^T l, for all words at once.
        let x = times::<D>(views(x, self.transposed[0]).map(MatRef::t), &left);
        let y = times::<D>(views(y, self.transposed[1]), &embed_all::<D>(&right));
        let mut z = times::<D>(views(z, false).map(MatRef::t), &left);
        z.update(|z| {
            <Words64<D>>::mul_challenges(z, &right);
            let mut sum = Words::zeroed(D);
            z.chunks_exact(D).for_each(|element| <Words64<D>>::add(&mut sum, element));
            *z = sum;
        });
        Claim { x, y, z }
    }
}

impl Claim {
    /// Adds another claim times a challenge, its vectors from element `start` on.
    pub fn add<A: Algebra>(&mut self, start: usize, other: &Claim, factor: u64) {
        let words = start * A::WIDTH..start * A::WIDTH + other.x.first.len();
        self.x.combine(&other.x, |x, other| {
            x[words.clone()].copy_from_slice(other);
            A::mul_challenges(&mut x[words.clone()], &vec![factor; other.len() / A::WIDTH]);
        });
        self.y.combine(&other.y, |y, other| y[words.clone()].copy_from_slice(other));
        let mut z = other.z.clone();
        z.update(|z| A::mul_challenges(z, &[factor]));
        self.z.combine(&z, A::add);
    }
}
