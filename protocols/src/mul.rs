//! Products over a ring: element by element, inner products, matrix products.
//!
//! The multiplication of Araki et al., CCS 2016, protocol 3.2: the local part is
//! `z_i = x_i (y_i + y_{i+1}) + x_{i+1} y_i`, two products of words instead of three. Sums of
//! products are added up before they are re-shared, so an inner product of any length costs
//! one element; and of matrices, one product is enough (`mpc_core::ring::gemm`).
//!
//! Where the session has triples, products use these instead ([`crate::beaver`]); costs are
//! then those given there.

use crate::beaver::{column_dot_beaver, matmul_beaver, mul_beaver, wrong_kind};
use crate::reshare::{reshare, reshare_computing};
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::gemm::{Factor, MatRef, Reading, gemm_replicated_acc};
use mpc_core::ring::{Ring, RowMap, elementwise::replicated_mul};
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Additive, Arith, Words};
use mpc_core::triples::{ProductShape, Supply};
use std::ops::Range;
use std::sync::Arc;

/// `x * y`, element by element.
///
/// # Cost
/// One round; one ring element per product and party.
///
/// # Security
/// As [`reshare`]; the product is recorded for verification.
///
/// # Errors
/// `Shape` when the shapes differ.
pub async fn mul<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
) -> Result<Arith<R>> {
    mul_multiples(ctx, x, y, 0).await
}

/// `x * y`, element by element, where all components of `x` are multiples of
/// `2^granularity`: such products travel in the upper bits alone.
///
/// # Cost
/// One round; `k - granularity` bits per product and party in a ring of `k` bits.
///
/// # Errors
/// `Shape` when the shapes differ.
pub async fn mul_multiples<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    granularity: u32,
) -> Result<Arith<R>> {
    if x.shape() != y.shape() {
        return Err(Error::Shape { op: "mul", left: x.shape(), right: y.shape() });
    }
    match ctx.triple(|| ProductShape::Elementwise(x.shape()))? {
        None => {}
        Some(Supply::Words(triple)) => return mul_beaver(ctx, x, y, granularity, triple).await,
        Some(Supply::Dry) => return Ok(Arith::zeros(x.shape())),
        Some(Supply::Bits(_)) => return Err(wrong_kind(ctx)),
    }
    let z = Additive::new(x.shape(), Words::unset(x.len()));
    let z = reshare_computing(ctx, z, granularity, |at, z| multiply(z, x, y, at)).await?;
    ctx.record(|| Product::Elementwise {
        bits: R::BITS,
        supports: [Support::ALL; 2],
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
}

/// The inner product of each column of `x` with the same column of `y`: `1 x cols`.
///
/// # Cost
/// One round; one ring element per column and party.
///
/// # Errors
/// `Shape` when the shapes differ.
pub async fn column_dot<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
) -> Result<Arith<R>> {
    if x.shape() != y.shape() {
        return Err(Error::Shape { op: "column dot", left: x.shape(), right: y.shape() });
    }
    match ctx.triple(|| ProductShape::ColumnDot(x.shape()))? {
        None => {}
        Some(Supply::Words(triple)) => return column_dot_beaver(ctx, x, y, triple).await,
        Some(Supply::Dry) => return Ok(Arith::zeros([1, x.cols()])),
        Some(Supply::Bits(_)) => return Err(wrong_kind(ctx)),
    }
    let products = local_products(x, y);
    let mut sums = Words::zeroed(x.cols());
    for row in products.chunks_exact(x.cols().max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, z)| *sum = sum.wrapping_add(*z));
    }
    let z = reshare(ctx, Additive::new([1, x.cols()], sums), 0).await?;
    ctx.record(|| Product::ColumnDot {
        bits: R::BITS,
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
}

/// This party's local parts of the products.
pub(crate) fn local_products<R: Ring>(x: &Arith<R>, y: &Arith<R>) -> Words {
    Words::overwritten(x.len(), |z| multiply(z, x, y, 0..x.len()))
}

/// This party's local parts of some of the products.
fn multiply<R: Ring>(z: &mut [u64], x: &Arith<R>, y: &Arith<R>, at: Range<usize>) {
    let [x0, x1, y0, y1] =
        [x.first(), x.second(), y.first(), y.second()].map(|words| &words[at.clone()]);
    replicated_mul(z, x0, x1, y0, y1);
}

/// A factor of a matrix product: a shared matrix, and how it is read.
#[derive(Clone)]
pub struct Operand<'a, R: Ring> {
    share: &'a Arith<R>,
    reading: Reading,
}

impl<'a, R: Ring> Operand<'a, R> {
    /// The matrix as it is.
    pub fn plain(share: &'a Arith<R>) -> Self {
        Self { share, reading: Reading::Plain }
    }

    /// The matrix transposed, without a copy.
    pub fn transposed(share: &'a Arith<R>) -> Self {
        Self { share, reading: Reading::Transposed }
    }

    /// Its long rows, cut into rows of `width`, each gathered when it is needed: the windows of a
    /// convolution, which overlap, are much more than the images.
    ///
    /// # Errors
    /// `Shape` when the rows are not those of the map, or the long ones no multiple of `width`.
    pub fn unfolded(share: &'a Arith<R>, map: &Arc<RowMap>, width: usize) -> Result<Self> {
        if share.cols() != map.short() || width == 0 || !map.long().is_multiple_of(width) {
            let right = [map.short(), map.long()];
            return Err(Error::Shape { op: "unfold", left: share.shape(), right });
        }
        Ok(Self { share, reading: Reading::Unfolded { map: map.clone(), width } })
    }

    /// Rows and columns as the product sees them.
    pub fn shape(&self) -> [usize; 2] {
        self.reading.shape(self.share.shape())
    }

