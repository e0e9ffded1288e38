//! Words of the rings Z_2^k (k <= 64) and the kernels on them.
//!
//! Ring elements are stored as `u64` words and computed with wrapping 64-bit
//! arithmetic whatever the width; they are reduced mod 2^k only where they
//! leave the party. So there is one family of kernels, on `u64`.

pub mod bits;
mod chosen;
pub mod elementwise;
pub mod galois;
pub mod gemm;
pub mod gf64;
pub mod grid;
mod lanes;
pub mod pack;
pub mod prg;
mod row_map;
mod scratch;
mod simd;
mod word;

pub use chosen::Weighed;
pub use row_map::{RowMap, Unfolded};
pub use simd::vectorized;
pub use word::{Ring, Z2, Z64};
