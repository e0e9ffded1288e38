//! What the benches share.

pub mod network_a;
pub mod thread_time;
