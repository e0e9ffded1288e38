//! The model: as three parties hold it in shares, and as its receiver opens it.
//!
//! Each party seals its two components of every tensor for the receiver in a
//! [`ModelShare`]. The receiver checks all three with [`open_shares`] before it
//! adds anything up, and keeps the result as a [`ReleasedModel`].

mod fetch;
mod open;
mod released;
mod shape;
mod share;

pub use fetch::{FetchError, fetch, latest_session};
pub(crate) use open::first_difference;
pub use open::{Comparable, Contribution, OpenError, Opened, OpenedModel, open_shares};
pub use released::{Release, ReleasedError, ReleasedModel, Signed, WEIGHT_FILE, decode_weights};
pub use shape::{TensorShape, blueprint, data_shape, tensors};
pub(crate) use share::session_text;
pub use share::{Described, ModelShare, ModelShareError, TensorShare, TensorTerms, Terms};
