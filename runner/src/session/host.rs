//! Hosting a session at a party: from the client's request to its last message.

use super::compute::{self, Broken, Finished, Loaded, Work};
use super::fault::{learn, suspect};
use super::links::Connector;
use super::loading::load_together;
use super::prepare::{Plan, Prepared, prepare};
use super::{Agreement, Cancel, Purpose, inputs, inquiry, query, rehearse, supply};
use crate::control::{
    Checked, ControlError, DuringSession, EpochFigures, Forecast, Framed, Progress, Reason,
    Refusal, Rehearsal, SessionEnd, SessionEvent, SessionFault, SessionStats,
};
use crate::digest::Digest;
use crate::evidence::Evidence;
use crate::identity::Name;
use crate::inference::Query;
use crate::node::{Node, SessionGuard, store_refusal};
use crate::sharefile::DataSetId;
use crate::store::StoreError;
use jiff::Timestamp;
use mpc_core::exec::Outcome;
use mpc_core::net::SessionId;
use nn::watch::RangeCount;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsStream;

/// How often the client hears of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// Reports without news after which the client is told that all is well.
const QUIET_REPORTS: u32 = 20;

/// A client that trains reports every few seconds and is not given up sooner than this.
const MIN_CLIENT_PATIENCE: Duration = Duration::from_secs(15);

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// The session.
    pub session: SessionId,
    /// Who asks.
    pub client: Name,
    /// What the session is to do.
    pub task: Task,
}

/// What a session is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Run a job.
    Job(JobRequest),
    /// Answer a question.
    Query(Query),
}

/// A job that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// The job file.
    pub job: String,
    /// The schema file.
    pub schema: String,
    /// What is to be done of it.
    pub purpose: Purpose,
    /// Rows to make triples for, where the data are not here yet.
    pub rows: Option<u64>,
}

impl Task {
    /// Whether it measures, and nothing else.
    fn is_rehearsal(&self) -> bool {
        matches!(self, Task::Job(job) if job.purpose == Purpose::Rehearse)
    }

    /// Rows that were submitted for this session alone.
    fn rows_to_forget(&self) -> Option<DataSetId> {
        match self {
            Task::Job(_) => None,
            Task::Query(query) => Some(query.rows),
        }
    }
}

/// What a session has come to, for whoever reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct News {
    /// What the parties agreed on, once they compute.
    agreement: Option<Digest>,
    /// What is about to be made, where triples are.
    forecast: Option<Forecast>,
    /// How far the check of the rows is.
    pub(super) checked: Option<Checked>,
    /// The last batch that was done.
    pub(super) progress: Option<Progress>,
    /// What was revealed so far.
    pub(super) figures: Vec<EpochFigures>,
    /// What left its range, where that was counted.
    pub(super) range: Option<Vec<RangeCount>>,
    /// What a rehearsal came to.
    pub(super) rehearsed: Option<Rehearsal>,
}

/// Runs a session and reports to the client until it is over.
///
/// The session is cancelled when the client asks for it or goes away.
///
/// # Errors
/// When the client could not be told the end.
pub async fn host(
    node: Arc<Node>,
    connection: Framed<TlsStream<TcpStream>>,
    request: SessionRequest,
) -> Result<(), ControlError> {
    let (from_client, mut to_client) = connection.split();
    let patience = from_client.patience().max(MIN_CLIENT_PATIENCE);
    let mut from_client = from_client.with_patience(patience);
    let entered = match request.task.is_rehearsal() {
        true => node.enter_rehearsal(request.session),
        false => node.enter_session(request.session),
    };
    let guard = match entered {
        Ok(guard) => guard,
        Err(refusal) => return to_client.send(&SessionEvent::Refused(refusal)).await,
    };
    let cancel = guard.cancel().clone();
    let listener = tokio::spawn({
        let cancel = cancel.clone();
        async move { listen(&mut from_client, &cancel).await }
    });
    let limit = tokio::spawn({
        let (cancel, is_rehearsal) = (cancel.clone(), request.task.is_rehearsal());
        async move {
            if is_rehearsal {
                rehearse::time_is_over().await;
                cancel.raise();
            }
        }
    });
    let (news, mut latest) = watch::channel(News::default());
    let session = run(&node, &guard, &request, news);
    tokio::pin!(session);
    let mut reports = interval(REPORT_EVERY);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reporter = Reporter::default();
    let (evidence, last) = loop {
        tokio::select! {
            last = &mut session => break last,
            _ = reports.tick() => {
                if !cancel.is_raised() && reporter.report(&mut to_client, &mut latest).await.is_err() {
                    cancel.raise();
                }
            }
        }
    };
    listener.abort();
    limit.abort();
    // A short session ends between two reports. A client that is gone shows below.
    let _ = reporter.report(&mut to_client, &mut latest).await;
    if let Some(evidence) = evidence {
        let _ = to_client.send(&SessionEvent::Evidence(evidence)).await;
    }
    let told = to_client.send(&last).await;
    to_client.close().await;
    told
}

