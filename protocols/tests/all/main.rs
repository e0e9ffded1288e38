//! The tests of the protocols that name their mode themselves: one binary, because each would
//! compile its own copy of the protocols.

mod beaver;
mod claims;
mod cost;
mod faults;
mod images;
mod lying;
mod malicious;
mod relieve;
mod verification;
mod verification_cost;
