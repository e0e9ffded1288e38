//! What protocols and training cost: rounds, bytes and time.
//!
//! Three processes compute over mutual TLS on this machine, with links as they are or as
//! slow as they are asked to be; or three threads of this process on simulated clocks. The
//! links, keys and protocols are those of a session of real nodes; what is left out is what
//! surrounds it: share files, receipts, the database. The data are made up, and so is their
//! sharing, which all three parties draw from the same public seed.

mod calibration;
mod clocks;
pub mod compare;
mod cost;
mod data;
mod environment;
pub mod figures;
pub mod forecast;
mod in_process;
mod judging;
mod made_up;
mod measure;
mod ops;
mod party;
mod plan;
mod rehearsal;
pub mod report;
mod session;
mod steps;
mod summary;
pub mod tables;
mod trace;
mod training;
mod trio;

pub use calibration::MatrixSpeed;
pub use clocks::{ClockKind, Sample};
pub use data::{Judged, Source};
pub use environment::Environment;
pub use in_process::measure_in_process;
pub use party::run_party;
pub use plan::{Net, Op, Plan, Protocol, Setting, Task};
pub use session::PartyResult;
pub use steps::StepCost;
pub use summary::{Offline, Summary};
pub use trace::{Bar, trace};
pub use trio::measure;
