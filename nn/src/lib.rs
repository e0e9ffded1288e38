//! Neural networks over three kinds of arithmetic: secret shares, fixed point and
//! floating point.

pub mod blueprint;
pub mod engine;
pub mod init;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod network;
pub mod optim;
pub mod order;
pub mod plan;
pub mod scaling;
pub mod seed;
pub mod spec;
pub mod train;
pub mod twin;
