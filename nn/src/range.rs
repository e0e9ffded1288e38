//! How close a training comes to the end of the range of its fixed point.
//!
//! Overflow goes unseen on shares. So the same training is run in plain fixed point, on public
//! or synthetic data, and the largest value that each step meets is compared with its limit.

use crate::blueprint::Blueprint;
use crate::engine::{Peak, PlainFixed, Rounding};
use crate::plan::Plan;
use crate::seed::Seed;
use crate::spec::SpecError;
use crate::train::{DATA_SCALE, Dataset, Observer};
use crate::twin::train_on;
use mpc_core::error::{Error, Result};
use ndarray::Array2;

/// Bits that a plan should leave between the largest value of a trial and its limit.
pub const WANTED_ROOM: f64 = 2.0;
/// Bits by which head-room is raised after an overflow.
const RAISE: u32 = 2;

/// What a trial run found.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeForecast {
    /// The scales of the specification.
    pub plan: Plan,
    /// Whether the training overflows with them, and where.
    pub overflow: Option<String>,
    /// The largest values of all steps with the scales of `advice`, or else of the
    /// specification; least room first.
    pub peaks: Vec<Peak>,
    /// The head-room that leaves about [`WANTED_ROOM`] bits, and the scales that follow, where
    /// the specification leaves less, or much more.
    pub advice: Option<Plan>,
}

/// Trains in fixed point on the given rows and says how close it came to the limits.
///
/// # Errors
/// As for [`crate::train::train`], but for overflow, which is what is looked for; `Misuse` where
/// no head-room suffices.
pub fn forecast(
    blueprint: &Blueprint,
    data: &Dataset<Array2<f64>>,
    seed: &Seed,
    observer: &mut impl Observer,
) -> Result<RangeForecast> {
    let plan_of = |blueprint: &Blueprint| {
        Plan::choose(blueprint, DATA_SCALE).map_err(|error| Error::Misuse(error.to_string()))
    };
    let plan = plan_of(blueprint)?;
    let mut tried = blueprint.clone();
    let mut overflow = None;
    let peaks = loop {
        let engine = PlainFixed::new(Rounding::Nearest).watched();
        let result = train_on(&engine, &tried, data, seed, observer);
        let (peaks, overflowed) = engine.peaks();
        match (result, overflowed) {
            (Ok(_), _) => break peaks,
            (Err(_), Some(place)) => {
                overflow.get_or_insert(place.clone());
                let more = plan_of(&tried)?.head_room + RAISE;
                tried = with_head_room(blueprint, more).map_err(|error| {
                    Error::Misuse(format!(
                        "no head-room keeps the training in range ({place}): {error}"
                    ))
                })?;
            }
            (Err(error), None) => return Err(error),
        }
    };
    // Only what grows with activations and errors gets room from head-room.
    let room = peaks.iter().map(Peak::room).fold(f64::INFINITY, f64::min);
    let used = plan_of(&tried)?.head_room;
    let wanted = (f64::from(used) - room + WANTED_ROOM).ceil().max(1.0) as u32;
    let advised = with_head_room(blueprint, wanted).ok();
    let advised = advised.map(|blueprint| plan_of(&blueprint)).transpose()?;
    let too_little = overflow.is_some() || room < WANTED_ROOM / 2.0;
    let much_more = room > 2.0 * WANTED_ROOM + 1.0;
    // Less head-room is of use where it gives precision.
    let is_better = |advised: &Plan| {
        too_little && *advised != plan || much_more && advised.activations > plan.activations
    };
    Ok(RangeForecast { plan, overflow, peaks, advice: advised.filter(is_better) })
}

/// The same training with another head-room.
fn with_head_room(blueprint: &Blueprint, bits: u32) -> std::result::Result<Blueprint, SpecError> {
    let mut spec = blueprint.spec().clone();
    spec.precision.head_room = Some(bits);
    let blueprint = Blueprint::new(spec, blueprint.data().clone())?;
    Plan::choose(&blueprint, DATA_SCALE)?;
    Ok(blueprint)
}
