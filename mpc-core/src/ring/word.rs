//! The rings `Z_{2^k}`.

/// A ring `Z_{2^k}` with `k <= 64`, used as a type parameter.
///
/// Elements are stored as `u64` words. Local arithmetic wraps at 64 bits, which
/// is right modulo `2^k` for every `k <= 64`; the width matters only where words
/// leave a party (`k` bits an element) or are compared. So one set of kernels
/// serves every width.
pub trait Ring: Copy + Send + Sync + 'static + sealed::Sealed {
    /// Width `k` of an element in bits.
    const BITS: u32;
    /// The `k` low bits.
    const MASK: u64 = u64::MAX >> (64 - Self::BITS);
}

/// `Z_{2^K}`.
#[derive(Clone, Copy, Debug)]
pub struct Z2<const K: u32>;

/// The ring of the training data and the model.
pub type Z64 = Z2<64>;

impl<const K: u32> Ring for Z2<K> {
    const BITS: u32 = {
        assert!(K >= 1 && K <= 64, "a ring element has 1 to 64 bits");
        K
    };
}

mod sealed {
    pub trait Sealed {}
    impl<const K: u32> Sealed for super::Z2<K> {}
}
