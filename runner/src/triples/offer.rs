//! What the parties tell each other of their stocks before a session, and what they have
//! in common.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};

/// What a party has of a stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockOffer {
    /// The stock.
    pub stock: Digest,
    /// The number that its next block gets, above all that were ever given here.
    pub next: u64,
    /// The blocks that it has: first numbers and numbers after the last, ascending.
    pub blocks: Vec<(u64, u64)>,
}

impl StockOffer {
    /// How many blocks there are.
    pub fn count(&self) -> u64 {
        let lengths = self.blocks.iter().map(|(from, to)| to.saturating_sub(*from));
        lengths.fold(0, u64::saturating_add)
    }

    /// The numbers of the first `count` blocks.
    pub fn numbers(&self, count: u64) -> impl Iterator<Item = u64> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.blocks.iter().flat_map(|(from, to)| *from..*to).take(count)
    }
}

/// What all parties have: the blocks that are in every offer, and the highest next number.
///
/// Offers that are not of the same stocks in the same order have nothing in common. A
/// party that lies can waste blocks and no more: an honest one uses what it has itself.
pub fn merge(mine: &[StockOffer], theirs: &[StockOffer]) -> Vec<StockOffer> {
    let pairs = mine.iter().zip(theirs).filter(|(mine, theirs)| mine.stock == theirs.stock);
    pairs
        .map(|(mine, theirs)| StockOffer {
            stock: mine.stock,
            next: mine.next.max(theirs.next),
            blocks: common(&mine.blocks, &theirs.blocks),
        })
        .collect()
}

/// The numbers in two ascending lists of ranges.
fn common(mine: &[(u64, u64)], theirs: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let (mut mine, mut theirs) = (mine.iter().peekable(), theirs.iter().peekable());
    let mut both = Vec::new();
    while let (Some((a, b)), Some((c, d))) = (mine.peek(), theirs.peek()) {
        let (from, to) = (*a.max(c), *b.min(d));
        if from < to {
            both.push((from, to));
        }
        if b < d {
            mine.next();
        } else {
            theirs.next();
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn offer(next: u64, numbers: &BTreeSet<u64>) -> StockOffer {
        let mut blocks: Vec<(u64, u64)> = Vec::new();
        for &number in numbers {
            match blocks.last_mut() {
                Some((_, end)) if *end == number => *end += 1,
                _ => blocks.push((number, number + 1)),
            }
        }
        StockOffer { stock: Digest([1; 32]), next, blocks }
    }

    proptest! {
        #[test]
        fn what_is_common_is_the_intersection(
            mine in prop::collection::btree_set(0u64..40, 0..30),
            theirs in prop::collection::btree_set(0u64..40, 0..30),
        ) {
            let merged = merge(&[offer(50, &mine)], &[offer(60, &theirs)]);
            prop_assert_eq!(merged[0].next, 60);
            let common: Vec<u64> = mine.intersection(&theirs).copied().collect();
            prop_assert_eq!(merged[0].count(), common.len() as u64);
            prop_assert_eq!(merged[0].numbers(7).collect::<Vec<_>>(), &common[..common.len().min(7)]);
        }

        #[test]
        fn nonsense_of_a_peer_adds_nothing(
            mine in prop::collection::btree_set(0u64..40, 0..30),
            blocks in prop::collection::vec(any::<(u64, u64)>(), 0..20),
        ) {
            let lie = StockOffer { stock: Digest([1; 32]), next: u64::MAX, blocks };
            lie.count();
            let merged = merge(&[offer(50, &mine)], &[lie]);
            prop_assert!(merged[0].numbers(100).all(|number| mine.contains(&number)));
        }
    }

    #[test]
    fn another_stock_has_nothing_in_common() {
        let mine = offer(5, &BTreeSet::from([1, 2]));
        let theirs = StockOffer { stock: Digest([2; 32]), ..mine.clone() };
        assert_eq!(merge(&[mine], &[theirs]), []);
    }
}
