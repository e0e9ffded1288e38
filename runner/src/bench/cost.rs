//! What a part of a training takes, and what more or less of it would.

use super::clocks::Sample;
use super::rehearsal::Phases;

/// Rounds, bytes of each party and seconds of the slowest one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) rounds: f64,
    pub(super) bytes: [f64; 3],
    pub(super) seconds: f64,
}

impl Cost {
    pub(super) fn of(parties: &[Phases; 3], phase: impl Fn(&Phases) -> Sample) -> Cost {
        let samples = parties.each_ref().map(phase);
        Cost {
            rounds: samples[0].rounds as f64,
            bytes: samples.map(|sample| sample.bytes_sent as f64),
            seconds: samples.iter().map(|sample| sample.seconds).fold(0.0, f64::max),
        }
    }

    /// Combines all figures of two costs.
    fn with(self, other: Cost, f: impl Fn(f64, f64) -> f64) -> Cost {
        Cost {
            rounds: f(self.rounds, other.rounds),
            bytes: std::array::from_fn(|party| f(self.bytes[party], other.bytes[party])),
            seconds: f(self.seconds, other.seconds),
        }
    }

    pub(super) fn plus(self, other: Cost) -> Cost {
        self.with(other, |a, b| a + b)
    }

    pub(super) fn times(self, factor: f64) -> Cost {
        self.with(Cost::default(), |a, _| a * factor)
    }

    /// The same with so much more time for each round; less, if it is negative.
    pub(super) fn with_latency(self, seconds: f64) -> Cost {
        Cost { seconds: self.seconds + seconds * self.rounds, ..self }
    }

    /// The same with all parties sending as much: whose turn it was to help is chance.
    fn levelled(self) -> Cost {
        Cost { bytes: [self.bytes.iter().sum::<f64>() / 3.0; 3], ..self }
    }

    /// What `count` of something cost, from what few and what more of it cost.
    pub(super) fn extrapolated(few: (usize, Cost), more: (usize, Cost), count: f64) -> Cost {
        if few.0 >= more.0 {
            return more.1;
        }
        let (few, more) = ((few.0, few.1.levelled()), (more.0, more.1.levelled()));
        let slope = Self::slope(few, more).with(Cost::default(), |slope, _| slope.max(0.0));
        let fixed = few.1.with(slope, |cost, slope| (cost - slope * few.0 as f64).max(0.0));
        fixed.plus(slope.times(count))
    }

    fn slope(few: (usize, Cost), more: (usize, Cost)) -> Cost {
        let span = (more.0 - few.0) as f64;
        more.1.with(few.1, |more, few| (more - few) / span)
    }

    /// What a number of blocks, and an amount of work in them, cost, from what fewer and more of
    /// both cost. Rounds, each of which takes `latency`, grow with the blocks, and bytes and the
    /// rest of the time with the amount.
    pub(super) fn of_blocks(
        few: (Extent, Cost),
        more: (Extent, Cost),
        all: Extent,
        latency: f64,
    ) -> Cost {
        let blocks = all.blocks as f64;
        let rounds = Cost::extrapolated((few.0.blocks, few.1), (more.0.blocks, more.1), blocks);
        let [less, rest] = [few.1, more.1].map(|cost| cost.with_latency(-latency).levelled());
        let missing = all.amount as f64 - more.0.amount as f64;
        let rest = match few.0.amount < more.0.amount {
            // Of rounds that overlap, what is left may be less than nothing.
            true => {
                let slope = Self::slope((few.0.amount, less), (more.0.amount, rest));
                rest.plus(slope.times(missing))
            }
            false => rest,
        };
        let cost = Cost { rounds: rounds.rounds, ..rest }.with_latency(latency);
        cost.with(Cost::default(), f64::max)
    }
}

/// How much work there is, in how many blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) blocks: usize,
    pub(super) amount: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(rounds: f64, seconds: f64) -> Cost {
        Cost { rounds, bytes: [10.0 * seconds; 3], seconds }
    }

    #[test]
    fn what_is_fixed_and_what_grows_are_told_apart() {
        // 7 rounds in any case, and 2 s and 0.5 s for a row.
        let (few, more) = ((10, cost(7.0, 7.0)), (20, cost(7.0, 12.0)));
        let all = Cost::extrapolated(few, more, 100.0);
        assert_eq!((all.rounds, all.seconds, all.bytes), (7.0, 52.0, [520.0; 3]));
        // Nothing to extrapolate from: what was measured is all there is.
        assert_eq!(Cost::extrapolated(more, more, 20.0).seconds, 12.0);
        // One party helps with few, another one with more.
        let turn = |party: usize, bytes: f64| {
            let mut cost = cost(1.0, 1.0);
            cost.bytes = [0.0; 3];
            cost.bytes[party] = bytes;
            cost
        };
        let all = Cost::extrapolated((10, turn(0, 30.0)), (20, turn(1, 60.0)), 30.0);
        assert_eq!(all.bytes, [30.0; 3]);
    }

    #[test]
    fn a_part_of_a_block_takes_all_of_its_rounds() {
        // 10 rounds of 0.1 s a block, and 0.01 s an element.
        let of = |blocks, amount| {
            (
                Extent { blocks, amount },
                cost(10.0 * blocks as f64, blocks as f64 + 0.01 * amount as f64),
            )
        };
        let all = Extent { blocks: 5, amount: 410 };
        let cost = Cost::of_blocks(of(1, 100), of(2, 200), all, 0.1);
        assert_eq!(cost.rounds, 50.0);
        assert!((cost.seconds - (5.0 + 4.1)).abs() < 1e-9, "{cost:?}");
    }
}
