//! Starting a session at all three parties and following it.

use super::agreement::printable;
use super::train_error::{TrainError, most_telling};
use crate::consortium::Consortium;
use crate::control::{
    Checked, ControlError, Dialer, DuringSession, EpochFigures, FaultKind, Forecast, Framed,
    Progress, Reason, Refusal, Rehearsal, Request, SessionEnd, SessionEvent, SessionFault,
    SessionStats, TlsSocket,
};
use crate::digest::Digest;
use crate::identity::Identity;
use mpc_core::net::SessionId;
use mpc_core::party::PartyId;
use nn::spec::MAX_EPOCHS;
use nn::watch::RangeCount;
use std::time::Duration;
use tokio::io::{AsyncRead, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// How often the parties hear that the client is there.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// A party in a session reports every few seconds and is not given up sooner than this.
const MIN_PARTY_PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for the other parties when one has reported its end.
const END_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the last party when the two others have failed or stopped: its
/// links are broken, so that it tells soon or not at all.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
/// Events that wait to be shown.
const QUEUE: usize = 64;

/// What happens while a session runs.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainEvent {
    /// All parties agree and compute.
    Running {
        /// Digest of what they agreed on.
        agreement: Digest,
    },
    /// What is about to be made, where triples are.
    Forecast(Forecast),
    /// All parties have checked these rows.
    Checking(Checked),
    /// All parties have done this batch, or block of triples.
    Progress(Progress),
    /// What was revealed after an epoch, as at least two parties say.
    Figures(EpochFigures),
    /// The end was asked for.
    Cancelling,
    /// A data set is not at all parties: another session is tried soon.
    Incomplete {
        /// Which data set, and where.
        reason: String,
    },
}

/// What a finished session reports.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainReport {
    /// The session.
    pub session: SessionId,
    /// Digest of what the parties agreed on.
    pub agreement: Digest,
    /// What each party measured.
    pub parties: [SessionStats; 3],
    /// What was revealed after epochs.
    pub figures: Vec<EpochFigures>,
    /// What left its range, as at least two parties say, where that was counted.
    pub range: Option<Vec<RangeCount>>,
    /// What each party measured in a rehearsal, where it was one.
    pub rehearsed: [Option<Rehearsal>; 3],
}

/// What a party said, or that its connection failed.
type Said = (PartyId, Result<SessionEvent, ControlError>);

/// Starts a session at all parties, follows it, and reports its end.
///
/// When `stop` completes, the parties are asked to end the session.
///
/// # Errors
/// See [`TrainError`].
pub async fn follow(
    consortium: &Consortium,
    identity: &Identity,
    patience: Duration,
    request: &Request,
    stop: impl Future<Output = ()>,
    mut on_event: impl FnMut(TrainEvent),
) -> Result<TrainReport, TrainError> {
    let (Request::Train { session, .. }
    | Request::Preprocess { session, .. }
    | Request::Rehearse { session, .. }
    | Request::Infer { session, .. }) = *request
    else {
        return Err(ControlError::Malformed("not a request for a session").into());
    };
    let dialer = Dialer::new(consortium, identity, patience);
    // All three are greeted before any is told to begin.
    let (a, b, c) = tokio::try_join!(
        dialer.control(PartyId::P0),
        dialer.control(PartyId::P1),
        dialer.control(PartyId::P2)
    )?;
    let (said, mut hear) = mpsc::channel(QUEUE);
    let mut senders = Vec::with_capacity(3);
    for (party, client) in PartyId::ALL.into_iter().zip([a, b, c]) {
        let (from_party, to_party) = client.request(request).await?.split();
        let from_party = from_party.with_patience(patience.max(MIN_PARTY_PATIENCE));
        tokio::spawn(listen(party, from_party, said.clone()));
        senders.push(to_party);
    }
    drop(said);

    let mut follow = Follower::default();
    let mut alive = interval(ALIVE_EVERY);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(stop);
    let mut stopping = false;
    while !follow.is_over() {
        let overdue = follow.deadline;
        tokio::select! {
            heard = next(&mut hear, overdue) => match heard {
                Some((party, said)) => {
                    follow.take(party, said, &mut on_event);
                    if follow.is_doomed() && !follow.abandoned {
                        // The others need not wait for a party that will not come.
                        follow.abandoned = true;
                        tell(&mut senders, DuringSession::Cancel).await;
                    }
                }
                None => follow.give_up(),
            },
            _ = alive.tick() => tell(&mut senders, DuringSession::Alive).await,
            () = &mut stop, if !stopping => {
                stopping = true;
                follow.begin_end();
                on_event(TrainEvent::Cancelling);
                tell(&mut senders, DuringSession::Cancel).await;
            }
        }
    }
    follow.report(session, stopping)
}

async fn listen(
    party: PartyId,
    mut from_party: Framed<impl AsyncRead + Unpin>,
    said: mpsc::Sender<Said>,
) {
    loop {
        let event = from_party.receive_message().await;
        let last = matches!(event, Err(_) | Ok(SessionEvent::Ended(_) | SessionEvent::Refused(_)));
        if said.send((party, event)).await.is_err() || last {
            return;
        }
    }
}

