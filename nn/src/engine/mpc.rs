//! The engine on secret shares: every operation is a protocol of three parties.

use super::{Engine, Trans};
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::fixed::{decode, encode};
use mpc_core::ring::{RowMap, Z64};
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed, fixed_word};
use mpc_core::triples::TripleSource;
use ndarray::Array2;
use protocols::beaver::settle;
use protocols::bounds;
use protocols::mul::{self, Operand};
use protocols::open::open;
use protocols::tournament::{Winner, tournament};
use protocols::verify::{relieve, verify};
use protocols::{
    argmax, concordance, inv_sqrt, log_sum_exp, one_hot, relu, sigmoid, softmax, trunc,
};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Words of factors and products, a component of each, that make a verification worth its rounds;
/// so much of them waits at most, and what a batch adds.
const WAITING: usize = 3 << 18;

/// Computes on replicated shares, as one of three parties.
pub struct Mpc<S: Security> {
    ctx: Ctx<S>,
    blocks: Option<Rc<dyn Blocks>>,
}

/// Triples for training, a block a batch.
pub trait Blocks {
    /// The triples of the next batch of so many rows, which are not handed out again.
    ///
    /// # Errors
    /// `Triples` when there are none.
    fn next(&self, rows: usize) -> Result<Box<dyn TripleSource>>;
}

impl<S: Security> Mpc<S> {
    /// The engine whose steps lie below that of `ctx`.
    pub fn new(ctx: Ctx<S>) -> Self {
        Self { ctx, blocks: None }
    }

    /// The same engine, whose products use triples within batches: before and after, where
    /// features are scaled and the model is put together, they are re-shared.
    pub fn with_triples(self, blocks: Rc<dyn Blocks>) -> Self {
        Self { blocks: Some(blocks), ..self }
    }
}

fn operand(a: &Fixed, trans: Trans) -> Operand<'_, Z64> {
    match trans {
        Trans::No => Operand::plain(&a.share),
        Trans::Yes => Operand::transposed(&a.share),
    }
}

impl<S: Security> Engine for Mpc<S> {
    type Tensor = Fixed;

    fn step(&self, name: &str) -> Self {
        Self { ctx: self.ctx.step(name), blocks: self.blocks.clone() }
    }

    fn shape(&self, a: &Fixed) -> [usize; 2] {
        a.shape()
    }

    fn scale(&self, a: &Fixed) -> u32 {
        a.scale
    }

    fn public(&self, values: &Array2<f64>, scale: u32) -> Result<Fixed> {
        let words = values
            .iter()
            .map(|&x| encode(x, scale).map_err(|error| Error::Misuse(error.to_string())))
            .collect::<Result<Vec<u64>>>()?;
        let shape = [values.nrows(), values.ncols()];
        Ok(Fixed::new(Arith::public(self.ctx.party(), shape, words), scale))
    }

    fn add(&self, a: Fixed, b: &Fixed) -> Result<Fixed> {
        a.plus(b)
    }

    fn sub(&self, a: Fixed, b: &Fixed) -> Result<Fixed> {
        a.minus(b)
    }

    fn add_row(&self, a: Fixed, row: &Fixed) -> Result<Fixed> {
        a.same_scale(row)?;
        Ok(Fixed::new(a.share.add_row(&row.share)?, a.scale))
    }

    fn sub_row(&self, a: Fixed, row: &Fixed) -> Result<Fixed> {
        self.add_row(a, &row.neg())
    }

    fn sum_rows(&self, a: &Fixed) -> Result<Fixed> {
        Ok(Fixed::new(a.share.sum_rows(), a.scale))
    }

    fn sum_columns(&self, a: &Fixed) -> Result<Fixed> {
        Ok(Fixed::new(a.share.sum_cols(), a.scale))
    }

    fn repeat_columns(&self, a: &Fixed, columns: usize) -> Result<Fixed> {
        match a.shape() {
            [_, 1] => Ok(Fixed::new(a.share.repeat_cols(columns), a.scale)),
            [rows, _] => {
                Err(Error::Shape { op: "repeat_columns", left: a.shape(), right: [rows, 1] })
            }
        }
    }

