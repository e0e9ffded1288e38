//! Network A, 784-128-128-10, on made-up rows.

use mpc_core::party::PartyId;
use mpc_core::share::{Arith, Fixed};
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::spec::Spec;
use nn::train::{DATA_SCALE, Dataset};

/// Rows of the data.
pub const ROWS: usize = 512;
/// Rows of a batch.
pub const BATCH: usize = 128;

/// The network and its training.
pub fn blueprint() -> Blueprint {
    let spec = r#"
        [model]
        layers = [{ dense = 128 }, "relu", { dense = 128 }, "relu", { dense = "outputs" }]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 1
        batch = 128
        learning_rate = 0.1
        [features]
        scaling = "none"
    "#;
    let target = Target::Classes(10);
    let shape = DataShape { rows: ROWS, columns: vec![Column::Bounded; 784], target };
    Blueprint::new(Spec::from_toml(spec).expect("a valid specification"), shape)
        .expect("it fits the data")
}

/// A party's share of the rows.
pub fn data(party: PartyId) -> Dataset<Fixed> {
    let words = |len: usize| (0..len as u64).map(|i| (i * 7919) % (1 << 20)).collect();
    let features = Arith::public(party, [ROWS, 784], words(ROWS * 784));
    let one_hot = (0..ROWS * 10).map(|i| u64::from(i / 10 % 10 == i % 10)).collect();
    let labels = Arith::public(party, [ROWS, 10], one_hot);
    Dataset { features: Fixed::new(features, DATA_SCALE), labels: Fixed::new(labels, 0) }
}

/// The rows of the batch with this number; batches come around again.
pub fn rows_of(batch: usize) -> Vec<usize> {
    let first = batch * BATCH % ROWS;
    (first..first + BATCH).collect()
}
