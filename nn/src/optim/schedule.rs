//! The course of the learning rate.

use crate::spec::{MIN_LEARNING_RATE, Schedule, TrainingSpec};
use std::f64::consts::PI;

/// The learning rate of each step of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    base: f64,
    schedule: Schedule,
    warm_up: usize,
    /// Steps of an epoch.
    batches: usize,
    epochs: usize,
}

impl Rates {
    /// The rates of a training whose epochs have so many batches.
    pub fn new(training: &TrainingSpec, batches: usize) -> Self {
        Rates {
            base: training.learning_rate,
            schedule: training.schedule,
            warm_up: training.warm_up,
            batches,
            epochs: training.epochs,
        }
    }

    /// The rate of a step, counted from 0 over all epochs: that of the schedule, times `(step +
    /// 1) / warm_up` while the training warms up; never below [`MIN_LEARNING_RATE`].
    pub fn at(&self, step: usize) -> f64 {
        let scheduled = match self.schedule {
            Schedule::Constant => self.base,
            Schedule::Step { every, factor } => {
                let falls = step / self.batches / every;
                self.base * factor.powi(i32::try_from(falls).unwrap_or(i32::MAX))
            }
            Schedule::Cosine { end } => {
                let part = step as f64 / (self.batches * self.epochs) as f64;
                end + (self.base - end) * (1.0 + (PI * part).cos()) / 2.0
            }
        };
        let warmth =
            if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        (scheduled * warmth).max(MIN_LEARNING_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warm_up: usize) -> Rates {
        Rates { base: 0.8, schedule, warm_up, batches: 10, epochs: 4 }
    }

    #[test]
    fn steps_fall_between_epochs() {
        let rates = rates(Schedule::Step { every: 2, factor: 0.5 }, 0);
        assert_eq!([0, 19, 20, 39].map(|step| rates.at(step)), [0.8, 0.8, 0.4, 0.4]);
    }

    #[test]
    fn a_cosine_is_half_way_in_the_middle() {
        let rates = rates(Schedule::Cosine { end: 0.2 }, 0);
        assert_eq!(rates.at(0), 0.8);
        assert!((rates.at(20) - 0.5).abs() < 1e-12);
        assert!((rates.at(40) - 0.2).abs() < 1e-12);
        assert!((1..40).all(|step| rates.at(step) < rates.at(step - 1)));
    }

    #[test]
    fn warming_up_is_a_line() {
        let rates = rates(Schedule::Constant, 4);
        assert_eq!([0, 1, 3, 4, 30].map(|step| rates.at(step)), [0.2, 0.4, 0.8, 0.8, 0.8]);
    }

    #[test]
    fn no_rate_is_zero() {
        let schedule = Schedule::Step { every: 1, factor: 1e-3 };
        assert_eq!(Rates { epochs: 1000, ..rates(schedule, 0) }.at(9999), MIN_LEARNING_RATE);
    }
}