/// Hears the client out; silence, a broken connection and a request all end the session.
async fn listen(from_client: &mut Framed<impl AsyncRead + Unpin>, cancel: &Cancel) {
    while let Ok(DuringSession::Alive) = from_client.receive_message().await {}
    cancel.raise();
}

/// What the client has been told.
#[derive(Default)]
struct Reporter {
    told: News,
    quiet: u32,
}

impl Reporter {
    async fn report(
        &mut self,
        to_client: &mut Framed<impl tokio::io::AsyncWrite + Unpin>,
        latest: &mut watch::Receiver<News>,
    ) -> Result<(), ControlError> {
        let news = latest.borrow_and_update().clone();
        self.quiet += 1;
        if let Some(agreement) = news.agreement.filter(|_| self.told.agreement.is_none()) {
            self.quiet = 0;
            to_client.send(&SessionEvent::Running { agreement }).await?;
        }
        if let Some(forecast) = news.forecast.filter(|_| self.told.forecast.is_none()) {
            to_client.send(&SessionEvent::Forecast(forecast)).await?;
        }
        if let Some(checked) = news.checked.filter(|_| news.checked != self.told.checked) {
            self.quiet = 0;
            to_client.send(&SessionEvent::Checking(checked)).await?;
        }
        if let Some(progress) = news.progress.filter(|_| news.progress != self.told.progress) {
            self.quiet = 0;
            to_client.send(&SessionEvent::Progress(progress)).await?;
        }
        for figures in news.figures.iter().skip(self.told.figures.len()) {
            self.quiet = 0;
            to_client.send(&SessionEvent::Figures(figures.clone())).await?;
        }
        if let (Some(range), None) = (&news.range, &self.told.range) {
            to_client.send(&SessionEvent::Range(range.clone())).await?;
        }
        if let (Some(rehearsal), None) = (&news.rehearsed, &self.told.rehearsed) {
            to_client.send(&SessionEvent::Rehearsed(rehearsal.clone().into())).await?;
        }
        self.told = news;
        if self.quiet >= QUIET_REPORTS {
            self.quiet = 0;
            to_client.send(&SessionEvent::Alive).await?;
        }
        Ok(())
    }
}

/// Runs the session to its end, notes the end down and returns where there is evidence, if
/// any, and the last message.
async fn run(
    node: &Arc<Node>,
    guard: &SessionGuard<'_>,
    request: &SessionRequest,
    news: watch::Sender<News>,
) -> (Option<String>, SessionEvent) {
    let session = request.session;
    let prepared = {
        let (node, request) = (Arc::clone(node), request.clone());
        spawn_blocking(move || prepare(&node, &request)).await
    };
    let prepared = prepared.unwrap_or_else(|e| Err(SessionFault::internal(e)));
    let (prepared, noted) = match prepared {
        Ok(prepared) => {
            let noted = blocking(node, {
                let new = prepared.new_session(request);
                move |node| node.store.begin_session(&new)
            });
            (Ok(prepared), noted.await)
        }
        Err(fault) => (Err(fault), Ok(())),
    };
    if let Err(e) = noted {
        let refusal = match e {
            StoreError::SessionUsed(_) => Refusal::new(Reason::SessionUsed, e),
            e => store_refusal(&e),
        };
        return (None, SessionEvent::Refused(refusal));
    }
    tracing::info!(%session, client = %request.client, "session begins");
    let (mut evidence, mut released) = (None, false);
    let end = match prepared {
        Ok(prepared) => match compute_with_peers(node, guard, prepared, news).await {
            Ok(Finished { sealed: Some(sealed), stats }) => {
                released = true;
                store_share(node, session, sealed, stats).await
            }
            Ok(Finished { sealed: None, stats }) => SessionEnd::Finished(stats),
            Err(Broken { end: seen, reached }) => {
                let end = investigate(node, guard, *seen.clone()).await;
                if let (SessionEnd::Failed(seen), SessionEnd::Failed(told), Some(reached)) =
                    (*seen, &end, reached)
                {
                    evidence = keep_evidence(node, (seen, told), *reached).await;
                }
                end
            }
        },
        Err(fault) => {
            let connector = connector(node);
            tokio::select! {
                () = connector.decline(session, &fault.message) => {}
                () = guard.cancel().wait() => {}
            }
            SessionEnd::Failed(fault)
        }
    };
    log_end(session, &end);
    let has_share = released && matches!(end, SessionEnd::Finished(_));
    if !has_share {
        let noted = end.clone();
        if let Err(e) = blocking(node, move |node| node.store.end_session(session, &noted)).await {
            tracing::error!(%session, error = %e, "cannot note down how the session ended");
        }
    }
    if let Some(rows) = request.task.rows_to_forget()
        && let Err(e) = blocking(node, move |node| node.store.remove_submission(rows)).await
    {
        tracing::error!(%session, error = %e, "cannot remove the rows of the question");
    }
    (evidence, SessionEvent::Ended(end))
}

