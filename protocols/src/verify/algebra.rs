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
use mpc_core::ring::galois::{Dot, GaloisRing, Weights};
use mpc_core::ring::grid::Term;
use mpc_core::ring::{Weighed, Z64, gf64, grid};
use mpc_core::security::Security;
use mpc_core::share::{Additive, AdditiveBits, Words};

/// A base ring with its extension. A few elements are a *list*: [`WIDTH`] words an element,
/// one after the other. Many are a *vector*: in groups of [`GROUP`] elements, stored as the
/// kernels want them. Challenges are words, see [`Algebra::CHALLENGE_MASK`].
///
/// [`WIDTH`]: Algebra::WIDTH
/// [`GROUP`]: Algebra::GROUP
pub trait Algebra: 'static {
    /// Words in an element of the extension.
    const WIDTH: usize;
    /// Elements of the base ring in a word.
    const LANES: usize;
    /// Elements that are stored together in a vector, a power of two; vectors consist of
    /// whole groups.
    const GROUP: usize;
    /// Words that stay side by side when a vector is cut into parts that are longer.
    const UNIT: usize;
    /// Groups whose products at many points take less time than rounds that they save.
    const FEW: usize;
    /// The bits of a word that make a challenge: all challenges differ by units.
    const CHALLENGE_MASK: u64;
    /// An inner product that grows, and is reduced at the end.
    type Dot: Default;
    /// Public weights of rows.
    type Weights;

    /// `x += y`, word by word, in the base ring or the extension.
    fn add(x: &mut [u64], y: &[u64]);

    /// `x -= y`, word by word.
    fn sub(x: &mut [u64], y: &[u64]);

    /// Sums of products of base words at some points of a grid, of factors given at the
    /// corners: see [`mpc_core::ring::grid`].
    fn grid_products(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]);

    /// From vectors at the corners of a grid those at all points.
    fn expand(values: &mut [u64], corners: &[&[u64]]);

    /// Overwrites `to` with the coefficients of polynomials, from their values at so many corners
    /// of a grid, for each eight columns eight words a corner.
    fn coefficients(to: &mut [u64], corners: &[u64], count: usize);

    /// A challenge as an element of the extension.
    fn embed(challenge: u64) -> Vec<u64>;

    /// The product of two elements.
    fn mul(a: &[u64], b: &[u64]) -> Vec<u64>;

    /// An element times a challenge, in place.
    fn scale(x: &mut [u64], challenge: u64);

    /// Adds the inner product of two vectors.
    fn add_dot(dot: &mut Self::Dot, x: &[u64], y: &[u64]);

    /// The value of an inner product: one element.
    fn finish_dot(dot: Self::Dot) -> Vec<u64>;

    /// Overwrites `out` with `low + r (high - low)`, for two vectors and a challenge `r`.
    fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64);

    /// The `LANES` elements of each column of a vector times the challenge of the column; lane `i`
    /// times `X^i` as well.
    fn mul_challenges(x: &mut [u64], challenges: &[u64]);

    /// Adds to each element of the vectors of sums the sum of one of the rows of base words,
    /// weighted as [`Algebra::mul_challenges`] does.
    fn weigh(parts: &mut [Weighed<'_>], challenges: &[u64]);

    /// Overwrites the vector `out` with the sum of linear combinations of rows of base words,
    /// column by column: `LANES` elements a word. Each part has rows, for each eight columns
    /// eight words a row, and their weights.
    fn combine(out: &mut [u64], parts: &[(&[u64], &Self::Weights)]);

    /// Weights from a list, an element a row.
    fn weights(list: &[u64]) -> Self::Weights;

    /// The first `count` elements of a vector as a list.
    fn list(vector: &[u64], count: usize) -> Words;

    /// Turns local parts of a list into a replicated sharing: one round, [`WIDTH`] words
    /// an element and party.
    ///
    /// [`WIDTH`]: Algebra::WIDTH
    #[allow(async_fn_in_trait)] // one thread drives all futures of a party
    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared>;
}

/// Words of a vector of at least `elements` elements.
pub fn vector_words<A: Algebra>(elements: usize) -> usize {
    elements.next_multiple_of(A::GROUP) * A::WIDTH
}

/// `Z_2^64` in the Galois ring of degree `D`. Serves narrower rings as well, reduced at
/// the end.
pub struct Words64<const D: usize>;

impl<const D: usize> Algebra for Words64<D> {
    const WIDTH: usize = D;
    const LANES: usize = 1;
    const GROUP: usize = grid::LANES;
    const UNIT: usize = 4 * grid::LANES * D;
    const FEW: usize = 64;
    const CHALLENGE_MASK: u64 = GaloisRing::<D>::CHALLENGE_MASK;
    type Dot = Dot<D>;
    type Weights = Weights<D>;

    fn add(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x = x.wrapping_add(*y));
    }

    fn sub(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x = x.wrapping_sub(*y));
    }

    fn grid_products(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
        grid::multiply_words(out, at, corners, terms);
    }

    fn expand(values: &mut [u64], corners: &[&[u64]]) {
        grid::expand_words(values, corners);
    }

    fn coefficients(to: &mut [u64], corners: &[u64], count: usize) {
        grid::coefficients_of_words(to, corners, count);
    }

    fn embed(challenge: u64) -> Vec<u64> {
        GaloisRing::<D>::embed(challenge).to_vec()
    }

    fn mul(a: &[u64], b: &[u64]) -> Vec<u64> {
        GaloisRing::<D>::mul(a, b).to_vec()
    }

    fn scale(x: &mut [u64], challenge: u64) {
        GaloisRing::<D>::scale(x, challenge);
    }

    fn add_dot(dot: &mut Dot<D>, x: &[u64], y: &[u64]) {
        dot.add(x, y);
    }

    fn finish_dot(dot: Dot<D>) -> Vec<u64> {
        dot.finish().to_vec()
    }

    fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
        GaloisRing::<D>::fold(out, low, high, r);
    }

    fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        GaloisRing::<D>::mul_challenges(x, challenges);
    }

    fn weigh(parts: &mut [Weighed<'_>], challenges: &[u64]) {
        GaloisRing::<D>::add_weighted_rows(parts, challenges);
    }

    fn combine(out: &mut [u64], parts: &[(&[u64], &Weights<D>)]) {
        GaloisRing::<D>::combine(out, parts);
    }

    fn weights(list: &[u64]) -> Weights<D> {
        Weights::new(list)
    }

    fn list(vector: &[u64], count: usize) -> Words {
        (0..count).flat_map(|at| GaloisRing::<D>::element(vector, at)).collect()
    }

    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared> {
        let share = reshare::<S, Z64>(ctx, Additive::new([local.len() / D, D], local), 0).await?;
        Ok(Shared::of(share.first(), share.second()))
    }
}

