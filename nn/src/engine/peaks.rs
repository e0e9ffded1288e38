//! The largest values that the steps of a training meet.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// The largest value that met a limit at a step, over all batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// The step, without epoch and batch.
    pub step: String,
    /// Its magnitude.
    pub value: f64,
    /// Fractional bits that it had.
    pub scale: u32,
    /// Its words had to stay below two to this power.
    pub limit: u32,
}

impl Peak {
    /// Bits between the value and its limit.
    pub fn room(&self) -> f64 {
        f64::from(self.limit) - self.value.log2() - f64::from(self.scale)
    }
}

/// Peaks by step and limit, and the first overflow.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    of_step: RefCell<BTreeMap<(String, u32), Peak>>,
    overflow: RefCell<Option<String>>,
}

impl Peaks {
    /// Notes a magnitude, in words, that met a limit.
    pub(super) fn note(&self, path: &str, words: f64, scale: u32, limit: u32) {
        let step = without_batch(path);
        let value = words * (-f64::from(scale)).exp2();
        let mut all = self.of_step.borrow_mut();
        let key = (step.to_owned(), limit);
        let peak = all.entry(key).or_insert(Peak { step: step.into(), value: 0.0, scale, limit });
        if peak.value * f64::from(peak.scale).exp2() < words {
            *peak = Peak { step: step.into(), value, scale, limit };
        }
    }

    /// Notes an overflow.
    pub(super) fn overflow(&self, message: &str) {
        self.overflow.borrow_mut().get_or_insert_with(|| message.to_owned());
    }

    /// All peaks of values other than zero, least room first, and the overflow.
    pub(super) fn told(&self) -> (Vec<Peak>, Option<String>) {
        let peaks = self.of_step.borrow();
        let mut peaks: Vec<Peak> =
            peaks.values().filter(|peak| peak.value > 0.0).cloned().collect();
        peaks.sort_by(|a, b| a.room().total_cmp(&b.room()));
        (peaks, self.overflow.borrow().clone())
    }
}

/// A path without its leading epoch and batch.
fn without_batch(path: &str) -> &str {
    ["epoch-", "batch-"].iter().fold(path, |path, prefix| match path.split_once('/') {
        Some((first, rest)) if first.starts_with(prefix) => rest,
        _ => path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_all_batches_is_kept() {
        let peaks = Peaks::default();
        peaks.note("epoch-1/batch-1/forward-0", 1024.0, 8, 31);
        peaks.note("epoch-1/batch-2/forward-0", 4096.0, 8, 31);
        peaks.note("epoch-2/batch-1/forward-0", 2048.0, 8, 31);
        peaks.note("scaling", 1.0, 0, 61);
        let (told, overflow) = peaks.told();
        assert_eq!(told.len(), 2);
        assert_eq!(
            (told[0].step.as_str(), told[0].value, told[0].room()),
            ("forward-0", 16.0, 19.0)
        );
        assert_eq!(overflow, None);
    }
}
