//! In which order an epoch goes through the rows, and how it is cut into batches.

use crate::seed::{Purpose, Seed};
use crate::spec::RowOrder;
use rand::seq::SliceRandom;

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
    fn the_order_is_the_same_on_every_platform() {
        let order = epoch_order(RowOrder::Shuffled, 10, &Seed::from_number(1), 0);
        assert_eq!(order, [1, 0, 2, 9, 8, 6, 5, 7, 4, 3]);
    }

    #[test]
    fn file_order_is_as_the_rows_come() {
        assert_eq!(epoch_order(RowOrder::File, 4, &Seed::from_number(1), 9), [0, 1, 2, 3]);
    }
}