/// 64 bits a word, in `GF(2^64)`.
pub struct Bits;

impl Algebra for Bits {
    const WIDTH: usize = 1;
    const LANES: usize = 64;
    const GROUP: usize = 1;
    const UNIT: usize = usize::MAX;
    const FEW: usize = usize::MAX;
    const CHALLENGE_MASK: u64 = u64::MAX;
    type Dot = gf64::Dot;
    type Weights = Words;

    fn add(x: &mut [u64], y: &[u64]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x ^= y);
    }

    fn sub(x: &mut [u64], y: &[u64]) {
        Self::add(x, y);
    }

    fn grid_products(out: &mut [u64], at: &[usize], corners: usize, terms: &[Term<'_>]) {
        grid::multiply_bits(out, at, corners, terms);
    }

    fn expand(values: &mut [u64], corners: &[&[u64]]) {
        grid::expand_bits(values, corners);
    }

    fn coefficients(to: &mut [u64], corners: &[u64], count: usize) {
        grid::coefficients_of_bits(to, corners, count);
    }

    fn embed(challenge: u64) -> Vec<u64> {
        vec![challenge]
    }

    fn mul(a: &[u64], b: &[u64]) -> Vec<u64> {
        vec![gf64::mul(a[0], b[0])]
    }

    fn scale(x: &mut [u64], challenge: u64) {
        x[0] = gf64::mul(x[0], challenge);
    }

    fn add_dot(dot: &mut gf64::Dot, x: &[u64], y: &[u64]) {
        dot.add(x, y);
    }

    fn finish_dot(dot: gf64::Dot) -> Vec<u64> {
        vec![dot.finish()]
    }

    fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
        gf64::fold(out, low, high, r);
    }

    fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        gf64::mul_assign(x, &gf64::weights_of_lanes(challenges));
    }

    /// A word is an element of the field: the sum of its bits, that of lane `i` times `X^i`.
    fn weigh(parts: &mut [Weighed<'_>], challenges: &[u64]) {
        gf64::add_weighted_rows(parts, challenges);
    }

    fn combine(out: &mut [u64], parts: &[(&[u64], &Words)]) {
        gf64::combine(out, parts);
    }

    fn weights(list: &[u64]) -> Words {
        list.into()
    }

    fn list(vector: &[u64], count: usize) -> Words {
        vector[..count].into()
    }

    async fn reshare<S: Security>(ctx: &Ctx<S>, local: Words) -> Result<Shared> {
        let share = reshare_bits(ctx, AdditiveBits::new(64, local.len(), local)).await?;
        Ok(Shared::of(share.first(), share.second()))
    }
}
