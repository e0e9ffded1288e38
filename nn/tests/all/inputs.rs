//! The check of the inputs: data that obey their schema pass, and one broken rule anywhere
//! names its data set, whatever word was shared.

use mpc_core::error::{Error, Result};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Arith, Fixed};
use mpc_core::testing::{deal, run3};
use nn::blueprint::{Column, DataShape, Target};
use nn::inputs::{Scope, broken_rules};
use nn::train::{DATA_SCALE, Dataset};
use std::ops::ControlFlow;

const ONE: u64 = 1 << DATA_SCALE;
/// Rows of the data sets.
const SETS: [usize; 3] = [5, 1, 7];
const ROWS: usize = 13;
const COLUMNS: [Column; 3] = [Column::Bounded, Column::Indicator, Column::Bounded];

fn shape(target: Target) -> DataShape {
    DataShape { rows: ROWS, columns: COLUMNS.to_vec(), target }
}

/// Rows at the ends of their bounds and within.
fn features() -> Vec<u64> {
    let row = |row: usize| match row % 3 {
        0 => [ONE, 0, ONE.wrapping_neg()],
        1 => [12_345, ONE, 0],
        _ => [ONE.wrapping_neg(), 0, 54_321u64.wrapping_neg()],
    };
    (0..ROWS).flat_map(row).collect()
}

fn one_hot() -> Vec<u64> {
    (0..ROWS * 3).map(|at| if at / 3 % 3 == at % 3 { ONE } else { 0 }).collect()
}

fn numbers() -> Vec<u64> {
    (0..ROWS as u64).map(|row| if row % 2 == 0 { ONE } else { ONE.wrapping_neg() }).collect()
}

fn broken<S: Security>(
    target: Target,
    features: &[u64],
    labels: &[u64],
    scope: Scope,
) -> Vec<bool> {
    let (features, labels) =
        (deal(1, [ROWS, COLUMNS.len()], features), deal(2, [ROWS, target.columns()], labels));
    let [a, b, c] = run3::<S, _, _>(3, |ctx| {
        let part =
            |shares: &[Arith<_>; 3]| Fixed::new(shares[ctx.party().index()].clone(), DATA_SCALE);
        let data = Dataset { features: part(&features), labels: part(&labels) }.into();
        async move {
            let go_on = |_| ControlFlow::Continue(());
            broken_rules(&ctx, &shape(target), &data, &SETS, scope, go_on).await
        }
    });
    assert!(a == b && b == c);
    a
}

const CLASSES: Target = Target::Classes(3);
const NUMBER: Target = Target::Numbers(1);

#[test]
fn data_that_obey_their_schema_pass() {
    for scope in [Scope::Labels, Scope::All] {
        for (target, labels) in [(CLASSES, one_hot()), (NUMBER, numbers())] {
            assert_eq!(broken::<Malicious>(target, &features(), &labels, scope), [false; 3]);
            assert_eq!(broken::<SemiHonest>(target, &features(), &labels, scope), [false; 3]);
        }
    }
}

/// The data set of a row.
fn set_of(row: usize) -> usize {
    usize::from(row >= 5) + usize::from(row >= 6)
}

fn only(set: usize) -> [bool; 3] {
    std::array::from_fn(|at| at == set)
}

#[test]
fn a_label_that_breaks_a_rule_names_its_data_set() {
    // A row with two ones, none, a 2, halves, and words that are right modulo a power of two.
    let rows: [[u64; 3]; 8] = [
        [ONE, ONE, 0],
        [0, 0, 0],
        [2 * ONE, 0, 0],
        [ONE / 2, ONE / 2, 0],
        [2 * ONE, ONE.wrapping_neg(), 0],
        [ONE, 1 << 63, 1 << 63],
        [ONE, 1 << 44, (1u64 << 44).wrapping_neg()],
        [ONE + 1, u64::MAX, 0],
    ];
    for (seed, wrong) in rows.into_iter().enumerate() {
        let row = [0, 4, 5, 6, 12][seed % 5];
        let mut labels = one_hot();
        labels[3 * row..3 * row + 3].copy_from_slice(&wrong);
        let found = broken::<Malicious>(CLASSES, &features(), &labels, Scope::Labels);
        assert_eq!(found, only(set_of(row)), "{wrong:?} in row {row}");
    }
    for wrong in [ONE + 1, (ONE + 1).wrapping_neg(), 1 << 63, i64::MAX as u64, ONE ^ 1 << 63] {
        let mut labels = numbers();
        labels[7] = wrong;
        let found = broken::<SemiHonest>(NUMBER, &features(), &labels, Scope::Labels);
        assert_eq!(found, only(2), "{wrong:#x}");
    }
}

#[test]
fn a_feature_that_breaks_a_rule_names_its_data_set() {
    let wrong_numbers = [ONE + 1, (ONE + 1).wrapping_neg(), 3 * ONE, 1 << 63, 1 << 40];
    let wrong_bits = [1, ONE.wrapping_neg(), ONE / 2, 2 * ONE, ONE ^ 1 << 63, 1 << 44];
    let cases = wrong_numbers.map(|word| (0, word)).into_iter();
    let cases = cases.chain(wrong_bits.map(|word| (1, word))).chain(wrong_numbers.map(|w| (2, w)));
    for (seed, (column, wrong)) in cases.enumerate() {
        let row = [0, 4, 5, 6, 12][seed % 5];
        let mut features = features();
        features[3 * row + column] = wrong;
        let found = broken::<Malicious>(CLASSES, &features, &one_hot(), Scope::All);
        assert_eq!(found, only(set_of(row)), "{wrong:#x} in column {column}");
        let labels_alone = broken::<SemiHonest>(CLASSES, &features, &one_hot(), Scope::Labels);
        assert_eq!(labels_alone, [false; 3]);
    }
}

#[test]
fn every_data_set_that_breaks_a_rule_is_named() {
    let mut labels = one_hot();
    (labels[0], labels[15]) = (7, 9);
    let found = broken::<Malicious>(CLASSES, &features(), &labels, Scope::Labels);
    assert_eq!(found, [true, true, false]);
}

#[test]
fn rows_that_do_not_add_up_are_refused_before_any_message() {
    run3::<SemiHonest, _, _>(1, |ctx| async move {
        let zeros = |columns| Fixed::new(Arith::zeros([ROWS, columns]), DATA_SCALE);
        let data = Dataset { features: zeros(3), labels: zeros(3) }.into();
        let go_on = |_| ControlFlow::Continue(());
        let refused: Result<_> =
            broken_rules(&ctx, &shape(CLASSES), &data, &[5, 7], Scope::All, go_on).await;
        assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
        Ok(())
    });
}
