//! Semi-honest shortcuts: one party helps with what it knows alone.
//!
//! The helper `P_h` holds the components `x_h` and `x_{h+1}`; the other two both know
//! `x_{h+2}`. So `x` is the sum (or XOR) of a value that the helper knows and one that the
//! others know, and the three-party oblivious transfer of ABY3 (Mohassel, Rindal, CCS 2018,
//! section 5.4), in which one party offers two values and another, who knows the choice,
//! hands out the mask of one, costs a single round. Nobody can check what the helper
//! provides, so these protocols are for the semi-honest mode alone. The parties take turns
//! in helping, which spreads the traffic.
//!
//! | | helper `P_h` | next `P_{h+1}` | previous `P_{h-1}` |
//! |---|---|---|---|
//! | first component | `x_h` | `x_{h+1}` | `x_{h+2}` |
//! | second component | `x_{h+1}` | `x_{h+2}` | `x_h` |

use crate::wire::{pack_planes, pack_words, packed_planes_len, unpack_planes, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::bits::{tail_mask, to_planes};
use mpc_core::ring::pack::packed_len;
use mpc_core::ring::{Ring, Z64};
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};

/// What this party is while another, or itself, helps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Helper,
    /// The party after the helper.
    Next,
    /// The party before the helper.
    Prev,
}

impl Role {
    fn of(party: PartyId, helper: PartyId) -> Role {
        match party {
            p if p == helper => Role::Helper,
            p if p == helper.next() => Role::Next,
            _ => Role::Prev,
        }
    }
}

/// A free choice between two words by a 0/1 bit, without a branch.
fn choose(bit: u64, if_zero: u64, if_one: u64) -> u64 {
    if_zero ^ ((if_zero ^ if_one) & bit.wrapping_neg())
}

/// A sharing of `table(x_h, x_{h+1})[bit(x_{h+2})]` for every element of `x`.
///
/// `table` gives the helper's two entries, multiples of `2^granularity`; `bit` gives the
/// others' choice, 0 or 1.
///
/// # Cost
/// One round; per element the helper sends four entries of `64 - granularity` bits and the
/// others one each: twice that many bits a party when the turns are even.
///
/// # Security
/// Semi-honest. `P_{h+1}` gets both entries, masked by streams of the helper and `P_{h-1}`,
/// and from the latter the mask of the chosen one; likewise the other way round. What is
/// chosen is itself masked by the two components that the helper draws with either.
pub async fn lookup<S: Security>(
    ctx: &Ctx<S>,
    x: &Arith<Z64>,
    granularity: u32,
    table: impl Fn(u64, u64) -> [u64; 2],
    bit: impl Fn(u64) -> u64,
) -> Result<Arith<Z64>> {
    let (helper, len, width) = (ctx.turn(), x.len(), 64 - granularity);
    let mut draw = ctx.draw();
    let fill = |stream: &mut mpc_core::ring::prg::Prg, len: usize| {
        let mut words = Words::zeroed(len);
        stream.fill_words(&mut words);
        words.iter_mut().for_each(|w| *w <<= granularity);
        words
    };
    let upper = |words: &[u64]| -> Vec<u8> {
        let shifted: Words = words.iter().map(|w| w >> granularity).collect();
        pack_words(&shifted, width)
    };
    let words = |peer: PartyId, bytes: &[u8], len: usize| -> Result<Words> {
        let mut words = unpack_words(ctx, peer, bytes, len, width)?;
        words.iter_mut().for_each(|w| *w <<= granularity);
        Ok(words)
    };
    let (one, two) = (packed_len(len, width as usize), packed_len(2 * len, width as usize));
    // Every stream first gives a component of the result, then the masks of both entries.
    let (first, second) = match Role::of(ctx.party(), helper) {
        Role::Helper => {
            let (first, second) = (fill(&mut draw.with_prev, len), fill(&mut draw.with_next, len));
            let masked = |masks: Words| -> Words {
                let mut entries = masks;
                for at in 0..len {
                    let known = first[at].wrapping_add(second[at]);
                    for (j, entry) in table(x.first()[at], x.second()[at]).into_iter().enumerate() {
                        let e = &mut entries[j * len + at];
                        *e = e.wrapping_add(entry).wrapping_sub(known);
                    }
                }
                entries
            };
            let to_next = upper(&masked(fill(&mut draw.with_prev, 2 * len)));
            let to_prev = upper(&masked(fill(&mut draw.with_next, 2 * len)));
            ctx.exchange(Message { to_prev, to_next, ..Message::default() }).await;
            (first, second)
        }
        Role::Next => {
            let first = fill(&mut draw.with_prev, len);
            let masks = fill(&mut draw.with_prev, 2 * len);
            let bits: Words = x.second().iter().map(|x| bit(*x)).collect();
            let to_next = upper(&chosen(&bits, &masks));
            let expected =
                Message { to_next, expect_prev: two, expect_next: one, ..Message::default() };
            let received = ctx.exchange(expected).await;
            let entries = words(helper, &received.from_prev, 2 * len)?;
            let mask = words(helper.prev(), &received.from_next, len)?;
            (first, unmasked(&bits, &entries, &mask))
        }
        Role::Prev => {
            let second = fill(&mut draw.with_next, len);
            let masks = fill(&mut draw.with_next, 2 * len);
            let bits: Words = x.first().iter().map(|x| bit(*x)).collect();
            let to_prev = upper(&chosen(&bits, &masks));
            let expected =
                Message { to_prev, expect_prev: one, expect_next: two, ..Message::default() };
            let received = ctx.exchange(expected).await;
            let entries = words(helper, &received.from_next, 2 * len)?;
            let mask = words(helper.next(), &received.from_prev, len)?;
            (unmasked(&bits, &entries, &mask), second)
        }
    };
    Ok(Arith::from_components(x.shape(), first, second))
}