fn log_end(session: SessionId, end: &SessionEnd) {
    match end {
        SessionEnd::Finished(stats) => tracing::info!(
            %session,
            seconds = stats.seconds,
            iterations = stats.iterations,
            rounds = stats.traffic.rounds,
            bytes_sent = stats.traffic.bytes_sent,
            "session finished"
        ),
        SessionEnd::Cancelled { step } => tracing::warn!(%session, step, "session cancelled"),
        SessionEnd::Failed(fault) => tracing::error!(
            %session,
            kind = ?fault.kind,
            peer = ?fault.peer,
            step = fault.step,
            error = fault.message,
            "session failed"
        ),
    }
}

fn connector(node: &Node) -> Connector<'_> {
    Connector {
        party: node.party(),
        dialer: node.dialer(),
        rendezvous: &node.rendezvous,
        patience: node.config.limits.client_timeout(),
        join_timeout: node.config.limits.connect_timeout(),
    }
}

/// Connects, agrees, loads the shares, and computes on a thread of its own.
async fn compute_with_peers(
    node: &Arc<Node>,
    guard: &SessionGuard<'_>,
    mut plan: Plan,
    news: watch::Sender<News>,
) -> Result<Finished, Broken> {
    let cancel = guard.cancel();
    let connector = connector(node);
    let cancelled = |step: &str| Broken::from(SessionEnd::Cancelled { step: step.into() });
    let links = tokio::select! {
        links = connector.connect(plan.agreement_mut()) => links?,
        () = cancel.wait() => return Err(cancelled("connecting to the other parties")),
    };
    let forecast = match &plan {
        Plan::Job(job) => {
            let forecast = supply::forecast(job);
            check_supply(node, job, &forecast)?;
            Some(forecast)
        }
        Plan::Query(_) => None,
    };
    let plan = Arc::new(plan);
    let loading = load_together([node.party().prev(), node.party().next()], links, {
        let (node, plan) = (Arc::clone(node), Arc::clone(&plan));
        async move {
            // Given up with this future, by a peer's fault or on request: nobody waits any more.
            let over = Raised::default();
            let stop = Arc::clone(&over.0);
            let loaded = spawn_blocking(move || load(&node, &plan, &stop)).await;
            loaded.unwrap_or_else(|e| Err(SessionFault::internal(e)))
        }
    });
    let (links, data) = tokio::select! {
        loaded = loading => loaded?,
        () = cancel.wait() => return Err(cancelled("loading the shares")),
    };
    news.send_modify(|news| {
        let agreement = plan.agreement();
        news.agreement = Some(agreement.digest());
        news.forecast = forecast.filter(|_| agreement.purpose == Purpose::Preprocess);
    });
    let (done, result) = oneshot::channel();
    let work = Work { node: Arc::clone(node), plan, data, links, cancel: cancel.flag() };
    let spawned = std::thread::Builder::new().name("session".into()).spawn(move || {
        // If nobody waits any more, the result has nobody to go to.
        let _ = done.send(compute::run(work, &news));
    });
    spawned.map_err(SessionFault::internal)?;
    result.await.unwrap_or_else(|_| {
        Err(SessionFault::internal("the computation failed; see the log").into())
    })
}

