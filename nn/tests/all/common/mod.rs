//! Small data sets and blueprints for the tests.

use mpc_core::error::{Error, Result};
use ndarray::{Array2, Axis, s};
use nn::blueprint::{Blueprint, Column, DataShape, Target};
use nn::engine::PlainTensor;
use nn::rows::{Rows, StoredRows};
use nn::spec::Spec;
use nn::train::Dataset;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Uniform values in `[-1, 1]`.
pub fn uniform(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || 2.0 * random.random::<f64>() - 1.0)
}

/// Zeros, with a one in the column of each row's class.
pub fn one_hot(classes: &[usize], width: usize) -> Array2<f64> {
    Array2::from_shape_fn((classes.len(), width), |(row, class)| {
        f64::from(u8::from(classes[row] == class))
    })
}

/// The blueprint for data whose features are all bounded numbers.
pub fn blueprint(toml: &str, data: &Dataset<Array2<f64>>, target: Target) -> Blueprint {
    let (rows, columns) = data.features.dim();
    let columns = vec![Column::Bounded; columns];
    Blueprint::new(Spec::from_toml(toml).unwrap(), DataShape { rows, columns, target }).unwrap()
}

/// Points of the square `[-1, 1]^2`, with the quadrant's sign as class: no line divides them.
pub fn quadrants(rows: usize, seed: u64) -> (Dataset<Array2<f64>>, Vec<usize>) {
    let features = uniform(rows, 2, seed);
    let class = |row: ndarray::ArrayView1<'_, f64>| usize::from(row[0] * row[1] > 0.0);
    let classes: Vec<usize> = features.rows().into_iter().map(class).collect();
    (Dataset { features, labels: one_hot(&classes, 2) }, classes)
}

/// The largest difference of two matrices.
pub fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).fold(0.0, |max, difference| difference.abs().max(max))
}

/// The rows of a tensor, which are handed out and taken back as an application would that does
/// not have them in memory.
pub fn kept(rows: PlainTensor<i64>) -> Rows<PlainTensor<i64>> {
    Rows::Stored { rows: Box::new(Kept(rows.values)), scale: rows.scale }
}

struct Kept(Array2<i64>);

/// No scale that anything has.
const NO_SCALE: u32 = 77;

impl StoredRows<PlainTensor<i64>> for Kept {
    fn shape(&self) -> [usize; 2] {
        [self.0.nrows(), self.0.ncols()]
    }

    fn read(&self, rows: &[usize]) -> Result<PlainTensor<i64>> {
        Ok(PlainTensor { values: self.0.select(Axis(0), rows), scale: NO_SCALE })
    }

    fn write(&mut self, first: usize, part: &PlainTensor<i64>) -> Result<()> {
        let end = first + part.values.nrows();
        if end > self.0.nrows() {
            return Err(Error::Rows(format!("there is no row {end}")));
        }
        self.0.slice_mut(s![first..end, ..]).assign(&part.values);
        Ok(())
    }
}
