//! Words and bit planes as bytes, and the check of what arrives.

use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::{Error, Misbehaviour, Result};
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::ring::pack;
use mpc_core::security::Security;
use mpc_core::share::Words;

/// The `width` low bits of each word.
pub(crate) fn pack_words(words: &[u64], width: u32) -> Payload {
    let (len, width) = (words.len(), width as usize);
    Payload::written(pack::packed_len(len, width), |bytes| pack::pack(words, width, bytes))
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

/// Sends words to the previous party and takes as many from the next.
pub(crate) async fn pass_words<S: Security>(
    ctx: &Ctx<S>,
    words: &[u64],
    width: u32,
) -> Result<Words> {
    let bytes = pass(ctx, pack_words(words, width)).await;
    unpack_words(ctx, ctx.party().next(), bytes, words.len(), width)
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

/// The planes that `peer` packed with [`pack_planes`].
pub(crate) fn unpack_planes<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    bytes: &[u8],
    planes: usize,
    lanes: usize,
) -> Result<Words> {
    let (stride, len) = (lanes.div_ceil(64).max(1), lanes.div_ceil(8).max(1));
    Words::written(planes * lanes.div_ceil(64), |words| {
        for (bytes, plane) in bytes.chunks_exact(len).zip(words.chunks_exact_mut(stride)) {
            pack::plane_from_bytes(bytes, lanes, plane).map_err(|_| malformed(ctx, peer))?;
        }
        Ok(())
    })
}

/// Sends whole planes of `lanes` bits to the previous party and takes as many from the
/// next.
pub(crate) async fn pass_planes<S: Security>(
    ctx: &Ctx<S>,
    planes: &[u64],
    lanes: usize,
) -> Result<Words> {
    let count = planes.len() / lanes.div_ceil(64).max(1);
    let bytes = pass(ctx, pack_planes(planes, lanes)).await;
    unpack_planes(ctx, ctx.party().next(), &bytes, count, lanes)
}

async fn pass<S: Security>(ctx: &Ctx<S>, to_prev: Payload) -> Payload {
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
