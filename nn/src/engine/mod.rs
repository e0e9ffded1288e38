//! What a network is computed on.
//!
//! Layers, losses, optimisers and the trainer are written once, over [`Engine`].
//! [`PlainFloat`] computes in `f64`, [`PlainFixed`] in the 64-bit fixed point of
//! the protocols but in the clear, and the MPC engine on secret shares.
//!
//! # Values and scales
//!
//! A tensor is a matrix whose rows are samples. It carries its *scale*: a word
//! `w` at scale `f` stands for `w / 2^f`. Products are exact and their scales add
//! up; nothing is rounded until [`Engine::rescale`] or an operation that rescales.
//! The caller sees to it that
//!
//! * every value stays below `2^63` in words, and every value that is rescaled
//!   below `2^61` ([`MAX_RESCALE_BITS`]), and
//! * every value that is compared (ReLU, softmax) stays below `2^31` in words at
//!   the scale it is compared at ([`MAX_COMPARE_BITS`]).
//!
//! [`crate::plan`] chooses scales that leave this room; [`PlainFixed`] refuses
//! a computation that runs out of it, naming the step.
//!
//! # Rounds
//!
//! Local operations need no messages. The `async` ones do: under MPC each
//! `.await` spends at least one round, and operations joined with
//! `futures_util::try_join!` share theirs. A step of its own gives an operation a name
//! in error messages and traces.

mod fixed;
mod float;
mod mpc;
mod peaks;
mod plain;

pub use fixed::{PlainFixed, Rounding};
pub use float::PlainFloat;
pub(crate) use float::{sigmoid, softmax_in_place};
pub use mpc::{Blocks, Mpc};
pub use peaks::Peak;
pub use plain::PlainTensor;

use futures_util::FutureExt;
use mpc_core::error::{Error, Result};
use mpc_core::ring::RowMap;
use ndarray::Array2;
use std::ops::Range;
use std::sync::Arc;

/// A value must be below two to this power, in words, when it is rescaled.
pub const MAX_RESCALE_BITS: u32 = 61;

/// A value must be below two to this power, in words at its new scale, when it is compared.
pub const MAX_COMPARE_BITS: u32 = 31;

/// Whether an operand of a matrix product is taken as it is or transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trans {
    /// As it is.
    No,
    /// Transposed.
    Yes,
}

impl Trans {
    /// The shape of an operand of shape `[rows, columns]` as the product sees it.
    pub fn of(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Trans::No => [rows, columns],
            Trans::Yes => [columns, rows],
        }
    }
}

/// Computes on matrices of fixed-point numbers; see the [module](self) on scales and rounds.
///
/// # Errors
/// Every operation answers `Error::Shape` for operands that do not fit and
/// `Error::Misuse` for scales that do not; interactive operations also answer
/// whatever the network or a failed check brings.
#[allow(async_fn_in_trait)] // one thread drives all futures of a party: nothing needs `Send`
pub trait Engine: Sized {
    /// A matrix with its scale.
    type Tensor: Clone;

    /// A named stage of the computation, below this one.
    fn step(&self, name: &str) -> Self;

    // ---- local ----

    /// Rows and columns of a tensor.
    fn shape(&self, a: &Self::Tensor) -> [usize; 2];

    /// Fractional bits of a tensor.
    fn scale(&self, a: &Self::Tensor) -> u32;

    /// A tensor of values that everybody knows, rounded to the nearest word.
    fn public(&self, values: &Array2<f64>, scale: u32) -> Result<Self::Tensor>;

