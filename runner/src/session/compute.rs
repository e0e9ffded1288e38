//! The computation of a session, on a thread of its own.
//!
//! Protocols block and run in lock-step, so nothing of this happens inside the
//! asynchronous runtime.

use super::Link;
use super::fault::end_of;
use super::host::News;
use super::prepare::Prepared;
use super::supply::{self, StoredBlocks};
use super::{Agreement, checks};
use crate::control::{Progress, SessionEnd, SessionFault, SessionStats};
use crate::digest::Digest;
use crate::job::{Multiplication, Security};
use crate::memory::peak_rss_bytes;
use crate::model::{ModelShare, TensorTerms, Terms, tensors};
use crate::node::Node;
use getrandom::SysRng;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::exec::{Outcome, Session};
use mpc_core::net::tls::{TlsStream, TlsTransport};
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, agree_keys};
use mpc_core::prss::Prss;
use mpc_core::ring::Z64;
use mpc_core::security::{self, Malicious, SemiHonest};
use mpc_core::share::{Arith, Fixed, Words};
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::{Dataset, Event, TrainedModel, train};
use protocols::open::open;
use std::cell::Cell;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// What the thread of a session needs.
pub(super) struct Work {
    pub(super) node: Arc<Node>,
    pub(super) prepared: Arc<Prepared>,
    /// The rows to train on, where that is what the session is for.
    pub(super) data: Option<Dataset<Fixed>>,
    /// To the previous and the next party.
    pub(super) links: [Link; 2],
    /// Ends the computation, also one that waits for a peer.
    pub(super) cancel: Arc<AtomicBool>,
}

/// What a session leaves at this party.
pub(super) struct Finished {
    /// The model share, sealed for the receiver, of a training.
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) stats: SessionStats,
}

/// What the parties have computed.
enum Computed {
    /// The model.
    Model(TrainedModel<Fixed>),
    /// Triples, which are stored.
    Triples,
    /// That these submissions, by number, break the schema; nothing was trained on them.
    BadData(Vec<usize>),
}

/// How a session ended without a result.
pub(super) struct Broken {
    pub(super) end: Box<SessionEnd>,
    /// How far the computation came, if it had begun, and what was agreed on.
    pub(super) reached: Option<Box<(Outcome, Agreement)>>,
}

impl From<SessionEnd> for Broken {
    fn from(end: SessionEnd) -> Self {
        Broken { end: end.into(), reached: None }
    }
}

impl From<SessionFault> for Broken {
    fn from(fault: SessionFault) -> Self {
        SessionEnd::Failed(fault).into()
    }
}

/// Agrees on keys, checks the rows, trains and seals the model share; or makes triples.
///
/// # Errors
/// How the session ended instead.
pub(super) fn run(work: Work, news: &watch::Sender<News>) -> std::result::Result<Finished, Broken> {
    let Work { node, prepared, data, links, cancel } = work;
    let transport = transport(&node, &prepared, links)
        .map_err(SessionFault::internal)?
        .cancel_with(Arc::clone(&cancel));
    let mut transport = (node.interpose)(Box::new(transport));
    let started = Instant::now();
    let agreement = prepared.agreement.digest();
    let keys = agree_keys(&mut *transport, &agreement.0, &mut SysRng).map_err(end_of)?;
    let prss = Prss::new(keys.with_prev.as_bytes(), keys.with_next.as_bytes());
    drop(keys);
    let trace = Cell::new(None);
    let session = Session::new(&mut *transport, prss, KEY_AGREEMENT_ROUNDS)
        .cancel_with(cancel)
        .trace_in(&trace);
    let broken = |end: SessionEnd, outcome: Option<Outcome>| {
        let reached = outcome.map(|outcome| (outcome, prepared.agreement.clone()).into());
        Broken { end: end.into(), reached }
    };
    let mut iterations = 0;
    let done = |done| {
        iterations += 1;
        news.send_modify(|news| news.progress = Some(done));
    };
    let computed =
        match prepared.job.security() {
            Security::SemiHonest => session
                .run::<SemiHonest, _, _>(|ctx| program(ctx, &node, &prepared, data, news, done)),
            Security::Malicious => session
                .run::<Malicious, _, _>(|ctx| program(ctx, &node, &prepared, data, news, done)),
        }
        .map_err(|error| broken(end_of(error), trace.get()));
    let (model, outcome) = match computed? {
        (Computed::Model(model), outcome) => (Some(model), outcome),
        (Computed::Triples, outcome) => (None, outcome),
        (Computed::BadData(sets), outcome) => {
            let end = SessionEnd::Failed(SessionFault::bad_data(&prepared, &sets));
            return Err(broken(end, Some(outcome)));
        }
    };
    let stats = SessionStats {
        seconds: started.elapsed().as_secs_f64(),
        iterations,
        traffic: outcome.traffic,
        peak_rss_bytes: peak_rss_bytes(),
        pid: std::process::id(),
        transcript: Digest(outcome.transcript),
    };
    let sealed = model.map(|model| seal(&node, &prepared, model, &outcome)).transpose();
    let sealed = sealed.map_err(SessionFault::internal)?;
    Ok(Finished { sealed, stats })
}

