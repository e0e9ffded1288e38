//! A list of faults that stays readable however many there are.

use std::fmt;

/// How many faults are kept to be shown.
const SHOWN: usize = 20;

/// The first faults found, and how many there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults<T> {
    shown: Vec<T>,
    total: usize,
}

impl<T> Faults<T> {
    /// No fault.
    pub fn none() -> Self {
        Faults { shown: Vec::new(), total: 0 }
    }

    /// Counts a fault, and keeps it if it is among the first.
    pub fn push(&mut self, fault: T) {
        self.total += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(fault);
        }
    }

    /// The faults of several lists, those shown in the order of `key`.
    pub fn merged<K: Ord>(lists: impl IntoIterator<Item = Self>, key: impl Fn(&T) -> K) -> Self {
        let mut all = Faults::none();
        for list in lists {
            all.total += list.total;
            all.shown.extend(list.shown);
        }
        all.shown.sort_by_key(key);
        all.shown.truncate(SHOWN);
        all
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many faults there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The faults found first.
    pub fn shown(&self) -> &[T] {
        &self.shown
    }
}

impl<T: fmt::Display> fmt::Display for Faults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.shown.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}  {fault}")?;
        }
        let rest = self.total - self.shown.len();
        if rest > 0 { write!(f, "\n  ... and {rest} more") } else { Ok(()) }
    }
}
