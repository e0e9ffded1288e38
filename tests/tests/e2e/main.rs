//! The real binary from end to end: processes, sockets and files as its users have them.
//!
//! Every test has a directory of its own, and where it needs one a consortium of
//! its own on free ports, so that all can run at the same time. Nothing sleeps: a
//! test waits for a condition, and fails when it does not come about in time. No
//! process may panic, whatever is done to it, and none outlives its test.

mod support;

mod accuracy;
mod bad_files;
mod bad_tables;
mod cheats;
mod exports;
mod forecasts;
mod models;
mod path;
mod questions;
mod sessions;
mod share_files;
mod storage;
mod strangers;
