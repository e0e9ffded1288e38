//! Neural networks over three kinds of arithmetic: secret shares, fixed point and
//! floating point.

pub mod engine;
