//! Iterations of training, and predictions, on made-up rows.

use super::made_up::{between, dataset};
use super::measure::Bench;
use super::plan::{Net, Task};
use crate::digest::Digest;
use crate::job::Multiplication;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use mpc_core::share::Fixed;
use nn::blueprint::{Blueprint, Target};
use nn::engine::Mpc;
use nn::infer::{Answer, SharedModel, infer};
use nn::network::Network;
use nn::plan::Plan;
use nn::seed::Seed;
use nn::train::{DATA_SCALE, TrainedModel, Trainer};
use nn::triples::{FreshBlocks, training_needs};
use protocols::open::open;
use sha2::{Digest as _, Sha256};
use std::rc::Rc;

impl<S: Security, D: FnMut(usize)> Bench<'_, S, D> {
    /// Repeats an iteration of training; the network goes from one to the next.
    pub(super) async fn train(
        &mut self,
        net: &Net,
        batch: usize,
        multiplication: Multiplication,
    ) -> Result<()> {
        let blueprint = blueprint(net, batch)?;
        let rows = blueprint.data().rows;
        let data = dataset(self.ctx.party(), &blueprint);
        let blocks = match multiplication {
            Multiplication::Replicated => None,
            Multiplication::Beaver => Some(self.blocks(&blueprint).await?),
        };
        let engine = Mpc::new(self.ctx.step("train"));
        let seed = Seed::from_number(self.plan.setting.seed.unwrap_or(1));
        let mut trainer = Trainer::new(&engine, &blueprint, data, &seed).await?;
        for repetition in 0..self.repetitions() {
            let first = repetition * batch % rows;
            let numbers: Vec<usize> = (first..first + batch).collect();
            let (ctx, reading) = self.begin(repetition);
            let mut stage = Mpc::new(ctx);
            if let Some(blocks) = &blocks {
                stage = stage.with_triples(blocks.clone());
            }
            trainer = trainer.batch(&stage, &numbers).await?;
            self.note(repetition, reading);
        }
        let model = trainer.finish().await?;
        self.model = Some(self.digest(model).await?);
        Ok(())
    }

    /// Makes the triples of all repetitions: the offline phase.
    async fn blocks(&mut self, blueprint: &Blueprint) -> Result<Rc<FreshBlocks>> {
        let repetitions = self.repetitions();
        let reading = self.reading();
        let blocks = training_blocks(&self.ctx, blueprint, |_| repetitions).await?;
        self.offline = Some(self.reading().since(reading).divided(repetitions));
        Ok(Rc::new(blocks))
    }

    /// The hash of the opened model: equal for two runs with the same seed.
    async fn digest(&self, model: TrainedModel<Fixed>) -> Result<Digest> {
        let mut hash = Sha256::new();
        for parameters in model.parameters {
            for tensor in [parameters.weights, parameters.bias] {
                for word in open(&self.ctx.step("open"), &tensor.share).await? {
                    hash.update(word.to_le_bytes());
                }
            }
        }
        Ok(Digest(hash.finalize().into()))
    }

    /// Repeats a prediction with weights that nobody trained.
    pub(super) async fn infer(&mut self, net: &Net, batch: usize, answer: Answer) -> Result<()> {
        let blueprint = blueprint(net, batch)?;
        let plan =
            Plan::choose(&blueprint, DATA_SCALE).map_err(|e| Error::Misuse(e.to_string()))?;
        let engine = Mpc::new(self.ctx.step("model"));
        let seed = Seed::from_number(self.plan.setting.seed.unwrap_or(1));
        let layers = Network::new(&engine, &blueprint, plan, &seed)?.into_layers();
        let parameters = layers.iter().filter_map(|layer| layer.parameters().cloned()).collect();
        let loss = blueprint.spec().model.loss;
        let model = SharedModel::new(&engine, blueprint.layers(), loss, parameters)?;
        let shape = [batch, blueprint.data().columns.len()];
        let rows = between(self.ctx.party(), 1, shape, DATA_SCALE, [-1, 1]);
        self.run(async |ctx| {
            infer(&Mpc::new(ctx.step("infer")), &model, &rows, answer, |_| {}).await.map(drop)
        })
        .await
    }
}

/// The step below which everything belongs to the offline phase.
pub(super) const OFFLINE: &str = "triples";

/// Triples for a training with so many batches of each size.
pub(super) async fn training_blocks<S: Security>(
    ctx: &Ctx<S>,
    blueprint: &Blueprint,
    batches: impl Fn(usize) -> usize,
) -> Result<FreshBlocks> {
    let labels = match blueprint.data().target {
        Target::Classes(_) => 0,
        Target::Numbers(_) => DATA_SCALE,
    };
    let mut needs = training_needs::<S>(blueprint, [DATA_SCALE, labels])?;
    needs.iter_mut().for_each(|needs| needs.batches = batches(needs.rows) as u64);
    FreshBlocks::make(&ctx.step(OFFLINE), needs).await
}

fn blueprint(net: &Net, batch: usize) -> Result<Blueprint> {
    Task::blueprint(net, batch).map_err(|e| Error::Misuse(e.to_string()))
}
