//! The ground the protocols stand on: rings, fixed point, replicated shares,
//! correlated randomness and transport. No protocol logic and no files.

pub mod ctx;
pub mod dry;
pub mod error;
pub mod exec;
pub mod fixed;
pub mod net;
pub mod party;
pub mod prss;
pub mod ring;
pub mod security;
pub mod share;
pub mod step;
pub mod testing;
pub mod timeline;
pub mod triples;
