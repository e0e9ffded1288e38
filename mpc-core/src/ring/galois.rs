//! The Galois ring `GR(2^64, D) = Z_2^64[X] / h(X)`, `h` of degree `D` and irreducible
//! modulo 2: the extension of words in which ring products are verified.
//!
//! In `Z_2^64` itself a random coefficient does not bind: an error of `2^63` survives an
//! even one. Here the `2^D` elements with coefficients 0 and 1 form an *exceptional set*:
//! the difference of any two is invertible (it is not zero modulo 2, and `GF(2^D)` is a
//! field). Challenges are taken from it, so they are words of `D` bits, and to multiply
//! by one is to add up shifted copies.
//!
//! An element is `D` words, lowest coefficient first; vectors are elements one after the
//! other. Arithmetic wraps, so the same kernels serve `GR(2^k, D)` for every `k <= 64`.

use super::gemm::{MatRef, gemm_acc};
use super::simd::{Level, multiversion};
use zeroize::Zeroize;

/// Words of head-room on either side of an element that is shifted.
const MARGIN: usize = 64;

/// Words computed at a time: two vector registers of the widest kind.
const LANES: usize = 16;

/// The Galois ring of degree `D`, 4 or 48.
pub struct GaloisRing<const D: usize>;

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

    /// Reduces a polynomial of `2 D - 1` coefficients modulo `h`; the result is its first
    /// `D` words.
    #[inline(always)]
    fn reduce(product: &mut [u64]) {
        let (low, high) = product.split_at_mut(D);
        let high = &mut high[..D - 1];
        // Coefficients whose reduction reaches the upper half again come first.
        let safe = D - Self::TAPS[0];
        for i in (safe..D - 1).rev() {
            let x = high[i];
            for tap in Self::TAPS {
                let to = if i + tap < D { &mut low[i + tap] } else { &mut high[i + tap - D] };
                *to = to.wrapping_sub(x);
            }
        }
        for tap in Self::TAPS {
            for (to, x) in low[*tap..].iter_mut().zip(&high[..safe]) {
                *to = to.wrapping_sub(*x);
            }
        }
        // The last pass wrote to coefficients `0..safe + TAPS[0] = D` only.
    }

    /// `a * b`.
    ///
    /// # Panics
    /// If an operand does not have `D` words.
    pub fn mul(a: &[u64], b: &[u64]) -> [u64; D] {
        assert!(a.len() == D && b.len() == D, "elements have {D} words");
        let mut product = [0u64; 2 * MARGIN];
        for (i, a) in a.iter().enumerate() {
            for (to, b) in product[i..].iter_mut().zip(b) {
                *to = to.wrapping_add(a.wrapping_mul(*b));
            }
        }
        Self::reduce(&mut product[..2 * D - 1]);
        std::array::from_fn(|i| product[i])
    }

    /// The sum of the inner products of pairs of vectors of elements.
    ///
    /// # Panics
    /// If the lengths of a pair differ or are no multiple of `D`.
    pub fn dot(pairs: &[[&[u64]; 2]]) -> [u64; D] {
        // All products of a coefficient with a coefficient, as matrix products.
        let mut products = vec![0u64; D * D];
        for [a, b] in pairs {
            assert!(a.len() == b.len() && a.len().is_multiple_of(D), "vectors of equal length");
            let n = a.len() / D;
            gemm_acc(&mut products, MatRef::new(a, n, D).t(), MatRef::new(b, n, D));
        }
        let mut sum = [0u64; 2 * MARGIN];
        for (i, row) in products.chunks_exact(D).enumerate() {
            for (to, x) in sum[i..].iter_mut().zip(row) {
                *to = to.wrapping_add(*x);
            }
        }
        products.zeroize();
        Self::reduce(&mut sum[..2 * D - 1]);
        std::array::from_fn(|i| sum[i])
    }

    /// `low += r * (high - low)` element by element, for a challenge `r`: the value at `r`
    /// of the line through both.
    ///
    /// # Panics
    /// If the lengths differ or are no multiple of `D`.
    pub fn fold(low: &mut [u64], high: &[u64], r: u64) {
        assert!(low.len() == high.len() && low.len().is_multiple_of(D), "halves of equal length");
        fold::<D>(Level::best(), low, high, r & Self::CHALLENGE_MASK);
    }

    /// Multiplies each element of `x` by a challenge of its own.
    ///
    /// # Panics
    /// If there is not one challenge an element.
    pub fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        assert_eq!(x.len(), challenges.len() * D, "one challenge an element");
        mul_challenges::<D>(Level::best(), x, challenges);
    }

    /// `x` times the sum of `X^s` over all shifts `s`, as the first `D` words of the result.
    #[inline(always)]
    fn times<'s>(x: &[u64], shifts: &Shifts, scratch: &'s mut Scratch) -> &'s [u64] {
        scratch.padded[MARGIN..MARGIN + D].copy_from_slice(x);
        let blocks = scratch.product.chunks_exact_mut(LANES).take((2 * D).div_ceil(LANES));
        for (block, out) in blocks.enumerate() {
            let mut sum = [0u64; LANES];
            for &shift in shifts.as_slice() {
                let from = &scratch.padded[MARGIN + block * LANES - usize::from(shift)..][..LANES];
                for lane in 0..LANES {
                    sum[lane] = sum[lane].wrapping_add(from[lane]);
                }
            }
            out.copy_from_slice(&sum);
        }
        Self::reduce(&mut scratch.product[..2 * D - 1]);
        &scratch.product[..D]
    }

    /// [`GaloisRing::fold`] of eight elements at once: word `i` of all of them makes one
    /// vector, so that a shift is no longer a shift.
    #[inline(always)]
    fn fold_eight(low: &mut [u64], high: &[u64], shifts: &Shifts, product: &mut [[u64; 8]]) {
        let mut x = [[0u64; 8]; D];
        for lane in 0..8 {
            let (low, high) = (&low[lane * D..][..D], &high[lane * D..][..D]);
            for i in 0..D {
                x[i][lane] = high[i].wrapping_sub(low[i]);
            }
        }
        let shifts = shifts.as_slice();
        // Shifts from..to move some word to place k.
        let (mut from, mut to) = (0, 0);
        for (k, out) in product[..2 * D - 1].iter_mut().enumerate() {
            while to < shifts.len() && usize::from(shifts[to]) <= k {
                to += 1;
            }
            while from < to && usize::from(shifts[from]) + D <= k {
                from += 1;
            }
            let mut sum = [0u64; 8];
            for &shift in &shifts[from..to] {
                let word = &x[k - usize::from(shift)];
                for lane in 0..8 {
                    sum[lane] = sum[lane].wrapping_add(word[lane]);
                }
            }
            *out = sum;
        }
        for k in (D..2 * D - 1).rev() {
            let over = product[k];
            for tap in Self::TAPS {
                let to = &mut product[k - D + tap];
                for lane in 0..8 {
                    to[lane] = to[lane].wrapping_sub(over[lane]);
                }
            }
        }
        for lane in 0..8 {
            for (i, low) in low[lane * D..][..D].iter_mut().enumerate() {
                *low = low.wrapping_add(product[i][lane]);
            }
        }
    }
}

