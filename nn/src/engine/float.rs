//! The plain engine in floating point: the baseline that the others are compared with.

use super::plain::{self, PlainTensor, Scales};
use super::{Engine, Trans};
use mpc_core::error::Result;
use mpc_core::ring::RowMap;
use ndarray::{Array2, ArrayViewMut1, Axis};
use std::ops::Range;
use std::sync::Arc;

/// Computes in `f64`; scales are carried along but round nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainFloat;

type Tensor = PlainTensor<f64>;

/// `1 / (1 + e^-x)`, without overflow at either end.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// Replaces a row of logits by its softmax.
pub(crate) fn softmax_in_place(mut row: ArrayViewMut1<'_, f64>) {
    let max = row.fold(f64::NEG_INFINITY, |max, &x| max.max(x));
    row.mapv_inplace(|x| (x - max).exp());
    let sum = row.sum();
    row.mapv_inplace(|x| x / sum);
}

impl PlainFloat {
    fn map(self, mut z: Tensor, scale: u32, f: impl Fn(f64) -> f64) -> Tensor {
        z.values.mapv_inplace(f);
        Tensor { scale, ..z }
    }
}

impl Engine for PlainFloat {
    type Tensor = Tensor;

    fn step(&self, _name: &str) -> Self {
        *self
    }

    fn shape(&self, a: &Tensor) -> [usize; 2] {
        plain::shape_of(a)
    }

    fn scale(&self, a: &Tensor) -> u32 {
        a.scale
    }

    fn public(&self, values: &Array2<f64>, scale: u32) -> Result<Tensor> {
        Ok(Tensor { values: values.clone(), scale })
    }

    fn add(&self, a: Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("add", &a, b)?;
        plain::combine("add", a, b, Scales::Equal, |x, y| Ok(x + y))
    }

    fn sub(&self, a: Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("sub", &a, b)?;
        plain::combine("sub", a, b, Scales::Equal, |x, y| Ok(x - y))
    }

    fn add_row(&self, a: Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("add_row", &a, row)?;
        plain::combine("add_row", a, row, Scales::Equal, |x, y| Ok(x + y))
    }

    fn sub_row(&self, a: Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("sub_row", &a, row)?;
        plain::combine("sub_row", a, row, Scales::Equal, |x, y| Ok(x - y))
    }

    fn sum_rows(&self, a: &Tensor) -> Result<Tensor> {
        Ok(Tensor { values: a.values.sum_axis(Axis(0)).insert_axis(Axis(0)), scale: a.scale })
    }

    fn sum_columns(&self, a: &Tensor) -> Result<Tensor> {
        Ok(Tensor { values: a.values.sum_axis(Axis(1)).insert_axis(Axis(1)), scale: a.scale })
    }

    fn repeat_columns(&self, a: &Tensor, columns: usize) -> Result<Tensor> {
        plain::repeat_columns(a, columns)
    }

    fn select_rows(&self, a: &Tensor, rows: &[usize]) -> Result<Tensor> {
        plain::select_rows(a, rows)
    }

    fn select_columns(&self, a: &Tensor, columns: Range<usize>) -> Result<Tensor> {
        plain::select_columns(a, columns)
    }

    fn concat_columns(&self, parts: &[&Tensor]) -> Result<Tensor> {
        plain::concat_columns(parts)
    }

    fn reshape(&self, a: Tensor, shape: [usize; 2]) -> Result<Tensor> {
        plain::reshape(&a, shape)
    }

    fn gather(&self, a: &Tensor, map: &RowMap) -> Result<Tensor> {
        plain::gather(a, map)
    }

    fn scatter_add(&self, a: &Tensor, map: &RowMap) -> Result<Tensor> {
        plain::scatter_add(a, map, |x, y| x + y)
    }

    fn set_rows(&self, a: &mut Tensor, first: usize, part: &Tensor) -> Result<()> {
        plain::set_rows(a, first, part)
    }

    fn mul_public(&self, mut a: Tensor, factor: f64, factor_scale: u32) -> Result<Tensor> {
        a.values.mapv_inplace(|x| x * factor);
        a.scale += factor_scale;
        Ok(a)
    }

