//! The plain engine in fixed point: what the parties compute, but in the clear.
//!
//! Words, scales and products are those of the protocols. Two things differ.
//! Overflow, which under MPC goes unseen, is an error that names the step. And
//! functions that the protocols approximate within a few units in the last
//! place are exact to half a unit here.

use super::float::{sigmoid, softmax_in_place};
use super::peaks::{Peak, Peaks};
use super::plain::{self, PlainTensor, Scales};
use super::{Engine, MAX_COMPARE_BITS, MAX_RESCALE_BITS, Trans};
use mpc_core::error::{Error, Result};
use mpc_core::fixed;
use mpc_core::ring::RowMap;
use mpc_core::ring::gemm::{MatRef, gemm_acc};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// How [`PlainFixed`] rounds when it rescales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest word.
    Nearest,
    /// Up or down at random, so that the mean is exact, as the protocols do.
    Stochastic {
        /// Seed of the random numbers.
        seed: u64,
    },
}

/// Computes on 64-bit words in the clear, and refuses to overflow.
#[derive(Clone, Debug)]
pub struct PlainFixed {
    path: Rc<str>,
    random: Option<Rc<RefCell<ChaCha8Rng>>>,
    peaks: Option<Rc<Peaks>>,
}

type Tensor = PlainTensor<i64>;
type Tensor128 = PlainTensor<i128>;

impl PlainFixed {
    /// An engine at the root of the computation.
    pub fn new(rounding: Rounding) -> Self {
        let random = match rounding {
            Rounding::Nearest => None,
            Rounding::Stochastic { seed } => {
                Some(Rc::new(RefCell::new(ChaCha8Rng::seed_from_u64(seed))))
            }
        };
        PlainFixed { path: "".into(), random, peaks: None }
    }

    /// The same engine, which notes the largest values that meet a limit.
    pub fn watched(self) -> Self {
        PlainFixed { peaks: Some(Rc::default()), ..self }
    }

    /// The largest value of each step, least room first, and the first overflow; nothing if the
    /// engine is not [`PlainFixed::watched`].
    pub fn peaks(&self) -> (Vec<Peak>, Option<String>) {
        self.peaks.as_ref().map(|peaks| peaks.told()).unwrap_or_default()
    }

    /// Notes the largest word of a tensor that has to stay below `2^limit`.
    fn note(&self, a: &Tensor, limit: u32) {
        if let Some(peaks) = &self.peaks {
            let largest = a.values.iter().map(|word| word.unsigned_abs()).max().unwrap_or(0);
            peaks.note(&self.path, largest as f64, a.scale, limit);
        }
    }

    /// Values as words at `scale`, rounded to the nearest.
    ///
    /// # Errors
    /// `Error::Misuse` where a value does not fit, or is not a number.
    pub fn encode(&self, values: &Array2<f64>, scale: u32) -> Result<Tensor> {
        let mut words = Array2::zeros(values.dim());
        for (word, &value) in words.iter_mut().zip(values) {
            *word = fixed::encode(value, scale)
                .map_err(|error| Error::Misuse(format!("{}: {error}", self.place())))?
                as i64;
        }
        Ok(Tensor { values: words, scale })
    }

    /// The values that a tensor stands for.
    pub fn decode(a: &Tensor) -> Array2<f64> {
        a.values.mapv(|word| fixed::decode(word as u64, a.scale))
    }

    /// Where in the computation this engine is.
    fn place(&self) -> &str {
        if self.path.is_empty() { "start" } else { &self.path }
    }

    fn too_large(&self, value: f64, bits: u32, scale: u32) -> Error {
        let place = self.place();
        self.out_of_range(format!(
            "{place}: a value of {value:.3e} exceeds 2^{bits} at scale {scale}"
        ))
    }

    fn out_of_range(&self, message: String) -> Error {
        if let Some(peaks) = &self.peaks {
            peaks.overflow(&message);
        }
        Error::Misuse(message)
    }

    fn overflow(&self, exact: i128, scale: u32) -> Error {
        self.too_large(exact as f64 * unit(scale), 63, scale)
    }

    /// The word of an exact result, if it is one.
    fn narrow(&self, exact: i128, scale: u32) -> Result<i64> {
        i64::try_from(exact).map_err(|_| self.overflow(exact, scale))
    }

