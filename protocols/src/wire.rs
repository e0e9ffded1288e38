//! Words and bit planes as bytes, and the check of what arrives.

use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::{Error, Misbehaviour, Result};
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::ring::{elementwise, pack};
use mpc_core::security::Security;
use mpc_core::share::Words;
use std::ops::Range;
use std::sync::Arc;

/// Words that are worked on at a time, so that what is only needed in between stays in the
/// first-level cache. Packed, so many are whole bytes whatever their width; drawn, they are whole
/// blocks of the cipher.
pub(crate) const AT_A_TIME: usize = 1 << 10;

/// The places of `len` words, so many at a time, and of the bytes that they take with `width` bits
/// each.
pub(crate) fn parts(len: usize, width: u32) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    (0..len).step_by(AT_A_TIME).map(move |start| {
        let words = start..len.min(start + AT_A_TIME);
        let begin = pack::packed_len(start, width as usize);
        let bytes = begin..begin + pack::packed_len(words.len(), width as usize);
        (words, bytes)
    })
}

/// The `width` low bits of each word.
pub(crate) fn pack_words(words: &[u64], width: u32) -> Payload {
    let (len, width) = (words.len(), width as usize);
    Payload::written(pack::packed_len(len, width), |bytes| pack::pack(words, width, bytes))
}

/// [`pack_words`] of `f` of each word.
pub(crate) fn pack_mapped(words: &[u64], width: u32, f: impl Fn(u64) -> u64) -> Payload {
    let mut mapped = Words::unset(words.len().min(AT_A_TIME));
    Payload::written(pack::packed_len(words.len(), width as usize), |packed| {
        for (at, bytes) in parts(words.len(), width) {
            let mapped = &mut mapped[..at.len()];
            elementwise::map(mapped, &words[at], &f);
            pack::pack(mapped, width as usize, &mut packed[bytes]);
        }
    })
}

/// [`pack_words`] of words that stay where they lie if they travel as a whole.
pub(crate) fn pack_shared(words: &Arc<Words>, width: u32) -> Payload {
    match width {
        u64::BITS => Payload::of_words(words.clone()),
        _ => pack_words(words, width),
    }
}

/// The words that `peer` packed with [`pack_words`].
pub(crate) fn unpack_words<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    bytes: Payload,
    len: usize,
    width: u32,
) -> Result<Words> {
    if width == u64::BITS {
        return bytes.into_words(len).ok_or_else(|| malformed(ctx, peer));
    }
    Words::written(len, |words| pack::unpack(&bytes, width as usize, words))
        .map_err(|_| malformed(ctx, peer))
}

/// Overwrites `words` with those that `peer` packed with [`pack_words`].
pub(crate) fn unpack_into<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    packed: &[u8],
    width: u32,
    words: &mut [u64],
) -> Result<()> {
    pack::unpack(packed, width as usize, words).map_err(|_| malformed(ctx, peer))
}

/// The words that `peer` packed with [`pack_words`], some at a time changed by `change`, which is
/// also told their places.
pub(crate) fn unpack_changed<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    packed: &[u8],
    (len, width): (usize, u32),
    change: impl Fn(Range<usize>, &mut [u64]),
) -> Result<Words> {
    if packed.len() != pack::packed_len(len, width as usize) {
        return Err(malformed(ctx, peer));
    }
    Words::written(len, |words| {
        for (at, bytes) in parts(len, width) {
            let words = &mut words[at.clone()];
            pack::unpack(&packed[bytes], width as usize, words)
                .map_err(|_| malformed(ctx, peer))?;
            change(at, words);
        }
        Ok(())
    })
}

/// Bytes of planes of `lanes` bits: `ceil(lanes / 8)` a plane.
pub(crate) fn packed_planes_len(planes: usize, lanes: usize) -> usize {
    planes * lanes.div_ceil(8)
}

