//! The lock-step executor: runs a protocol and turns its waiting into rounds.
//!
//! Protocols are `async` functions on one thread. An `.await` on the network posts a
//! message and yields; when every branch that can run has yielded, the posted
//! messages are sent as one frame to either neighbour, and the answers are handed
//! out. So each `.await` costs one round, and branches joined with `try_join!` share
//! their rounds. The order of branches is fixed by the program, so all honest
//! parties build the same frames.

use crate::ctx::{Ctx, Message, Posted, Received, SessionState};
use crate::error::{Error, Result};
use crate::net::{Payload, Round, RoundTag, Traffic, Transport};
use crate::party::PartyId;
use crate::prss::Prss;
use crate::security::{Recorder, Security};
use crate::share::Reuse;
use crate::timeline::{Timeline, Watch};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// One party of a session: its links, its randomness, and how to stop it.
pub struct Session<'a> {
    prss: Prss,
    rounds: Rounds<'a>,
}

/// Turns posted messages into rounds.
struct Rounds<'a> {
    transport: &'a mut dyn Transport,
    count: u64,
    cancel: Arc<AtomicBool>,
    transcript: Sha256,
    /// Where a session that fails leaves how far it came.
    trace: Option<&'a Cell<Option<Outcome>>>,
    /// Where each round is noted, for measurements.
    timeline: Option<&'a RefCell<Timeline>>,
}

/// What a session leaves behind beside its result.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Rounds and bytes of the whole session so far.
    pub traffic: Traffic,
    /// Hash over the steps and lengths of all rounds: equal at all honest parties.
    pub transcript: [u8; 32],
}

