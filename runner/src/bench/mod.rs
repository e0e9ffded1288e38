//! What protocols and training cost: rounds, bytes and time, between three processes over
//! mutual TLS on this machine.
//!
//! The links, keys and protocols are those of a session of real nodes; what is left out is
//! what surrounds it: share files, receipts, the database. The data are made up, and so is
//! their sharing, which all three processes draw from the same public seed.

mod calibration;
mod measure;
mod party;
mod plan;
mod report;
mod trio;

pub use calibration::gmac_per_second;
pub use party::{PartyResult, run_party};
pub use plan::{Net, Op, Plan, Task};
pub use report::{Summary, render};
pub use trio::measure;
