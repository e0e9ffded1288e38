//! The precision plan: at which scale each kind of tensor is kept, so that as little
//! as possible is rounded and nothing runs out of 64 bits.
//!
//! # Derivation
//!
//! Let activations have `a` fractional bits, back-propagated errors `e`, and let
//! `lr / batch = c * 2^-s` with `1 <= c < 2`. Stochastic gradient descent computes,
//! for a dense layer with input `X` and error `D` (a row for each sample),
//!
//! ```text
//! W  <-  W - (lr / batch) * D^T X
//! ```
//!
//! The errors at the network's output are multiplied by `c` when they are formed, in
//! the one rounding that they need anyway, so all errors are `E = c * D` at scale `e`.
//! The exact product `E^T X` has scale `e + a`; *read at scale* `e + a + s` the same
//! words are `2^-s * c * D^T X`, the step itself. So with weights kept at scale
//!
//! ```text
//! w = a + e + s
//! ```
//!
//! **the update of a weight is exact and needs no rounding**. The same holds for the
//! bias, which is kept at the scale `a + w` of the product it is added to: `sum_rows(E)`
//! read at `e + s` is its step, and lifting it is free.
//!
//! Per layer and sample, then, one number is rounded forwards (the activation, by `w`
//! bits) and one backwards (the error, by `w` bits), whatever the layer's size.
//!
//! # Head-room
//!
//! A rounded product must stay below `2^61` in words, so with `h` integer bits
//! ([`Plan::head_room`]) for activations before rounding and for errors:
//!
//! ```text
//! max(a, e) + w + h <= 61
//! ```
//!
//! With `a = e = f` this is `3 f + s + h <= 61`, which [`Plan::choose`] solves for the
//! largest `f` up to [`MAX_SCALE`]. Where `s` is so large (a small learning rate, a
//! large batch) that `f` would fall below [`MIN_SCALE`], weights keep the largest scale
//! that leaves the head-room and **the update is rounded** to it: one more rounding a
//! weight and iteration, but no loss of range.
//!
//! A learning rate that changes has a `c` and `s` for each step. Scales are chosen for the
//! largest; where a step is so much smaller that its scale exceeds `w`, it is rounded to `w`.
//! Momentum, weight decay and the like multiply by public factors and round ([`crate::optim`]);
//! for Adam the errors carry `1 / batch` alone, since its steps do not have the size of the
//! gradient.
//!
//! A batch of another size, the last of an epoch, has `c` and `s` of its own; its step
//! is lifted to `w`, again for free, so `c < 2` holds for it too.
//!
//! The first layer's input may have another scale than `a`: data that come with fewer
//! bits are used as they are.

use crate::blueprint::{Blueprint, Role};
use crate::engine::{MAX_COMPARE_BITS, MAX_RESCALE_BITS};
use crate::layers::batch_norm;
use crate::optim::largest_step;
use crate::scaling::input_scale;
use crate::spec::{PrecisionSpec, SpecError};

/// The least fractional bits that the plan chooses by itself.
pub const MIN_SCALE: u32 = 12;
/// The most fractional bits that the plan chooses by itself.
pub const MAX_SCALE: u32 = 16;
/// The least fractional bits that a specification may ask for.
pub const MIN_OVERRIDE: u32 = 8;
/// Integer bits of activations and errors that the plan leaves room for by default.
pub const DEFAULT_HEAD_ROOM: u32 = 9;
/// Most integer bits that leave room for [`MIN_SCALE`].
pub const MAX_HEAD_ROOM: u32 = {
    let (rescaled, compared) = (MAX_RESCALE_BITS - 2 * MIN_SCALE, MAX_COMPARE_BITS - MIN_SCALE);
    if rescaled < compared { rescaled } else { compared }
};
/// Fractional bits of the factor `c`.
pub const FACTOR_SCALE: u32 = 14;

