//! Eight words side by side: what one instruction of the widest kind works on.
//!
//! Kernels whose vectors must stay in registers are written once, over [`Simd`], and
//! compiled for each set of instructions by [`vectorised`].

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// Words in an octet.
pub const LANES: usize = 8;

/// Eight words in memory, one a lane.
pub(super) type Octet = [u64; LANES];

/// Eight zeros.
pub(super) const ZERO: Octet = [0; LANES];

/// Instructions that work on eight words at once; having a value of the type proves that
/// the processor has them.
pub(super) trait Simd: Copy {
    /// Eight words in registers.
    type Vector: Copy;
    /// A factor of several products.
    type Factor: Copy;
    /// A sum of products that grows, put together at the end.
    type Sum: Copy;
    /// About how many vectors the registers hold.
    const REGISTERS: usize;
    /// Reads an octet.
    fn load(self, octet: &Octet) -> Self::Vector;
    /// Overwrites an octet.
    fn store(self, octet: &mut Octet, x: Self::Vector);
    /// The same word in all lanes.
    fn splat(self, word: u64) -> Self::Vector;
    /// `x + y`.
    fn add(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `x - y`.
    fn sub(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `x * y`.
    fn mul(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `y` as a factor.
    fn factor(self, y: Self::Vector) -> Self::Factor;
    /// The sum of no products.
    fn no_products(self) -> Self::Sum;
    /// `sum + x * y`.
    fn add_product(self, sum: Self::Sum, x: Self::Vector, y: Self::Factor) -> Self::Sum;
    /// `x` plus a sum of products.
    fn add_sum(self, x: Self::Vector, sum: Self::Sum) -> Self::Vector;
    /// `x ^ y`.
    fn xor(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `x & y`.
    fn and(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `x + y` in the lanes whose bit is set, `x` in the others.
    fn add_where(self, lanes: u8, x: Self::Vector, y: Self::Vector) -> Self::Vector;

    /// Lane `i` of vector `j` becomes lane `j` of vector `i`.
    #[inline(always)]
    fn transpose(self, rows: [Self::Vector; LANES]) -> [Self::Vector; LANES] {
        let mut words = [ZERO; LANES];
        for (octet, row) in words.iter_mut().zip(rows) {
            self.store(octet, row);
        }
        std::array::from_fn(|lane| self.load(&words.map(|row| row[lane])))
    }
}

/// What every processor has.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Simd for Plain {
    type Vector = Octet;
    type Factor = Octet;
    type Sum = Octet;
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn load(self, octet: &Octet) -> Octet {
        *octet
    }

    #[inline(always)]
    fn store(self, octet: &mut Octet, x: Octet) {
        *octet = x;
    }

    #[inline(always)]
    fn splat(self, word: u64) -> Octet {
        [word; LANES]
    }

    #[inline(always)]
    fn add(self, x: Octet, y: Octet) -> Octet {
        std::array::from_fn(|lane| x[lane].wrapping_add(y[lane]))
    }

    #[inline(always)]
    fn sub(self, x: Octet, y: Octet) -> Octet {
        std::array::from_fn(|lane| x[lane].wrapping_sub(y[lane]))
    }

    #[inline(always)]
    fn mul(self, x: Octet, y: Octet) -> Octet {
        std::array::from_fn(|lane| x[lane].wrapping_mul(y[lane]))
    }

    #[inline(always)]
    fn factor(self, y: Octet) -> Octet {
        y
    }

    #[inline(always)]
    fn no_products(self) -> Octet {
        self.splat(0)
    }

    #[inline(always)]
    fn add_product(self, sum: Octet, x: Octet, y: Octet) -> Octet {
        self.add(sum, self.mul(x, y))
    }

    #[inline(always)]
    fn add_sum(self, x: Octet, sum: Octet) -> Octet {
        self.add(x, sum)
    }

    #[inline(always)]
    fn xor(self, x: Octet, y: Octet) -> Octet {
        std::array::from_fn(|lane| x[lane] ^ y[lane])
    }

    #[inline(always)]
    fn and(self, x: Octet, y: Octet) -> Octet {
        std::array::from_fn(|lane| x[lane] & y[lane])
    }

    #[inline(always)]
    fn add_where(self, lanes: u8, x: Octet, y: Octet) -> Octet {
        let chosen = |lane: usize| u64::from(lanes >> lane & 1).wrapping_neg();
        std::array::from_fn(|lane| x[lane].wrapping_add(y[lane] & chosen(lane)))
    }
}

/// Words of a ring, or words of bits: which arithmetic a [`Ring`] does.
pub(super) const WORDS: usize = 0;
/// See [`WORDS`].
pub(super) const BITS: usize = 1;

/// The arithmetic of a base ring on octets.
#[derive(Clone, Copy)]
pub(super) struct Ring<S: Simd, const KIND: usize>(pub(super) S);

impl<S: Simd, const KIND: usize> Ring<S, KIND> {
    #[inline(always)]
    pub(super) fn add(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if KIND == WORDS { self.0.add(x, y) } else { self.0.xor(x, y) }
    }

    #[inline(always)]
    pub(super) fn sub(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if KIND == WORDS { self.0.sub(x, y) } else { self.0.xor(x, y) }
    }

    #[inline(always)]
    pub(super) fn mul(self, x: S::Vector, y: S::Vector) -> S::Vector {
        if KIND == WORDS { self.0.mul(x, y) } else { self.0.and(x, y) }
    }
}

/// How to add and subtract values in memory. A trait and no closure: what a kernel calls has to be
/// inlined into it, or it is compiled for any processor.
pub(super) trait Subtract<T>: Copy {
    /// `to = x - y`.
    fn subtract(self, to: &mut T, x: &T, y: &T);
    /// `x -= y`.
    fn subtract_from(self, x: &mut T, y: &T);
}

impl<S: Simd, const KIND: usize> Subtract<Octet> for Ring<S, KIND> {
    #[inline(always)]
    fn subtract(self, to: &mut Octet, x: &Octet, y: &Octet) {
        self.0.store(to, self.sub(self.0.load(x), self.0.load(y)));
    }

    #[inline(always)]
    fn subtract_from(self, x: &mut Octet, y: &Octet) {
        self.0.store(x, self.sub(self.0.load(x), self.0.load(y)));
    }
}

impl<S: Simd, const KIND: usize, const N: usize> Subtract<[Octet; N]> for Ring<S, KIND> {
    #[inline(always)]
    fn subtract(self, to: &mut [Octet; N], x: &[Octet; N], y: &[Octet; N]) {
        for (to, (x, y)) in to.iter_mut().zip(x.iter().zip(y)) {
            self.subtract(to, x, y);
        }
    }

    #[inline(always)]
    fn subtract_from(self, x: &mut [Octet; N], y: &[Octet; N]) {
        for (x, y) in x.iter_mut().zip(y) {
            self.subtract_from(x, y);
        }
    }
}

impl<const KIND: usize> Subtract<u64> for Ring<Plain, KIND> {
    #[inline(always)]
    fn subtract(self, to: &mut u64, x: &u64, y: &u64) {
        *to = if KIND == WORDS { x.wrapping_sub(*y) } else { x ^ y };
    }

    #[inline(always)]
    fn subtract_from(self, x: &mut u64, y: &u64) {
        *x = if KIND == WORDS { x.wrapping_sub(*y) } else { *x ^ y };
    }
}

/// The octets of a slice whose length is a multiple of eight.
#[inline(always)]
pub(super) fn octets(words: &[u64]) -> &[Octet] {
    words.as_chunks().0
}

/// The octets of a slice whose length is a multiple of eight.
#[inline(always)]
pub(super) fn octets_mut(words: &mut [u64]) -> &mut [Octet] {
    words.as_chunks_mut().0
}

/// Defines a function that is compiled once for each [`Simd`]; a level becomes its first
/// parameter, and the body gets the instructions under the given name.
macro_rules! vectorised {
    (
        $(#[$meta:meta])*
        fn $name:ident $(<const $param:ident: usize>)? ($simd:ident, $($arg:ident: $ty:ty),* $(,)?)
        $body:block
    ) => {
        $(#[$meta])*
        fn $name $(<const $param: usize>)? (level: $crate::ring::simd::Level, $($arg: $ty),*) {
            use $crate::ring::lanes::{Plain, Simd};
            #[cfg(target_arch = "x86_64")]
            use $crate::ring::lanes::{Avx2, Avx512};

            #[inline(always)]
            fn any<S: Simd, $(const $param: usize)?>($simd: S, $($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2 $(<const $param: usize>)? (simd: Avx2, $($arg: $ty),*) {
                any::<Avx2, $($param)?>(simd, $($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<const $param: usize>)? (simd: Avx512, $($arg: $ty),*) {
                any::<Avx512, $($param)?>(simd, $($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = Avx512::new(level) {
                // SAFETY: the value exists only on processors that have the instructions.
                return unsafe { avx512 $(::<$param>)? (simd, $($arg),*) };
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = Avx2::new(level) {
                // SAFETY: as above.
                return unsafe { avx2 $(::<$param>)? (simd, $($arg),*) };
            }
            any::<Plain, $($param)?>(Plain, $($arg),*);
        }
    };
}
pub(crate) use vectorised;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::simd::Level;
    use proptest::prelude::*;

    vectorised! {
        fn all_operations(simd, out: &mut [Octet; 7], x: &Octet, y: &Octet) {
            let (x, y) = (simd.load(x), simd.load(y));
            let squares = simd.add_product(simd.no_products(), x, simd.factor(x));
            let both = simd.add_product(squares, y, simd.factor(y));
            let results = [
                simd.add(x, y), simd.sub(x, y), simd.mul(x, y), simd.xor(x, y), simd.and(x, y),
                simd.add_where(0b1001_0110, x, y), simd.add_sum(x, both),
            ];
            for (out, result) in out.iter_mut().zip(results) {
                simd.store(out, simd.add(result, simd.splat(1)));
            }
        }
    }

    vectorised! {
        fn transposed(simd, words: &mut [Octet; LANES]) {
            let rows = simd.transpose(std::array::from_fn(|row| simd.load(&words[row])));
            for (octet, row) in words.iter_mut().zip(rows) {
                simd.store(octet, row);
            }
        }
    }

    proptest! {
        #[test]
        fn all_processors_agree(x: Octet, y: Octet, words: [Octet; LANES]) {
            let mut expected = [ZERO; 7];
            for lane in 0..LANES {
                let (x, y) = (x[lane], y[lane]);
                let some = if 0b1001_0110 >> lane & 1 == 1 { x.wrapping_add(y) } else { x };
                let squares = x.wrapping_mul(x).wrapping_add(y.wrapping_mul(y));
                let results = [
                    x.wrapping_add(y), x.wrapping_sub(y), x.wrapping_mul(y), x ^ y, x & y, some,
                    x.wrapping_add(squares),
                ];
                for (expected, result) in expected.iter_mut().zip(results) {
                    expected[lane] = result.wrapping_add(1);
                }
            }
            for level in Level::available() {
                let mut out = [ZERO; 7];
                all_operations(level, &mut out, &x, &y);
                prop_assert_eq!(out, expected);
                let mut turned = words;
                transposed(level, &mut turned);
                for row in 0..LANES {
                    prop_assert_eq!(turned[row], words.map(|octet| octet[row]));
                }
            }
        }
    }
}
