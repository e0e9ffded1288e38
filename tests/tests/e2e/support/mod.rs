//! What all tests use: commands as processes, a consortium, small tables.

pub mod client;
pub mod consortium;
pub mod playground;
pub mod process;
pub mod rows;
