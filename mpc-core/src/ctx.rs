//! What a protocol function works with: who it is, where it is, and its three
//! neighbours: randomness, network, recorder.

use crate::error::{Error, Result};
use crate::net::clock::thread_time;
use crate::net::{Payload, Traffic};
use crate::party::PartyId;
use crate::prss::{Draw, Prss};
use crate::security::{Product, Recorder, Security};
use crate::step::StepPath;
use crate::triples::{ProductShape, Supply, TripleSource};
use std::cell::{Cell, RefCell, RefMut};
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The context of one protocol step at one party.
///
/// Contexts are cheap handles on one session; [`Ctx::step`] names a sub-step. They
/// stay on the thread that runs the session.
pub struct Ctx<S: Security> {
    session: Rc<SessionState<S>>,
    path: Rc<StepPath>,
}

/// What all contexts of a session share.
pub(crate) struct SessionState<S: Security> {
    pub(crate) party: PartyId,
    pub(crate) prss: Prss,
    pub(crate) turn: Cell<PartyId>,
    pub(crate) recorder: RefCell<S::Recorder>,
    pub(crate) triples: RefCell<Option<Box<dyn TripleSource>>>,
    pub(crate) outbox: RefCell<Vec<Posted>>,
    pub(crate) traffic: Cell<Traffic>,
    /// Whether steps note when they post their messages.
    pub(crate) timed: bool,
}

/// What a step sends to and expects from its neighbours; empty means no message.
#[derive(Default)]
pub struct Message {
    /// Payload for the previous party.
    pub to_prev: Payload,
    /// Payload for the next party.
    pub to_next: Payload,
    /// Exact number of bytes expected from the previous party.
    pub expect_prev: usize,
    /// Exact number of bytes expected from the next party.
    pub expect_next: usize,
}

/// What arrived from the neighbours, of exactly the expected lengths.
#[derive(Default)]
pub struct Received {
    /// Payload from the previous party.
    pub from_prev: Payload,
    /// Payload from the next party.
    pub from_next: Payload,
}

/// A message that waits for the round to be complete, and the place of its answer.
pub(crate) struct Posted {
    pub(crate) path: Rc<StepPath>,
    pub(crate) message: Message,
    pub(crate) answer: Rc<RefCell<Option<Received>>>,
    pub(crate) waker: Waker,
    /// Processor time of the thread when it was posted, in a session that is recorded.
    pub(crate) at: Option<Duration>,
}

impl<S: Security> Ctx<S> {
    pub(crate) fn new(session: Rc<SessionState<S>>) -> Ctx<S> {
        Ctx { session, path: StepPath::root() }
    }

    /// This party.
    pub fn party(&self) -> PartyId {
        self.session.party
    }

    /// The context of a named sub-step.
    pub fn step(&self, name: &str) -> Ctx<S> {
        Ctx { session: self.session.clone(), path: self.path.child(name) }
    }

    /// The path of this step, for messages to people.
    pub fn path(&self) -> &StepPath {
        &self.path
    }

    /// Fresh streams common with either neighbour.
    pub fn draw(&self) -> Draw {
        self.session.prss.draw(self.path.hash())
    }

    /// Whose turn it is to help, in protocols in which one party does more than the others.
    pub fn turn(&self) -> PartyId {
        let turn = self.session.turn.get();
        self.session.turn.set(turn.next());
        turn
    }

    /// What this party has sent and received in the rounds so far.
    pub fn traffic(&self) -> Traffic {
        self.session.traffic.get()
    }

    /// Notes a product for verification; nothing in the semi-honest mode.
    pub fn record(&self, product: impl FnOnce() -> Product) {
        self.recorder().record(product);
    }

    /// Shows the party's part of a product to the mode, before it is sent; see
    /// [`Recorder::deviate`].
    pub fn deviate(&self, local: &mut [u64], bits: Range<u32>) {
        self.recorder().deviate(local, bits);
    }

    /// Words of a component of all factors and products that wait for verification: public, and
    /// none in the semi-honest mode.
    pub fn waiting_for_verification(&self) -> usize {
        self.recorder().waiting()
    }

    /// Whether products are kept for their verification: in the malicious mode, unless they take
    /// triples.
    pub fn keeps_products(&self) -> bool {
        S::VERIFIED && self.session.triples.borrow().is_none()
    }

    /// Whether a verification could begin here: products are kept, and none is under way.
    pub fn may_verify(&self) -> bool {
        self.keeps_products() && !self.recorder().is_verifying()
    }

    pub(crate) fn recorder(&self) -> RefMut<'_, S::Recorder> {
        self.session.recorder.borrow_mut()
    }

    /// Lets products take triples from `source` from now on, instead of being re-shared.
    pub fn use_triples(&self, source: Box<dyn TripleSource>) {
        *self.session.triples.borrow_mut() = Some(source);
    }

    /// Lets products be re-shared again; answers whether they took triples until now.
    ///
    /// # Errors
    /// `Triples` when triples are left over: the computation is another one than they were
    /// made for.
    pub fn end_triples(&self) -> Result<bool> {
        match self.session.triples.take().map(|source| source.left_over()) {
            None => Ok(false),
            Some(0) => Ok(true),
            Some(left) => {
                Err(Error::Triples(format!("{}: {left} triples are left over", self.path)))
            }
        }
    }

    /// The triple for a product of a shape; `None` where products are re-shared.
    ///
    /// # Errors
    /// `Triples` when there is none left.
    pub fn triple(&self, shape: impl FnOnce() -> ProductShape) -> Result<Option<Supply>> {
        let mut source = self.session.triples.borrow_mut();
        source.as_mut().map(|source| source.take(&shape())).transpose()
    }

    /// Hands out the products noted since the last time, for verification.
    ///
    /// # Errors
    /// `Misuse` while another verification is under way: whoever waits for the one must
    /// not believe that it covers its products.
    pub fn begin_verification(&self) -> Result<Vec<Product>> {
        let products = self.recorder().begin_verification();
        products.ok_or_else(|| {
            Error::Misuse(format!("{}: two verifications at the same time", self.path))
        })
    }

    /// Notes that the products handed out last are right.
    pub fn end_verification(&self) {
        self.recorder().end_verification();
    }

    /// Sends to and receives from both neighbours.
    ///
    /// The messages of all branches that wait at the same time travel in one round.
    /// Does not return if the round fails: the session ends with the error.
    pub async fn exchange(&self, message: Message) -> Received {
        let answer = Rc::new(RefCell::new(None));
        let mut message = Some(message);
        poll_fn(|task| {
            if let Some(received) = answer.borrow_mut().take() {
                return Poll::Ready(received);
            }
            if let Some(message) = message.take() {
                self.session.outbox.borrow_mut().push(Posted {
                    path: self.path.clone(),
                    message,
                    answer: answer.clone(),
                    waker: task.waker().clone(),
                    at: self.session.timed.then(thread_time),
                });
            }
            Poll::Pending
        })
        .await
    }
}
