//! Share files: how a data set travels from its holder to the three parties.
//!
//! The tensor X of a data set, all features row by row and then all labels row
//! by row, is split into three components with `X = X_0 + X_1 + X_2` in Z_2^64.
//! Party i gets `X_i` and `X_{i+1}`. `X_0` and `X_1` are the output of ChaCha20
//! for random seeds and travel as these seeds; `X_2` is explicit:
//!
//! | party | first component | second component | payload of n words |
//! |---|---|---|---|
//! | 0 | seed of X_0 | seed of X_1 | 32 + 32 bytes |
//! | 1 | seed of X_1 | blind, words of X_2 | 32 + 32 + 8n bytes |
//! | 2 | blind, words of X_2 | seed of X_0 | 32 + 8n + 32 bytes |
//!
//! Each file is an [envelope](crate::envelope) of kind `share`: encrypted to its
//! party and signed by the holder. Its header, a [`ShareHeader`] in JSON, can be
//! read by anyone. The header commits to the three components, so that parties
//! who hold the same [`Manifest`] know that they hold shares of the same numbers
//! without showing them to each other.
//!
//! The commitment to a seed is a hash of the seed. The commitment to `X_2` also
//! hashes a random blind that only the two holders of `X_2` get: party 0 knows
//! `X_0` and `X_1`, and could otherwise try out guesses of X against the hash.

mod component;
mod error;
mod files;
mod header;
mod read;
mod split;

pub use error::{ShareError, ShareFileError};
pub use files::{SHARE_FILE_EXTENSION, WrittenFile, share_file_path};
pub use header::{DataSetId, MAX_WORDS, Manifest, NotADataSetId, ShareHeader};
pub use read::{Held, ShareFile, Submission};
pub use split::{Sharing, Split};

/// The kind of the envelope.
const KIND: &str = "share";

#[cfg(test)]
pub(crate) mod tests;