/// A flag that is raised when this is dropped.
#[derive(Default)]
struct Raised(Arc<AtomicBool>);

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The shares that the session computes on; gives up soon after `stop` has become true.
fn load(node: &Node, plan: &Plan, stop: &AtomicBool) -> Result<Loaded, SessionFault> {
    match plan {
        Plan::Job(job) => match job.agreement.purpose {
            Purpose::Train => inputs::load(node, job, stop).map(Loaded::DataSets),
            Purpose::Preprocess | Purpose::Rehearse | Purpose::Infer => Ok(Loaded::Nothing),
        },
        Plan::Query(query) => query::load(node, query).map(Loaded::Rows),
    }
}

/// Whether there are enough triples for a training, or enough room to make them.
fn check_supply(node: &Node, prepared: &Prepared, forecast: &Forecast) -> Result<(), SessionFault> {
    let Forecast { needed, missing, bytes, .. } = *forecast;
    match prepared.agreement.purpose {
        Purpose::Train if missing > 0 => Err(SessionFault::bad_job(format!(
            "the job needs {needed} blocks of triples, one a batch, and {missing} of them are \
             missing; make them with: tercet preprocess JOB.toml"
        ))),
        Purpose::Preprocess if bytes > node.store.free_bytes() => {
            Err(SessionFault::bad_job(format!(
                "the triples take {bytes} bytes and {} has {} bytes left",
                node.party(),
                node.store.free_bytes()
            )))
        }
        Purpose::Train | Purpose::Preprocess | Purpose::Rehearse | Purpose::Infer => Ok(()),
    }
}

/// When a peer was lost, asks it how the session ended there, for it may know the cause.
async fn investigate(node: &Node, guard: &SessionGuard<'_>, end: SessionEnd) -> SessionEnd {
    guard.announce_end(&end);
    let SessionEnd::Failed(fault) = end else { return end };
    let step = fault.step.clone();
    let end = find_cause(node, guard, fault).await;
    // When the client goes, a peer may hear of it first and hang up.
    if guard.cancel().is_raised() {
        let step = step.unwrap_or_else(|| "connecting to the other parties".into());
        return SessionEnd::Cancelled { step };
    }
    end
}

/// What the peers know of a fault, unless the session was to end anyway.
async fn find_cause(node: &Node, guard: &SessionGuard<'_>, fault: SessionFault) -> SessionEnd {
    let Some(peer) = fault.lost_peer().filter(|_| !guard.cancel().is_raised()) else {
        return SessionEnd::Failed(fault);
    };
    let Some(told) = inquiry::how_ended(node, peer, guard.session()).await else {
        return SessionEnd::Failed(fault);
    };
    if let Some(third) = suspect(node.party(), peer, &told)
        && !inquiry::answers(node, third).await
    {
        return SessionEnd::Failed(fault.third_lost(third));
    }
    learn(node.party(), fault, peer, &told)
}

/// Writes down what this party saw of a session whose computation broke off, and, apart from
/// that, the fault as it is told, for which it may have believed a peer. Returns where.
async fn keep_evidence(
    node: &Arc<Node>,
    (seen, told): (SessionFault, &SessionFault),
    (outcome, agreement): (Outcome, Agreement),
) -> Option<String> {
    let heard = (told.message != seen.message).then(|| told.message.clone());
    let (signer, session) = ((node.party(), &node.identity), agreement.session);
    let evidence = Evidence::sign(signer, &agreement, (&seen, heard), &outcome, Timestamp::now());
    match blocking(node, move |node| node.store.keep_evidence(&evidence)).await {
        Ok(path) => {
            tracing::warn!(%session, evidence = %path.display(), "evidence is kept");
            Some(path.display().to_string())
        }
        Err(e) => {
            tracing::error!(%session, error = %e, "cannot keep evidence");
            None
        }
    }
}

async fn store_share(
    node: &Arc<Node>,
    session: SessionId,
    sealed: Vec<u8>,
    stats: SessionStats,
) -> SessionEnd {
    let end = SessionEnd::Finished(stats);
    let stored = blocking(node, {
        let end = end.clone();
        move |node| node.store.finish_session(session, &end, &sealed)
    });
    match stored.await {
        Ok(()) => end,
        Err(e) => {
            SessionEnd::Failed(SessionFault::internal(format!("the result cannot be stored: {e}")))
        }
    }
}

/// Runs work on the store off the asynchronous threads.
async fn blocking<T: Send + 'static>(
    node: &Arc<Node>,
    work: impl FnOnce(&Node) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let node = Arc::clone(node);
    let panicked = |e: tokio::task::JoinError| StoreError::Damaged(e.to_string());
    spawn_blocking(move || work(&node)).await.map_err(panicked)?
}
