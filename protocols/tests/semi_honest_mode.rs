//! All protocols in the semi-honest mode.

mod suite;

use suite::run3;

/// The mode that the suite runs in.
type Mode = mpc_core::security::SemiHonest;
