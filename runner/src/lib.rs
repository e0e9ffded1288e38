//! The `tercet` command: consortium, shares, party nodes, training and models.
//!
//! Files and sockets live here; the mathematics lives in `nn`, `protocols` and
//! `mpc-core`.

pub mod approval;
pub mod bench;
pub mod cli;
pub mod consortium;
pub mod control;
pub mod demo;
pub mod digest;
pub mod encode;
pub mod envelope;
pub mod evaluation;
pub mod evidence;
pub mod export;
pub mod failure;
pub mod files;
pub mod identity;
pub mod inference;
pub mod job;
pub mod memory;
pub mod mnist;
pub mod model;
pub mod node;
pub mod output;
pub mod prediction;
pub mod processes;
pub mod random;
pub mod receipt;
pub mod schema;
pub mod session;
pub mod sharefile;
mod signature_text;
pub mod store;
pub mod table;
pub mod triples;
pub mod twin;

/// The version of this code and a digest of its sources, compared between the
/// parties before a session.
pub const CODE_VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), "+", env!("TERCET_SOURCE_DIGEST"));
