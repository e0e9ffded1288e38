//! Clocks: the one on the wall, and those of simulated networks.

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::time::Duration;

/// Time since the machine started, the same in all of its processes.
pub fn wall_time() -> Duration {
    read(ClockId::Monotonic)
}

/// Processor time of this thread.
pub fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // Neither clock ever shows a time before its start.
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// What time it is for a party, and how it waits.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock on the wall: to wait is to sleep.
    Wall,
    /// A clock of the party's own, from 0: to wait is to set it forward.
    ///
    /// So a party takes the time that it would take with a machine to itself, however many
    /// share this one, and a day of waiting is over at once.
    Simulated(Simulated),
}

/// The state of a simulated clock.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// What computation is counted.
    computation: Computation,
    /// Processor time when the clock was first looked at, by the thread it belongs to.
    start: Cell<Option<Duration>>,
    waited: Duration,
}

/// What computation counts on a simulated clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computation {
    /// The processor time of the thread.
    Counted,
    /// Nothing: all time is waiting, and the same in every run.
    Free,
}

impl Clock {
    /// A simulated clock at 0.
    pub fn simulated(computation: Computation) -> Clock {
        Clock::Simulated(Simulated { computation, start: Cell::default(), waited: Duration::ZERO })
    }

    /// Whether waiting takes no time.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Clock::Simulated(_))
    }

    /// The time. A simulated clock belongs to the thread that asks first.
    pub fn now(&self) -> Duration {
        match self {
            Clock::Wall => wall_time(),
            Clock::Simulated(own) => own.waited + own.computed(),
        }
    }

    /// Waits until `time`; not at all if that is past.
    pub fn wait_until(&mut self, time: Duration) {
        let left = time.saturating_sub(self.now());
        match self {
            Clock::Wall if left.is_zero() => {}
            Clock::Wall => std::thread::sleep(left),
            Clock::Simulated(own) => own.waited += left,
        }
    }
}

impl Simulated {
    fn computed(&self) -> Duration {
        match self.computation {
            Computation::Free => Duration::ZERO,
            Computation::Counted => {
                let now = thread_time();
                let start = self.start.get().unwrap_or(now);
                self.start.set(Some(start));
                now.saturating_sub(start)
            }
        }
    }
}
