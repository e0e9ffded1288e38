//! The tests of training and inference through the public interface: one binary, because each would
//! compile its own copy of the protocols.

mod adversary;
mod batch_norm;
mod common;
mod data_sets;
mod fixed_point;
mod gradients;
mod infer;
mod inputs;
mod layer_costs;
mod lenet;
mod model;
mod mpc;
mod optimisers;
mod scaling;
mod spec;
mod start;
mod together;
mod training;
mod validation;
mod watch;