    fn select_rows(&self, a: &Fixed, rows: &[usize]) -> Result<Fixed> {
        Ok(Fixed::new(a.share.select_rows(rows)?, a.scale))
    }

    fn select_columns(&self, a: &Fixed, columns: Range<usize>) -> Result<Fixed> {
        Ok(Fixed::new(a.share.select_columns(columns)?, a.scale))
    }

    fn concat_columns(&self, parts: &[&Fixed]) -> Result<Fixed> {
        for part in parts {
            part.same_scale(parts[0])?;
        }
        let shares: Vec<_> = parts.iter().map(|part| &part.share).collect();
        let share = Arith::concat_columns(&shares)?;
        Ok(Fixed::new(share, parts[0].scale))
    }

    fn reshape(&self, a: Fixed, shape: [usize; 2]) -> Result<Fixed> {
        Ok(Fixed::new(a.share.reshape(shape)?, a.scale))
    }

    fn gather(&self, a: &Fixed, map: &RowMap) -> Result<Fixed> {
        Ok(Fixed::new(a.share.gather(map)?, a.scale))
    }

    fn scatter_add(&self, a: &Fixed, map: &RowMap) -> Result<Fixed> {
        Ok(Fixed::new(a.share.scatter_add(map)?, a.scale))
    }

    fn set_rows(&self, a: &mut Fixed, first: usize, part: &Fixed) -> Result<()> {
        a.same_scale(part)?;
        a.share.set_rows(first, &part.share)
    }

    fn mul_public(&self, a: Fixed, factor: f64, factor_scale: u32) -> Result<Fixed> {
        Ok(a.mul_public(factor, factor_scale))
    }

    fn mul_public_row(&self, a: Fixed, factors: &[f64], factor_scale: u32) -> Result<Fixed> {
        let factors: Vec<u64> = factors.iter().map(|&x| fixed_word(x, factor_scale)).collect();
        Ok(Fixed::new(a.share.scale_columns(&factors)?, a.scale + factor_scale))
    }

    fn with_scale(&self, a: Fixed, scale: u32) -> Fixed {
        Fixed::new(a.share, scale)
    }

    async fn matmul(&self, a: &Fixed, a_trans: Trans, b: &Fixed, b_trans: Trans) -> Result<Fixed> {
        let (x, y) = (operand(a, a_trans), operand(b, b_trans));
        Ok(Fixed::new(mul::matmul(&self.ctx, x, y).await?, a.scale + b.scale))
    }

    async fn matmul_windows(
        &self,
        images: &Fixed,
        map: &Arc<RowMap>,
        weights: &Fixed,
    ) -> Result<Fixed> {
        let windows = Operand::unfolded(&images.share, map, weights.share.cols())?;
        let product = mul::matmul(&self.ctx, windows, Operand::transposed(&weights.share)).await?;
        Ok(Fixed::new(product, images.scale + weights.scale))
    }

    async fn matmul_by_windows(
        &self,
        a: &Fixed,
        images: &Fixed,
        map: &Arc<RowMap>,
        width: usize,
    ) -> Result<Fixed> {
        let windows = Operand::unfolded(&images.share, map, width)?;
        let product = mul::matmul(&self.ctx, Operand::transposed(&a.share), windows).await?;
        Ok(Fixed::new(product, a.scale + images.scale))
    }

    async fn matmul_scattered(&self, a: &Fixed, b: &Fixed, map: &Arc<RowMap>) -> Result<Fixed> {
        let sums = mul::matmul_scattered(&self.ctx, &a.share, &b.share, map).await?;
        Ok(Fixed::new(sums, a.scale + b.scale))
    }

    async fn mul(&self, a: &Fixed, b: &Fixed) -> Result<Fixed> {
        Ok(Fixed::new(mul::mul(&self.ctx, &a.share, &b.share).await?, a.scale + b.scale))
    }

    async fn mul_row(&self, a: &Fixed, row: &Fixed) -> Result<Fixed> {
        if row.shape() != [1, a.share.cols()] {
            return Err(Error::Shape { op: "mul_row", left: a.shape(), right: row.shape() });
        }
        let rows = row.share.repeat_rows(a.share.rows());
        Ok(Fixed::new(mul::mul(&self.ctx, &a.share, &rows).await?, a.scale + row.scale))
    }

