//! Secret shares as one party holds them.
//!
//! Three types, so that nothing multiplies a product that was not re-shared:
//! [`Arith`] and [`Bin`] are replicated (2-of-3) sharings, over a ring and over
//! bits; [`Additive`] is the 3-of-3 sharing that a local product leaves behind.
//! An `Additive` can only be re-shared.
//!
//! Shares cannot be printed, compared or serialised:
//!
//! ```compile_fail,E0277
//! fn serialise<T: serde::Serialize>(_: &T) {}
//! fn leak(share: &mpc_core::share::Arith<mpc_core::ring::Z64>) {
//!     serialise(share);
//! }
//! ```
//! ```compile_fail,E0369
//! fn compare(a: mpc_core::share::Bin, b: mpc_core::share::Bin) -> bool {
//!     a == b
//! }
//! ```

mod additive;
mod arith;
mod bin;
mod fixed;
mod memory;
mod pool;
#[cfg(test)]
mod tests;
mod words;

pub use additive::{Additive, AdditiveBits};
pub use arith::Arith;
pub use bin::Bin;
pub use fixed::{Fixed, fixed_word};
pub use pool::Reuse;
pub use words::Words;
