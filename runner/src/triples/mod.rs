//! Stocks of triples: made by `tercet preprocess`, used up by trainings whose job says
//! `multiplication = "beaver"`.
//!
//! A stock holds interchangeable blocks, each with the triples of one batch. Which stock a
//! job draws from depends on what a batch computes and among whom, not on the job's name or
//! data, so jobs of the same network share one. Blocks are numbered, and a number is never
//! given twice.

mod offer;
mod sealed;

pub use offer::{StockOffer, merge};
pub use sealed::{BlockError, open, seal};

use crate::digest::{Canonical, Digest};
use crate::encode::DATA_SCALE;
use crate::job::{Job, Security};
use mpc_core::error::Result;
use mpc_core::security::{Malicious, SemiHonest};
use mpc_core::triples::ProductShape;
use nn::blueprint::Blueprint;
use nn::triples::{BatchNeeds, training_needs};

/// What a job needs of one stock.
#[derive(Clone, Debug)]
pub struct Stock {
    /// Names the stock: equal for all jobs that can use its blocks.
    pub id: Digest,
    /// Size, number and content of the batches.
    pub batches: BatchNeeds,
}

/// The stocks that a job draws from: one for full batches and, where an epoch ends with a
/// smaller one, one for these.
///
/// # Errors
/// Where the job's scales leave no room.
pub fn stocks(job: &Job, blueprint: &Blueprint, consortium: Digest) -> Result<Vec<Stock>> {
    let scales = [DATA_SCALE; 2];
    let needs = match job.security() {
        Security::SemiHonest => training_needs::<SemiHonest>(blueprint, scales),
        Security::Malicious => training_needs::<Malicious>(blueprint, scales),
    };
    let stock = |batches: BatchNeeds| Stock { id: id(job, &batches, consortium), batches };
    Ok(needs?.into_iter().map(stock).collect())
}

fn id(job: &Job, batches: &BatchNeeds, consortium: Digest) -> Digest {
    let shapes: Vec<(&ProductShape, usize)> = batches.needs.iter().collect();
    Canonical::new("tercet/stock/1")
        .bytes(&consortium.0)
        .text(job.security().name())
        .number(batches.rows as u64)
        .list(shapes.into_iter(), |to, (shape, count)| encode(to, shape).number(count as u64))
        .finish()
}

fn encode(to: Canonical, shape: &ProductShape) -> Canonical {
    let numbers = |to: Canonical, numbers: &[usize]| {
        numbers.iter().fold(to, |to, number| to.number(*number as u64))
    };
    match *shape {
        ProductShape::Elementwise(shape) => numbers(to.text("elementwise"), &shape),
        ProductShape::ColumnDot(shape) => numbers(to.text("column dot"), &shape),
        ProductShape::Matrix { left, right, transposed } => {
            let to = numbers(numbers(to.text("matrix"), &left), &right);
            numbers(to, &transposed.map(usize::from))
        }
        ProductShape::And { lanes, planes } => numbers(to.text("and"), &[lanes, planes]),
    }
}