    fn sum(&self, op: &'static str, a: Tensor, b: &Tensor, sign: i128) -> Result<Tensor> {
        let scale = a.scale;
        plain::combine(op, a, b, Scales::Equal, |&x, &y| {
            self.narrow(i128::from(x) + sign * i128::from(y), scale)
        })
    }

    fn product(&self, op: &'static str, a: Tensor, b: &Tensor) -> Result<Tensor> {
        let scale = a.scale + b.scale;
        plain::combine(op, a, b, Scales::AddUp, |&x, &y| {
            self.narrow(i128::from(x) * i128::from(y), scale)
        })
    }

    fn round(&self, word: i64, bits: u32) -> i64 {
        let offset = match &self.random {
            None => 1 << (bits - 1),
            Some(random) => (random.borrow_mut().next_u64() >> (64 - bits)) as i64,
        };
        (word + offset) >> bits
    }

    /// Rounds, requiring that each result is below `2^result_bits`.
    fn rescale_within(&self, mut a: Tensor, scale: u32, result_bits: u32) -> Result<Tensor> {
        plain::require_fewer_bits(&a, scale)?;
        let bits = a.scale - scale;
        if bits > 0 {
            self.note(&a, MAX_RESCALE_BITS);
        }
        for word in a.values.iter_mut() {
            if bits > 0 {
                if word.unsigned_abs() >= 1 << MAX_RESCALE_BITS {
                    let value = *word as f64 * unit(a.scale);
                    return Err(self.too_large(value, MAX_RESCALE_BITS, a.scale));
                }
                *word = self.round(*word, bits);
            }
            if word.unsigned_abs() >= 1 << result_bits {
                return Err(self.too_large(*word as f64 * unit(scale), result_bits, scale));
            }
        }
        a.scale = scale;
        if result_bits < 63 {
            self.note(&a, result_bits);
        }
        Ok(a)
    }

    /// Applies a function of real numbers to values rounded to `scale`.
    fn map(&self, a: &Tensor, scale: u32, f: impl FnOnce(&mut Array2<f64>)) -> Result<Tensor> {
        let mut values = Self::decode(a);
        f(&mut values);
        self.encode(&values, scale)
    }
}

/// The value of one word at `scale`.
fn unit(scale: u32) -> f64 {
    (-f64::from(scale)).exp2()
}

/// `left * right` modulo `2^64`, by the kernel of the protocols.
fn wrapping_product(left: ArrayView2<'_, i64>, right: ArrayView2<'_, i64>) -> Array2<i64> {
    let words = |view: &ArrayView2<'_, i64>| view.iter().map(|&x| x as u64).collect::<Vec<_>>();
    let (rows, inner, columns) = (left.nrows(), left.ncols(), right.ncols());
    let (left, right) = (words(&left), words(&right));
    let mut product = vec![0; rows * columns];
    let (left, right) = (MatRef::new(&left, rows, inner), MatRef::new(&right, inner, columns));
    gemm_acc(&mut product, left, right);
    Array2::from_shape_fn((rows, columns), |(row, column)| product[row * columns + column] as i64)
}

impl Engine for PlainFixed {
    type Tensor = Tensor;

    fn step(&self, name: &str) -> Self {
        let path =
            if self.path.is_empty() { name.into() } else { format!("{}/{name}", self.path).into() };
        PlainFixed { path, random: self.random.clone(), peaks: self.peaks.clone() }
    }

    fn shape(&self, a: &Tensor) -> [usize; 2] {
        plain::shape_of(a)
    }

    fn scale(&self, a: &Tensor) -> u32 {
        a.scale
    }

    fn public(&self, values: &Array2<f64>, scale: u32) -> Result<Tensor> {
        self.encode(values, scale)
    }

    fn add(&self, a: Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("add", &a, b)?;
        self.sum("add", a, b, 1)
    }

    fn sub(&self, a: Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("sub", &a, b)?;
        self.sum("sub", a, b, -1)
    }

    fn add_row(&self, a: Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("add_row", &a, row)?;
        self.sum("add_row", a, row, 1)
    }

    fn sub_row(&self, a: Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("sub_row", &a, row)?;
        self.sum("sub_row", a, row, -1)
    }

