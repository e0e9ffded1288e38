//! Products with Beaver triples: all that is sent while data are there is masked openings.
//!
//! Beaver, "Efficient multiparty protocols using circuit randomization", CRYPTO 1991. A
//! triple is a sharing of random `a`, `b` that nobody knows and of `c = a b`. With
//! `d = x - a` and `e = y - b` opened, `x y = (a + d) y = a (b + e) + d y = c + a e + d y`, which
//! is linear in what is shared. Triples are made ahead of the data, in large batches with
//! the replicated multiplication, and verified then ([`stock`]); the use of verified triples
//! over replicated sharings follows Furukawa, Lindell, Nof, Weinstein, EUROCRYPT 2017.
//!
//! # Security
//! `d` and `e` are uniform and independent of everything else, whatever `x` and `y` carry,
//! since `a` and `b` are random, unknown to each party and used once: [`Triple`] is taken
//! apart by whoever uses it. In the malicious mode `c = a b` was verified before the triple
//! was stored, and each opened value is compared with a digest by the other holder, so a
//! lie is found by whoever is lied to, before it computes on; [`settle`] lets nobody pass
//! before all have got so far. So such a product is right
//! where the parties go on, there is nothing to record, and results may be opened without
//! a further check of it.
//!
//! The functions here are called by those of [`crate::mul`] and [`mod@crate::and`] where
//! the session has triples.

mod masked;
pub mod stock;

use crate::verify::views::confirm;
use masked::{open_bits, open_words};
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::gemm::{MatRef, gemm_acc};
use mpc_core::ring::{Ring, Z64};
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};
use mpc_core::triples::Triple;

/// `x * y`, element by element, where all components of `x` are multiples of
/// `2^granularity`.
///
/// # Cost
/// One round; `2 (k - granularity)` bits per product and party in a ring of `k` bits, in the
/// malicious mode 32 bytes more.
///
/// # Security
/// See the [module](self).
///
/// # Errors
/// `Shape` when factors or triple have other shapes, `Abort` when the holders of an opened
/// component disagree.
pub async fn mul_beaver<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    granularity: u32,
    triple: Triple<Arith<Z64>>,
) -> Result<Arith<R>> {
    // x = 2^g u, and u y is needed modulo 2^(k-g) only.
    let u = match granularity {
        0 => x.clone(),
        _ => x.linear(x.shape(), |x| x.iter().map(|x| x >> granularity).collect()),
    };
    let Opened { a, c, d, e } = open_masked(ctx, &u, y, R::BITS - granularity, triple).await?;
    let product = |a: &[u64], c: &[u64], y: &[u64]| -> Words {
        let each = a.iter().zip(c).zip(y).zip(d.iter().zip(&e));
        each.map(|(((a, c), y), (d, e))| {
            let linear = a.wrapping_mul(*e).wrapping_add(d.wrapping_mul(*y));
            c.wrapping_add(linear) << granularity
        })
        .collect()
    };
    let first = product(a.first(), c.first(), y.first());
    let second = product(a.second(), c.second(), y.second());
    Ok(Arith::from_components(x.shape(), first, second))
}

/// The inner product of each column of `x` with the same column of `y`: `1 x cols`.
///
/// # Cost
/// One round; two ring elements per element of `x` and party, in the malicious mode 32
/// bytes more: other than with [`crate::mul::column_dot`], the length counts.
///
/// # Security
/// See the [module](self).
///
/// # Errors
/// As for [`mul_beaver`].
pub async fn column_dot_beaver<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    triple: Triple<Arith<Z64>>,
) -> Result<Arith<R>> {
    let Opened { a, c, d, e } = open_masked(ctx, x, y, R::BITS, triple).await?;
    let cols = x.cols();
    let dots = |a: &[u64], c: &[u64], y: &[u64]| -> Words {
        let mut sums: Words = c.to_vec().into();
        for (at, ((a, y), (d, e))) in a.iter().zip(y).zip(d.iter().zip(&e)).enumerate() {
            let linear = a.wrapping_mul(*e).wrapping_add(d.wrapping_mul(*y));
            sums[at % cols] = sums[at % cols].wrapping_add(linear);
        }
        sums
    };
    let first = dots(a.first(), c.first(), y.first());
    let second = dots(a.second(), c.second(), y.second());
    Ok(Arith::from_components([1, cols], first, second))
}

