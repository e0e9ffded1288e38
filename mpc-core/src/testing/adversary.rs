//! A corrupt party that does something to one of its messages: each of them in turn, in
//! every way.
//!
//! The links keep order and deadlines of a [`crate::net::local_network`] expire as soon as
//! it is certain that they will, so that a withheld message costs a test no time.

use crate::error::{Error, FailedCheck, Misbehaviour, Result};
use crate::net::{FRAME_HEADER_BYTES, LocalTransport, TamperedMessage, Transport};
use crate::party::PartyId;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A bit of the payload is flipped.
    OneBit,
    /// `2^63` is added to the last word of the payload.
    TopBit,
    /// The payload is replaced with zeros.
    Zeros,
    /// The message is replaced with the one that was sent before.
    Earlier,
    /// The message is dropped; later ones arrive.
    Dropped,
    /// The message arrives twice.
    Repeated,
    /// The message arrives after the next one to the same peer.
    Swapped,
    /// The end is missing.
    Cut,
    /// A byte is added.
    Prolonged,
    /// The message, and all that follow on the link, come after the deadline.
    Late,
}

impl Change {
    /// All changes.
    pub const ALL: [Change; 10] = [
        Change::OneBit,
        Change::TopBit,
        Change::Zeros,
        Change::Earlier,
        Change::Dropped,
        Change::Repeated,
        Change::Swapped,
        Change::Cut,
        Change::Prolonged,
        Change::Late,
    ];

    /// Whether the receiver takes something else for the content, and the form alone does
    /// not tell. The byte that is cut off is replaced by the first of the next message.
    fn alters_content(self) -> bool {
        use Change::{Cut, Earlier, OneBit, TopBit, Zeros};
        matches!(self, OneBit | TopBit | Zeros | Earlier | Cut)
    }

    /// Whether the receiver gets bytes where they do not belong.
    fn alters_form(self) -> bool {
        use Change::{Cut, Dropped, Earlier, Prolonged, Repeated, Swapped};
        matches!(self, Earlier | Dropped | Repeated | Swapped | Cut | Prolonged)
    }

    /// Whether the message itself arrives as it should, and what is wrong comes behind it.
    fn is_surplus(self) -> bool {
        matches!(self, Change::Repeated | Change::Prolonged)
    }

    /// Whether this is an error with which an honest party answers the change.
    ///
    /// A party may also find that a peer is gone that was quicker to find out.
    fn is_answered_by(self, error: &Error) -> bool {
        match error {
            Error::Net { .. } => true,
            Error::Abort {
                kind: FailedCheck::Product | FailedCheck::ViewMismatch { .. }, ..
            }
            | Error::PeerMisbehaved { kind: Misbehaviour::Malformed(_), .. } => {
                self.alters_content()
            }
            Error::PeerMisbehaved { .. } => self.alters_form(),
            _ => false,
        }
    }
}

/// One message of one party, and what is done to it.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// The corrupt party.
    pub cheat: PartyId,
    /// How many messages it sends before.
    pub target: u64,
    /// What it does.
    pub change: Change,
}

impl Attack {
    /// Lets the corrupt party of a network do it; the flag tells later whether what it
    /// delivered differs from what it should have.
    pub fn mount(self, network: [LocalTransport; 3]) -> ([LocalTransport; 3], Arc<AtomicBool>) {
        let effective = Arc::new(AtomicBool::new(false));
        let network = network.map(|transport| {
            if transport.party() != self.cheat {
                return transport;
            }
            let (mut link, effective) = (Link::default(), effective.clone());
            transport.with_tamper(move |message| {
                let honest = message.frames[0].clone();
                if self.apply(message, &mut link) {
                    effective.store(true, Ordering::Relaxed);
                }
                link.before = honest;
            })
        });
        (network, effective)
    }

    /// The round in which the receiver reads what is wrong, if it reads on so far.
    fn noticed_in(self, sent: &[Sent]) -> Option<u64> {
        let (message, later) = sent[self.target as usize..].split_first()?;
        if self.change.is_surplus() {
            later.iter().find(|later| later.to == message.to).map(|later| later.round)
        } else {
            Some(message.round)
        }
    }

    /// Answers whether it changed anything.
    fn apply(self, message: &mut TamperedMessage<'_>, link: &mut Link) -> bool {
        if let Some((to, held)) = &mut link.held
            && *to == message.to
        {
            let frame = message.frames.remove(0);
            if self.change == Change::Late {
                held.push(frame);
                return false;
            }
            message.frames = std::iter::once(frame).chain(held.drain(..)).collect();
            link.held = None;
            return true;
        }
        if message.index != self.target {
            return false;
        }
        let frame = &mut message.frames[0];
        let payload = FRAME_HEADER_BYTES..frame.len();
        match self.change {
            Change::OneBit => frame[payload.start] ^= 1,
            Change::TopBit => frame[payload.end - 1] ^= 0x80,
            Change::Zeros => {
                let differs = frame[payload.clone()].iter().any(|byte| *byte != 0);
                frame[payload].fill(0);
                return differs;
            }
            Change::Earlier => {
                // What both peers get in a round may be the same.
                let differs = *frame != link.before;
                frame.clone_from(&link.before);
                return differs;
            }
            Change::Dropped => message.frames.clear(),
            Change::Repeated => message.frames.push(message.frames[0].clone()),
            Change::Swapped => {
                link.held = Some((message.to, std::mem::take(&mut message.frames)));
                // It counts when the two have changed places.
                return false;
            }
            Change::Cut => {
                // What is missing is read from the next message, which must make a difference.
                let end = payload.end;
                let cut = (1..=payload.len()).find(|&cut| frame[end - cut..] != frame[..cut]);
                frame.truncate(end - cut.unwrap_or(0));
                return cut.is_some();
            }
            Change::Prolonged => frame.push(0),
            Change::Late => {
                link.held = Some((message.to, std::mem::take(&mut message.frames)));
            }
        }
        true
    }
}

