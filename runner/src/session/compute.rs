//! The computation of a session, on a thread of its own.
//!
//! Protocols block and run in lock-step, so nothing of this happens inside the
//! asynchronous runtime.

use super::Link;
use super::fault::end_of;
use super::host::News;
use super::prepare::{Plan, Prepared};
use super::supply::{self, StoredBlocks};
use super::{Agreement, Purpose, checks, query, rehearse};
use crate::control::{EpochFigures, Progress, SessionEnd, SessionFault, SessionStats};
use crate::digest::Digest;
use crate::inference::{KeptShare, KeptTerms, ModelId, Origin};
use crate::job::{Multiplication, Security};
use crate::memory::peak_rss_bytes;
use crate::model::{ModelShare, TensorTerms, Terms, tensors};
use crate::node::{Node, keep_share};
use crate::schema::Label;
use getrandom::SysRng;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::exec::{Outcome, Session};
use mpc_core::net::tls::{TlsStream, TlsTransport};
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, SessionId, agree_keys};
use mpc_core::prss::Prss;
use mpc_core::ring::Z64;
use mpc_core::security::{self, Malicious, SemiHonest};
use mpc_core::share::{Arith, Fixed, Words};
use nn::engine::Mpc;
use nn::rows::Rows;
use nn::seed::Seed;
use nn::spec::Metric;
use nn::train::{Dataset, Event, Observer, TrainedModel, train_from};
use nn::validation::Figure;
use nn::watch::RangeCount;
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
    pub(super) plan: Arc<Plan>,
    pub(super) data: Loaded,
    /// To the previous and the next party.
    pub(super) links: [Link; 2],
    /// Ends the computation, also one that waits for a peer.
    pub(super) cancel: Arc<AtomicBool>,
}

/// The shares that a session computes on.
pub(super) enum Loaded {
    /// None.
    Nothing,
    /// The rows of a training, with their labels.
    DataSets(Dataset<Rows<Fixed>>),
    /// The rows of a question.
    Rows(Fixed),
}

/// What a session leaves at this party.
pub(super) struct Finished {
    /// The share of a model that is released, or of answers, sealed for its receiver.
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) stats: SessionStats,
}

/// What the parties have computed.
enum Computed {
    /// The model.
    Model(TrainedModel<Fixed>),
    /// Triples, which are stored.
    Triples,
    /// Answers to a question.
    Answers(Fixed),
    /// What a training will take, which is told.
    Rehearsed,
    /// That what was to be computed on breaks the schema, and nothing else was done; or that
    /// a rehearsal took too much.
    Refused(SessionFault),
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

/// Agrees on keys, checks the rows, does what the session is for, and seals what it leaves.
///
/// # Errors
/// How the session ended instead.
pub(super) fn run(work: Work, news: &watch::Sender<News>) -> std::result::Result<Finished, Broken> {
    let Work { node, plan, data, links, cancel } = work;
    let transport = transport(&node, plan.agreement().session, links)
        .map_err(SessionFault::internal)?
        .cancel_with(Arc::clone(&cancel));
    let mut transport = (node.interpose)(Box::new(transport));
    let started = Instant::now();
    let agreement = plan.agreement().digest();
    let keys = agree_keys(&mut *transport, &agreement.0, &mut SysRng).map_err(end_of)?;
    let prss = Prss::new(keys.with_prev.as_bytes(), keys.with_next.as_bytes());
    drop(keys);
    let trace = Cell::new(None);
    let session = Session::new(&mut *transport, prss, KEY_AGREEMENT_ROUNDS)
        .cancel_with(cancel)
        .trace_in(&trace);
    let broken = |end: SessionEnd, outcome: Option<Outcome>| {
        let reached = outcome.map(|outcome| (outcome, plan.agreement().clone()).into());
        Broken { end: end.into(), reached }
    };
    let mut iterations = 0;
    let done = |done| {
        iterations += 1;
        news.send_modify(|news| news.progress = Some(done));
    };
    let computed = match plan.security() {
        Security::SemiHonest => {
            session.run::<SemiHonest, _, _>(|ctx| program(ctx, &node, &plan, data, news, done))
        }
        Security::Malicious => {
            session.run::<Malicious, _, _>(|ctx| program(ctx, &node, &plan, data, news, done))
        }
    }
    .map_err(|error| broken(end_of(error), trace.get()));
    let (computed, outcome) = computed?;
    let sealed = match (&*plan, computed) {
        (Plan::Job(job), Computed::Model(model)) => {
            let figures = news.borrow().figures.clone();
            seal(&node, job, model, figures, &outcome)
        }
        (Plan::Query(query), Computed::Answers(answers)) => {
            query::seal(&node, query, &answers, &outcome).map(Some)
        }
        (_, Computed::Refused(fault)) => {
            // That a rehearsal is too long is nobody's fault, and no matter of evidence.
            let rehearsed = plan.agreement().purpose == Purpose::Rehearse;
            let reached = if rehearsed { None } else { Some(outcome) };
            return Err(broken(SessionEnd::Failed(fault), reached));
        }
        _ => Ok(None),
    };
    let sealed = sealed.map_err(SessionFault::internal)?;
    let stats = SessionStats {
        seconds: started.elapsed().as_secs_f64(),
        iterations,
        traffic: outcome.traffic,
        peak_rss_bytes: peak_rss_bytes(),
        pid: std::process::id(),
        transcript: Digest(outcome.transcript),
    };
    Ok(Finished { sealed, stats })
}

/// Turns the links on which the parties agreed into those on which they compute.
fn transport(node: &Node, session: SessionId, links: [Link; 2]) -> io::Result<TlsTransport> {
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
    TlsTransport::new(node.party(), session, deadline, prev?, next?)
}

/// What the session is for: trains or answers where there are data, if they pass the check;
/// else makes triples.
async fn program<S: security::Security>(
    ctx: Ctx<S>,
    node: &Arc<Node>,
    plan: &Plan,
    data: Loaded,
    news: &watch::Sender<News>,
    done: impl FnMut(Progress),
) -> Result<Computed> {
    match (plan, data) {
        (Plan::Query(query), Loaded::Rows(rows)) => {
            let answers = query::answer(ctx, query, rows, news, done).await?;
            Ok(answers.map_or_else(|| Computed::Refused(query.bad_rows()), Computed::Answers))
        }
        (Plan::Job(job), Loaded::DataSets(data)) => {
            let broken = checks::broken_sets(&ctx.step("check-inputs"), job, &data, news).await?;
            if !broken.is_empty() {
                return Ok(Computed::Refused(SessionFault::bad_data(job, &broken)));
            }
            let told = Told { prepared: job, news, done };
            train_shared(ctx, node, job, data, told).await.map(Computed::Model)
        }
        (Plan::Job(job), Loaded::Nothing) if job.agreement.purpose == Purpose::Rehearse => {
            let refused = rehearse::run(&ctx, job, news, done).await?;
            Ok(refused.map_or(Computed::Rehearsed, Computed::Refused))
        }
        (Plan::Job(job), Loaded::Nothing) => {
            supply::make(ctx, node, job, done).await?;
            Ok(Computed::Triples)
        }
        _ => Err(Error::Misuse("the session has data of another kind than it computes on".into())),
    }
}

async fn train_shared<S: security::Security>(
    ctx: Ctx<S>,
    node: &Arc<Node>,
    prepared: &Prepared,
    data: Dataset<Rows<Fixed>>,
    mut told: impl Observer,
) -> Result<TrainedModel<Fixed>> {
    let seed = match prepared.job.spec().training.seed {
        Some(number) => Seed::from_number(number),
        None => joint_seed(&ctx.step("seed")).await?,
    };
    let mut engine = Mpc::new(ctx);
    if prepared.job.multiplication() == Multiplication::Beaver {
        engine = engine.with_triples(Rc::new(StoredBlocks::of(node, prepared)));
    }
    let start = prepared.start.as_ref().map(query::parameters);
    train_from(&engine, &prepared.blueprint, start, data, &seed, &mut told).await
}

/// Tells of a training what the client may know.
struct Told<'a, F> {
    prepared: &'a Prepared,
    news: &'a watch::Sender<News>,
    done: F,
}