    /// `a + b`, of equal shapes and scales.
    fn add(&self, a: Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// `a - b`, of equal shapes and scales.
    fn sub(&self, a: Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// Adds `row`, `1 x columns` and of the same scale, to each row of `a`.
    fn add_row(&self, a: Self::Tensor, row: &Self::Tensor) -> Result<Self::Tensor>;

    /// Takes `row`, `1 x columns` and of the same scale, from each row of `a`.
    fn sub_row(&self, a: Self::Tensor, row: &Self::Tensor) -> Result<Self::Tensor>;

    /// The sum of all rows, `1 x columns`.
    fn sum_rows(&self, a: &Self::Tensor) -> Result<Self::Tensor>;

    /// The sum of all columns, `rows x 1`.
    fn sum_columns(&self, a: &Self::Tensor) -> Result<Self::Tensor>;

    /// The one column of `a` so many times.
    fn repeat_columns(&self, a: &Self::Tensor, columns: usize) -> Result<Self::Tensor>;

    /// The given rows, in the given order; a row may occur more than once.
    fn select_rows(&self, a: &Self::Tensor, rows: &[usize]) -> Result<Self::Tensor>;

    /// The given columns.
    fn select_columns(&self, a: &Self::Tensor, columns: Range<usize>) -> Result<Self::Tensor>;

    /// The tensors side by side; they have the same scale.
    fn concat_columns(&self, parts: &[&Self::Tensor]) -> Result<Self::Tensor>;

    /// The same elements in another shape, row after row.
    fn reshape(&self, a: Self::Tensor, shape: [usize; 2]) -> Result<Self::Tensor>;

    /// The long row of each row along a public map.
    fn gather(&self, a: &Self::Tensor, map: &RowMap) -> Result<Self::Tensor>;

    /// The long row of each row along a public map, cut into rows of `width`.
    ///
    /// # Errors
    /// `Error::Shape` when they cannot be.
    fn windows(&self, a: &Self::Tensor, map: &RowMap, width: usize) -> Result<Self::Tensor> {
        let [rows, _] = self.shape(a);
        let long = self.gather(a, map)?;
        self.reshape(long, [rows * (map.long() / width.max(1)), width])
    }

    /// The sums of what comes from the same element of a short row: the adjoint of
    /// [`Engine::gather`].
    fn scatter_add(&self, a: &Self::Tensor, map: &RowMap) -> Result<Self::Tensor>;

    /// Overwrites the rows of `a` from `first` on by `part`, of the same width and scale.
    fn set_rows(&self, a: &mut Self::Tensor, first: usize, part: &Self::Tensor) -> Result<()>;

    /// `a` times a public number, which is rounded to `factor_scale`; the scales add up.
    fn mul_public(&self, a: Self::Tensor, factor: f64, factor_scale: u32) -> Result<Self::Tensor>;

    /// Each column of `a` times a public number of its own, rounded to `factor_scale`;
    /// the scales add up.
    fn mul_public_row(
        &self,
        a: Self::Tensor,
        factors: &[f64],
        factor_scale: u32,
    ) -> Result<Self::Tensor>;

    /// The same words read at another scale: a product with a power of two, for free.
    fn with_scale(&self, a: Self::Tensor, scale: u32) -> Self::Tensor;

    /// The same value with more fractional bits.
    ///
    /// `Error::Misuse` where `scale` is smaller than that of `a`.
    fn lift(&self, a: Self::Tensor, scale: u32) -> Result<Self::Tensor> {
        match scale.checked_sub(self.scale(&a)) {
            Some(0) => Ok(a),
            Some(bits) => self.mul_public(a, 1.0, bits),
            None => Err(Error::Misuse(format!(
                "cannot lift a tensor of scale {} to the smaller scale {scale}",
                self.scale(&a)
            ))),
        }
    }

    // ---- interactive ----

    /// The exact matrix product; the scales add up.
    async fn matmul(
        &self,
        a: &Self::Tensor,
        a_trans: Trans,
        b: &Self::Tensor,
        b_trans: Trans,
    ) -> Result<Self::Tensor>;

    /// The exact product of windows and `weights` transposed; the scales add up. Each row of
    /// `images` becomes a long one, as by [`Engine::gather`], which is cut into windows as long as the
    /// rows of `weights`.
    async fn matmul_windows(
        &self,
        images: &Self::Tensor,
        map: &Arc<RowMap>,
        weights: &Self::Tensor,
    ) -> Result<Self::Tensor> {
        let [_, width] = self.shape(weights);
        let windows = self.windows(images, map, width)?;
        self.matmul(&windows, Trans::No, weights, Trans::Yes).await
    }

    /// The exact product of `a` transposed, which has a row for each window, and the windows of
    /// `images`, so long; the scales add up.
    async fn matmul_by_windows(
        &self,
        a: &Self::Tensor,
        images: &Self::Tensor,
        map: &Arc<RowMap>,
        width: usize,
    ) -> Result<Self::Tensor> {
        let windows = self.windows(images, map, width)?;
        self.matmul(a, Trans::Yes, &windows, Trans::No).await
    }

    /// `a b`, several rows of which make one long row of `map`, which is added up as by
    /// [`Engine::scatter_add`]; exact, the scales add up.
    ///
    /// Under MPC this costs the messages of its result alone.
    async fn matmul_scattered(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        map: &Arc<RowMap>,
    ) -> Result<Self::Tensor>;

    /// The exact elementwise product of equal shapes; the scales add up.
    async fn mul(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// Each row of `a` times `row`, `1 x columns`, elementwise and exact; the scales add up.
    async fn mul_row(&self, a: &Self::Tensor, row: &Self::Tensor) -> Result<Self::Tensor>;

    /// The sum over rows of the elementwise product, `1 x columns`, exact; the scales add up.
    async fn column_dot(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;

    /// Rounds to fewer fractional bits, without bias; the error is below 1.5 units
    /// in the last place. A tensor that has `scale` already is returned as it is.
    ///
    /// `Error::Misuse` where `scale` is larger than that of `a`.
    async fn rescale(&self, a: Self::Tensor, scale: u32) -> Result<Self::Tensor>;

    /// `max(z, 0)` at `scale`, and the bits `z > 0` as a tensor of zeros and ones
    /// at scale 0, which the backward pass needs.
    ///
    /// Where `z` is zero to within the rounding, the bit may be either. Where `z`
    /// has more than 32 bits more than `scale`, its value at `scale` has less than
    /// [`MAX_COMPARE_BITS`] anyway, and dropping 32 bits is enough to find its sign.
    async fn relu(&self, z: Self::Tensor, scale: u32) -> Result<(Self::Tensor, Self::Tensor)>;

    /// The elementwise maximum of the equal `parts` of each row, compared at `scale` but not
    /// rounded to it, and for each level of the tournament in which it is found the bits that
    /// say where the first half of the parts won, at scale 0.
    ///
    /// In each level the first half of the parts meets as many after them; who is left over
    /// goes on. Values must be below `2^60` in words, and `2^30` at `scale`. Among parts that
    /// differ by less than the rounding to `scale`, any may win.
    async fn max_of_parts(
        &self,
        z: Self::Tensor,
        parts: usize,
        scale: u32,
    ) -> Result<(Self::Tensor, Vec<Self::Tensor>)>;

    /// `max(a, 0)` at the scale of `a`, for values of any size.
    async fn positive(&self, a: &Self::Tensor) -> Result<Self::Tensor>;

    /// `z` where `bits`, zeros and ones at scale 0, are one, and zero elsewhere; at `scale`.
    async fn select(
        &self,
        z: &Self::Tensor,
        bits: &Self::Tensor,
        scale: u32,
    ) -> Result<Self::Tensor> {
        let product = self.step("product").mul(z, bits).await?;
        self.step("rescale").rescale(product, scale).await
    }

    /// `1 / (1 + e^-z)` at `scale`, or unrounded at a larger one.
    async fn sigmoid(&self, z: Self::Tensor, scale: u32) -> Result<Self::Tensor>;

    /// The softmax of each row at `scale`, or unrounded at a larger one.
    async fn softmax(&self, z: Self::Tensor, scale: u32) -> Result<Self::Tensor>;

    /// The column, from 0, of the largest element of each row, the first of equals, as a
    /// whole number at scale 0: `rows x 1`. Differences must stay below `2^31` in words.
    async fn argmax(&self, z: &Self::Tensor) -> Result<Self::Tensor>;

    /// `1 / sqrt(v)` at `scale`, for `0 <= v < 4` at any scale up to 54, and zero where `v` is.
    ///
    /// The relative error is below `2e-5`, as long as the result has 17 bits at `scale`.
    async fn inv_sqrt(&self, v: Self::Tensor, scale: u32) -> Result<Self::Tensor>;

    /// `log sum_k e^z_k` of each row, `rows x 1`, unrounded at a scale of 20 or more.
    async fn log_sum_exp(&self, z: Self::Tensor) -> Result<Self::Tensor>;

    /// For each row a one in the column whose number `index`, `rows x 1` at scale 0, gives.
    async fn one_hot(&self, index: &Self::Tensor, columns: usize) -> Result<Self::Tensor>;

    /// In how many pairs of a row of label 1 and one of label 0 the first has the higher score:
    /// `1 x 1` at scale 0. Of equal scores the row that comes first counts as the higher.
    ///
    /// Both are `rows x 1`; differences of scores must stay below `2^31` in words, labels are at
    /// scale 0.
    async fn concordance(
        &self,
        scores: &Self::Tensor,
        labels: &Self::Tensor,
    ) -> Result<Self::Tensor>;

    /// A one for each element of `a`, `1 x n` at scale 0, that is not below its bound in magnitude,
    /// and zero elsewhere; also of numbers that are too large for anything else. There is a bound,
    /// from 1 to `2^62`, for each element.
    async fn beyond(&self, a: &Self::Tensor, bounds: &[u64]) -> Result<Self::Tensor>;

    /// The values of a tensor, which all parties learn: the only way to them, for what the
    /// job's policy reveals. All that they depend on is verified before, if the engine
    /// verifies. No other operation may be under way.
    async fn reveal(&self, a: &Self::Tensor) -> Result<Array2<f64>>;

    /// The beginning of a batch of so many rows: an engine makes ready what was prepared for it.
    fn begin_batch(&self, _rows: usize) -> Result<()> {
        Ok(())
    }

    /// Whether a batch that is over is to end with an [`Engine::checkpoint`], and not only one of
    /// the next ones: the same at all parties.
    fn checkpoint_is_due(&self) -> bool {
        true
    }

    /// The end of a part of the computation: everything so far is verified, if the engine
    /// verifies. Training calls it often enough to bound what waits for verification, and
    /// before it hands out a model. No other operation may be under way.
    async fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    /// Verifies what was computed so far if keeping it takes much memory; nothing to the plain
    /// engines.
    ///
    /// # Errors
    /// Where something is wrong.
    async fn relieve(&self) -> Result<()> {
        Ok(())
    }

    /// Brings `a` to `scale`: free upwards, by [`Engine::rescale`] downwards.
    async fn align(&self, a: Self::Tensor, scale: u32) -> Result<Self::Tensor> {
        if self.scale(&a) <= scale { self.lift(a, scale) } else { self.rescale(a, scale).await }
    }
}

/// The result of a computation on a plain engine, whose operations never wait.
///
/// # Panics
/// When the future waits for something: it does not belong to a plain engine.
pub fn finish<F: Future>(computation: F) -> F::Output {
    computation.now_or_never().expect("operations of a plain engine never wait")
}
