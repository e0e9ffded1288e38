//! All protocols in the malicious mode, where each run ends with its verification.

mod suite;

use suite::run3;

/// The mode that the suite runs in.
type Mode = mpc_core::security::Malicious;
