//! One share a party in place of two components.
//!
//! Shares `u_0 = X x_0 + x_1`, `u_1 = (X - 1) x_1 + X x_2` and `u_2 = x_2 + (1 - X) x_0` of `x = x_0 + x_1 +
//! x_2` are Shamir's on a line, up to units: the conversion of Cramer, Damgard, Ishai (TCC 2005), over a
//! ring in which `X` and `X - 1` are units (Abspoel et al., TCC 2019). Then
//!
//! - `x = u_0 + u_2`, and `u_0 + u_1 = X x`: two of them determine the third;
//! - `(X - 1) u_0 v_0 + u_1 v_1 - X u_2 v_2 = X (X - 1) x y`: one product a party, where components
//!   take two.
//!
//! In the base ring there is no such element, so this begins with the extension.

use super::algebra::Algebra;
use super::grid;
use super::shared::Shared;
use mpc_core::party::PartyId;
use mpc_core::share::Words;

/// The challenge that stands for `X`.
const X: u64 = 2;

/// Vectors, or elements, `low` and `high`, such that the share of `party` is `low + X (high - low)`.
fn ends<A: Algebra>(party: PartyId, Shared { mut first, mut second }: Shared) -> [Words; 2] {
    match party {
        PartyId::P0 => {
            A::add(&mut first, &second);
            [second, first]
        }
        PartyId::P1 => {
            let mut negated = Words::zeroed(first.len());
            A::sub(&mut negated, &first);
            [negated, second]
        }
        PartyId::P2 => {
            A::add(&mut second, &first);
            [second, first]
        }
    }
}

/// This party's share of an element, from its components.
pub fn share<A: Algebra>(party: PartyId, first: &[u64], second: &[u64]) -> Words {
    let [mut low, high] = ends::<A>(party, Shared::of(first, second));
    grid::move_along::<A>(&mut low, &high, X);
    low
}

/// Overwrites a vector with the [`share`] of another one.
pub fn share_vector<A: Algebra>(party: PartyId, x: Shared, share: &mut [u64]) {
    let [low, high] = ends::<A>(party, x);
    A::fold(share, &low, &high, X);
}

/// What the components count in the share: that is their sum, each element of a list times the
/// factor of its component.
pub fn weigh_components<A: Algebra>(party: PartyId, list: &[u64]) -> [Words; 2] {
    let zero = Words::zeroed(A::WIDTH);
    let weigh = |share: &dyn Fn(&[u64]) -> Words| -> Words {
        list.chunks_exact(A::WIDTH).flat_map(|weight| share(weight).to_vec()).collect()
    };
    [
        weigh(&|weight| share::<A>(party, weight, &zero)),
        weigh(&|weight| share::<A>(party, &zero, weight)),
    ]
}

/// From the product of two shares to this party's part of `X (X - 1) x y`.
pub fn weigh_product<A: Algebra>(party: PartyId, product: &mut [u64]) {
    let mut negated = Words::zeroed(product.len());
    A::sub(&mut negated, product);
    match party {
        PartyId::P0 => {
            A::scale(product, X);
            A::add(product, &negated);
        }
        PartyId::P1 => {}
        PartyId::P2 => {
            product.copy_from_slice(&negated);
            A::scale(product, X);
        }
    }
}

/// An element times `X (X - 1)`, in place: what the parts of a product add up to.
pub fn scale<A: Algebra>(element: &mut [u64]) {
    weigh_product::<A>(PartyId::P0, element);
    A::scale(element, X);
}

/// What elements are, given the shares of all parties, of which `width` bits a word count;
/// `None` if one of the shares is wrong.
pub fn value<A: Algebra>(shares: [&[u64]; 3], width: u32) -> Option<Vec<u64>> {
    let [u0, u1, u2] = shares;
    let (mut value, mut sum) = (u0.to_vec(), u0.to_vec());
    A::add(&mut value, u2);
    A::add(&mut sum, u1);
    let mut expected = value.clone();
    expected.chunks_exact_mut(A::WIDTH).for_each(|element| A::scale(element, X));
    equal(&sum, &expected, width).then_some(value)
}

/// Whether words are equal as far as they count; for what is public.
pub fn equal(x: &[u64], y: &[u64], width: u32) -> bool {
    x.iter().zip(y).all(|(x, y)| (x ^ y) << (64 - width) == 0)
}

#[cfg(test)]
mod tests {
    use super::super::algebra::{Bits, Words64};
    use super::*;
    use proptest::prelude::*;

    /// The shares that the parties hold of an element with these components.
    fn shares<A: Algebra>(components: &[Vec<u64>]) -> [Words; 3] {
        PartyId::ALL.map(|party| {
            let i = party.index();
            share::<A>(party, &components[i], &components[(i + 1) % 3])
        })
    }

    fn sum<A: Algebra>(parts: &[Vec<u64>]) -> Vec<u64> {
        let mut sum = vec![0; A::WIDTH];
        parts.iter().for_each(|part| A::add(&mut sum, part));
        sum
    }

    fn check<A: Algebra>(words: &[u64], at: usize, bit: u32) {
        let elements: Vec<Vec<u64>> = words.chunks(A::WIDTH).map(<[u64]>::to_vec).take(6).collect();
        let (x, y) = elements.split_at(3);
        let (u, v) = (shares::<A>(x), shares::<A>(y));
        let views = |u: &'_ [Words; 3]| u.each_ref().map(|u| u.to_vec());
        let value_of = |u: &[Vec<u64>; 3]| value::<A>(u.each_ref().map(|u| &u[..]), 64);
        // They add up to the value, and any change of one is seen.
        assert_eq!(value_of(&views(&u)), Some(sum::<A>(x)));
        for party in 0..3 {
            let mut changed = views(&u);
            changed[party][at % A::WIDTH] ^= 1 << bit;
            assert_eq!(value_of(&changed), None);
        }
        // Their products add up to the product.
        let parts = PartyId::ALL.map(|party| {
            let mut part = A::mul(&u[party.index()], &v[party.index()]);
            weigh_product::<A>(party, &mut part);
            part
        });
        let mut product = A::mul(&sum::<A>(x), &sum::<A>(y));
        scale::<A>(&mut product);
        assert_eq!(sum::<A>(&parts), product);
        // The weights of components, and vectors.
        for party in PartyId::ALL {
            let i = party.index();
            let (first, second) = (&x[i], &x[(i + 1) % 3]);
            let [a, b] = weigh_components::<A>(party, &A::embed(1));
            assert_eq!(sum::<A>(&[A::mul(first, &a), A::mul(second, &b)]), u[i].to_vec());
            let vector = |element: &[u64]| -> Words {
                element.iter().flat_map(|word| vec![*word; A::GROUP]).collect()
            };
            let shared = Shared { first: vector(first), second: vector(second) };
            let mut share = vec![7; shared.first.len()];
            share_vector::<A>(party, shared, &mut share);
            assert_eq!(share, vector(&u[i]).to_vec());
        }
    }

    proptest! {
        #[test]
        fn shares_and_their_products_add_up(
            words in prop::collection::vec(any::<u64>(), 6 * 48), at: usize, bit in 0u32..64,
        ) {
            check::<Words64<48>>(&words, at, bit);
            check::<Words64<4>>(&words, at, bit);
            check::<Bits>(&words, at, bit);
        }
    }
}
