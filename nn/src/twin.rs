//! The same training in the clear, for an honest comparison.
//!
//! A twin starts with the very same weights, goes through the rows in the same order
//! and has the same specification; only the arithmetic differs.

use crate::blueprint::{Blueprint, Target};
use crate::engine::{Engine, PlainFixed, PlainFloat, PlainTensor, Rounding, finish};
use crate::layers::Parameters;
use crate::model::Model;
use crate::seed::Seed;
use crate::train::{DATA_SCALE, Dataset, Observer, TrainedModel, train};
use mpc_core::error::Result;
use ndarray::Array2;

/// Trains in floating point.
///
/// # Errors
/// As for [`train`].
pub fn train_float(
    blueprint: &Blueprint,
    data: &Dataset<Array2<f64>>,
    seed: &Seed,
    observer: &mut impl Observer,
) -> Result<Model> {
    let trained = train_on(&PlainFloat, blueprint, data, seed, observer)?;
    open(blueprint, trained, |tensor| tensor.values)
}

/// Trains in fixed point, with the scales of the MPC engine.
///
/// # Errors
/// As for [`train`]; `Error::Misuse` with the step where a value runs out of its range.
pub fn train_fixed(
    blueprint: &Blueprint,
    data: &Dataset<Array2<f64>>,
    seed: &Seed,
    rounding: Rounding,
    observer: &mut impl Observer,
) -> Result<Model> {
    let trained = train_on(&PlainFixed::new(rounding), blueprint, data, seed, observer)?;
    open(blueprint, trained, |tensor| PlainFixed::decode(&tensor))
}

/// Trains on a plain engine.
pub(crate) fn train_on<E: Engine<Tensor = PlainTensor<V>>, V>(
    engine: &E,
    blueprint: &Blueprint,
    data: &Dataset<Array2<f64>>,
    seed: &Seed,
    observer: &mut impl Observer,
) -> Result<TrainedModel<E::Tensor>> {
    let label_scale = match blueprint.data().target {
        Target::Classes(_) => 0,
        Target::Numbers(_) => DATA_SCALE,
    };
    let data = Dataset {
        features: engine.public(&data.features, DATA_SCALE)?,
        labels: engine.public(&data.labels, label_scale)?,
    };
    finish(train(engine, blueprint, data, seed, observer))
}

fn open<T>(
    blueprint: &Blueprint,
    trained: TrainedModel<T>,
    decode: impl Fn(T) -> Array2<f64>,
) -> Result<Model> {
    let parameters = trained.parameters.into_iter().map(|parameters| Parameters {
        weights: decode(parameters.weights),
        bias: decode(parameters.bias),
    });
    Model::new(blueprint.layers(), blueprint.spec().model.loss, parameters.collect())
}
