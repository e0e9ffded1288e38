//! End-to-end tests with the real binary. For now they are in `runner/tests`.