    fn sum_rows(&self, a: &Tensor) -> Result<Tensor> {
        let mut sums = Array2::zeros((1, a.values.ncols()));
        for (sum, column) in sums.iter_mut().zip(a.values.columns()) {
            *sum = self.narrow(column.iter().map(|&word| i128::from(word)).sum(), a.scale)?;
        }
        Ok(Tensor { values: sums, scale: a.scale })
    }

    fn sum_columns(&self, a: &Tensor) -> Result<Tensor> {
        let mut sums = Array2::zeros((a.values.nrows(), 1));
        for (sum, row) in sums.iter_mut().zip(a.values.rows()) {
            *sum = self.narrow(row.iter().map(|&word| i128::from(word)).sum(), a.scale)?;
        }
        Ok(Tensor { values: sums, scale: a.scale })
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
        let wide = Tensor128 { values: a.values.mapv(i128::from), scale: a.scale };
        let Tensor128 { values, scale } = plain::scatter_add(&wide, map, |x, y| x + y)?;
        let narrow = values.iter().map(|&sum| self.narrow(sum, scale)).collect::<Result<_>>()?;
        let values = Array2::from_shape_vec(values.dim(), narrow);
        Ok(Tensor { values: values.expect("one word an element"), scale })
    }

    fn set_rows(&self, a: &mut Tensor, first: usize, part: &Tensor) -> Result<()> {
        plain::set_rows(a, first, part)
    }

    fn mul_public(&self, a: Tensor, factor: f64, factor_scale: u32) -> Result<Tensor> {
        let factor = self.encode(&Array2::from_elem((1, 1), factor), factor_scale)?;
        self.product("mul_public", a, &factor)
    }

    fn mul_public_row(&self, a: Tensor, factors: &[f64], factor_scale: u32) -> Result<Tensor> {
        plain::require_factor_per_column(&a, factors)?;
        let row = Array2::from_shape_fn((1, factors.len()), |(_, column)| factors[column]);
        self.product("mul_public_row", a, &self.encode(&row, factor_scale)?)
    }

    fn with_scale(&self, a: Tensor, scale: u32) -> Tensor {
        Tensor { scale, ..a }
    }

    async fn matmul(
        &self,
        a: &Tensor,
        a_trans: Trans,
        b: &Tensor,
        b_trans: Trans,
    ) -> Result<Tensor> {
        let (left, right) = plain::factors(a, a_trans, b, b_trans)?;
        let scale = a.scale + b.scale;
        // The product of the magnitudes in floating point bounds every partial sum.
        let bound = left.mapv(|x| (x as f64).abs()).dot(&right.mapv(|x| (x as f64).abs()));
        if let Some(&worst) = bound.iter().find(|&&bound| bound >= 63f64.exp2()) {
            return Err(self.too_large(worst * unit(scale), 63, scale));
        }
        Ok(Tensor { values: wrapping_product(left, right), scale })
    }

    async fn matmul_scattered(&self, a: &Tensor, b: &Tensor, map: &Arc<RowMap>) -> Result<Tensor> {
        let product = self.matmul(a, Trans::No, b, Trans::No).await?;
        self.scatter_add(&plain::long_rows(&product, map)?, map)
    }

