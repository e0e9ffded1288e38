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

use crate::wire::{pack_words, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::pack::packed_len;
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

/// A free choice between two words by a 0/1 bit, without a branch.
fn choose(bit: u64, if_zero: u64, if_one: u64) -> u64 {
    if_zero ^ ((if_zero ^ if_one) & bit.wrapping_neg())
}

/// A sharing of `table(x_h, x_{h+1})[bit(x_{h+2})]` for every element of `x`.
///
/// Entries and result are multiples of `2^granularity`. `table` gives the helper's two entries in
/// that unit; `bit` gives the others' choice, 0 or 1.
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
    // All is in units of 2^granularity, of which the lowest `width` bits count, until the end.
    let drawn = |stream: &mut Prg, len| Words::overwritten(len, |words| stream.fill_words(words));
    let lifted = |mut words: Words| {
        words.iter_mut().for_each(|word| *word <<= granularity);
        words
    };
    let (one, two) = (packed_len(len, width as usize), packed_len(2 * len, width as usize));
    // Every stream first gives a component of the result, then the masks of both entries.
    let (first, second) = match Role::of(ctx.party(), helper) {
        Role::Helper => {
            let (first, second) =
                (drawn(&mut draw.with_prev, len), drawn(&mut draw.with_next, len));
            let entries = Words::overwritten(2 * len, |entries| {
                let (zeros, ones) = entries.split_at_mut(len);
                let known = x.first().iter().zip(x.second());
                let own = first.iter().zip(&*second).map(|(a, b)| a.wrapping_add(*b));
                for (((zero, one), (a, b)), own) in zeros.iter_mut().zip(ones).zip(known).zip(own) {
                    [*zero, *one] = table(*a, *b).map(|entry| entry.wrapping_sub(own));
                }
            });
            let masked = |stream: &mut Prg, mut entries: Words| {
                stream.add_words(&mut entries);
                pack_words(&entries, width)
            };
            let to_next = masked(&mut draw.with_prev, entries.clone());
            let to_prev = masked(&mut draw.with_next, entries);
            ctx.exchange(Message { to_prev, to_next, ..Message::default() }).await;
            (first, second)
        }
        Role::Next => {
            let first = drawn(&mut draw.with_prev, len);
            let masks = drawn(&mut draw.with_prev, 2 * len);
            let bits = Words::map(x.second(), &bit);
            let to_next = pack_words(&chosen(&bits, &masks), width);
            let expected =
                Message { to_next, expect_prev: two, expect_next: one, ..Message::default() };
            let received = ctx.exchange(expected).await;
            let entries = unpack_words(ctx, helper, received.from_prev, 2 * len, width)?;
            let mask = unpack_words(ctx, helper.prev(), received.from_next, len, width)?;
            (first, unmasked(&bits, &entries, &mask))
        }
        Role::Prev => {
            let second = drawn(&mut draw.with_next, len);
            let masks = drawn(&mut draw.with_next, 2 * len);
            let bits = Words::map(x.first(), &bit);
            let to_prev = pack_words(&chosen(&bits, &masks), width);
            let expected =
                Message { to_prev, expect_prev: one, expect_next: two, ..Message::default() };
            let received = ctx.exchange(expected).await;
            let entries = unpack_words(ctx, helper, received.from_next, 2 * len, width)?;
            let mask = unpack_words(ctx, helper.next(), received.from_prev, len, width)?;
            (unmasked(&bits, &entries, &mask), second)
        }
    };
    Ok(Arith::from_components(x.shape(), lifted(first), lifted(second)))
}

/// The entry that each bit chooses from two tables one after the other.
fn chosen(bits: &[u64], entries: &[u64]) -> Words {
    let (zeros, ones) = entries.split_at(bits.len());
    Words::overwritten(bits.len(), |chosen| {
        let entries = zeros.iter().zip(ones);
        for ((to, bit), (zero, one)) in chosen.iter_mut().zip(bits).zip(entries) {
            *to = choose(*bit, *zero, *one);
        }
    })
}

fn unmasked(bits: &[u64], entries: &[u64], mask: &[u64]) -> Words {
    let mut values = chosen(bits, entries);
    values.iter_mut().zip(mask).for_each(|(value, mask)| *value = value.wrapping_sub(*mask));
    values
}