impl<'a> Session<'a> {
    /// Takes links whose first `rounds_done` rounds were used to agree on keys.
    pub fn new(transport: &'a mut dyn Transport, prss: Prss, rounds_done: u64) -> Session<'a> {
        let transcript = Sha256::new_with_prefix(transport.session().0);
        let count = rounds_done;
        let (cancel, trace, timeline) = (Arc::default(), None, None);
        let rounds = Rounds { transport, count, cancel, transcript, trace, timeline };
        Session { prss, rounds }
    }

    /// Notes in `trace` how far the session came, should it fail.
    pub fn trace_in(mut self, trace: &'a Cell<Option<Outcome>>) -> Session<'a> {
        self.rounds.trace = Some(trace);
        self
    }

    /// Notes each round in `timeline`.
    pub fn record_in(mut self, timeline: &'a RefCell<Timeline>) -> Session<'a> {
        self.rounds.timeline = Some(timeline);
        self
    }

    /// Ends the session at the next round once `cancel` becomes true.
    pub fn cancel_with(mut self, cancel: Arc<AtomicBool>) -> Session<'a> {
        self.rounds.cancel = cancel;
        self
    }

    /// Runs a program to its end, or to the first error of any branch or round.
    ///
    /// # Errors
    /// What the program returns, what the transport reports, `Cancelled`, or `Misuse` if
    /// the program ends while products still wait for their verification: nothing that
    /// was not verified leaves a session.
    pub fn run<S, T, F>(self, program: impl FnOnce(Ctx<S>) -> F) -> Result<(T, Outcome)>
    where
        S: Security,
        F: Future<Output = Result<T>>,
    {
        let Session { prss, mut rounds } = self;
        let _reuse = Reuse::begin();
        let state = Rc::new(SessionState {
            party: rounds.transport.party(),
            prss,
            turn: Cell::new(PartyId::P0),
            recorder: RefCell::new(S::Recorder::default()),
            triples: RefCell::default(),
            outbox: RefCell::default(),
            traffic: Cell::new(rounds.transport.traffic()),
            timed: rounds.timeline.is_some(),
        });
        let program = program(Ctx::<S>::new(state.clone()));
        let result = drive(program, &state, &mut rounds).and_then(|value| {
            if state.recorder.borrow().is_verified() {
                Ok(value)
            } else {
                Err(Error::Misuse("the program ended with unverified products".into()))
            }
        });
        let (traffic, transcript) = (rounds.transport.traffic(), rounds.transcript.finalize());
        let outcome = Outcome { traffic, transcript: transcript.into() };
        if let (Err(_), Some(trace)) = (&result, rounds.trace) {
            trace.set(Some(outcome));
        }
        result.map(|value| (value, outcome))
    }
}

/// Polls a program, and completes a round whenever all of its branches wait.
fn drive<S: Security, T>(
    program: impl Future<Output = Result<T>>,
    state: &SessionState<S>,
    rounds: &mut Rounds<'_>,
) -> Result<T> {
    let mut program = pin!(program);
    let mut task = Context::from_waker(Waker::noop());
    loop {
        let watch = rounds.timeline.map(|timeline| Watch::begin(timeline, rounds.transport));
        if let Poll::Ready(result) = program.as_mut().poll(&mut task) {
            return result;
        }
        let posted = std::mem::take(&mut *state.outbox.borrow_mut());
        let watch = watch.map(|watch| watch.sending(&posted, rounds.transport));
        rounds.complete(posted)?;
        if let Some(watch) = watch {
            watch.over(rounds.count - 1, rounds.transport);
        }
        state.traffic.set(rounds.transport.traffic());
    }
}

impl Rounds<'_> {
    /// Sends what all branches posted and hands out the answers.
    fn complete(&mut self, posted: Vec<Posted>) -> Result<()> {
        if posted.is_empty() {
            return Err(Error::Misuse("a protocol waits for something else than a peer".into()));
        }
        let name = Steps(&posted);
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled { step: name.to_string() });
        }
        let tag = RoundTag { step: combined_tag(&posted), round: self.count, name: &name };
        let expected = |bytes: fn(&Message) -> usize| {
            Payload::written(posted.iter().map(|post| bytes(&post.message)).sum(), |_| {})
        };
        let mut received = Received {
            from_prev: expected(|message| message.expect_prev),
            from_next: expected(|message| message.expect_next),
        };
        let (joined_prev, joined_next);
        let (to_prev, to_next): (&[u8], &[u8]) = match posted.as_slice() {
            [only] => (&only.message.to_prev, &only.message.to_next),
            several => {
                joined_prev = Payload::joined(several.iter().map(|p| &p.message.to_prev[..]));
                joined_next = Payload::joined(several.iter().map(|p| &p.message.to_next[..]));
                (&joined_prev, &joined_next)
            }
        };
        self.transport.exchange(
            tag,
            Round {
                to_prev,
                to_next,
                from_prev: &mut received.from_prev,
                from_next: &mut received.from_next,
            },
        )?;
        self.transcript.update(tag.step.to_le_bytes());
        self.transcript.update(self.count.to_le_bytes());
        self.count += 1;
        if let [only] = posted.as_slice() {
            only.hand_out(received);
        } else {
            let (mut prev, mut next) = (&received.from_prev[..], &received.from_next[..]);
            for post in &posted {
                let take = |rest: &mut &[u8], len: usize| {
                    let (mine, others) = rest.split_at(len);
                    *rest = others;
                    Payload::from(mine)
                };
                let from_prev = take(&mut prev, post.message.expect_prev);
                let from_next = take(&mut next, post.message.expect_next);
                post.hand_out(Received { from_prev, from_next });
            }
        }
        Ok(())
    }
}

impl Posted {
    fn hand_out(&self, received: Received) {
        *self.answer.borrow_mut() = Some(received);
        self.waker.wake_by_ref();
    }
}

/// One hash for all steps that send in a round.
fn combined_tag(posted: &[Posted]) -> u64 {
    posted.iter().fold(0, |tag: u64, post| tag.rotate_left(1) ^ post.path.tag())
}

/// The step that a round is known by to people: the first, and how many beside it.
struct Steps<'a>(&'a [Posted]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            [only] => write!(f, "{}", only.path),
            [first, others @ ..] => write!(f, "{} (+{})", first.path, others.len()),
        }
    }
}
