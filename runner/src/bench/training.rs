//! Iterations of training, and predictions, on made-up rows.

use super::data::Source;
use super::made_up::{between, dataset};
use super::measure::Bench;
use super::plan::{Net, Task};
use crate::digest::Digest;
use crate::job::Multiplication;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::fixed;
use mpc_core::security::Security;
use mpc_core::share::Fixed;
use ndarray::Array2;
use nn::blueprint::{Blueprint, Target};
use nn::engine::Mpc;
use nn::infer::{Answer, SharedModel, infer};
use nn::layers::Parameters;
use nn::model::Model;
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
        (net, batch): (&Net, usize),
        multiplication: Multiplication,
        source: Option<&Source>,
    ) -> Result<()> {
        let misuse = |e: &dyn std::fmt::Display| Error::Misuse(e.to_string());
        let party = self.ctx.party();
        let file = source.map(|source| source.load(self.repetitions() * batch));
        let file = file.transpose().map_err(|e| misuse(&e.message))?;
        let blueprint = match source.zip(file.as_ref()) {
            Some((source, file)) => Task::blueprint_on(net, batch, source, file.shape()),
            None => Task::blueprint(net, batch),
        };
        let blueprint = blueprint.map_err(|e| misuse(&e))?;
        let data = match &file {
            Some(file) => file.share(party).map_err(|e| misuse(&e.message))?,
            None => dataset(party, &blueprint),
        };
        let rows = blueprint.data().rows;
        let blocks = match multiplication {
            Multiplication::Replicated => None,
            Multiplication::Beaver => Some(self.blocks(&blueprint).await?),
        };
        let engine = Mpc::new(self.ctx.step("train"));
        let seed = Seed::from_number(self.plan.setting.seed.unwrap_or(1));
        let mut trainer = Trainer::new(&engine, &blueprint, data, &seed).await?;
        for repetition in 0..self.repetitions() {
            let first = repetition * batch;
            let numbers: Vec<usize> = (first..first + batch).map(|row| row % rows).collect();
            let (ctx, reading) = self.begin(repetition);
            let mut stage = Mpc::new(ctx);
            if let Some(blocks) = &blocks {
                stage = stage.with_triples(blocks.clone());
            }
            trainer = trainer.batch(&stage, &numbers).await?;
            self.note(repetition, reading);
        }
        let opened = self.opened(trainer.finish().await?).await?;
        self.model = Some(opened.digest);
        if let Some(file) = &file {
            let loss = blueprint.spec().model.loss;
            let model = Model::new(blueprint.layers(), loss, opened.parameters)?;
            self.judged = Some(file.judge(&model)?);
        }
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

    /// Opens a model, which was trained on public rows.
    async fn opened(&self, model: TrainedModel<Fixed>) -> Result<Opened> {
        let (mut hash, mut parameters) = (Sha256::new(), Vec::new());
        for Parameters { weights, bias } in model.parameters {
            let mut tensors = Vec::new();
            for tensor in [weights, bias] {
                let words = open(&self.ctx.step("open"), &tensor.share).await?;
                words.iter().for_each(|word| hash.update(word.to_le_bytes()));
                let [rows, columns] = tensor.shape();
                let number =
                    |(row, column)| fixed::decode(words[row * columns + column], tensor.scale);
                tensors.push(Array2::from_shape_fn((rows, columns), number));
            }
            if let (Some(bias), Some(weights)) = (tensors.pop(), tensors.pop()) {
                parameters.push(Parameters { weights, bias });
            }
        }
        Ok(Opened { digest: Digest(hash.finalize().into()), parameters })
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

/// A model that all parties know.
struct Opened {
    /// Its hash: equal for two runs with the same seed.
    digest: Digest,
    parameters: Vec<Parameters<Array2<f64>>>,
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