/// The entry that each bit chooses from two tables one after the other.
fn chosen(bits: &[u64], entries: &[u64]) -> Words {
    let (zeros, ones) = entries.split_at(bits.len());
    bits.iter().zip(zeros.iter().zip(ones)).map(|(b, (z, o))| choose(*b, *z, *o)).collect()
}

fn unmasked(bits: &[u64], entries: &[u64], mask: &[u64]) -> Words {
    chosen(bits, entries).iter().zip(mask).map(|(e, m)| e.wrapping_sub(*m)).collect()
}

/// The low `width` bits of `x` as the sum of two binary sharings, modulo `2^width`: the
/// helper re-shares `x_h + x_{h+1}`, and `x_{h+2}` is shared for free.
///
/// # Cost
/// One round; `width` bits per element, from the helper alone.
///
/// # Security
/// Semi-honest. What `P_{h-1}` receives is masked by a stream of the helper and `P_{h+1}`.
pub async fn binary_addends<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    x: &Arith<R>,
    width: usize,
) -> Result<[Bin; 2]> {
    let (helper, lanes) = (ctx.turn(), x.len());
    let mut draw = ctx.draw();
    let mask = |stream: &mut mpc_core::ring::prg::Prg| {
        let mut words = Words::zeroed(width * lanes.div_ceil(64));
        stream.fill_words(&mut words);
        let tail = tail_mask(lanes);
        words
            .chunks_exact_mut(lanes.div_ceil(64).max(1))
            .for_each(|plane| plane[plane.len() - 1] &= tail);
        words
    };
    let zero = || Words::zeroed(width * lanes.div_ceil(64));
    let bin = |first, second| Bin::from_components(lanes, width, first, second);
    let planes = |words: &[u64]| Words::from(to_planes(words, width));
    Ok(match Role::of(ctx.party(), helper) {
        Role::Helper => {
            let second = mask(&mut draw.with_next);
            let sum: Words =
                x.first().iter().zip(x.second()).map(|(a, b)| a.wrapping_add(*b)).collect();
            let first: Words = planes(&sum).iter().zip(&*second).map(|(s, m)| s ^ m).collect();
            let to_prev = pack_planes(&first, lanes);
            ctx.exchange(Message { to_prev, ..Message::default() }).await;
            [bin(first, second), bin(zero(), zero())]
        }
        Role::Next => {
            let first = mask(&mut draw.with_prev);
            ctx.exchange(Message::default()).await;
            [bin(first, zero()), bin(zero(), planes(x.second()))]
        }
        Role::Prev => {
            let expect_next = packed_planes_len(width, lanes);
            let received = ctx.exchange(Message { expect_next, ..Message::default() }).await;
            let second = unpack_planes(ctx, helper, &received.from_next, width, lanes)?;
            [bin(zero(), second), bin(planes(x.first()), zero())]
        }
    })
}