    async fn column_dot(&self, a: &Fixed, b: &Fixed) -> Result<Fixed> {
        let dot = mul::column_dot(&self.ctx, &a.share, &b.share).await?;
        Ok(Fixed::new(dot, a.scale + b.scale))
    }

    async fn rescale(&self, a: Fixed, scale: u32) -> Result<Fixed> {
        if scale > a.scale {
            let from = a.scale;
            return Err(Error::Misuse(format!("cannot rescale from scale {from} to {scale}")));
        }
        trunc::rescale(&self.ctx, &a, scale).await
    }

    async fn relu(&self, z: Fixed, scale: u32) -> Result<(Fixed, Fixed)> {
        let (positive, bits) = relu::relu(&self.ctx, &z, scale).await?;
        Ok((positive, Fixed::new(bits, 0)))
    }

    async fn max_of_parts(
        &self,
        z: Fixed,
        parts: usize,
        scale: u32,
    ) -> Result<(Fixed, Vec<Fixed>)> {
        let Winner { value, bits } = tournament(&self.ctx, &z, parts, scale).await?;
        Ok((value, bits.into_iter().map(|bits| Fixed::new(bits, 0)).collect()))
    }

    async fn positive(&self, a: &Fixed) -> Result<Fixed> {
        Ok(Fixed::new(relu::positive_part(&self.ctx, &a.share).await?, a.scale))
    }

    async fn sigmoid(&self, z: Fixed, scale: u32) -> Result<Fixed> {
        let result = sigmoid::sigmoid(&self.ctx, &z).await?;
        Ok(if result.scale < scale { result.upscale(scale) } else { result })
    }

    async fn softmax(&self, z: Fixed, scale: u32) -> Result<Fixed> {
        let result = softmax::softmax(&self.ctx, &z).await?;
        Ok(if result.scale < scale { result.upscale(scale) } else { result })
    }

    async fn argmax(&self, z: &Fixed) -> Result<Fixed> {
        Ok(Fixed::new(argmax::argmax_of_rows(&self.ctx, &z.share).await?, 0))
    }

    async fn log_sum_exp(&self, z: Fixed) -> Result<Fixed> {
        log_sum_exp::log_sum_exp(&self.ctx, &z).await
    }

    async fn one_hot(&self, index: &Fixed, columns: usize) -> Result<Fixed> {
        Ok(Fixed::new(one_hot::one_hot(&self.ctx, &index.share, columns).await?, 0))
    }

    async fn concordance(&self, scores: &Fixed, labels: &Fixed) -> Result<Fixed> {
        let count = concordance::concordance(&self.ctx, &scores.share, &labels.share).await?;
        Ok(Fixed::new(count, 0))
    }

    async fn beyond(&self, a: &Fixed, bounds: &[u64]) -> Result<Fixed> {
        Ok(Fixed::new(bounds::beyond(&self.ctx, &a.share, bounds).await?, 0))
    }

    async fn reveal(&self, a: &Fixed) -> Result<Array2<f64>> {
        settle(&self.ctx.step("settle")).await?;
        let words = open(&self.ctx.step("open"), &a.share).await?;
        let [rows, columns] = a.shape();
        let values = words.iter().map(|&word| decode(word, a.scale)).collect();
        Array2::from_shape_vec((rows, columns), values)
            .map_err(|error| Error::Misuse(error.to_string()))
    }

    async fn inv_sqrt(&self, v: Fixed, scale: u32) -> Result<Fixed> {
        inv_sqrt::inv_sqrt(&self.ctx, &v, scale).await
    }

    fn begin_batch(&self, rows: usize) -> Result<()> {
        if let Some(blocks) = &self.blocks {
            self.ctx.use_triples(blocks.next(rows)?);
        }
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        !S::VERIFIED || self.blocks.is_some() || self.ctx.waiting_for_verification() >= WAITING
    }

    async fn relieve(&self) -> Result<()> {
        relieve(&self.ctx).await
    }

    async fn checkpoint(&self) -> Result<()> {
        settle(&self.ctx.step("settle")).await?;
        verify(&self.ctx).await
    }
}
