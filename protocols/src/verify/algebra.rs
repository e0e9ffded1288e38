//! What verification computes in: a ring of words, and an extension of it that is large
//! enough for a random challenge to bind.
//!
//! The protocol is written once, over [`Algebra`]; words of `Z_2^64` are verified in a
//! Galois ring ([`Words64`]), words of 64 bits in `GF(2^64)` ([`Bits`]). A *base word* is
//! one element of the former and 64 elements of the latter.

use super::shared::Shared;
use crate::reshare::{reshare, reshare_bits};
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::ring::bits::from_planes_into;
use mpc_core::ring::elementwise::{replicated_and_acc, replicated_mul_acc};
use mpc_core::ring::galois::GaloisRing;
use mpc_core::ring::gemm::{MatRef, gemm_acc};
use mpc_core::ring::{Z64, gf64};
use mpc_core::security::Security;
use mpc_core::share::{Additive, AdditiveBits, Words};

/// A base ring with its extension. Vectors of extension elements are flat, [`WIDTH`] words
/// an element; challenges are words, see [`Algebra::CHALLENGE_MASK`].
///
/// [`WIDTH`]: Algebra::WIDTH
pub trait Algebra: 'static {
    /// Words in an element of the extension.
    const WIDTH: usize;
    /// Elements of the base ring in a word.
    const LANES: usize;
    /// The bits of a word that make a challenge: all challenges differ by units.
    const CHALLENGE_MASK: u64;

    /// `x += y`, word by word, in the base ring or the extension.
    fn add(x: &mut [u64], y: &[u64]);

    /// `x -= y`, word by word.
    fn sub(x: &mut [u64], y: &[u64]);

    /// The local part of a replicated product of base words.
    fn products(out: &mut [u64], x: [&[u64]; 2], y: [&[u64]; 2]);

    /// A challenge as an element of the extension.
    fn embed(challenge: u64) -> Vec<u64>;

    /// The product of two elements.
    fn mul(a: &[u64], b: &[u64]) -> Vec<u64>;

    /// The sum of the inner products of pairs of vectors of elements.
    fn dot(pairs: &[[&[u64]; 2]]) -> Vec<u64>;

    /// `low += r (high - low)`, element by element, for a challenge `r`.
    fn fold(low: &mut [u64], high: &[u64], r: u64);

    /// Each element times a challenge of its own.
    fn mul_challenges(x: &mut [u64], challenges: &[u64]);

    /// Adds to each element of `sums` the sum of one row of `terms` (base words), weighted
    /// by the `LANES * len` challenges of the columns.
    fn weigh(sums: &mut [u64], terms: &[u64], challenges: &[u64]);

    /// Overwrites `out` with the linear combination of `weights.len() / WIDTH` rows of base
    /// words, column by column: `LANES` elements a word.
    fn combine(out: &mut [u64], rows: &[u64], weights: &[u64]);

    /// Turns local parts of elements into a replicated sharing: one round, [`WIDTH`] words
    /// an element and party.
    ///
    /// [`WIDTH`]: Algebra::WIDTH
    #[allow(async_fn_in_trait)] // one thread drives all futures of a party
    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared>;
}

/// `Z_2^64` in the Galois ring of degree `D`. Serves narrower rings as well, reduced at
/// the end.
pub struct Words64<const D: usize>;

impl<const D: usize> Algebra for Words64<D> {
    const WIDTH: usize = D;
    const LANES: usize = 1;
    const CHALLENGE_MASK: u64 = GaloisRing::<D>::CHALLENGE_MASK;

    fn add(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x = x.wrapping_add(*y));
    }

    fn sub(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x = x.wrapping_sub(*y));
    }

    fn products(out: &mut [u64], x: [&[u64]; 2], y: [&[u64]; 2]) {
        out.fill(0);
        replicated_mul_acc(out, x[0], x[1], y[0], y[1]);
    }

    fn embed(challenge: u64) -> Vec<u64> {
        GaloisRing::<D>::embed(challenge).to_vec()
    }

    fn mul(a: &[u64], b: &[u64]) -> Vec<u64> {
        GaloisRing::<D>::mul(a, b).to_vec()
    }

    fn dot(pairs: &[[&[u64]; 2]]) -> Vec<u64> {
        GaloisRing::<D>::dot(pairs).to_vec()
    }

    fn fold(low: &mut [u64], high: &[u64], r: u64) {
        GaloisRing::<D>::fold(low, high, r);
    }

    fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        GaloisRing::<D>::mul_challenges(x, challenges);
    }

    fn weigh(sums: &mut [u64], terms: &[u64], challenges: &[u64]) {
        let columns = challenges.len();
        let terms = MatRef::new(terms, sums.len() / D, columns);
        gemm_acc(sums, terms, MatRef::new(&embed_all::<D>(challenges), columns, D));
    }

    fn combine(out: &mut [u64], rows: &[u64], weights: &[u64]) {
        let count = weights.len() / D;
        out.fill(0);
        let rows = MatRef::new(rows, count, rows.len() / count).t();
        gemm_acc(out, rows, MatRef::new(weights, count, D));
    }

    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared> {
        let share = reshare::<S, Z64>(ctx, Additive::new([local.len() / D, D], local), 0).await?;
        Ok(Shared::of(share.first(), share.second()))
    }
}

/// The elements of many challenges, one after the other.
pub(super) fn embed_all<const D: usize>(challenges: &[u64]) -> Vec<u64> {
    challenges.iter().flat_map(|&challenge| GaloisRing::<D>::embed(challenge)).collect()
}

/// 64 bits a word, in `GF(2^64)`.
pub struct Bits;

impl Algebra for Bits {
    const WIDTH: usize = 1;
    const LANES: usize = 64;
    const CHALLENGE_MASK: u64 = u64::MAX;

    fn add(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x ^= y);
    }

    fn sub(x: &mut [u64], y: &[u64]) {
        Self::add(x, y);
    }

    fn products(out: &mut [u64], x: [&[u64]; 2], y: [&[u64]; 2]) {
        out.fill(0);
        replicated_and_acc(out, x[0], x[1], y[0], y[1]);
    }

    fn embed(challenge: u64) -> Vec<u64> {
        vec![challenge]
    }

    fn mul(a: &[u64], b: &[u64]) -> Vec<u64> {
        vec![gf64::mul(a[0], b[0])]
    }

    fn dot(pairs: &[[&[u64]; 2]]) -> Vec<u64> {
        vec![gf64::dot(pairs)]
    }

    fn fold(low: &mut [u64], high: &[u64], r: u64) {
        gf64::fold(low, high, r);
    }

    fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        gf64::mul_assign(x, challenges);
    }

    fn weigh(sums: &mut [u64], terms: &[u64], challenges: &[u64]) {
        gf64::add_weighted(sums, terms, challenges);
    }

    fn combine(out: &mut [u64], rows: &[u64], weights: &[u64]) {
        let words = rows.len() / weights.len();
        // Bit s of the elements is the XOR of the rows whose weight has bit s; weights are
        // public, so to branch on them is safe.
        let mut planes = Words::zeroed(words * 64);
        for (s, plane) in planes.chunks_exact_mut(words).enumerate() {
            for (row, weight) in rows.chunks_exact(words).zip(weights) {
                if weight >> s & 1 == 1 {
                    Self::add(plane, row);
                }
            }
        }
        from_planes_into(&planes, 64, out);
    }

    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared> {
        let share = reshare_bits(ctx, AdditiveBits::new(64, local.len(), local)).await?;
        Ok(Shared::of(share.first(), share.second()))
    }
}