impl<F: FnMut(Progress)> Observer for Told<'_, F> {
    fn observe(&mut self, event: Event) -> ControlFlow<()> {
        if let Event::Batch(progress) = event {
            (self.done)(progress.into());
        }
        ControlFlow::Continue(())
    }

    fn figures(&mut self, epoch: usize, figures: &[Figure], last: bool) {
        let mut figures = figures.to_vec();
        if let Label::Number(label) = self.prepared.schema.label() {
            let half_width = (label.bounds.max() - label.bounds.min()) / 2.0;
            let roots = figures.iter_mut().filter(|figure| figure.metric == Metric::Rmse);
            roots.flat_map(|figure| &mut figure.values).for_each(|value| *value *= half_width);
        }
        let figures = EpochFigures { epoch: epoch as u64, last, figures };
        self.news.send_modify(|news| news.figures.push(figures));
    }

    fn range_counts(&mut self, counts: &[RangeCount]) {
        self.news.send_modify(|news| news.range = Some(counts.to_vec()));
    }
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

/// Keeps this party's components of the model if the job says so, and seals them for the
/// receiver if it releases the model.
fn seal(
    node: &Node,
    prepared: &Prepared,
    model: TrainedModel<Fixed>,
    figures: Vec<EpochFigures>,
    outcome: &Outcome,
) -> std::result::Result<Option<Vec<u8>>, String> {
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
        figures,
        start: job.start(),
        tensors: shapes
            .into_iter()
            .zip(&values)
            .map(|(shape, value)| TensorTerms::new(shape, value.scale))
            .collect(),
    };
    let all = |component: fn(&Arith<Z64>) -> &[u64]| {
        Zeroizing::new(values.iter().flat_map(|v| component(&v.share)).copied().collect())
    };
    if let Some(policy) = job.inference() {
        let terms = KeptTerms {
            id: ModelId(agreement.session.0),
            name: terms.job_name.clone(),
            job: terms.job,
            consortium: terms.consortium,
            origin: Origin::Trained { agreement: terms.agreement, transcript: terms.transcript },
            schema: terms.schema,
            schema_file: terms.schema_file.clone(),
            spec: terms.spec.clone(),
            policy: policy.clone(),
            security: Some(job.security()),
            tensors: terms.tensors.clone(),
        };
        let share = KeptShare { terms, first: all(Arith::first), second: all(Arith::second) };
        keep_share(node, &share)?;
    }
    if !job.releases_model() {
        return Ok(None);
    }
    let share = ModelShare { terms, first: all(Arith::first), second: all(Arith::second) };
    let receiver = node
        .consortium
        .member(job.receiver())
        .ok_or_else(|| format!("{} is no member of the consortium", job.receiver()))?;
    share.seal(node.party(), &node.identity, &receiver.card).map(Some).map_err(|e| e.to_string())
}
