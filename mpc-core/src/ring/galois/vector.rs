//! Vectors over the Galois ring: folds, combinations, challenges element by element.

use super::super::lanes::{LANES, Octet, Simd, ZERO, octets, octets_mut, vectorised};
use super::super::scratch::Scratch;
use super::super::simd::Level;
#[cfg(target_arch = "x86_64")]
use super::small;
use super::{GaloisRing, MAX_PRODUCT};

/// Zeros either side of an element whose shifts are added up: one fewer than the largest tile has
/// coefficients.
const ZEROS: usize = 7;

/// Public weights of rows, an element a row.
pub struct Weights<const D: usize> {
    list: Vec<u64>,
    /// The same for those who care which of them are small.
    #[cfg(target_arch = "x86_64")]
    pub(super) split: small::Split,
}

impl<const D: usize> Weights<D> {
    /// The weights, `D` words a row.
    ///
    /// # Panics
    /// If there are not whole elements.
    pub fn new(list: &[u64]) -> Weights<D> {
        assert!(list.len().is_multiple_of(D), "whole elements");
        #[cfg(target_arch = "x86_64")]
        let split = small::Split::new::<D>(list);
        Weights {
            list: list.to_vec(),
            #[cfg(target_arch = "x86_64")]
            split,
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.list.len() / D
    }
}

impl<const D: usize> GaloisRing<D> {
    /// Overwrites `out` with `low + r * (high - low)` element by element, for a challenge `r`:
    /// the value at `r` of the line through both.
    ///
    /// # Panics
    /// If the lengths differ or are not those of whole octets.
    pub fn fold(out: &mut [u64], low: &[u64], high: &[u64], r: u64) {
        assert!(low.len() == high.len() && low.len().is_multiple_of(LANES * D), "equal halves");
        assert_eq!(out.len(), low.len(), "as long as a half");
        let mut scratch = Scratch::take();
        fold::<D>(Level::best(), out, low, high, r & Self::CHALLENGE_MASK, scratch.octets());
    }

    /// Multiplies each element of `x` by a challenge of its own.
    ///
    /// # Panics
    /// If there is not one challenge an element, or there are not whole octets.
    pub fn mul_challenges(x: &mut [u64], challenges: &[u64]) {
        assert!(x.len() == challenges.len() * D, "one challenge an element");
        assert!(challenges.len().is_multiple_of(LANES), "whole octets");
        mul_challenges::<D>(Level::best(), x, challenges, Scratch::take().octets());
    }

    /// Overwrites `out` with the sum of linear combinations of rows of words: an element a
    /// column, in octets. Each part has rows, for each octet of columns an octet a row, and
    /// their weights.
    ///
    /// # Panics
    /// If there are not whole octets of columns, or a length does not fit.
    pub fn combine(out: &mut [u64], parts: &[(&[u64], &Weights<D>)]) {
        assert!(out.len().is_multiple_of(LANES * D), "octets");
        for (rows, weights) in parts {
            assert_eq!(rows.len(), out.len() / D * weights.rows(), "one weight a row");
        }
        #[cfg(target_arch = "x86_64")]
        if let (48, Some(ifma)) = (D, small::Ifma::detect()) {
            return ifma.combine(out, parts);
        }
        combine::<D>(Level::best(), out, parts);
    }

    /// Element `index` of a vector in octets.
    ///
    /// # Panics
    /// If the vector is shorter.
    pub fn element(vector: &[u64], index: usize) -> [u64; D] {
        let octet = &vector[index / LANES * LANES * D..][..LANES * D];
        std::array::from_fn(|j| octet[j * LANES + index % LANES])
    }

    /// Overwrites `out` with eight elements, given [`between_zeros`], times the sum of `X^s` over
    /// some shifts, each in some lanes; plus `base`, if there is one.
    ///
    /// [`between_zeros`]: Self::between_zeros
    #[inline(always)]
    fn times_shifts<S: Simd>(
        simd: S,
        out: &mut [Octet],
        base: Option<&[Octet]>,
        buffers: (&[Octet], &mut [Octet]),
        by: (&[u8], Option<&[u8]>),
    ) {
        match D {
            4 => Self::tiles_times_shifts::<S, 4>(simd, out, base, buffers, by),
            _ => Self::tiles_times_shifts::<S, 8>(simd, out, base, buffers, by),
        }
    }

