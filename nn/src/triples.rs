//! What triples a training needs: batches of one size do the same products, whatever the
//! data are, so one dry run of a batch tells.

use crate::blueprint::Blueprint;
use crate::engine::{Blocks, Mpc};
use crate::network::Network;
use crate::plan::Plan;
use crate::seed::Seed;
use mpc_core::ctx::Ctx;
use mpc_core::dry::dry_run;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed};
use mpc_core::triples::TripleSource;
use protocols::beaver::stock::{Block, Counter, Needs};
use std::cell::RefCell;

/// The triples for all batches of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchNeeds {
    /// Rows of the batches.
    pub rows: usize,
    /// How many batches of this size a training has.
    pub batches: u64,
    /// What one of them needs.
    pub needs: Needs,
}

/// What a training needs whose features and labels come at these scales: full batches, and
/// the smaller ones at the end of an epoch, if there are any.
///
/// # Errors
/// `Misuse` for scales that leave no room.
pub fn training_needs<S: Security>(
    blueprint: &Blueprint,
    scales: [u32; 2],
) -> Result<Vec<BatchNeeds>> {
    let (rows, batch) = (blueprint.training_rows(), blueprint.batch());
    let epochs = blueprint.spec().training.epochs as u64;
    let sizes = [(batch, epochs * (rows / batch) as u64), (rows % batch, epochs)];
    sizes
        .into_iter()
        .filter(|(rows, batches)| *rows > 0 && *batches > 0)
        .map(|(rows, batches)| {
            Ok(BatchNeeds { rows, batches, needs: batch_needs::<S>(blueprint, rows, scales)? })
        })
        .collect()
}

/// What one batch of so many rows needs.
fn batch_needs<S: Security>(
    blueprint: &Blueprint,
    rows: usize,
    [features, labels]: [u32; 2],
) -> Result<Needs> {
    let plan =
        Plan::choose(blueprint, features).map_err(|error| Error::Misuse(error.to_string()))?;
    let label_columns = blueprint.spec().model.loss.label_columns(blueprint.data().target).len();
    let zeros = |columns, scale| Fixed::new(Arith::zeros([rows, columns]), scale);
    let features = zeros(blueprint.data().columns.len(), plan.input);
    let labels = zeros(label_columns, labels);
    let counter = Counter::default();
    let source = counter.clone();
    dry_run::<S, _, _>(|ctx| async move {
        ctx.use_triples(Box::new(source));
        let engine = Mpc::new(ctx);
        let network = Network::new(&engine, blueprint, plan, &Seed::from_number(0))?;
        network.trained(&engine, features, &labels, rows).await.map(|_| ())
    })?;
    Ok(counter.needs())
}

/// Blocks made in the session that uses them up, kept in memory: for measurements and
/// tests, where nothing is stored.
pub struct FreshBlocks(Vec<(BatchNeeds, RefCell<Vec<Block>>)>);

impl FreshBlocks {
    /// Makes all blocks that a training needs.
    ///
    /// # Errors
    /// Those of [`Block::make`].
    pub async fn make<S: Security>(ctx: &Ctx<S>, needs: Vec<BatchNeeds>) -> Result<FreshBlocks> {
        let mut fresh = Vec::with_capacity(needs.len());
        for needs in needs {
            let mut blocks = Vec::new();
            for _ in 0..needs.batches {
                blocks.push(Block::make(&ctx.step("block"), &needs.needs).await?);
            }
            fresh.push((needs, RefCell::new(blocks)));
        }
        Ok(FreshBlocks(fresh))
    }

    /// How many blocks have not been used.
    pub fn left_over(&self) -> usize {
        self.0.iter().map(|(_, blocks)| blocks.borrow().len()).sum()
    }
}

impl Blocks for FreshBlocks {
    fn next(&self, rows: usize) -> Result<Box<dyn TripleSource>> {
        let of_size = self.0.iter().find(|(needs, _)| needs.rows == rows);
        let block = of_size.and_then(|(needs, blocks)| Some((needs, blocks.borrow_mut().pop()?)));
        let (needs, block) = block.ok_or_else(|| {
            Error::Triples(format!("no block for a batch of {rows} rows is left"))
        })?;
        Ok(Box::new(block.into_triples(&needs.needs)?))
    }
}