    fn factors(&self) -> [Factor<'_>; 2] {
        let shape = self.share.shape();
        [self.share.first(), self.share.second()].map(|words| self.reading.factor(words, shape))
    }

    fn is_transposed(&self) -> bool {
        matches!(self.reading, Reading::Transposed)
    }

    /// The factor as a whole, or what it is the transpose of.
    fn matrix(&self) -> Result<Arith<R>> {
        match &self.reading {
            Reading::Plain | Reading::Transposed => Ok(self.share.clone()),
            Reading::Unfolded { map, .. } => self.share.gather(map)?.reshape(self.shape()),
        }
    }

    /// Rows and columns of [`Operand::matrix`].
    fn shape_of_matrix(&self) -> [usize; 2] {
        match self.reading {
            Reading::Plain | Reading::Transposed => self.share.shape(),
            Reading::Unfolded { .. } => self.shape(),
        }
    }
}

/// The matrix product `x y`.
///
/// # Cost
/// One round; one ring element per element of the result and party, whatever the
/// inner length.
///
/// # Security
/// As [`reshare`]; the product is recorded for verification.
///
/// # Errors
/// `Shape` when the inner lengths differ.
pub async fn matmul<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: Operand<'_, R>,
    y: Operand<'_, R>,
) -> Result<Arith<R>> {
    let ([rows, inner], [inner_y, cols]) = (x.shape(), y.shape());
    if inner != inner_y {
        return Err(Error::Shape { op: "matrix product", left: x.shape(), right: y.shape() });
    }
    let transposed = [x.is_transposed(), y.is_transposed()];
    let (left, right) = (x.shape_of_matrix(), y.shape_of_matrix());
    match ctx.triple(|| ProductShape::Matrix { left, right, transposed })? {
        None => {}
        Some(Supply::Words(triple)) => {
            return matmul_beaver(ctx, &x.matrix()?, &y.matrix()?, transposed, triple).await;
        }
        Some(Supply::Dry) => return Ok(Arith::zeros([rows, cols])),
        Some(Supply::Bits(_)) => return Err(wrong_kind(ctx)),
    }
    let mut local = Words::zeroed(rows * cols);
    gemm_replicated_acc(&mut local, x.factors(), y.factors());
    let z = reshare(ctx, Additive::new([rows, cols], local), 0).await?;
    ctx.record(|| Product::Matrix {
        bits: R::BITS,
        readings: [x.reading, y.reading],
        scattered: None,
        operands: [x.share.into(), y.share.into(), (&z).into()],
    });
    Ok(z)
}

/// The matrix product `x y`, several rows of which make one long row of `map` and are added
/// up to a short one: the adjoint of a convolution.
///
/// # Cost
/// One round; one ring element per element of the *result* and party: what is added up never
/// travels.
///
/// # Security
/// As [`reshare`]; the product is recorded for verification.
///
/// # Errors
/// `Shape` when the inner lengths differ, or the rows of the product are not whole long rows.
pub async fn matmul_scattered<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    map: &Arc<RowMap>,
) -> Result<Arith<R>> {
    let ([rows, inner], [inner_y, cols]) = (x.shape(), y.shape());
    if inner != inner_y {
        return Err(Error::Shape { op: "matrix product", left: x.shape(), right: y.shape() });
    }
    let whole = (rows * cols).is_multiple_of(map.long()) && map.long().is_multiple_of(cols.max(1));
    if map.long() == 0 || !whole {
        let right = [1, map.long()];
        return Err(Error::Shape { op: "scattered product", left: [rows, cols], right });
    }
    let shape = [rows * cols / map.long(), map.short()];
    let (left, right) = (x.shape(), y.shape());
    let triple = ctx.triple(|| ProductShape::Matrix { left, right, transposed: [false; 2] })?;
    match triple {
        None => {}
        Some(Supply::Words(triple)) => {
            let z = matmul_beaver(ctx, x, y, [false; 2], triple).await?;
            return z.reshape([shape[0], map.long()])?.scatter_add(map);
        }
        Some(Supply::Dry) => return Ok(Arith::zeros(shape)),
        Some(Supply::Bits(_)) => return Err(wrong_kind(ctx)),
    }
    let z = reshare(ctx, Additive::new(shape, scattered_products(x, y, map)), 0).await?;
    ctx.record(|| Product::Matrix {
        bits: R::BITS,
        readings: [Reading::Plain, Reading::Plain],
        scattered: Some(map.clone()),
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
}

/// Products of this party that are made and added up at a time: they stay in cache.
const SCATTERED_AT_ONCE: usize = 1 << 17;

/// This party's local part of a scattered product.
fn scattered_products<R: Ring>(x: &Arith<R>, y: &Arith<R>, map: &RowMap) -> Words {
    let [[rows, inner], [_, cols]] = [x.shape(), y.shape()];
    let mut sums = Words::zeroed(rows * cols / map.long() * map.short());
    let y = [y.first(), y.second()].map(|y| Factor::from(MatRef::new(y, inner, cols)));
    let shorts = (SCATTERED_AT_ONCE / map.long()).max(1);
    let block = shorts * map.long() / cols * inner;
    let mut product = Words::zeroed(shorts * map.long());
    let blocks = x.first().chunks(block.max(1)).zip(x.second().chunks(block.max(1)));
    for ((x0, x1), sums) in blocks.zip(sums.chunks_mut((shorts * map.short()).max(1))) {
        let rows = x0.len() / inner;
        let product = &mut product[..rows * cols];
        product.fill(0);
        let x = [x0, x1].map(|x| Factor::from(MatRef::new(x, rows, inner)));
        gemm_replicated_acc(product, x, y);
        map.scatter_add(product, sums, u64::wrapping_add);
    }
    sums
}