    fn mul_public_row(&self, a: Tensor, factors: &[f64], factor_scale: u32) -> Result<Tensor> {
        plain::require_factor_per_column(&a, factors)?;
        let row = Array2::from_shape_fn((1, factors.len()), |(_, column)| factors[column]);
        let row = Tensor { values: row, scale: factor_scale };
        plain::combine("mul_public_row", a, &row, Scales::AddUp, |x, y| Ok(x * y))
    }

    fn with_scale(&self, mut a: Tensor, scale: u32) -> Tensor {
        let power = f64::from(a.scale) - f64::from(scale);
        a.values.mapv_inplace(|x| x * power.exp2());
        a.scale = scale;
        a
    }

    async fn matmul(
        &self,
        a: &Tensor,
        a_trans: Trans,
        b: &Tensor,
        b_trans: Trans,
    ) -> Result<Tensor> {
        let (left, right) = plain::factors(a, a_trans, b, b_trans)?;
        Ok(Tensor { values: left.dot(&right), scale: a.scale + b.scale })
    }

    async fn matmul_scattered(&self, a: &Tensor, b: &Tensor, map: &Arc<RowMap>) -> Result<Tensor> {
        let product = self.matmul(a, Trans::No, b, Trans::No).await?;
        self.scatter_add(&plain::long_rows(&product, map)?, map)
    }

    async fn mul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("mul", a, b)?;
        plain::combine("mul", a.clone(), b, Scales::AddUp, |x, y| Ok(x * y))
    }

    async fn mul_row(&self, a: &Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("mul_row", a, row)?;
        plain::combine("mul_row", a.clone(), row, Scales::AddUp, |x, y| Ok(x * y))
    }

    async fn column_dot(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.sum_rows(&self.mul(a, b).await?)
    }

    async fn rescale(&self, a: Tensor, scale: u32) -> Result<Tensor> {
        plain::require_fewer_bits(&a, scale)?;
        Ok(Tensor { scale, ..a })
    }

    async fn relu(&self, z: Tensor, scale: u32) -> Result<(Tensor, Tensor)> {
        let bits = self.map(z.clone(), 0, |x| f64::from(x > 0.0));
        Ok((self.map(z, scale, |x| x.max(0.0)), bits))
    }

    async fn max_of_parts(
        &self,
        z: Tensor,
        parts: usize,
        _scale: u32,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        plain::max_of_parts(&z, parts, |won| f64::from(u8::from(won)))
    }

    async fn positive(&self, a: &Tensor) -> Result<Tensor> {
        Ok(self.map(a.clone(), a.scale, |x| x.max(0.0)))
    }

    async fn sigmoid(&self, z: Tensor, scale: u32) -> Result<Tensor> {
        Ok(self.map(z, scale, sigmoid))
    }

    async fn softmax(&self, mut z: Tensor, scale: u32) -> Result<Tensor> {
        z.values.rows_mut().into_iter().for_each(softmax_in_place);
        Ok(Tensor { scale, ..z })
    }

    async fn argmax(&self, z: &Tensor) -> Result<Tensor> {
        Ok(Tensor { values: plain::argmax(&z.values)?.mapv(|column| column as f64), scale: 0 })
    }

    async fn log_sum_exp(&self, z: Tensor) -> Result<Tensor> {
        Ok(Tensor { values: plain::log_sum_exp(&z.values), scale: z.scale.max(20) })
    }

    async fn one_hot(&self, index: &Tensor, columns: usize) -> Result<Tensor> {
        let values = Array2::from_shape_fn((index.values.nrows(), columns), |(row, column)| {
            f64::from(index.values[(row, 0)] == column as f64)
        });
        Ok(Tensor { values, scale: 0 })
    }

    async fn concordance(&self, scores: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let one = |label: &f64| *label == 1.0;
        let count = plain::concordance(&scores.values, &labels.values, one)? as f64;
        Ok(Tensor { values: Array2::from_elem((1, 1), count), scale: 0 })
    }

    async fn beyond(&self, a: &Tensor, bounds: &[u64]) -> Result<Tensor> {
        plain::beyond(a, bounds, |x, bound| x.abs() >= bound as f64, |is| f64::from(u8::from(is)))
    }

    async fn reveal(&self, a: &Tensor) -> Result<Array2<f64>> {
        Ok(a.values.clone())
    }

    async fn inv_sqrt(&self, v: Tensor, scale: u32) -> Result<Tensor> {
        Ok(self.map(v, scale, |x| 1.0 / x.sqrt()))
    }
}
