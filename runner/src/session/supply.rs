//! Triples of a session: taken from the stocks for a training, or made for those to come.

use super::prepare::Prepared;
use crate::control::{Forecast, Progress};
use crate::node::Node;
use crate::triples::{self, Stock};
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use mpc_core::triples::TripleSource;
use nn::engine::Blocks;
use protocols::beaver::stock::Block;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;

/// The blocks that a training uses, which all parties have.
pub(super) struct StoredBlocks {
    node: Arc<Node>,
    stocks: Vec<(Stock, RefCell<VecDeque<u64>>)>,
}

impl StoredBlocks {
    /// The first blocks in stock, as many as the job has batches.
    pub(super) fn of(node: &Arc<Node>, prepared: &Prepared) -> StoredBlocks {
        let offers = &prepared.agreement.stocks;
        let stocks = prepared.stocks.iter().zip(offers).map(|(stock, offer)| {
            let numbers = offer.numbers(stock.batches.batches).collect();
            (stock.clone(), RefCell::new(numbers))
        });
        StoredBlocks { node: Arc::clone(node), stocks: stocks.collect() }
    }
}

impl Blocks for StoredBlocks {
    /// The row of the block goes before its file is read: what happens then, it is used.
    fn next(&self, rows: usize) -> Result<Box<dyn TripleSource>> {
        let stock = self.stocks.iter().find(|(stock, _)| stock.batches.rows == rows);
        let (stock, numbers) = stock.ok_or_else(|| failed(format!("none for {rows} rows")))?;
        let number = numbers.borrow_mut().pop_front();
        let number = number.ok_or_else(|| failed("there are more batches than blocks"))?;
        let sealed = self.node.store.take_block(&stock.id, number).map_err(failed)?;
        let needs = &stock.batches.needs;
        let block = triples::open(&self.node.identity, &stock.id, number, needs, &sealed)
            .map_err(|e| failed(format!("block {number} of {}: {e}", stock.id.short())))?;
        Ok(Box::new(block.into_triples(needs)?))
    }
}

/// How many blocks a job is short of, stock by stock, given what all parties have.
fn missing(prepared: &Prepared) -> impl Iterator<Item = (&Stock, u64, u64)> {
    prepared.stocks.iter().zip(&prepared.agreement.stocks).map(|(stock, offer)| {
        (stock, offer.next, stock.batches.batches.saturating_sub(offer.count()))
    })
}

/// What making the missing blocks takes.
pub(super) fn forecast(prepared: &Prepared) -> Forecast {
    let mut forecast = Forecast { needed: 0, missing: 0, multiplications: 0, bytes: 0 };
    for (stock, _, missing) in missing(prepared) {
        let needs = &stock.batches.needs;
        forecast.needed += stock.batches.batches;
        forecast.missing += missing;
        forecast.multiplications += missing.saturating_mul(needs.multiplications());
        forecast.bytes += missing.saturating_mul(needs.block_bytes() as u64);
    }
    forecast
}

/// Makes the missing blocks one after the other, and stores each when it is verified.
///
/// # Errors
/// Those of the protocol, and `Triples` where a block cannot be stored.
pub(super) async fn make<S: Security>(
    ctx: Ctx<S>,
    node: &Node,
    prepared: &Prepared,
    mut done: impl FnMut(Progress),
) -> Result<()> {
    let blocks = forecast(prepared).missing;
    let mut made = 0;
    for (stock, next, missing) in missing(prepared) {
        for number in (next..).take(usize::try_from(missing).unwrap_or(usize::MAX)) {
            let step = ctx.step(&format!("block-{}", made + 1));
            let block = Block::make(&step, &stock.batches.needs).await?;
            let sealed = triples::seal(&node.identity, &stock.id, number, &block);
            let sealed = sealed.map_err(failed)?;
            node.store.add_block(&stock.id, number, &sealed).map_err(failed)?;
            made += 1;
            done(Progress { epoch: 1, epochs: 1, batch: made, batches: blocks });
        }
    }
    Ok(())
}

fn failed(reason: impl Display) -> Error {
    Error::Triples(reason.to_string())
}