/// Room for one product; wiped when dropped.
struct Scratch {
    /// An element between zeros.
    padded: [u64; 3 * MARGIN],
    /// A product before its reduction.
    product: [u64; 2 * MARGIN],
}

impl Scratch {
    fn new() -> Scratch {
        Scratch { padded: [0; 3 * MARGIN], product: [0; 2 * MARGIN] }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.padded.zeroize();
        self.product.zeroize();
    }
}

multiversion! {
    fn fold<const D: usize>(low: &mut [u64], high: &[u64], r: u64) {
        let shifts = Shifts::new(r);
        let mut product = [[0u64; 8]; 2 * MARGIN];
        let mut eights = low.chunks_exact_mut(8 * D);
        let mut high_eights = high.chunks_exact(8 * D);
        for (low, high) in eights.by_ref().zip(high_eights.by_ref()) {
            GaloisRing::<D>::fold_eight(low, high, &shifts, &mut product);
        }
        product.as_flattened_mut().zeroize();
        let mut scratch = Scratch::new();
        let rest = eights.into_remainder().chunks_exact_mut(D);
        for (low, high) in rest.zip(high_eights.remainder().chunks_exact(D)) {
            let difference: [u64; D] = std::array::from_fn(|i| high[i].wrapping_sub(low[i]));
            let product = GaloisRing::<D>::times(&difference, &shifts, &mut scratch);
            for i in 0..D {
                low[i] = low[i].wrapping_add(product[i]);
            }
        }
    }
}

multiversion! {
    fn mul_challenges<const D: usize>(x: &mut [u64], challenges: &[u64]) {
        let mut scratch = Scratch::new();
        for (x, challenge) in x.chunks_exact_mut(D).zip(challenges) {
            let shifts = Shifts::new(challenge & GaloisRing::<D>::CHALLENGE_MASK);
            x.copy_from_slice(GaloisRing::<D>::times(x, &shifts, &mut scratch));
        }
    }
}

