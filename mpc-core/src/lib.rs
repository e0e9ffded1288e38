//! The ground the protocols stand on: rings, fixed point, replicated shares,
//! correlated randomness and transport. No protocol logic and no files.

pub mod error;
pub mod fixed;
pub mod net;
pub mod party;
pub mod ring;
