//! Which implementation of the matrix product runs.

#[cfg(target_arch = "x86_64")]
use super::avx512ifma;
use crate::ring::simd::Level;
use std::sync::OnceLock;

/// An implementation of the matrix product. All give the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Plain 64-bit products, for any processor.
    Portable,
    /// 256-bit vectors; 64-bit products from 32-bit ones.
    Avx2,
    /// 512-bit vectors with 64-bit products (`vpmullq`).
    Avx512Dq,
    /// 512-bit vectors; 64-bit products from 52-bit ones (`vpmadd52`) and
    /// pairs of 16-bit ones (`vpdpwssd`).
    Avx512Ifma,
}

impl Backend {
    /// All backends, whether or not this processor has their instructions.
    pub const ALL: [Backend; 4] =
        [Backend::Portable, Backend::Avx2, Backend::Avx512Dq, Backend::Avx512Ifma];

    /// The backends that this processor can run.
    pub fn available() -> Vec<Backend> {
        Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect()
    }

    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512Ifma => avx512ifma::Avx512Ifma::new().is_some(),
            _ => self.level().is_some(),
        }
    }

    /// The vectors that it uses, if the processor has them.
    pub(super) fn level(self) -> Option<Level> {
        match self {
            Backend::Portable => Some(Level::PORTABLE),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => Level::avx2(),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512Dq | Backend::Avx512Ifma => Level::avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            Backend::Avx2 | Backend::Avx512Dq | Backend::Avx512Ifma => None,
        }
    }

    /// The fastest backend on this processor.
    ///
    /// `vpmullq` is one micro-operation on AMD's processors, where it beats all
    /// else, and three on Intel's, where the 52-bit products do.
    pub fn best() -> Backend {
        static BEST: OnceLock<Backend> = OnceLock::new();
        *BEST.get_or_init(|| {
            let order = if has_fast_vpmullq() {
                [Backend::Avx512Dq, Backend::Avx512Ifma, Backend::Avx2]
            } else {
                [Backend::Avx512Ifma, Backend::Avx512Dq, Backend::Avx2]
            };
            order.into_iter().find(|backend| backend.is_available()).unwrap_or(Backend::Portable)
        })
    }
}

/// Whether a 64-bit vector product costs no more than a narrow one.
#[cfg(target_arch = "x86_64")]
fn has_fast_vpmullq() -> bool {
    let vendor = std::arch::x86_64::__cpuid(0);
    let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
    name.as_flattened() == b"AuthenticAMD"
}

/// Whether a 64-bit vector product costs no more than a narrow one.
#[cfg(not(target_arch = "x86_64"))]
fn has_fast_vpmullq() -> bool {
    false
}