/// Whole planes of `lanes` bits as bytes.
pub(crate) fn pack_planes(planes: &[u64], lanes: usize) -> Payload {
    let (words, bytes) = (lanes.div_ceil(64).max(1), lanes.div_ceil(8).max(1));
    Payload::written(planes.len() / words * bytes, |out| {
        for (plane, out) in planes.chunks_exact(words).zip(out.chunks_exact_mut(bytes)) {
            pack::plane_to_bytes(plane, lanes, out);
        }
    })
}

/// [`pack_planes`] of planes that stay where they lie if they are whole words.
pub(crate) fn pack_shared_planes(planes: &Arc<Words>, lanes: usize) -> Payload {
    match lanes.is_multiple_of(64) {
        true => Payload::of_words(planes.clone()),
        false => pack_planes(planes, lanes),
    }
}

/// The planes that `peer` packed with [`pack_planes`].
pub(crate) fn unpack_planes<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    bytes: Payload,
    planes: usize,
    lanes: usize,
) -> Result<Words> {
    let (stride, len) = (lanes.div_ceil(64).max(1), lanes.div_ceil(8).max(1));
    if lanes.is_multiple_of(64) {
        return bytes.into_words(planes * lanes / 64).ok_or_else(|| malformed(ctx, peer));
    }
    Words::written(planes * lanes.div_ceil(64), |words| {
        for (bytes, plane) in bytes.chunks_exact(len).zip(words.chunks_exact_mut(stride)) {
            pack::plane_from_bytes(bytes, lanes, plane).map_err(|_| malformed(ctx, peer))?;
        }
        Ok(())
    })
}

/// Two blocks of planes one after the other, of so many bits a plane.
pub(crate) fn pack_blocks(words: Words, planes: usize, lanes: [usize; 2]) -> Payload {
    if lanes.iter().all(|lanes| lanes.is_multiple_of(64)) {
        return Payload::of_words(words);
    }
    let (one, two) = words.split_at(planes * lanes[0].div_ceil(64));
    let blocks = [pack_planes(one, lanes[0]), pack_planes(two, lanes[1])];
    Payload::joined(blocks.iter().map(|block| &block[..]))
}

/// The blocks that `peer` packed with [`pack_blocks`].
pub(crate) fn unpack_blocks<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    bytes: Payload,
    planes: usize,
    lanes: [usize; 2],
) -> Result<Words> {
    if lanes.iter().all(|lanes| lanes.is_multiple_of(64)) {
        let len = planes * (lanes[0] + lanes[1]) / 64;
        return bytes.into_words(len).ok_or_else(|| malformed(ctx, peer));
    }
    let (one, two) = bytes
        .split_at_checked(packed_planes_len(planes, lanes[0]))
        .ok_or_else(|| malformed(ctx, peer))?;
    let one = unpack_planes(ctx, peer, one.into(), planes, lanes[0])?;
    let two = unpack_planes(ctx, peer, two.into(), planes, lanes[1])?;
    Ok([&one[..], &two[..]].into_iter().collect())
}

/// Sends planes of `lanes` bits that are packed to the previous party and takes as many from the
/// next.
pub(crate) async fn pass_planes<S: Security>(
    ctx: &Ctx<S>,
    packed: Payload,
    planes: usize,
    lanes: usize,
) -> Result<Words> {
    let bytes = pass(ctx, packed).await;
    unpack_planes(ctx, ctx.party().next(), bytes, planes, lanes)
}

/// Sends bytes to the previous party and takes as many from the next.
pub(crate) async fn pass<S: Security>(ctx: &Ctx<S>, to_prev: Payload) -> Payload {
    let expect_next = to_prev.len();
    ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await.from_next
}

pub(crate) fn malformed<S: Security>(ctx: &Ctx<S>, peer: PartyId) -> Error {
    Error::PeerMisbehaved {
        peer,
        step: ctx.path().to_string(),
        kind: Misbehaviour::Malformed("bits set beyond the last element"),
    }
}