/// A learning rate over a batch size, as `factor * 2^-shift` with `1 <= factor < 2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSize {
    /// What errors are multiplied by when they are formed.
    pub factor: f64,
    /// By how many bits the scale of an update exceeds that of the product it comes from.
    pub shift: i32,
}

impl StepSize {
    /// Splits a positive step size.
    pub fn new(step: f64) -> Self {
        let shift = -step.log2().floor() as i32;
        StepSize { factor: step * f64::from(shift).exp2(), shift }
    }
}

/// The scales of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Scale of the features as they enter the first layer.
    pub input: u32,
    /// Scale of activations between layers.
    pub activations: u32,
    /// Scale of back-propagated errors.
    pub errors: u32,
    /// Integer bits that a product has before it is rounded.
    pub head_room: u32,
    /// The `shift` of a full batch.
    pub shift: i32,
}

impl Plan {
    /// Chooses the scales for a training whose features come at scale `data`.
    ///
    /// # Errors
    /// `SpecError::Invalid` where the specification's own scales leave no room.
    pub fn choose(blueprint: &Blueprint, data: u32) -> Result<Self, SpecError> {
        let spec = blueprint.spec();
        let shift = largest_step(&spec.training, blueprint.batch()).shift;
        let mut plan = Self::for_shift(&spec.precision, shift)?;
        plan.input = input_scale(spec.features.scaling, data, plan.activations);
        Ok(plan)
    }

    fn for_shift(precision: &PrecisionSpec, shift: i32) -> Result<Self, SpecError> {
        let head_room = precision.head_room.unwrap_or(DEFAULT_HEAD_ROOM);
        let bits = i64::from(MAX_RESCALE_BITS) - i64::from(head_room) - i64::from(shift);
        let balanced = (bits / 3).clamp(MIN_SCALE.into(), MAX_SCALE.into()) as u32;
        let activations = precision.activations.unwrap_or(balanced);
        let errors = precision.errors.unwrap_or(balanced);
        let plan = Plan { input: activations, activations, errors, head_room, shift };
        plan.check()?;
        Ok(plan)
    }

    /// Refuses scales that a person chose and that leave no room for weights.
    fn check(&self) -> Result<(), SpecError> {
        let too_large = |key: &str, value: u32, max: u32| {
            let reason = format!("{value} bits leave no room: at most {max}");
            Err(SpecError::invalid(format!("precision.{key}"), reason))
        };
        // Weights need at least as many bits as what they are multiplied by.
        let most = MAX_RESCALE_BITS.saturating_sub(self.head_room) / 2;
        let most = most.min(MAX_COMPARE_BITS.saturating_sub(self.head_room));
        if most < MIN_SCALE {
            return too_large("head_room", self.head_room, MAX_HEAD_ROOM);
        }
        for (key, scale) in [("activations", self.activations), ("errors", self.errors)] {
            if scale > most {
                return too_large(key, scale, most);
            }
            if scale < MIN_OVERRIDE {
                let reason = format!("{scale} bits are too few: at least {MIN_OVERRIDE}");
                return Err(SpecError::invalid(format!("precision.{key}"), reason));
            }
        }
        Ok(())
    }

    /// Scale at which the input of the layer of this index enters it.
    pub fn input_of(&self, layer: usize) -> u32 {
        if layer == 0 { self.input } else { self.activations }
    }

    /// Scale of the weights of a dense layer whose input has scale `input`: the scale
    /// of an exact update, or less where that leaves no head-room.
    pub fn weights(&self, input: u32) -> u32 {
        let most = MAX_RESCALE_BITS - self.head_room - input.max(self.errors);
        self.exact_weights(input).min(i64::from(most)) as u32
    }

    /// Scales of the two tensors of a layer whose input has scale `input`.
    pub fn tensors(&self, role: Role, input: u32) -> [u32; 2] {
        match role {
            Role::Weights { .. } => [self.weights(input), input + self.weights(input)],
            Role::Scaling => batch_norm::SCALING,
            Role::Statistics => batch_norm::STATISTICS,
        }
    }

