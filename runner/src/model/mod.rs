//! The model: as three parties hold it in shares, and as its receiver opens it.
//!
//! Each party seals its two components of every tensor for the receiver in a
//! [`ModelShare`]. The receiver checks all three with [`open_model`] before it
//! adds anything up, and keeps the result as a [`ReleasedModel`].

mod fetch;
mod open;
mod released;
mod shape;
mod share;

pub use fetch::{FetchError, fetch, latest_session};
pub use open::{Contribution, OpenError, OpenedModel, open_model};
pub use released::{Release, ReleasedError, ReleasedModel, Signed};
pub use shape::{TensorShape, blueprint, data_shape, tensors};
pub use share::{ModelShare, ModelShareError, TensorTerms, Terms};
