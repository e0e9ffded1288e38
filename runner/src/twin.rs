//! The plaintext twin of a training: the same job on the same rows in the clear.
//!
//! It starts with the same weights and takes the rows in the same order as the
//! three parties would, so that what differs is what computing on shares costs.
//! It needs the rows themselves: it is for public or synthetic data, to know
//! beforehand what a network can learn, and afterwards what was lost.

use crate::encode::Encoded;
use crate::failure::Explain;
use crate::job::Job;
use crate::model;
use crate::schema::Schema;
use mpc_core::error::Error;
use ndarray::{Array2, Axis, concatenate};
use nn::blueprint::Blueprint;
use nn::model::Model;
use nn::range::RangeForecast;
use nn::seed::Seed;
use nn::spec::SpecError;
use nn::train::{Dataset, Observer};

/// Why no twin could be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TwinError {
    /// The network does not suit the data.
    #[error("the job does not suit the data: {0}")]
    Spec(#[from] SpecError),
    /// The rows of the holders do not fit together.
    #[error("the rows do not fit together: {0}")]
    Rows(#[from] ndarray::ShapeError),
    /// The system gives no randomness for the start.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The training failed.
    #[error("the training failed: {0}")]
    Training(#[from] Error),
}

impl Explain for TwinError {}

/// Trains a job in floating point on the rows of all holders, in the order given.
///
/// The parties take data sets by the names of their owners. Where the job has no
/// seed, the start is as random as theirs, but another one.
///
/// # Errors
/// When the job does not suit the data, or the observer stops it.
pub fn train(
    job: &Job,
    schema: &Schema,
    holders: &[Encoded],
    observer: &mut impl Observer,
) -> Result<Model, TwinError> {
    let (blueprint, data, seed) = joined(job, schema, holders)?;
    Ok(nn::twin::train_float(&blueprint, &data, &seed, observer)?)
}

/// Trains a job in fixed point on the rows of all holders, to see how close it comes to the end
/// of its range.
///
/// # Errors
/// As for [`train`].
pub fn forecast_range(
    job: &Job,
    schema: &Schema,
    holders: &[Encoded],
    observer: &mut impl Observer,
) -> Result<RangeForecast, TwinError> {
    let (blueprint, data, seed) = joined(job, schema, holders)?;
    Ok(nn::range::forecast(&blueprint, &data, &seed, observer)?)
}

/// What a training in the clear needs.
fn joined(
    job: &Job,
    schema: &Schema,
    holders: &[Encoded],
) -> Result<(Blueprint, Dataset<Array2<f64>>, Seed), TwinError> {
    let joined = |rows: fn(&Encoded) -> &Array2<f64>| {
        let parts: Vec<_> = holders.iter().map(|holder| rows(holder).view()).collect();
        concatenate(Axis(0), &parts)
    };
    let data = Dataset { features: joined(Encoded::features)?, labels: joined(Encoded::labels)? };
    let blueprint = model::blueprint(job.spec(), schema, data.features.nrows())?;
    let seed = match job.spec().training.seed {
        Some(number) => Seed::from_number(number),
        None => Seed::from_number(getrandom::u64()?),
    };
    Ok((blueprint, data, seed))
}