    /// [`GaloisRing::times_shifts`], `TILE` coefficients at a time, a register each. The upper half
    /// of the product comes first, behind zeros: so the lower one is reduced as it is made.
    #[inline(always)]
    fn tiles_times_shifts<S: Simd, const TILE: usize>(
        simd: S,
        out: &mut [Octet],
        base: Option<&[Octet]>,
        (padded, upper): (&[Octet], &mut [Octet]),
        (shifts, lanes): (&[u8], Option<&[u8]>),
    ) {
        let zeros = Self::TAPS[0];
        upper[..zeros].fill(ZERO);
        // Shifts from..to move some coefficient to the tile.
        let (mut from, mut to) = (shifts.len(), shifts.len());
        for start in (0..2 * D).step_by(TILE).rev() {
            while to > 0 && usize::from(shifts[to - 1]) >= start + TILE {
                to -= 1;
            }
            while from > 0 && usize::from(shifts[from - 1]) + D > start {
                from -= 1;
            }
            let mut sums = [simd.splat(0); TILE];
            for &shift in &shifts[from..to] {
                let x = &padded[start + ZEROS - usize::from(shift)..][..TILE];
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = match lanes {
                        None => simd.add(*sum, simd.load(x)),
                        Some(lanes) => {
                            simd.add_where(lanes[usize::from(shift)], *sum, simd.load(x))
                        }
                    };
                }
            }
            if start >= D {
                for (to, sum) in upper[zeros + start - D..][..TILE].iter_mut().zip(sums) {
                    simd.store(to, sum);
                }
                if start == D {
                    // Coefficients whose reduction reaches the upper half again.
                    for over in (D - zeros..D - 1).rev() {
                        for tap in Self::TAPS.iter().filter(|tap| over + **tap >= D) {
                            let to = zeros + over + tap - D;
                            let less =
                                simd.sub(simd.load(&upper[to]), simd.load(&upper[zeros + over]));
                            simd.store(&mut upper[to], less);
                        }
                    }
                }
                continue;
            }
            for tap in Self::TAPS {
                for (sum, over) in sums.iter_mut().zip(&upper[zeros + start - tap..][..TILE]) {
                    *sum = simd.sub(*sum, simd.load(over));
                }
            }
            if let Some(base) = base {
                for (sum, x) in sums.iter_mut().zip(&base[start..][..TILE]) {
                    *sum = simd.add(*sum, simd.load(x));
                }
            }
            for (out, sum) in out[start..][..TILE].iter_mut().zip(sums) {
                simd.store(out, sum);
            }
        }
    }

    /// Empty room for eight elements between zeros.
    #[inline(always)]
    fn between_zeros(padded: &mut [Octet]) -> &mut [Octet] {
        padded[..ZEROS].fill(ZERO);
        padded[ZEROS + D..].fill(ZERO);
        &mut padded[ZEROS..][..D]
    }
}

vectorised! {
    fn fold<const D: usize>(
        simd, out: &mut [u64], low: &[u64], high: &[u64], r: u64,
        buffers: &mut [Octet; 2 * MAX_PRODUCT],
    ) {
        // Challenges are public, so to branch on them is safe.
        let mut shifts = [0; 64];
        let mut count = 0;
        for shift in (0..64).filter(|shift| r >> shift & 1 == 1) {
            shifts[count] = shift;
            count += 1;
        }
        let (padded, upper) = buffers.split_at_mut(MAX_PRODUCT);
        GaloisRing::<D>::between_zeros(padded);
        let (low, high) = (octets(low).chunks_exact(D), octets(high).chunks_exact(D));
        for (out, (low, high)) in octets_mut(out).chunks_exact_mut(D).zip(low.zip(high)) {
            for ((padded, low), high) in padded[ZEROS..].iter_mut().zip(low).zip(high) {
                simd.store(padded, simd.sub(simd.load(high), simd.load(low)));
            }
            let by = (&shifts[..count], None);
            GaloisRing::<D>::times_shifts(simd, out, Some(low), (padded, upper), by);
        }
    }
}

vectorised! {
    fn mul_challenges<const D: usize>(
        simd, x: &mut [u64], challenges: &[u64], buffers: &mut [Octet; 2 * MAX_PRODUCT],
    ) {
        let (padded, upper) = buffers.split_at_mut(MAX_PRODUCT);
        let mut shifts = [0; 64];
        for (at, shift) in shifts.iter_mut().enumerate() {
            *shift = at as u8;
        }
        for (x, challenges) in octets_mut(x).chunks_exact_mut(D).zip(octets(challenges)) {
            // Bit s of all challenges, one a lane.
            let mut lanes = [0; 64];
            for (shift, lanes) in lanes[..D].iter_mut().enumerate() {
                for (lane, challenge) in challenges.iter().enumerate() {
                    *lanes |= ((challenge >> shift & 1) as u8) << lane;
                }
            }
            GaloisRing::<D>::between_zeros(padded).copy_from_slice(x);
            let by = (&shifts[..D], Some(&lanes[..]));
            GaloisRing::<D>::times_shifts(simd, x, None, (padded, upper), by);
        }
    }
}

