//! A semi-honest shortcut: one party offers a table, the others look it up.
//!
//! The helper `P_h` holds the components `x_h` and `x_{h+1}`; the other two both know
//! `x_{h+2}`. So `x` is the sum (or XOR) of a value that the helper knows and one that the
//! others know, and the three-party oblivious transfer of ABY3 (Mohassel, Rindal, CCS 2018,
//! section 5.4), in which one party offers two values and another, who knows the choice,
//! hands out the mask of one, costs a single round. Nobody can check what the helper
//! provides, so this is for the semi-honest mode alone ([`crate::thirds`] is what can be
//! verified). The parties take turns in helping, which spreads the traffic.
//!
//! | | helper `P_h` | next `P_{h+1}` | previous `P_{h-1}` |
//! |---|---|---|---|
//! | first component | `x_h` | `x_{h+1}` | `x_{h+2}` |
//! | second component | `x_{h+1}` | `x_{h+2}` | `x_h` |

use crate::thirds::drawn;
use crate::wire::{malformed, pack_words, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::pack::{pack, packed_len};
use mpc_core::ring::prg::Prg;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Words};

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

/// A sharing of `table(x_h, x_{h+1})[bit(x_{h+2})]` for every element of `x`, modulo `2^width`: the
/// components add up to it, and bits beyond say nothing.
///
/// `table` gives the helper's two entries, `bit` the others' choice, 0 or 1.
///
/// # Cost
/// One round; per element the helper sends four entries of `width` bits and the
/// others one each, in whole bytes for all first or all second entries: twice that many bits a
/// party when the turns are even.
///
/// # Security
/// Semi-honest. `P_{h+1}` gets both entries, masked by streams of the helper and `P_{h-1}`,
/// and from the latter the mask of the chosen one; likewise the other way round. What is
/// chosen is itself masked by the two components that the helper draws with either.
pub async fn lookup<S: Security>(
    ctx: &Ctx<S>,
    x: &Arith<Z64>,
    width: u32,
    table: impl Fn(u64, u64) -> [u64; 2],
    bit: impl Fn(u64) -> u64,
) -> Result<Arith<Z64>> {
    let (helper, len) = (ctx.turn(), x.len());
    let mut draw = ctx.draw();
    let one = packed_len(len, width as usize);
    // Every stream first gives a component of the result, then the masks of both entries.
    let (first, second) = match Role::of(ctx.party(), helper) {
        Role::Helper => {
            let (first, second) =
                (drawn(&mut draw.with_prev, len), drawn(&mut draw.with_next, len));
            let mut zeros = Words::unset(len);
            let ones = Words::overwritten(len, |ones| {
                let known = x.first().iter().zip(x.second());
                let own = first.iter().zip(&*second).map(|(a, b)| a.wrapping_add(*b));
                for (((zero, one), (a, b)), own) in zeros.iter_mut().zip(ones).zip(known).zip(own) {
                    [*zero, *one] = table(*a, *b).map(|entry| entry.wrapping_sub(own));
                }
            });
            let mut to_next = Payload::written(2 * one, |bytes| {
                for (bytes, entries) in bytes.chunks_exact_mut(one.max(1)).zip([zeros, ones]) {
                    pack(&entries, width as usize, bytes);
                }
            });
            let mut to_prev = Payload::from(&to_next[..]);
            xor(&mut to_next, &masks(&mut draw.with_prev, len, width));
            xor(&mut to_prev, &masks(&mut draw.with_next, len, width));
            ctx.exchange(Message { to_prev, to_next, ..Message::default() }).await;
            (first, second)
        }
        Role::Next => {
            let first = drawn(&mut draw.with_prev, len);
            let masks = masks(&mut draw.with_prev, len, width);
            let choice = choice(x.second(), width, bit);
            let to_next = chosen(&choice, &masks);
            let (expect_prev, expect_next) = (2 * one, one);
            let expected = Message { to_next, expect_prev, expect_next, ..Message::default() };
            let received = ctx.exchange(expected).await;
            check_padding(ctx, helper, &received.from_prev, len, width)?;
            check_padding(ctx, helper.prev(), &received.from_next, len, width)?;
            let mut entry = chosen(&choice, &received.from_prev);
            xor(&mut entry, &received.from_next);
            (first, unpack_words(ctx, helper, entry, len, width)?)
        }
        Role::Prev => {
            let second = drawn(&mut draw.with_next, len);
            let masks = masks(&mut draw.with_next, len, width);
            let choice = choice(x.first(), width, bit);
            let to_prev = chosen(&choice, &masks);
            let (expect_prev, expect_next) = (one, 2 * one);
            let expected = Message { to_prev, expect_prev, expect_next, ..Message::default() };
            let received = ctx.exchange(expected).await;
            check_padding(ctx, helper, &received.from_next, len, width)?;
            check_padding(ctx, helper.next(), &received.from_prev, len, width)?;
            let mut entry = chosen(&choice, &received.from_next);
            xor(&mut entry, &received.from_prev);
            (unpack_words(ctx, helper, entry, len, width)?, second)
        }
    };
    Ok(Arith::from_components(x.shape(), first, second))
}

/// Masks of both entries, packed as these are: two tables one after the other.
fn masks(stream: &mut Prg, len: usize, width: u32) -> Payload {
    let one = packed_len(len, width as usize);
    Payload::written(2 * one, |bytes| {
        stream.fill_bytes(bytes);
        for table in bytes.chunks_exact_mut(one.max(1)) {
            table[one - 1] &= last_byte(len, width);
        }
    })
}

/// The bits of the last byte of a table that belong to elements; the others are zero.
fn last_byte(len: usize, width: u32) -> u8 {
    let bits = len * width as usize;
    u8::MAX >> (bits.next_multiple_of(8) - bits)
}

/// Checks the bits beyond the elements in each table that `peer` sent.
fn check_padding<S: Security>(
    ctx: &Ctx<S>,
    peer: PartyId,
    bytes: &[u8],
    len: usize,
    width: u32,
) -> Result<()> {
    let last = last_byte(len, width);
    let one = packed_len(len, width as usize);
    match bytes.chunks_exact(one.max(1)).all(|table| table[one - 1] & !last == 0) {
        true => Ok(()),
        false => Err(malformed(ctx, peer)),
    }
}

/// The bit of each word, in all bits of its place in a table.
fn choice(words: &[u64], width: u32, bit: impl Fn(u64) -> u64) -> Payload {
    pack_words(&Words::map(words, |word| bit(word).wrapping_neg()), width)
}

/// The entries that are chosen of two tables one after the other, without a branch.
fn chosen(choice: &[u8], tables: &[u8]) -> Payload {
    let (zeros, ones) = tables.split_at(choice.len());
    Payload::written(choice.len(), |chosen| {
        let entries = zeros.iter().zip(ones).zip(choice);
        for (to, ((zero, one), choice)) in chosen.iter_mut().zip(entries) {
            *to = zero ^ ((zero ^ one) & choice);
        }
    })
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
}