/// The matrix product `x y` of factors that may be read transposed.
///
/// # Cost
/// One round; one ring element per element of either *factor* and party, in the malicious
/// mode 32 bytes more: other than with [`crate::mul::matmul`], the inner length counts.
///
/// # Security
/// See the [module](self).
///
/// # Errors
/// As for [`mul_beaver`].
pub async fn matmul_beaver<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    transposed: [bool; 2],
    triple: Triple<Arith<Z64>>,
) -> Result<Arith<R>> {
    let Opened { a, c, d, e } = open_masked(ctx, x, y, R::BITS, triple).await?;
    let (left, right) = (x.shape(), y.shape());
    let product = |a: &[u64], c: &[u64], y: &[u64]| -> Words {
        let mut z: Words = c.to_vec().into();
        let [a, d] = [a, &d].map(|words| view(words, left, transposed[0]));
        let [e, y] = [&e, y].map(|words| view(words, right, transposed[1]));
        gemm_acc(&mut z, a, e);
        gemm_acc(&mut z, d, y);
        z
    };
    let first = product(a.first(), c.first(), y.first());
    let second = product(a.second(), c.second(), y.second());
    Ok(Arith::from_components(c.shape(), first, second))
}

fn view(words: &[u64], [rows, cols]: [usize; 2], transposed: bool) -> MatRef<'_> {
    let matrix = MatRef::new(words, rows, cols);
    if transposed { matrix.t() } else { matrix }
}

/// `x & y`, bit by bit.
///
/// # Cost
/// One round; two bits per AND and party, in the malicious mode 32 bytes more.
///
/// # Security
/// See the [module](self).
///
/// # Errors
/// As for [`mul_beaver`].
pub async fn and_beaver<S: Security>(
    ctx: &Ctx<S>,
    x: &Bin,
    y: &Bin,
    triple: Triple<Bin>,
) -> Result<Bin> {
    let [a, b, c] = triple.consume();
    let [d, e] = open_bits(ctx, [&x.xor(&a), &y.xor(&b)]).await?;
    let product = |a: &[u64], c: &[u64], y: &[u64]| -> Words {
        let each = a.iter().zip(c).zip(y).zip(d.iter().zip(&e));
        each.map(|(((a, c), y), (d, e))| c ^ (a & e) ^ (d & y)).collect()
    };
    let first = product(a.first(), c.first(), y.first());
    let second = product(a.second(), c.second(), y.second());
    Ok(Bin::from_components(x.lanes(), x.planes(), first, second))
}

/// Ends the use of triples, if there are any. In the malicious mode this is a barrier, which nobody passes
/// who found a lie in an opening: so what comes after depends on honest openings alone.
///
/// # Cost
/// In the malicious mode one round and a byte to each peer.
///
/// # Errors
/// `Triples` when triples are left over, `Abort` when a peer says that a check failed.
pub async fn settle<S: Security>(ctx: &Ctx<S>) -> Result<()> {
    if ctx.end_triples()? && S::VERIFIED { confirm(ctx, None).await } else { Ok(()) }
}

/// What is left of a triple, and the masked factors.
struct Opened<R: Ring> {
    a: Arith<R>,
    c: Arith<R>,
    /// `x - a`.
    d: Vec<u64>,
    /// `y - b`.
    e: Vec<u64>,
}

async fn open_masked<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    y: &Arith<R>,
    width: u32,
    triple: Triple<Arith<Z64>>,
) -> Result<Opened<R>> {
    let [a, b, c] = triple.consume().map(|share| share.reduce::<R>());
    let [d, e] = open_words(ctx, [&x.sub(&a)?, &y.sub(&b)?], width).await?;
    Ok(Opened { a, c, d, e })
}

/// The error of a source that has another kind of triple than it was asked for.
pub(crate) fn wrong_kind<S: Security>(ctx: &Ctx<S>) -> Error {
    Error::Triples(format!("{}: the source has a triple of another kind", ctx.path()))
}
