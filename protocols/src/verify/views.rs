//! Comparing what the parties saw.

use crate::wire::{pack_words, unpack_words};
use mpc_core::ctx::{Ctx, Message, Received};
use mpc_core::error::{Error, FailedCheck, Misbehaviour, Result};
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::security::Security;
use mpc_core::share::Words;
use sha2::{Digest, Sha256};

/// An abort at the step of `ctx`.
pub(crate) fn abort<S: Security>(ctx: &Ctx<S>, kind: FailedCheck) -> Error {
    Error::Abort { step: ctx.path().to_string(), kind }
}

/// Sends one message to both peers and takes one of the same length from each.
async fn exchange_with_both<S: Security>(ctx: &Ctx<S>, message: &[u8]) -> Received {
    ctx.exchange(Message {
        to_prev: message.into(),
        to_next: message.into(),
        expect_prev: message.len(),
        expect_next: message.len(),
    })
    .await
}

/// Goes on only when both peers are here and have the same digest: a barrier. All earlier
/// messages of an honest peer have been sent, and what it was to receive has arrived.
///
/// # Cost
/// One round; 32 bytes to each peer.
///
/// # Errors
/// `Abort` with `ViewMismatch` when a digest differs.
pub async fn agree<S: Security>(ctx: &Ctx<S>, digest: &[u8; 32]) -> Result<()> {
    let (me, theirs) = (ctx.party(), exchange_with_both(ctx, digest).await);
    for (peer, theirs) in [(me.prev(), theirs.from_prev), (me.next(), theirs.from_next)] {
        if theirs[..] != digest[..] {
            return Err(abort(ctx, FailedCheck::ViewMismatch { between: [me, peer] }));
        }
    }
    Ok(())
}

/// What `party` finds if its peers tell it different things.
pub(crate) fn mismatch_of_peers(party: PartyId) -> FailedCheck {
    FailedCheck::ViewMismatch { between: [party.prev(), party.next()] }
}

/// What `party` says at the end of a check, and when.
fn verdicts(party: PartyId) -> [(u8, Option<FailedCheck>); 3] {
    [(0x5a, None), (0x11, Some(mismatch_of_peers(party))), (0xee, Some(FailedCheck::Product))]
}

/// Tells both peers how a check ended here, and goes on only if it passed everywhere.
///
/// # Cost
/// One round; one byte to each peer.
///
/// # Errors
/// `Abort` when any party says so, `PeerMisbehaved` when a peer says something else.
pub async fn confirm<S: Security>(ctx: &Ctx<S>, verdict: Option<FailedCheck>) -> Result<()> {
    let party = ctx.party();
    let said = verdicts(party).into_iter().filter(|(_, kind)| *kind == verdict);
    let said: Vec<u8> = said.map(|(byte, _)| byte).collect();
    let theirs = exchange_with_both(ctx, &said).await;
    if let Some(kind) = verdict {
        return Err(abort(ctx, kind));
    }
    for (peer, said) in [(party.prev(), theirs.from_prev), (party.next(), theirs.from_next)] {
        match verdicts(peer).into_iter().find(|(byte, _)| said[..] == [*byte]) {
            Some((_, None)) => {}
            Some((_, Some(kind))) => return Err(abort(ctx, kind)),
            None => return Err(unknown_verdict(ctx, peer)),
        }
    }
    Ok(())
}

/// What all parties hold, given what this one does: words of the same number.
///
/// # Cost
/// One round; 8 bytes a word to each peer.
///
/// # Errors
/// `PeerMisbehaved` when a message is malformed.
pub async fn of_all<S: Security>(ctx: &Ctx<S>, own: Words) -> Result<[Words; 3]> {
    let me = ctx.party();
    let theirs = exchange_with_both(ctx, &pack_words(&own, u64::BITS)).await;
    let unpack = |peer, bytes| unpack_words(ctx, peer, bytes, own.len(), u64::BITS);
    let mut all = [(); 3].map(|()| Words::default());
    all[me.prev().index()] = unpack(me.prev(), theirs.from_prev)?;
    all[me.next().index()] = unpack(me.next(), theirs.from_next)?;
    all[me.index()] = own;
    Ok(all)
}

fn unknown_verdict<S: Security>(ctx: &Ctx<S>, peer: PartyId) -> Error {
    let kind = Misbehaviour::Malformed("an unknown verdict");
    Error::PeerMisbehaved { peer, step: ctx.path().to_string(), kind }
}

/// Gets the component that this party lacks from the next party and a digest of it from
/// the previous one; `None` if they do not fit. One of the two is honest.
///
/// # Cost
/// One round; `width` bits a word and 32 bytes, per party.
///
/// # Errors
/// `PeerMisbehaved` when a message is malformed.
pub async fn third_component<S: Security>(
    ctx: &Ctx<S>,
    first: &[u64],
    second: &[u64],
    width: u32,
) -> Result<Option<Words>> {
    let third = third_of(ctx, &pack_words(first, width), pack_words(second, width)).await;
    let unpack = |bytes: Payload| unpack_words(ctx, ctx.party().next(), bytes, first.len(), width);
    third.map(unpack).transpose()
}

/// [`third_component`] of bytes: those of `x_i` and of `x_{i+1}`, of the same length.
pub(crate) async fn third_of<S: Security>(
    ctx: &Ctx<S>,
    first: &[u8],
    second: Payload,
) -> Option<Payload> {
    let expect_next = second.len();
    // P_{i+1} lacks x_i.
    let to_next = Payload::from(&Sha256::digest(first)[..]);
    let expect_prev = to_next.len();
    let message = Message { to_prev: second, to_next, expect_prev, expect_next };
    let received = ctx.exchange(message).await;
    let same = Sha256::digest(&received.from_next[..])[..] == received.from_prev[..];
    same.then_some(received.from_next)
}