    async fn mul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        plain::require_same_shape("mul", a, b)?;
        self.product("mul", a.clone(), b)
    }

    async fn mul_row(&self, a: &Tensor, row: &Tensor) -> Result<Tensor> {
        plain::require_row("mul_row", a, row)?;
        self.product("mul_row", a.clone(), row)
    }

    async fn column_dot(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.sum_rows(&self.mul(a, b).await?)
    }

    async fn rescale(&self, a: Tensor, scale: u32) -> Result<Tensor> {
        self.rescale_within(a, scale, 63)
    }

    async fn relu(&self, z: Tensor, scale: u32) -> Result<(Tensor, Tensor)> {
        let mut z = self.rescale_within(z, scale, MAX_COMPARE_BITS)?;
        let bits = Tensor { values: z.values.mapv(|word| i64::from(word > 0)), scale: 0 };
        z.values.mapv_inplace(|word| word.max(0));
        Ok((z, bits))
    }

    async fn max_of_parts(
        &self,
        z: Tensor,
        parts: usize,
        scale: u32,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let surplus = z.scale.saturating_sub(scale);
        let bits = (MAX_RESCALE_BITS - 1).min(MAX_COMPARE_BITS - 1 + surplus);
        if let Some(&word) = z.values.iter().find(|word| word.unsigned_abs() >= 1 << bits) {
            return Err(self.too_large(word as f64 * unit(z.scale), bits, z.scale));
        }
        plain::max_of_parts(&z, parts, i64::from)
    }

    async fn positive(&self, a: &Tensor) -> Result<Tensor> {
        Ok(Tensor { values: a.values.mapv(|word| word.max(0)), scale: a.scale })
    }

    async fn sigmoid(&self, z: Tensor, scale: u32) -> Result<Tensor> {
        let z = self.rescale_within(z, scale, MAX_COMPARE_BITS)?;
        self.map(&z, scale, |values| values.mapv_inplace(sigmoid))
    }

    async fn softmax(&self, z: Tensor, scale: u32) -> Result<Tensor> {
        let z = self.rescale_within(z, scale, MAX_COMPARE_BITS)?;
        self.map(&z, scale, |values| {
            values.rows_mut().into_iter().for_each(softmax_in_place);
        })
    }

    async fn argmax(&self, z: &Tensor) -> Result<Tensor> {
        // A difference has a bit more than what it is taken of.
        let large = |word: &&i64| word.unsigned_abs() >= 1 << (MAX_COMPARE_BITS - 1);
        if let Some(&word) = z.values.iter().find(large) {
            return Err(self.too_large(word as f64 * unit(z.scale), MAX_COMPARE_BITS - 1, z.scale));
        }
        Ok(Tensor { values: plain::argmax(&z.values)?.mapv(|column| column as i64), scale: 0 })
    }

    async fn log_sum_exp(&self, z: Tensor) -> Result<Tensor> {
        let z = self.align(z, 16).await?;
        let z = self.rescale_within(z, 16, MAX_COMPARE_BITS - 1)?;
        self.encode(&plain::log_sum_exp(&Self::decode(&z)), 20)
    }

    async fn one_hot(&self, index: &Tensor, columns: usize) -> Result<Tensor> {
        let values = Array2::from_shape_fn((index.values.nrows(), columns), |(row, column)| {
            i64::from(index.values[(row, 0)] == column as i64)
        });
        Ok(Tensor { values, scale: 0 })
    }

    async fn concordance(&self, scores: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let scores = self.rescale_within(scores.clone(), scores.scale, MAX_COMPARE_BITS - 1)?;
        let count = plain::concordance(&scores.values, &labels.values, |label| *label == 1)?;
        Ok(Tensor { values: Array2::from_elem((1, 1), count as i64), scale: 0 })
    }

    async fn beyond(&self, a: &Tensor, bounds: &[u64]) -> Result<Tensor> {
        plain::beyond(a, bounds, |word, bound| word.unsigned_abs() >= bound, i64::from)
    }

    async fn reveal(&self, a: &Tensor) -> Result<Array2<f64>> {
        Ok(Self::decode(a))
    }

    async fn inv_sqrt(&self, v: Tensor, scale: u32) -> Result<Tensor> {
        let fits = |word: i64| word >= 0 && v.scale < 62 && word >> v.scale < 4;
        if let Some(&word) = v.values.iter().find(|&&word| !fits(word)) {
            let (place, value) = (self.place(), word as f64 * unit(v.scale));
            let message = format!("{place}: the square root of {value:.3e}, not of 0 to 4");
            return Err(self.out_of_range(message));
        }
        let inverse = |x: f64| if x == 0.0 { 0.0 } else { 1.0 / x.sqrt() };
        self.map(&v, scale, |values| values.mapv_inplace(inverse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::finish;
    use ndarray::array;

    fn nearest() -> PlainFixed {
        PlainFixed::new(Rounding::Nearest)
    }

    #[test]
    fn products_are_exact_and_their_scales_add_up() {
        let engine = nearest();
        let a = engine.encode(&array![[1.5, -2.25], [0.0, 4.0]], 10).unwrap();
        let b = engine.encode(&array![[2.0, 0.5], [-1.0, 0.125]], 12).unwrap();
        let product = finish(engine.matmul(&a, Trans::No, &b, Trans::Yes)).unwrap();
        assert_eq!(product.scale, 22);
        assert_eq!(PlainFixed::decode(&product), array![[1.875, -1.78125], [2.0, 0.5]]);
        let transposed = finish(engine.matmul(&a, Trans::Yes, &b, Trans::No)).unwrap();
        assert_eq!(PlainFixed::decode(&transposed), array![[3.0, 0.75], [-8.5, -0.625]]);
    }

    #[test]
    fn stochastic_rounding_has_no_bias() {
        let engine = PlainFixed::new(Rounding::Stochastic { seed: 7 });
        let third = engine.encode(&Array2::from_elem((200, 200), -1.0 / 3.0), 30).unwrap();
        let rounded = finish(engine.rescale(third, 4)).unwrap();
        let mean = PlainFixed::decode(&rounded).mean().unwrap();
        assert!((mean + 1.0 / 3.0).abs() < 1e-3, "mean {mean}");
        assert!(rounded.values.iter().all(|&word| word == -6 || word == -5));
    }

    #[test]
    fn overflow_is_an_error_that_names_the_step() {
        let engine = nearest().step("layer-2").step("forward");
        let a = engine.encode(&array![[1e4]], 40).unwrap();
        let b = engine.lift(a.clone(), 48).unwrap();
        let message = finish(engine.rescale(b, 13)).unwrap_err().to_string();
        assert_eq!(message, "layer-2/forward: a value of 1.000e4 exceeds 2^61 at scale 48");
        let message = finish(engine.mul(&a, &a)).unwrap_err().to_string();
        assert_eq!(message, "layer-2/forward: a value of 1.000e8 exceeds 2^63 at scale 80");
        let wide = engine.encode(&Array2::from_elem((1, 64), 1e4), 25).unwrap();
        assert!(finish(engine.matmul(&wide, Trans::No, &wide, Trans::Yes)).is_err());
        assert!(engine.encode(&array![[f64::NAN]], 4).is_err());
        let large = engine.encode(&array![[2f64.powi(60)]], 0).unwrap();
        let large = engine.lift(large, 2).unwrap();
        assert!(engine.add(large.clone(), &large).is_err());
    }

    #[test]
    fn compared_values_must_fit_31_bits() {
        let engine = nearest();
        let z = |value: f64| engine.encode(&array![[value]], 30).unwrap();
        let (y, bits) = finish(engine.relu(z(-3.0), 13)).unwrap();
        assert_eq!((y.values[(0, 0)], bits.values[(0, 0)], y.scale, bits.scale), (0, 0, 13, 0));
        let (y, bits) = finish(engine.relu(z(3.0), 13)).unwrap();
        assert_eq!((y.values[(0, 0)], bits.values[(0, 0)]), (3 << 13, 1));
        assert!(finish(engine.relu(z(8.0), 28)).is_err());
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        let engine = nearest();
        let zeros = |rows, columns| engine.encode(&Array2::zeros((rows, columns)), 5).unwrap();
        let row = zeros(1, 3);
        assert!(matches!(engine.add(zeros(2, 3), &row), Err(Error::Shape { op: "add", .. })));
        assert!(engine.add_row(zeros(2, 3), &row).is_ok());
        assert!(matches!(engine.add_row(zeros(2, 4), &row), Err(Error::Shape { .. })));
        let other_scale = engine.with_scale(zeros(2, 3), 6);
        assert!(matches!(engine.sub(zeros(2, 3), &other_scale), Err(Error::Misuse(_))));
        let product = finish(engine.matmul(&zeros(2, 3), Trans::No, &row, Trans::No));
        assert!(matches!(product, Err(Error::Shape { op: "matmul", left: [2, 3], right: [1, 3] })));
        assert!(engine.select_rows(&zeros(2, 3), &[0, 2]).is_err());
        assert!(engine.set_rows(&mut zeros(2, 3), 2, &row).is_err());
        assert!(engine.lift(zeros(1, 1), 4).is_err());
        assert!(finish(engine.rescale(zeros(1, 1), 6)).is_err());
    }
}