    /// Whether updates of the weights need no rounding.
    pub fn updates_are_exact(&self, input: u32) -> bool {
        self.exact_weights(input) == i64::from(self.weights(input))
    }

    fn exact_weights(&self, input: u32) -> i64 {
        i64::from(input + self.errors) + i64::from(self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(step: f64, precision: PrecisionSpec) -> Result<Plan, SpecError> {
        Plan::for_shift(&precision, StepSize::new(step).shift)
    }

    #[test]
    fn a_usual_training_has_exact_updates() {
        // MNIST: batch 128, learning rate 0.1; crop: batch 32.
        for (step, scale) in [(0.1 / 128.0, 13), (0.1 / 32.0, 14), (0.5, 16)] {
            let plan = plan(step, PrecisionSpec::default()).unwrap();
            assert_eq!((plan.activations, plan.errors), (scale, scale), "step {step}");
            assert!(plan.updates_are_exact(plan.input));
        }
        let small = plan(1e-4 / 128.0, PrecisionSpec::default()).unwrap();
        assert_eq!((small.activations, small.weights(small.input)), (MIN_SCALE, 40));
        assert!(!small.updates_are_exact(small.input));
    }

    #[test]
    fn powers_of_two_need_no_factor() {
        assert_eq!(StepSize::new(1.0 / 64.0), StepSize { factor: 1.0, shift: 6 });
        assert_eq!(StepSize::new(4.0), StepSize { factor: 1.0, shift: -2 });
        assert_eq!(StepSize::new(0.1 / 128.0).shift, 11);
    }

    #[test]
    fn overrides_without_room_are_refused() {
        let refuse = |precision, key: &str| {
            let message = plan(0.01, precision).unwrap_err().to_string();
            assert!(message.starts_with(key), "{message}");
        };
        let none = PrecisionSpec::default();
        refuse(PrecisionSpec { activations: Some(27), ..none }, "precision.activations: 27");
        refuse(PrecisionSpec { errors: Some(7), ..none }, "precision.errors: 7 bits are too few");
        refuse(PrecisionSpec { head_room: Some(20), ..none }, "precision.head_room: 20");
        refuse(PrecisionSpec { head_room: Some(u32::MAX), ..none }, "precision.head_room");
        assert!(plan(0.01, PrecisionSpec { activations: Some(22), ..none }).is_ok());
    }

    proptest! {
        #[test]
        fn every_plan_leaves_its_head_room(
            rate_log in -9.0..3.0f64,
            batch in 1usize..1 << 20,
            last in 1usize..1 << 20,
            activations in proptest::option::of(0u32..40),
            errors in proptest::option::of(0u32..40),
            head_room in proptest::option::of(0u32..40),
            input_bits in 1u32..40,
        ) {
            let rate = 10f64.powf(rate_log);
            let precision = PrecisionSpec { activations, errors, head_room };
            let Ok(plan) = plan(rate / batch as f64, precision) else { return Ok(()) };
            for input in [plan.activations, plan.activations.min(input_bits)] {
                let weights = plan.weights(input);
                prop_assert!(input.max(plan.errors) + weights + plan.head_room <= MAX_RESCALE_BITS);
                prop_assert!(plan.activations + plan.head_room <= MAX_COMPARE_BITS);
                if plan.updates_are_exact(input) {
                    prop_assert_eq!(weights as i32, (input + plan.errors) as i32 + plan.shift);
                }
                // A smaller batch takes larger steps: its update is lifted to the weights.
                let step = StepSize::new(rate / last.min(batch) as f64);
                prop_assert!(step.shift <= plan.shift);
                prop_assert!((1.0..2.0).contains(&step.factor));
                let size = step.factor * f64::from(-step.shift).exp2();
                prop_assert!((size * last.min(batch) as f64 / rate - 1.0).abs() < 1e-12);
            }
        }
    }
}
