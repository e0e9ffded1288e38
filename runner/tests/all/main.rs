//! The tests of the commands, with the real program: one binary, because each would
//! compile its own copy of the protocols.

mod approvals;
mod bench;
mod bench_links;
mod common;
mod connections;
mod costs;
mod demo;
mod forecast;
mod holder;
mod inputs;
mod sessions;
mod submit;
mod train;
mod triples;