/// What a corrupt party remembers.
#[derive(Default)]
struct Link {
    /// The message before, to whomever.
    before: Vec<u8>,
    /// Messages to one peer that it holds back.
    held: Option<(PartyId, Vec<Vec<u8>>)>,
}

/// A message of an honest run.
struct Sent {
    to: PartyId,
    round: u64,
}

/// What an honest run looks like.
struct Honest<T> {
    /// The messages of each party.
    sent: [Vec<Sent>; 3],
    /// The first round in which results are opened.
    opening: u64,
    /// What each party got.
    results: [T; 3],
}

/// How many attacks there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages of an honest run.
    pub messages: usize,
    /// Attacks that changed what arrives.
    pub attacks: usize,
    /// Attacks of these after which no honest party accepted anything wrong.
    pub caught: usize,
    /// Attacks that changed nothing, for instance zeros replaced with zeros, or bytes after
    /// the last message of a run.
    pub without_effect: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { messages, attacks, caught, without_effect } = self;
        write!(
            f,
            "{messages} messages, {attacks} attacks, {caught} caught; \
             {without_effect} more changed nothing"
        )
    }
}

/// Attacks every message of `cheat` in a session, in every way, and requires of each attack:
///
/// * the honest party that gets the message ends with an error of the right type;
/// * the other one does as well, or has what it has in an honest run;
/// * neither has sent anything that opens results, unless all that they depend on had been
///   verified and confirmed before.
///
/// `opens` recognises the steps that open results by their path.
///
/// # Panics
/// If one of these does not hold, or the session fails without an attack.
pub fn attack_every_message<T: PartialEq + fmt::Debug>(
    cheat: PartyId,
    network: impl Fn() -> [LocalTransport; 3],
    session: impl Fn([LocalTransport; 3]) -> [Result<T>; 3],
    opens: fn(&str) -> bool,
) -> Tally {
    let honest = honest_run(network(), &session, opens);
    let sent = &honest.sent[cheat.index()];
    let mut tally = Tally { messages: sent.len(), ..Tally::default() };
    for change in Change::ALL {
        for target in 0..sent.len() {
            let attack = Attack { cheat, target: target as u64, change };
            let (corrupt, effective) = attack.mount(network());
            let (watched, opened) = watch(corrupt, cheat, honest.opening);
            let results = session(watched);
            let noticed = attack.noticed_in(sent).filter(|_| effective.load(Ordering::Relaxed));
            let Some(round) = noticed else {
                tally.without_effect += 1;
                continue;
            };
            tally.attacks += 1;
            let opened = opened.map(|opened| opened.load(Ordering::Relaxed));
            judge(attack, round, &honest, &results, opened);
            tally.caught += 1;
        }
    }
    tally
}

fn honest_run<T: fmt::Debug>(
    network: [LocalTransport; 3],
    session: impl Fn([LocalTransport; 3]) -> [Result<T>; 3],
    opens: fn(&str) -> bool,
) -> Honest<T> {
    let log = Arc::new(Mutex::new(([const { Vec::new() }; 3], u64::MAX)));
    let listening = network.map(|transport| {
        let (log, from) = (log.clone(), transport.party().index());
        transport.with_tamper(move |message| {
            let (sent, opening) = &mut *log.lock().unwrap_or_else(PoisonError::into_inner);
            sent[from].push(Sent { to: message.to, round: message.tag.round });
            if opens(&message.tag.name.to_string()) {
                *opening = message.tag.round.min(*opening);
            }
        })
    });
    let results = session(listening).map(|result| result.expect("an honest run"));
    let log = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    let (sent, opening) = log;
    assert!(opening < u64::MAX, "the session opens its results");
    Honest { sent, opening, results }
}

/// Notes of each honest party whether it sends anything from the opening on.
fn watch(
    network: [LocalTransport; 3],
    cheat: PartyId,
    opening: u64,
) -> ([LocalTransport; 3], [Arc<AtomicBool>; 3]) {
    let opened = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let network = network.map(|transport| {
        if transport.party() == cheat {
            return transport;
        }
        let opened = opened[transport.party().index()].clone();
        transport.with_tamper(move |message| {
            opened.fetch_or(message.tag.round >= opening, Ordering::Relaxed);
        })
    });
    (network, opened)
}

fn judge<T: PartialEq + fmt::Debug>(
    attack: Attack,
    round: u64,
    honest: &Honest<T>,
    results: &[Result<T>; 3],
    opened: [bool; 3],
) {
    let victim = honest.sent[attack.cheat.index()][attack.target as usize].to;
    match &results[victim.index()] {
        Err(error) => assert!(attack.change.is_answered_by(error), "{attack:?}: {error}"),
        Ok(_) => panic!("{attack:?}: {victim} accepted it"),
    }
    // The round before the opening is that of the last verdicts.
    if round < honest.opening {
        assert!(!opened[victim.index()], "{attack:?}: {victim} opened its shares");
    }
    let other = PartyId::ALL.into_iter().find(|p| *p != attack.cheat && *p != victim);
    let other = other.expect("a third party").index();
    if round + 1 < honest.opening {
        assert!(!opened[other], "{attack:?}: shares were opened");
    }
    match &results[other] {
        Err(error) => assert!(attack.change.is_answered_by(error), "{attack:?}: {error}"),
        Ok(result) => {
            let late = round + 1 >= honest.opening;
            assert!(late && *result == honest.results[other], "{attack:?}: a wrong result");
        }
    }
}
