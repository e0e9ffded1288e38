//! In which order an epoch goes through the rows, and how it is cut into batches.

use crate::seed::{Purpose, Seed};
use crate::spec::RowOrder;
use rand::seq::SliceRandom;

/// The rows to train on and those that are kept back, so many and in a random order; the same
/// at all parties.
pub fn kept_back(rows: usize, validation: usize, seed: &Seed) -> [Vec<usize>; 2] {
    let mut indices: Vec<usize> = (0..rows).collect();
    if validation == 0 {
        return [indices, Vec::new()];
    }
    indices.shuffle(&mut seed.stream(Purpose::Validation));
    let mut training = indices.split_off(validation);
    training.sort_unstable();
    [training, indices]
}

/// The rows of one epoch in the order they are used; the same at all parties.
pub fn epoch_order(order: RowOrder, rows: usize, seed: &Seed, epoch: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..rows).collect();
    if order == RowOrder::Shuffled {
        indices.shuffle(&mut seed.stream(Purpose::Order(epoch as u32)));
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffled_epoch_has_every_row_once() {
        let seed = Seed::from_number(3);
        let first = epoch_order(RowOrder::Shuffled, 1000, &seed, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(first, epoch_order(RowOrder::Shuffled, 1000, &seed, 1));
        assert_ne!(first, epoch_order(RowOrder::Shuffled, 1000, &Seed::from_number(4), 0));
        assert_eq!(first, epoch_order(RowOrder::Shuffled, 1000, &seed, 0));
    }

    #[test]
    fn rows_are_trained_on_or_kept_back() {
        let [training, back] = kept_back(100, 30, &Seed::from_number(3));
        assert!(training.is_sorted() && !back.is_sorted());
        assert_eq!((training.len(), back.len()), (70, 30));
        let mut all = [training, back].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(kept_back(5, 0, &Seed::from_number(3))[0], [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_order_is_the_same_on_every_platform() {
        let order = epoch_order(RowOrder::Shuffled, 10, &Seed::from_number(1), 0);
        assert_eq!(order, [1, 0, 2, 9, 8, 6, 5, 7, 4, 3]);
    }

    #[test]
    fn file_order_is_as_the_rows_come() {
        assert_eq!(epoch_order(RowOrder::File, 4, &Seed::from_number(1), 9), [0, 1, 2, 3]);
    }
}
