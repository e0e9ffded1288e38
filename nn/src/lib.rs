//! Neural networks over three kinds of arithmetic: secret shares, fixed point and
//! floating point.

pub mod engine;
pub mod loss;
pub mod spec;
