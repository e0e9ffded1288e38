//! The Galois ring `GR(2^64, D) = Z_2^64[X] / h(X)`, `h` of degree `D` and irreducible
//! modulo 2: the extension of words in which ring products are verified.
//!
//! In `Z_2^64` itself a random coefficient does not bind: an error of `2^63` survives an
//! even one. Here the `2^D` elements with coefficients 0 and 1 form an *exceptional set*:
//! the difference of any two is invertible (it is not zero modulo 2, and `GF(2^D)` is a
//! field). Challenges are taken from it, so they are words of `D` bits, and to multiply
//! by one is to add up shifted copies.
//!
//! An element is `D` words, lowest coefficient first. Long vectors are stored in *octets*:
//! eight elements side by side, coefficient `j` of element `e` of an octet at word `8 j + e`,
//! so that one vector instruction does the same for eight elements and a shift of
//! coefficients costs nothing. Arithmetic wraps, so the same kernels serve `GR(2^k, D)` for
//! every `k <= 64`.

mod dot;
mod karatsuba;
#[cfg(target_arch = "x86_64")]
mod small;
#[cfg(test)]
mod tests;
mod vector;
mod weighted;

use super::lanes::{Plain, Ring, Subtract, WORDS};
use super::simd::{Level, multiversion};
pub use dot::Dot;
pub use vector::Weights;

/// The Galois ring of degree `D`, 4 or 48.
pub struct GaloisRing<const D: usize>;

/// Coefficients of a product before it is reduced, at most.
const MAX_PRODUCT: usize = 2 * 48;

impl<const D: usize> GaloisRing<D> {
    /// The exponents below `D` of `h`: `X^48 + X^5 + X^3 + X^2 + 1` or `X^4 + X + 1`.
    const TAPS: &'static [usize] = match D {
        4 => &[1, 0],
        48 => &[5, 3, 2, 0],
        _ => panic!("there is no modulus of this degree"),
    };

    /// The low bits that make a challenge.
    pub const CHALLENGE_MASK: u64 = (1 << D) - 1;

    /// The element whose coefficients are the bits of a challenge.
    pub fn embed(challenge: u64) -> [u64; D] {
        std::array::from_fn(|i| challenge >> i & 1)
    }

    /// `a * b`.
    ///
    /// # Panics
    /// If an operand does not have `D` words.
    pub fn mul(a: &[u64], b: &[u64]) -> [u64; D] {
        assert!(a.len() == D && b.len() == D, "elements have {D} words");
        let mut product = [0; MAX_PRODUCT];
        multiply::<D>(Level::best(), &mut product, a, b);
        Self::reduce(Ring::<_, WORDS>(Plain), &mut product);
        std::array::from_fn(|i| product[i])
    }

    /// Multiplies an element by a challenge.
    ///
    /// # Panics
    /// If the element does not have `D` words.
    pub fn scale(x: &mut [u64], challenge: u64) {
        assert_eq!(x.len(), D, "elements have {D} words");
        let mut product = [0; MAX_PRODUCT];
        add_shifted::<D>(Level::best(), &mut product, x, challenge & Self::CHALLENGE_MASK);
        Self::reduce(Ring::<_, WORDS>(Plain), &mut product);
        x.copy_from_slice(&product[..D]);
    }

    /// Reduces polynomials of `2 D - 1` coefficients modulo `h`; the results are the first `D`
    /// coefficients.
    #[inline(always)]
    fn reduce<T: Copy>(ring: impl Subtract<T>, product: &mut [T]) {
        let (low, high) = product.split_at_mut(D);
        // Coefficients whose reduction reaches the upper half again come first.
        let safe = D - Self::TAPS[0];
        for i in (safe..D - 1).rev() {
            let over = high[i];
            for tap in Self::TAPS {
                let to = if i + tap < D { &mut low[i + tap] } else { &mut high[i + tap - D] };
                ring.subtract_from(to, &over);
            }
        }
        for tap in Self::TAPS {
            for (to, over) in low[*tap..].iter_mut().zip(&high[..safe]) {
                ring.subtract_from(to, over);
            }
        }
    }
}

multiversion! {
    /// Adds the product of a polynomial and one with the bits of a challenge, which is public.
    fn add_shifted<const D: usize>(product: &mut [u64; MAX_PRODUCT], x: &[u64], challenge: u64) {
        for shift in (0..D).filter(|shift| challenge >> shift & 1 == 1) {
            for (to, x) in product[shift..shift + D].iter_mut().zip(&x[..D]) {
                *to = to.wrapping_add(*x);
            }
        }
    }
}

multiversion! {
    /// The product of two polynomials.
    fn multiply<const D: usize>(product: &mut [u64; MAX_PRODUCT], a: &[u64], b: &[u64]) {
        for (i, a) in a[..D].iter().enumerate() {
            for (to, b) in product[i..i + D].iter_mut().zip(&b[..D]) {
                *to = to.wrapping_add(a.wrapping_mul(*b));
            }
        }
    }
}