/// The exponents of a challenge. Challenges are public, so to branch on them is safe.
struct Shifts {
    at: [u8; 64],
    count: usize,
}

impl Shifts {
    fn new(mut challenge: u64) -> Shifts {
        let mut shifts = Shifts { at: [0; 64], count: 0 };
        while challenge != 0 {
            shifts.at[shifts.count] = challenge.trailing_zeros() as u8;
            shifts.count += 1;
            challenge &= challenge - 1;
        }
        shifts
    }

    fn as_slice(&self) -> &[u8] {
        &self.at[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The product straight from the definition: long multiplication, then long division.
    fn by_definition<const D: usize>(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut product = vec![0u64; 2 * D];
        for i in 0..D {
            for j in 0..D {
                product[i + j] = product[i + j].wrapping_add(a[i].wrapping_mul(b[j]));
            }
        }
        for k in (D..2 * D).rev() {
            let x = std::mem::take(&mut product[k]);
            for tap in GaloisRing::<D>::TAPS {
                product[k - D + tap] = product[k - D + tap].wrapping_sub(x);
            }
        }
        product.truncate(D);
        product
    }

    /// Rabin's criterion modulo 2: `X^(2^D) = X`, and for every prime `q` that divides `D`
    /// the difference `X^(2^(D/q)) - X` is invertible.
    fn modulus_is_irreducible<const D: usize>(primes: &[usize]) {
        let mul = |a: &[u64], b: &[u64]| -> Vec<u64> {
            by_definition::<D>(a, b).iter().map(|x| x & 1).collect()
        };
        let x = GaloisRing::<D>::embed(2).to_vec();
        let frobenius = |times: usize| (0..times).fold(x.clone(), |y, _| mul(&y, &y));
        assert_eq!(frobenius(D), x);
        for q in primes {
            let mut power: Vec<u64> = frobenius(D / q).iter().zip(&x).map(|(a, b)| a ^ b).collect();
            let difference = power.clone();
            let mut inverse = GaloisRing::<D>::embed(1).to_vec();
            for _ in 1..D {
                power = mul(&power, &power);
                inverse = mul(&inverse, &power);
            }
            assert_eq!(mul(&difference, &inverse), GaloisRing::<D>::embed(1), "factor {q}");
        }
    }

    #[test]
    fn moduli_are_irreducible_modulo_two() {
        modulus_is_irreducible::<48>(&[2, 3]);
        modulus_is_irreducible::<4>(&[2]);
    }

    fn agrees<const D: usize>(a: &[u64], b: &[u64], challenge: u64) {
        let (a, b) = (&a[..a.len() / D * D], &b[..a.len() / D * D]);
        let challenge = challenge & GaloisRing::<D>::CHALLENGE_MASK;
        let r = GaloisRing::<D>::embed(challenge);
        let (mut sum, mut folded, mut scaled) = (vec![0u64; D], a.to_vec(), a.to_vec());
        for (at, (a, b)) in a.chunks(D).zip(b.chunks(D)).enumerate() {
            let product = by_definition::<D>(a, b);
            assert_eq!(GaloisRing::<D>::mul(a, b).to_vec(), product);
            sum.iter_mut().zip(&product).for_each(|(s, x)| *s = s.wrapping_add(*x));
            let difference: Vec<u64> = a.iter().zip(b).map(|(a, b)| b.wrapping_sub(*a)).collect();
            let part = by_definition::<D>(&difference, &r);
            folded[at * D..][..D].iter_mut().zip(part).for_each(|(f, x)| *f = f.wrapping_add(x));
            scaled[at * D..][..D].copy_from_slice(&by_definition::<D>(a, &r));
        }
        assert_eq!(GaloisRing::<D>::dot(&[[a, b]]).to_vec(), sum);
        let twice: Vec<u64> = sum.iter().map(|x| x.wrapping_mul(2)).collect();
        assert_eq!(GaloisRing::<D>::dot(&[[a, b], [b, a]]).to_vec(), twice);
        let mut low = a.to_vec();
        GaloisRing::<D>::fold(&mut low, b, challenge);
        assert_eq!(low, folded);
        let mut x = a.to_vec();
        GaloisRing::<D>::mul_challenges(&mut x, &vec![challenge; a.len() / D]);
        assert_eq!(x, scaled);
    }

    proptest! {
        #[test]
        fn kernels_follow_the_definition(
            pairs in prop::collection::vec(any::<(u64, u64)>(), 0..1000),
            challenge: u64,
        ) {
            let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            agrees::<48>(&a, &b, challenge);
            agrees::<4>(&a, &b, challenge);
        }
    }
}