/// `bit * 2^granularity` for 0/1 words whose XOR is shared: `x_h ^ x_{h+1}` is known to
/// the helper, `x_{h+2}` to the others, and `a ^ b = b + (1 - 2b) a`.
///
/// # Cost
/// Two rounds; per element each party sends one word of `64 - granularity` bits when the
/// turns are even: the helper one, the others one each.
///
/// # Security
/// Semi-honest. `P_{h+1}` receives `a` masked by a stream of the helper and `P_{h-1}`; the
/// helper receives its components masked by streams of the others.
pub async fn inject_words<S: Security>(
    ctx: &Ctx<S>,
    shape: [usize; 2],
    first: &[u64],
    second: &[u64],
    granularity: u32,
) -> Result<Arith<Z64>> {
    let (helper, len, width) = (ctx.turn(), first.len(), 64 - granularity);
    let bytes = packed_len(len, width as usize);
    let mut draw = ctx.draw();
    let (key, send) = (ctx.step("masked"), ctx.step("components"));
    let fill = |stream: &mut mpc_core::ring::prg::Prg| {
        let mut words = Words::zeroed(len);
        stream.fill_words(&mut words);
        words
    };
    // Words are kept without their zero low bits until the end.
    let (first, second): (Words, Words) = match Role::of(ctx.party(), helper) {
        Role::Helper => {
            // Step 1: a - k to P_{h+1}.
            let k = fill(&mut draw.with_prev);
            let masked: Words =
                (0..len).map(|at| (first[at] ^ second[at]).wrapping_sub(k[at])).collect();
            let to_next = pack_words(&masked, width);
            key.exchange(Message { to_next, ..Message::default() }).await;
            // Step 2: both components from their other holders.
            let expected = Message { expect_prev: bytes, expect_next: bytes, ..Message::default() };
            let received = send.exchange(expected).await;
            (
                unpack_words(&send, helper.prev(), &received.from_prev, len, width)?,
                unpack_words(&send, helper.next(), &received.from_next, len, width)?,
            )
        }
        Role::Next => {
            let expected = Message { expect_prev: bytes, ..Message::default() };
            let received = key.exchange(expected).await;
            let masked = unpack_words(&key, helper, &received.from_prev, len, width)?;
            // b + (1 - 2b) (a - k), masked.
            let (rho, sigma) = (fill(&mut draw.with_next), fill(&mut draw.with_next));
            let own: Words = (0..len)
                .map(|at| {
                    second[at].wrapping_add(signed(second[at], masked[at])).wrapping_sub(rho[at])
                })
                .collect();
            let to_prev = pack_words(&own, width);
            send.exchange(Message { to_prev, ..Message::default() }).await;
            (own, rho.iter().zip(&*sigma).map(|(r, s)| r.wrapping_add(*s)).collect())
        }
        Role::Prev => {
            key.exchange(Message::default()).await;
            // (1 - 2b) k, masked.
            let k = fill(&mut draw.with_next);
            let (rho, sigma) = (fill(&mut draw.with_prev), fill(&mut draw.with_prev));
            let own: Words =
                (0..len).map(|at| signed(first[at], k[at]).wrapping_sub(sigma[at])).collect();
            let to_next = pack_words(&own, width);
            send.exchange(Message { to_next, ..Message::default() }).await;
            (rho.iter().zip(&*sigma).map(|(r, s)| r.wrapping_add(*s)).collect(), own)
        }
    };
    let scale = |words: Words| -> Words { words.iter().map(|w| w << granularity).collect() };
    Ok(Arith::from_components(shape, scale(first), scale(second)))
}

/// `(1 - 2 bit) word`, without a branch.
fn signed(bit: u64, word: u64) -> u64 {
    choose(bit, word, word.wrapping_neg())
}
