//! Which implementation of the matrix product runs.

#[cfg(target_arch = "x86_64")]
use super::{amx, avx512ifma};
use crate::ring::simd::Level;
use std::sync::OnceLock;

/// Fewest rows and columns of a product for which packing both operands pays: below, each
/// packed word is used too seldom.
const WORTH_PACKING: usize = 32;
/// Fewest rows and columns of a product for which splitting words into bytes pays.
const WORTH_TILES: usize = 16;
/// Fewest steps of the inner dimension for which putting sums of bytes together pays.
const WORTH_SUMS: usize = 64;

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
    /// Tile registers; 64-bit products from 8-bit ones (`tdpbuud`).
    Amx,
}

impl Backend {
    /// All backends, whether or not this processor has their instructions.
    pub const ALL: [Backend; 5] =
        [Backend::Portable, Backend::Avx2, Backend::Avx512Dq, Backend::Avx512Ifma, Backend::Amx];

    /// The backends that this processor can run.
    pub fn available() -> Vec<Backend> {
        Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect()
    }

    /// Name of the instructions that it is made of, as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Portable => "portable",
            Backend::Avx2 => "avx2",
            Backend::Avx512Dq => "avx512dq",
            Backend::Avx512Ifma => "avx512ifma",
            Backend::Amx => "amx",
        }
    }

    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512Ifma => avx512ifma::Avx512Ifma::new().is_some(),
            // It leaves small products to the other.
            #[cfg(target_arch = "x86_64")]
            Backend::Amx => amx::Amx::new().is_some() && Backend::Avx512Ifma.is_available(),
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
            Backend::Avx512Dq | Backend::Avx512Ifma | Backend::Amx => Level::avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }

    /// Itself, or one that is faster for small products of `rows` x `steps` x `cols`, which the
    /// processor can run too.
    pub(super) fn suited_to(self, [rows, steps, cols]: [usize; 3]) -> Backend {
        match self {
            Backend::Amx if rows.min(cols) < WORTH_TILES || steps < WORTH_SUMS => {
                Backend::Avx512Ifma.suited_to([rows, steps, cols])
            }
            Backend::Avx512Ifma if rows.min(cols) < WORTH_PACKING => Backend::Avx512Dq,
            _ => self,
        }
    }

    /// The fastest backend on this processor.
    ///
    /// `vpmullq` is one micro-operation on AMD's processors, where it beats all
    /// else, and three on Intel's, where the 52-bit products do, and tile registers more so.
    pub fn best() -> Backend {
        static BEST: OnceLock<Backend> = OnceLock::new();
        *BEST.get_or_init(|| {
            let [first, second] = if has_fast_vpmullq() {
                [Backend::Avx512Dq, Backend::Avx512Ifma]
            } else {
                [Backend::Avx512Ifma, Backend::Avx512Dq]
            };
            let order = [Backend::Amx, first, second, Backend::Avx2];
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
