//! A party's node: one process that listens, keeps submissions and runs sessions.

mod config;

pub use config::{Limits, LogFormat, NodeConfig};
