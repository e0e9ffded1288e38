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

use crate::wire::{AT_A_TIME, malformed, pack_mapped, parts, unpack_changed};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::prss::Draw;
use mpc_core::ring::pack::{pack, packed_len};
use mpc_core::ring::prg::Prg;
use mpc_core::ring::{Z64, elementwise, vectorized};
use mpc_core::security::Security;
use mpc_core::share::{Arith, Words};
use std::ops::Range;

/// What this party is while another, or itself, helps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Helper,
    /// The party after the helper.
    Next,
    /// The party before the helper.
    Prev,
}

/// Which of the two components that a party holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// `x_i` of `P_i`.
    First,
    /// `x_{i+1}` of `P_i`.
    Second,
}

impl Component {
    fn of(self, x: &Arith<Z64>) -> &[u64] {
        if self == Component::First { x.first() } else { x.second() }
    }
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

/// What a table says of each element, by what its helper knows, and what becomes of it.
pub trait Table {
    /// Bits of an entry that count.
    fn width(&self) -> u32;

    /// The helper's two entries, modulo `2^width`, given its words of both components.
    fn entries(&self) -> impl Fn(u64, u64) -> [u64; 2];

    /// The choice of the others, 0 or 1, given the word that the helper lacks, of this component of
    /// theirs.
    fn choice(&self, component: Component) -> impl Fn(u64) -> u64;

    /// A component of the result, from that of the entry that was chosen, in which bits beyond
    /// `width` say nothing, and that of the element.
    fn result(&self, component: Component) -> impl Fn(u64, u64) -> u64;
}

/// Looks up an entry for every element of `x`, and puts it together with the element.
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
    table: &impl Table,
) -> Result<Arith<Z64>> {
    let (helper, len, width) = (ctx.turn(), x.len(), table.width());
    let mut draw = ctx.draw();
    let one = packed_len(len, width as usize);
    let [result_of_first, result_of_second] =
        [Component::First, Component::Second].map(|component| {
            let (result, x) = (table.result(component), component.of(x));
            move |at: Range<usize>, entries: &mut [u64]| {
                elementwise::update_with(entries, &x[at], &result);
            }
        });
    // Every stream first gives a component of the entries, then the masks of both.
    let (first, second) = match Role::of(ctx.party(), helper) {
        Role::Helper => {
            let (first, second, mut to_next) = offered(&mut draw, x, table);
            let mut to_prev = Payload::from(&to_next[..]);
            xor(&mut to_next, &masks(&mut draw.with_prev, len, width));
            xor(&mut to_prev, &masks(&mut draw.with_next, len, width));
            ctx.exchange(Message { to_prev, to_next, ..Message::default() }).await;
            (first, second)
        }
        Role::Next => {
            let first = drawn_changed(&mut draw.with_prev, len, result_of_first);
            let masks = masks(&mut draw.with_prev, len, width);
            let choice = choice(x.second(), width, table.choice(Component::Second));
            let to_next = chosen(&choice, &masks);
            let (expect_prev, expect_next) = (2 * one, one);
            let expected = Message { to_next, expect_prev, expect_next, ..Message::default() };
            let received = ctx.exchange(expected).await;
            check_padding(ctx, helper, &received.from_prev, len, width)?;
            check_padding(ctx, helper.prev(), &received.from_next, len, width)?;
            let mut entry = chosen(&choice, &received.from_prev);
            xor(&mut entry, &received.from_next);
            (first, unpack_changed(ctx, helper, &entry, (len, width), result_of_second)?)
        }
        Role::Prev => {
            let second = drawn_changed(&mut draw.with_next, len, result_of_second);
            let masks = masks(&mut draw.with_next, len, width);
            let choice = choice(x.first(), width, table.choice(Component::First));
            let to_prev = chosen(&choice, &masks);
            let (expect_prev, expect_next) = (one, 2 * one);
            let expected = Message { to_prev, expect_prev, expect_next, ..Message::default() };
            let received = ctx.exchange(expected).await;
            check_padding(ctx, helper, &received.from_next, len, width)?;
            check_padding(ctx, helper.next(), &received.from_prev, len, width)?;
            let mut entry = chosen(&choice, &received.from_next);
            xor(&mut entry, &received.from_prev);
            (unpack_changed(ctx, helper, &entry, (len, width), result_of_first)?, second)
        }
    };
    Ok(Arith::from_components(x.shape(), first, second))
}

/// What the helper does: it draws both its components of the entries, which become those of the
/// result, and tabulates what is missing. The tables are packed, one after the other, without a
/// mask.
fn offered(draw: &mut Draw, x: &Arith<Z64>, table: &impl Table) -> (Words, Words, Payload) {
    let (len, width) = (x.len(), table.width());
    let one = packed_len(len, width as usize);
    let entries = table.entries();
    let [result_of_first, result_of_second] =
        [Component::First, Component::Second].map(|component| table.result(component));
    let [mut first, mut second] = [(); 2].map(|()| Words::unset(len));
    let [mut zeros, mut ones] = [(); 2].map(|()| Words::unset(len.min(AT_A_TIME)));
    let tables = Payload::written(2 * one, |tables| {
        let (of_zero, of_one) = tables.split_at_mut(one);
        for (at, bytes) in parts(len, width) {
            let [first, second] = [&mut first, &mut second].map(|words| &mut words[at.clone()]);
            let [zeros, ones] = [&mut zeros, &mut ones].map(|words| &mut words[..at.len()]);
            let known = x.first()[at.clone()].iter().zip(&x.second()[at]);
            draw.with_prev.fill_words(first);
            draw.with_next.fill_words(second);
            let words =
                zeros.iter_mut().zip(&mut *ones).zip(known).zip(first.iter_mut().zip(second));
            vectorized(
                #[inline(always)]
                || {
                    for (((zero, one), (a, b)), (first, second)) in words {
                        let own = first.wrapping_add(*second);
                        [*zero, *one] = entries(*a, *b).map(|entry| entry.wrapping_sub(own));
                        *first = result_of_first(*first, *a);
                        *second = result_of_second(*second, *b);
                    }
                },
            );
            pack(zeros, width as usize, &mut of_zero[bytes.clone()]);
            pack(ones, width as usize, &mut of_one[bytes]);
        }
    });
    (first, second, tables)
}

/// The next words of a stream, some at a time changed by `change`, which is also told their places.
fn drawn_changed(stream: &mut Prg, len: usize, change: impl Fn(Range<usize>, &mut [u64])) -> Words {
    Words::overwritten(len, |drawn| {
        for (part, words) in drawn.chunks_mut(AT_A_TIME).enumerate() {
            let start = part * AT_A_TIME;
            stream.fill_words(words);
            change(start..start + words.len(), words);
        }
    })
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
    pack_mapped(words, width, |word| bit(word).wrapping_neg())
}

/// The entries that are chosen of two tables one after the other, without a branch.
fn chosen(choice: &[u8], tables: &[u8]) -> Payload {
    let (zeros, ones) = tables.split_at(choice.len());
    Payload::written(choice.len(), |chosen| {
        let entries = chosen.iter_mut().zip(zeros).zip(ones).zip(choice);
        vectorized(
            #[inline(always)]
            || entries.for_each(|(((to, zero), one), choice)| *to = zero ^ ((zero ^ one) & choice)),
        );
    })
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    vectorized(
        #[inline(always)]
        || bytes.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with),
    );
}