/// What is said next, until the deadline.
async fn next(hear: &mut mpsc::Receiver<Said>, deadline: Option<Instant>) -> Option<Said> {
    match deadline {
        Some(deadline) => timeout_at(deadline, hear.recv()).await.ok().flatten(),
        None => hear.recv().await,
    }
}

async fn tell(parties: &mut [Framed<WriteHalf<TlsSocket>>], what: DuringSession) {
    for party in parties {
        // A party that cannot be told has failed, which its listener reports.
        let _ = party.send(&what).await;
    }
}

/// What the three parties have said so far.
#[derive(Default)]
struct Follower {
    agreements: [Option<Digest>; 3],
    checked: [Option<Checked>; 3],
    checks_shown: Option<Checked>,
    progress: [Option<Progress>; 3],
    shown: Option<Progress>,
    figures: [Vec<EpochFigures>; 3],
    figures_shown: Vec<EpochFigures>,
    forecast: Option<Forecast>,
    range: [Option<Vec<RangeCount>>; 3],
    rehearsed: [Option<Rehearsal>; 3],
    evidence: [Option<String>; 3],
    ends: [Option<End>; 3],
    /// When the parties that have not reported their end are given up.
    deadline: Option<Instant>,
    /// Whether the parties were told to end a session that cannot begin.
    abandoned: bool,
}

/// How it ended with one party.
enum End {
    Refused(Refusal),
    Ended(SessionEnd),
    /// The connection to it broke.
    Lost(String),
    /// It did not say.
    Silent,
}

impl Follower {
    fn is_over(&self) -> bool {
        self.ends.iter().all(Option::is_some)
    }

    /// Whether the session cannot begin, because a party refused or was lost before.
    fn is_doomed(&self) -> bool {
        let missing = |end: &End| matches!(end, End::Refused(_) | End::Lost(_));
        self.agreements.iter().any(Option::is_none) && self.ends.iter().flatten().any(missing)
    }

    fn begin_end(&mut self) {
        self.deadline.get_or_insert_with(|| Instant::now() + END_PATIENCE);
    }

    fn take(
        &mut self,
        party: PartyId,
        said: Result<SessionEvent, ControlError>,
        on_event: &mut impl FnMut(TrainEvent),
    ) {
        let i = party.index();
        match said {
            Ok(SessionEvent::Alive) => {}
            Ok(SessionEvent::Running { agreement }) => {
                self.agreements[i] = Some(agreement);
                if self.agreements == [Some(agreement); 3] {
                    on_event(TrainEvent::Running { agreement });
                }
            }
            Ok(SessionEvent::Forecast(forecast)) => {
                // The parties agree on what is missing; the first to say so is shown.
                if self.forecast.replace(forecast).is_none() {
                    on_event(TrainEvent::Forecast(forecast));
                }
            }
            Ok(SessionEvent::Checking(checked)) => {
                self.checked[i] = Some(checked);
                self.show_check(on_event);
            }
            Ok(SessionEvent::Progress(progress)) => {
                self.progress[i] = Some(progress);
                self.show(on_event);
            }
            Ok(SessionEvent::Figures(figures)) => {
                let of_party = &mut self.figures[i];
                if of_party.len() < MAX_EPOCHS {
                    of_party.push(figures);
                }
                self.show_figures(on_event);
            }
            Ok(SessionEvent::Range(counts)) => self.range[i] = Some(counts),
            Ok(SessionEvent::Rehearsed(rehearsal)) => self.rehearsed[i] = Some(*rehearsal),
            Ok(SessionEvent::Evidence(path)) => self.evidence[i] = Some(printable(&path)),
            Ok(SessionEvent::Refused(refusal)) => self.end(party, End::Refused(refusal)),
            Ok(SessionEvent::Ended(SessionEnd::Failed(fault))) => {
                self.end(party, End::Ended(SessionEnd::Failed(fault.printable())));
            }
            Ok(SessionEvent::Ended(end)) => self.end(party, End::Ended(end)),
            Err(e) => self.end(party, End::Lost(e.to_string())),
        }
    }

    /// Shows how far the slowest party is with the check of the rows.
    fn show_check(&mut self, on_event: &mut impl FnMut(TrainEvent)) {
        let [Some(a), Some(b), Some(c)] = self.checked else { return };
        let slowest = Some(a.min(b).min(c));
        if slowest != self.checks_shown {
            self.checks_shown = slowest;
            slowest.into_iter().for_each(|checked| on_event(TrainEvent::Checking(checked)));
        }
    }

    /// Shows how far the slowest party is.
    fn show(&mut self, on_event: &mut impl FnMut(TrainEvent)) {
        let [Some(a), Some(b), Some(c)] = self.progress else { return };
        let slowest = [a, b, c].into_iter().min_by_key(|p| (p.epoch, p.batch));
        if let Some(progress) = slowest.filter(|_| slowest != self.shown) {
            self.shown = slowest;
            on_event(TrainEvent::Progress(progress));
        }
    }