vectorised! {
    fn combine<const D: usize>(simd, out: &mut [u64], parts: &[(&[u64], &Weights<D>)]) {
        // As many sums as the registers hold, beside the words and weights of a row.
        match (D, S::REGISTERS) {
            (48, 32) => combine_tiles::<S, D, 12, 2>(simd, out, parts),
            (48, _) => combine_tiles::<S, D, 3, 1>(simd, out, parts),
            _ => combine_tiles::<S, D, 4, 1>(simd, out, parts),
        }
    }
}

/// [`GaloisRing::combine`], `WIDE` coefficients of `MANY` octets at a time.
#[inline(always)]
fn combine_tiles<S: Simd, const D: usize, const WIDE: usize, const MANY: usize>(
    simd: S,
    out: &mut [u64],
    parts: &[(&[u64], &Weights<D>)],
) {
    for (number, out) in octets_mut(out).chunks_mut(MANY * D).enumerate() {
        if out.len() == MANY * D {
            combine_octets::<S, D, WIDE, MANY>(simd, out, MANY * number, parts);
        } else {
            for (after, out) in out.chunks_exact_mut(D).enumerate() {
                combine_octets::<S, D, WIDE, 1>(simd, out, MANY * number + after, parts);
            }
        }
    }
}

/// [`combine_tiles`] of so many octets of columns from number `first` on.
#[inline(always)]
fn combine_octets<S: Simd, const D: usize, const WIDE: usize, const OCTETS: usize>(
    simd: S,
    out: &mut [Octet],
    first: usize,
    parts: &[(&[u64], &Weights<D>)],
) {
    for tile in (0..D).step_by(WIDE) {
        let mut sums = [[simd.no_products(); OCTETS]; WIDE];
        for (rows, weights) in parts {
            let count = weights.rows();
            let rows = &octets(rows)[first * count..];
            for (row, weights) in weights.list.chunks_exact(D).enumerate() {
                let mut x = [simd.splat(0); OCTETS];
                for (octet, x) in x.iter_mut().enumerate() {
                    *x = simd.load(&rows[octet * count + row]);
                }
                for (sums, weight) in sums.iter_mut().zip(&weights[tile..tile + WIDE]) {
                    let weight = simd.factor(simd.splat(*weight));
                    for (sum, x) in sums.iter_mut().zip(&x) {
                        *sum = simd.add_product(*sum, *x, weight);
                    }
                }
            }
        }
        for (octet, out) in out.chunks_exact_mut(D).enumerate() {
            for (out, sums) in out[tile..tile + WIDE].iter_mut().zip(&sums) {
                simd.store(out, simd.add_sum(simd.splat(0), sums[octet]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every version of the kernels, of which `galois::tests` compares the best with the definition.
    fn all_levels_agree<const D: usize>(words: &[u64], r: u64) {
        let octets = words.len() / (2 * LANES * D);
        let (x, y) = words[..2 * octets * LANES * D].split_at(octets * LANES * D);
        let challenges: Vec<u64> = (0..octets * LANES).map(|at| r.rotate_left(at as u32)).collect();
        // Small weights, large ones, and those on the border.
        let border = [1 << 31, (1 << 31) - 1, 1 << 19, u64::MAX];
        let weight = |i: usize| match i / D % 4 {
            0 => words[i % words.len()],
            1 => (words[i % words.len()] as i64 >> 33) as u64,
            2 => border[i % 3].wrapping_sub(u64::from(words[0] & 1 == 0)),
            _ => border[i % 4].wrapping_neg(),
        };
        let rows = x.len() / (octets * LANES);
        let weights = Weights::<D>::new(&(0..rows * D).map(weight).collect::<Vec<u64>>());
        let run = |level: Level| {
            let [mut on_line, mut scaled, mut sums] = [x.to_vec(), x.to_vec(), x.to_vec()];
            let mut scratch = Scratch::take();
            let r = r & GaloisRing::<D>::CHALLENGE_MASK;
            fold::<D>(level, &mut on_line, x, y, r, scratch.octets());
            mul_challenges::<D>(level, &mut scaled, &challenges, scratch.octets());
            combine::<D>(level, &mut sums, &[(x, &weights), (y, &weights)]);
            [on_line, scaled, sums]
        };
        let expected = run(Level::PORTABLE);
        for level in Level::available() {
            assert_eq!(run(level), expected, "{level:?}");
        }
        let mut sums = x.to_vec();
        GaloisRing::<D>::combine(&mut sums, &[(x, &weights), (y, &weights)]);
        assert_eq!(sums, expected[2]);
    }

    proptest! {
        #[test]
        fn all_versions_agree(words in prop::collection::vec(any::<u64>(), 2400), r: u64) {
            all_levels_agree::<48>(&words, r);
            all_levels_agree::<48>(&[u64::MAX; 2 * LANES * 48], r);
            all_levels_agree::<4>(&words[..500], r);
        }
    }
}
