//! The security mode as a type parameter, so that no protocol exists twice.

use crate::party::PartyId;
use crate::ring::gemm::Reading;
use crate::ring::{Ring, RowMap};
use crate::share::{Arith, Bin, Words};
use std::ops::Range;
use std::sync::Arc;

/// Against whom a computation is secure. Protocols are generic over it and call
/// [`crate::ctx::Ctx::record`] for each product; only the recorder differs.
pub trait Security: sealed::Sealed + 'static {
    /// What keeps the products until they are verified.
    type Recorder: Recorder;
    /// Whether every product is verified before anything is opened. Where false, a
    /// protocol may rely on a value that one party alone provides and nothing claims.
    const VERIFIED: bool;
    /// The name in jobs and reports.
    const NAME: &'static str;
}

/// Parties follow the protocol but look at all they see; at most one of them.
#[derive(Clone, Copy, Debug)]
pub struct SemiHonest;

impl Security for SemiHonest {
    type Recorder = ();
    const VERIFIED: bool = false;
    const NAME: &'static str = "semi-honest";
}

/// One party may deviate from the protocol in any way. Every product is verified before
/// anything that depends on it is opened, and the session is aborted if one is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Malicious;

impl Security for Malicious {
    type Recorder = Unverified;
    const VERIFIED: bool = true;
    const NAME: &'static str = "malicious";
}

/// Takes the products of a computation.
pub trait Recorder: Default {
    /// Notes one product; `product` is evaluated only if it is kept.
    fn record(&mut self, product: impl FnOnce() -> Product);

    /// Hands out the products noted since the last time, in order; `None` while their
    /// predecessors are still being verified.
    fn begin_verification(&mut self) -> Option<Vec<Product>>;

    /// Notes that the products handed out last are right.
    fn end_verification(&mut self);

    /// Whether no product waits for its verification.
    fn is_verified(&self) -> bool;

    /// Words of a component of all factors and products that were noted since the last time:
    /// public.
    fn waiting(&self) -> usize;

    /// Whether products that were handed out are still being verified.
    fn is_verifying(&self) -> bool;

    /// What a party does to its part of a product before it is sent, given which bits
    /// count in all words: nothing, but for a corrupt party in a test, which adds an error. That is
    /// the same before the part is masked and after it.
    #[inline]
    fn deviate(&mut self, _local: &mut [u64], _bits: Range<u32>) {}
}

impl Recorder for () {
    #[inline]
    fn record(&mut self, _: impl FnOnce() -> Product) {}

    fn begin_verification(&mut self) -> Option<Vec<Product>> {
        Some(Vec::new())
    }

    fn end_verification(&mut self) {}

    fn is_verified(&self) -> bool {
        true
    }

    fn waiting(&self) -> usize {
        0
    }

    fn is_verifying(&self) -> bool {
        false
    }
}

/// The products that are still to be verified.
#[derive(Default)]
pub struct Unverified {
    products: Vec<Product>,
    waiting: usize,
    under_way: bool,
}

impl Recorder for Unverified {
    fn record(&mut self, product: impl FnOnce() -> Product) {
        let product = product();
        self.waiting += product.operands().iter().map(|x| x.first.len()).sum::<usize>();
        self.products.push(product);
    }

    fn waiting(&self) -> usize {
        self.waiting
    }

    fn is_verifying(&self) -> bool {
        self.under_way
    }

    fn begin_verification(&mut self) -> Option<Vec<Product>> {
        if self.under_way {
            return None;
        }
        self.under_way = true;
        self.waiting = 0;
        Some(std::mem::take(&mut self.products))
    }

    fn end_verification(&mut self) {
        self.under_way = false;
    }

    fn is_verified(&self) -> bool {
        self.products.is_empty() && !self.under_way
    }
}

/// A replicated sharing without its ring: what a recorder keeps.
#[derive(Clone)]
pub struct Components {
    /// Rows and columns, or lanes and planes.
    pub shape: [usize; 2],
    /// `x_i`.
    pub first: Arc<Words>,
    /// `x_{i+1}`.
    pub second: Arc<Words>,
}

/// Which components of a factor count, as all parties know; the others are taken as zero,
/// whatever is there. A helper `P_h` for the elements of third number `h` of a row holds `x_h`
/// and `x_{h+1}` and lacks `x_{h+2}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Support([bool; 3]);

impl Support {
    /// Any of them.
    pub const ALL: Support = Support([true; 3]);
    /// `x_h`.
    pub const FIRST: Support = Support([true, false, false]);
    /// `x_{h+1}`.
    pub const SECOND: Support = Support([false, true, false]);
    /// What the helper knows.
    pub const KNOWN: Support = Support([true, true, false]);
    /// What it lacks.
    pub const LACKING: Support = Support([false, false, true]);

    /// A number of its own for each: what parties compare.
    pub fn code(self) -> u8 {
        self.0.iter().fold(0, |code, counts| 2 * code + u8::from(*counts))
    }

    /// Whether the first and the second component that `party` holds of the elements in
    /// third number `third` count.
    pub fn held(self, party: PartyId, third: usize) -> [bool; 2] {
        let of = |component: usize| self.0[(component + 3 - third) % 3];
        [of(party.index()), of(party.index() + 1)]
    }
}

/// A product that was computed and re-shared, and may carry an additive error of
/// whoever re-shared it.
pub enum Product {
    /// `z = x * y` element by element modulo `2^bits`.
    Elementwise {
        /// Width of the ring.
        bits: u32,
        /// Which components of `x` and `y` count, all elements being one row.
        supports: [Support; 2],
        /// `x`, `y` and `z`.
        operands: [Components; 3],
    },
    /// `z = x * y`, a matrix product modulo `2^bits`.
    Matrix {
        /// Width of the ring.
        bits: u32,
        /// How `x` and `y` were read.
        readings: [Reading; 2],
        /// How the rows of the product were added up before they were re-shared, if they
        /// were: `z` has so many elements a row, and long rows are several rows of `x * y`.
        scattered: Option<Arc<RowMap>>,
        /// `x`, `y` and `z`.
        operands: [Components; 3],
    },
    /// `z_c = sum_r x_rc * y_rc` for every column `c`, modulo `2^bits`.
    ColumnDot {
        /// Width of the ring.
        bits: u32,
        /// `x`, `y` and `z`.
        operands: [Components; 3],
    },
    /// `z = x & y` bit by bit.
    And {
        /// Which components of `x` and `y` count, the words of a plane being a row.
        supports: [Support; 2],
        /// `x`, `y` and `z`.
        operands: [Components; 3],
    },
}

impl Product {
    /// `x`, `y` and `z`.
    pub fn operands(&self) -> &[Components; 3] {
        match self {
            Product::Elementwise { operands, .. }
            | Product::Matrix { operands, .. }
            | Product::ColumnDot { operands, .. }
            | Product::And { operands, .. } => operands,
        }
    }
}

impl<R: Ring> From<&Arith<R>> for Components {
    fn from(share: &Arith<R>) -> Components {
        let (first, second) = share.buffers();
        Components { shape: share.shape(), first, second }
    }
}

impl From<&Bin> for Components {
    fn from(share: &Bin) -> Components {
        let (first, second) = share.buffers();
        Components { shape: [share.lanes(), share.planes()], first, second }
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::SemiHonest {}
    impl Sealed for super::Malicious {}
}
