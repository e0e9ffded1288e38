//! What the benches share.

pub mod thread_time;
