//! The ring and its kernels against the definition.

use super::super::Weighed;
use super::super::gemm::MatRef;
use super::super::lanes::LANES;
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

/// Elements one after the other, as a vector in octets.
fn in_octets<const D: usize>(elements: &[u64]) -> Vec<u64> {
    let mut octets = vec![0; elements.len().next_multiple_of(LANES * D)];
    for (at, x) in elements.iter().enumerate() {
        let (element, j) = (at / D, at % D);
        octets[element / LANES * LANES * D + j * LANES + element % LANES] = *x;
    }
    octets
}

fn sum(x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(x, y)| x.wrapping_add(*y)).collect()
}

fn difference(x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(x, y)| x.wrapping_sub(*y)).collect()
}

/// Folds, inner products and products with challenges.
fn vectors_agree<const D: usize>(a: &[u64], b: &[u64], challenges: &[u64]) {
    let count = a.len() / D / LANES * LANES;
    let (a, b) = (&a[..count * D], &b[..count * D]);
    let challenge = |at: usize| challenges[at % challenges.len()] & GaloisRing::<D>::CHALLENGE_MASK;
    let r = GaloisRing::<D>::embed(challenge(0));
    let (mut dot, mut folded, mut scaled) = (vec![0; D], vec![], vec![]);
    for (at, (a, b)) in a.chunks(D).zip(b.chunks(D)).enumerate() {
        let product = by_definition::<D>(a, b);
        assert_eq!(GaloisRing::<D>::mul(a, b).to_vec(), product);
        dot = sum(&dot, &product);
        folded.extend(sum(a, &by_definition::<D>(&difference(b, a), &r)));
        let own = by_definition::<D>(a, &GaloisRing::<D>::embed(challenge(at)));
        let mut one = a.to_vec();
        GaloisRing::<D>::scale(&mut one, challenge(at));
        assert_eq!(one, own);
        scaled.extend(own);
    }
    let (x, y) = (in_octets::<D>(a), in_octets::<D>(b));
    for (times, expected) in [(1, dot.clone()), (2, sum(&dot, &dot))] {
        let mut product = Dot::<D>::default();
        (0..times).for_each(|_| product.add(&x, &y));
        assert_eq!(product.finish().to_vec(), expected);
    }
    let mut out = vec![5; x.len()];
    GaloisRing::<D>::fold(&mut out, &x, &y, challenge(0));
    assert_eq!(out, in_octets::<D>(&folded));
    let mut product = x.clone();
    let own: Vec<u64> = (0..count).map(challenge).collect();
    GaloisRing::<D>::mul_challenges(&mut product, &own);
    assert_eq!(product, in_octets::<D>(&scaled));
    for at in 0..count {
        assert_eq!(GaloisRing::<D>::element(&x, at), a[at * D..][..D]);
    }
}

/// Linear combinations of rows, and columns weighted by challenges.
fn sums_agree<const D: usize>(words: &[u64], columns: usize, challenges: &[u64]) {
    let rows = words.len() / columns;
    let words = &words[..rows * columns];
    // Some rows have small weights, of either sign.
    let weight = |i: usize| match (words[i % words.len()].rotate_left(7), i / D % 3) {
        (weight, 0) => weight,
        (weight, _) => (weight as i64 >> 32) as u64,
    };
    let weights: Vec<u64> = (0..rows * D).map(weight).collect();
    let challenges: Vec<u64> = (0..rows).map(|at| challenges[at % challenges.len()]).collect();
    let (mut combined, mut weighted) = (vec![], vec![]);
    for column in 0..columns {
        let (mut by_weight, mut by_challenge) = (vec![0; D], vec![0; D]);
        for row in 0..rows {
            let times = |x: &u64| x.wrapping_mul(words[row * columns + column]);
            let weight: Vec<u64> = weights[row * D..][..D].iter().map(times).collect();
            let own: Vec<u64> = GaloisRing::<D>::embed(challenges[row]).iter().map(times).collect();
            by_weight = sum(&by_weight, &weight);
            by_challenge = sum(&by_challenge, &own);
        }
        combined.extend(by_weight);
        weighted.extend(by_challenge);
    }
    if columns.is_multiple_of(LANES) {
        let place = |i: usize| (i / (rows * LANES), i / LANES % rows, i % LANES);
        let by_octets = |i: usize| {
            let (octet, row, lane) = place(i);
            words[row * columns + octet * LANES + lane]
        };
        let by_octets: Vec<u64> = (0..words.len()).map(by_octets).collect();
        let mut out = vec![1; columns * D];
        let weights = Weights::new(&weights);
        let part = (&by_octets[..], &weights);
        GaloisRing::<D>::combine(&mut out, &[part]);
        assert_eq!(out, in_octets::<D>(&combined));
        GaloisRing::<D>::combine(&mut out, &[part, part]);
        assert_eq!(out, in_octets::<D>(&sum(&combined, &combined)));
        rows_agree::<D>(&by_octets, rows, &challenges);
    }
    let transposed: Vec<u64> =
        (0..rows * columns).map(|i| words[i % rows * columns + i / rows]).collect();
    let views = [MatRef::new(words, rows, columns), MatRef::new(&transposed, columns, rows).t()];
    for matrix in views {
        let mut out = in_octets::<D>(&combined);
        GaloisRing::<D>::add_weighted(&mut out, matrix, &challenges);
        assert_eq!(out, in_octets::<D>(&sum(&combined, &weighted)));
    }
}

/// Rows weighted by the challenges of columns.
fn rows_agree<const D: usize>(by_octets: &[u64], rows: usize, challenges: &[u64]) {
    let columns = by_octets.len() / rows;
    let challenge = |column: usize| challenges[column % challenges.len()].rotate_right(3);
    let challenges: Vec<u64> = (0..columns).map(challenge).collect();
    let mut expected = vec![0; rows * D];
    for (i, word) in by_octets.iter().enumerate() {
        let (octet, row, lane) = (i / (rows * LANES), i / LANES % rows, i % LANES);
        for (j, sum) in expected[row * D..][..D].iter_mut().enumerate() {
            if challenges[octet * LANES + lane] >> j & 1 == 1 {
                *sum = u64::wrapping_add(*sum, *word);
            }
        }
    }
    let mut sums = vec![0; rows.next_multiple_of(LANES) * D];
    let octets: Vec<&[u64]> = by_octets.chunks_exact(rows * LANES).collect();
    let (first, others) =
        (Weighed { sums: &mut sums, rows, octets: &octets }, vec![[]; octets.len()]);
    let others: Vec<&[u64]> = others.iter().map(|none| &none[..]).collect();
    let none = Weighed { sums: &mut [], rows: 0, octets: &others };
    GaloisRing::<D>::add_weighted_rows(&mut [none, first], &challenges);
    assert_eq!(sums, in_octets::<D>(&expected));
}

proptest! {
    #[test]
    fn kernels_follow_the_definition(
        pairs in prop::collection::vec(any::<(u64, u64)>(), 1..1000),
        columns in 1usize..40,
        challenges in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        vectors_agree::<48>(&a, &b, &challenges);
        vectors_agree::<4>(&a, &b, &challenges);
        let columns = columns.min(a.len());
        sums_agree::<48>(&a, columns, &challenges);
        sums_agree::<4>(&a, columns, &challenges);
        sums_agree::<4>(&a, (columns * LANES).min(a.len()), &challenges);
        let octet = if a.len() < LANES { 1 } else { LANES };
        sums_agree::<48>(&a, octet, &challenges);
    }
}