/// Turns the links on which the parties agreed into those on which they compute.
fn transport(node: &Node, prepared: &Prepared, links: [Link; 2]) -> io::Result<TlsTransport> {
    let [prev, next]: [io::Result<_>; 2] = links.map(|link| match link.into_inner() {
        tokio_rustls::TlsStream::Client(stream) => {
            let (socket, connection) = stream.into_inner();
            Ok(TlsStream::new(socket.into_std()?, connection))
        }
        tokio_rustls::TlsStream::Server(stream) => {
            let (socket, connection) = stream.into_inner();
            Ok(TlsStream::new(socket.into_std()?, connection))
        }
    });
    let deadline = node.config.limits.round_timeout();
    TlsTransport::new(node.party(), prepared.agreement.session, deadline, prev?, next?)
}

/// What the session is for: trains where there are data, if they pass the check; else makes
/// triples.
async fn program<S: security::Security>(
    ctx: Ctx<S>,
    node: &Arc<Node>,
    prepared: &Prepared,
    data: Option<Dataset<Fixed>>,
    news: &watch::Sender<News>,
    done: impl FnMut(Progress),
) -> Result<Computed> {
    let Some(data) = data else {
        supply::make(ctx, node, prepared, done).await?;
        return Ok(Computed::Triples);
    };
    let broken = checks::broken_sets(&ctx.step("check-inputs"), prepared, &data, news).await?;
    if !broken.is_empty() {
        return Ok(Computed::BadData(broken));
    }
    train_shared(ctx, node, prepared, data, done).await.map(Computed::Model)
}

async fn train_shared<S: security::Security>(
    ctx: Ctx<S>,
    node: &Arc<Node>,
    prepared: &Prepared,
    data: Dataset<Fixed>,
    mut done: impl FnMut(Progress),
) -> Result<TrainedModel<Fixed>> {
    let mut observe = |event| {
        if let Event::Batch(progress) = event {
            done(progress.into());
        }
        ControlFlow::Continue(())
    };
    let seed = match prepared.job.spec().training.seed {
        Some(number) => Seed::from_number(number),
        None => joint_seed(&ctx.step("seed")).await?,
    };
    let mut engine = Mpc::new(ctx);
    if prepared.job.multiplication() == Multiplication::Beaver {
        engine = engine.with_triples(Rc::new(StoredBlocks::of(node, prepared)));
    }
    train(&engine, &prepared.blueprint, data, &seed, &mut observe).await
}

/// A public seed that no party can choose: a sharing that nobody knows, opened.
async fn joint_seed<S: security::Security>(ctx: &Ctx<S>) -> Result<Seed> {
    let mut draw = ctx.draw();
    let [mut first, mut second] = [Words::zeroed(4), Words::zeroed(4)];
    draw.with_prev.fill_words(&mut first);
    draw.with_next.fill_words(&mut second);
    let unknown = Arith::<Z64>::from_components([1, 4], first, second);
    let words = open(ctx, &unknown).await?;
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Ok(Seed(seed))
}

/// Seals this party's components of the model for the receiver.
fn seal(
    node: &Node,
    prepared: &Prepared,
    model: TrainedModel<Fixed>,
    outcome: &Outcome,
) -> std::result::Result<Vec<u8>, String> {
    let Prepared { job, schema, submissions, blueprint, agreement, .. } = prepared;
    let values: Vec<Fixed> =
        model.parameters.into_iter().flat_map(|p| [p.weights, p.bias]).collect();
    let shapes = tensors(blueprint.layers());
    if !shapes.iter().map(|shape| [shape.rows, shape.columns]).eq(values.iter().map(Fixed::shape)) {
        return Err("the trained tensors have other shapes than the network".into());
    }
    let terms = Terms {
        job_name: job.name().into(),
        job: agreement.job,
        agreement: agreement.digest(),
        consortium: agreement.consortium,
        code: agreement.code.clone(),
        schema: schema.digest(),
        schema_file: schema.to_toml(),
        security: job.security(),
        session: agreement.session,
        transcript: Digest(outcome.transcript),
        receiver: job.receiver().clone(),
        data: agreement.data.clone(),
        rows: submissions.iter().map(|submission| submission.rows).sum(),
        spec: job.spec().clone(),
        tensors: shapes
            .into_iter()
            .zip(&values)
            .map(|(shape, value)| TensorTerms {
                name: shape.name,
                rows: shape.rows as u64,
                columns: shape.columns as u64,
                scale: value.scale,
            })
            .collect(),
    };
    let all = |component: fn(&Arith<Z64>) -> &[u64]| {
        Zeroizing::new(values.iter().flat_map(|v| component(&v.share)).copied().collect())
    };
    let share = ModelShare { terms, first: all(Arith::first), second: all(Arith::second) };
    let receiver = node
        .consortium
        .member(job.receiver())
        .ok_or_else(|| format!("{} is no member of the consortium", job.receiver()))?;
    share.seal(node.party(), &node.identity, &receiver.card).map_err(|e| e.to_string())
}
