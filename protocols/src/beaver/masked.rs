//! The gate of masked values: what is opened here is `x - a`, with an `a` that is random,
//! known to nobody and used up by it.

use crate::verify::views::{abort, mismatch_of_peers, third_of};
use crate::wire::{pack_planes, pack_words, packed_planes_len, unpack_planes, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::ring::Ring;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin};

/// Opens `x - a` and `y - b` modulo `2^width`: their words.
///
/// # Cost
/// One round; `width` bits an element of either and party, in the malicious mode 32 bytes
/// more.
///
/// # Security
/// Perfect: both are uniform whatever `x` and `y` are, errors of a corrupt party included.
/// In the malicious mode each party gets the component that it lacks from one of its
/// holders and a digest of it from the other, so that whoever is lied to finds out at once.
///
/// # Errors
/// `Abort` when the holders of a component disagree.
pub(super) async fn open_words<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    masked: [&Arith<R>; 2],
    width: u32,
) -> Result<[Vec<u64>; 2]> {
    let join = |component: fn(&Arith<R>) -> &[u64]| masked.map(component).concat();
    let (first, second) = (join(Arith::first), join(Arith::second));
    let pack = |words: &[u64]| pack_words(words, width);
    let bytes = third(ctx, || pack(&first), pack(&second)).await?;
    let third = unpack_words(ctx, ctx.party().next(), bytes, first.len(), width)?;
    let mask = u64::MAX >> (64 - width);
    let mut opened: Vec<u64> = first;
    for ((sum, y), z) in opened.iter_mut().zip(&second).zip(&*third) {
        *sum = sum.wrapping_add(*y).wrapping_add(*z) & mask;
    }
    let rest = opened.split_off(masked[0].len());
    Ok([opened, rest])
}

/// Opens `x ^ a` and `y ^ b`: their planes.
///
/// # Cost
/// As [`open_words`], one bit a lane and plane.
///
/// # Security
/// As [`open_words`].
///
/// # Errors
/// `Abort` when the holders of a component disagree.
pub(super) async fn open_bits<S: Security>(
    ctx: &Ctx<S>,
    masked: [&Bin; 2],
) -> Result<[Vec<u64>; 2]> {
    let (lanes, planes) = (masked[0].lanes(), masked[0].planes());
    let join = |component: fn(&Bin) -> &[u64]| masked.map(component).concat();
    let (first, second) = (join(Bin::first), join(Bin::second));
    let pack = |words: &[u64]| pack_planes(words, lanes);
    let bytes = third(ctx, || pack(&first), pack(&second)).await?;
    debug_assert_eq!(bytes.len(), packed_planes_len(2 * planes, lanes));
    let third = unpack_planes(ctx, ctx.party().next(), bytes, 2 * planes, lanes)?;
    let mut opened: Vec<u64> = first;
    for ((sum, y), z) in opened.iter_mut().zip(&second).zip(&*third) {
        *sum ^= y ^ z;
    }
    let rest = opened.split_off(masked[0].first().len());
    Ok([opened, rest])
}

/// The bytes of the component that this party lacks.
async fn third<S: Security>(
    ctx: &Ctx<S>,
    first: impl FnOnce() -> Payload,
    second: Payload,
) -> Result<Payload> {
    if S::VERIFIED {
        let third = third_of(ctx, &first(), second).await;
        return third.ok_or_else(|| abort(ctx, mismatch_of_peers(ctx.party())));
    }
    let expect_next = second.len();
    let message = Message { to_prev: second, expect_next, ..Message::default() };
    Ok(ctx.exchange(message).await.from_next)
}