    /// Shows figures that two parties tell alike, of whom at most one is corrupt.
    fn show_figures(&mut self, on_event: &mut impl FnMut(TrainEvent)) {
        let [a, b, c] = self.figures.each_ref().map(|of| of.get(self.figures_shown.len()));
        let told = [(a, b), (b, c), (a, c)].into_iter().find(|(x, y)| x.is_some() && x == y);
        if let Some((Some(figures), _)) = told {
            let figures = figures.clone();
            self.figures_shown.push(figures.clone());
            on_event(TrainEvent::Figures(figures));
        }
    }

    fn end(&mut self, party: PartyId, end: End) {
        self.ends[party.index()] = Some(end);
        self.begin_end();
        let broken = |end: &&End| !matches!(end, End::Ended(SessionEnd::Finished(_)));
        if self.ends.iter().flatten().filter(broken).count() == 2 {
            let soon = Instant::now() + LAST_PATIENCE;
            self.deadline = self.deadline.map(|deadline| deadline.min(soon));
        }
    }

    fn give_up(&mut self) {
        for end in self.ends.iter_mut().filter(|end| end.is_none()) {
            *end = Some(End::Silent);
        }
    }

    /// The outcome, of which the most telling fault is reported.
    fn report(mut self, session: SessionId, cancelled: bool) -> Result<TrainReport, TrainError> {
        let mut stats = Vec::with_capacity(3);
        let mut faults: Vec<(PartyId, SessionFault)> = Vec::new();
        let mut silent = Vec::new();
        let mut stopped_at = None;
        let lost = |party, message| SessionFault::new(FaultKind::PeerLost, Some(party), message);
        for (party, end) in PartyId::ALL.into_iter().zip(self.ends.each_mut().map(Option::take)) {
            match end {
                Some(End::Ended(SessionEnd::Finished(measured))) => stats.push(measured),
                Some(End::Ended(SessionEnd::Cancelled { step })) => stopped_at = Some(step),
                Some(End::Ended(SessionEnd::Failed(fault))) => faults.push((party, fault)),
                Some(End::Refused(refusal)) => {
                    return Err(TrainError::Refused { party, refusal });
                }
                Some(End::Lost(reason)) => {
                    let when = if self.abandoned { " before it computed" } else { "" };
                    let message = format!("lost the connection to {party}{when}: {reason}");
                    faults.push((party, lost(party, message)));
                }
                Some(End::Silent) => {
                    let message = format!("{party} did not report how the session ended");
                    silent.push((party, lost(party, message)));
                }
                None => {}
            }
        }
        if let (Ok(parties), Some(agreement)) = (stats.try_into(), self.agreements[0]) {
            let figures = self.figures_shown;
            let (range, rehearsed) = (of_two(self.range), self.rehearsed);
            return Ok(TrainReport { session, agreement, parties, figures, range, rehearsed });
        }
        // Those who were told to stop because of a third have nothing to add.
        let stopped_at = stopped_at.filter(|_| cancelled || !self.abandoned);
        if let Some(step) = stopped_at.or_else(|| cancelled.then(|| "unknown".into())) {
            return Err(TrainError::Cancelled { step });
        }
        // Of equal faults the first is told; silence says least about the cause.
        faults.extend(silent);
        let evidence = PartyId::ALL.into_iter().zip(self.evidence);
        let evidence = evidence.filter_map(|(party, path)| Some((party, path?)));
        Err(most_telling(faults, evidence.collect()))
    }
}

/// What two parties tell alike, of whom at most one is corrupt.
fn of_two<T: PartialEq>([first, second, third]: [Option<T>; 3]) -> Option<T> {
    if first.is_some() && (first == second || first == third) {
        return first;
    }
    second.filter(|second| third.as_ref() == Some(second))
}

/// The request to train a job in a fresh session.
///
/// # Errors
/// When the system gives no randomness.
pub fn training(job: String, schema: String) -> Result<Request, Refusal> {
    Ok(Request::Train { session: fresh()?, job, schema })
}

/// The request to make the triples that a job is short of, in a fresh session; for `rows`
/// rows where the data are not submitted yet.
///
/// # Errors
/// When the system gives no randomness.
pub fn preprocessing(job: String, schema: String, rows: Option<u64>) -> Result<Request, Refusal> {
    Ok(Request::Preprocess { session: fresh()?, job, schema, rows })
}

/// The request to rehearse a job in a fresh session; for `rows` rows where the data are not
/// submitted yet.
///
/// # Errors
/// When the system gives no randomness.
pub fn rehearsal(job: String, schema: String, rows: Option<u64>) -> Result<Request, Refusal> {
    Ok(Request::Rehearse { session: fresh()?, job, schema, rows })
}

fn fresh() -> Result<SessionId, Refusal> {
    super::fresh_id().map_err(|e| Refusal::new(Reason::Internal, e))
}
