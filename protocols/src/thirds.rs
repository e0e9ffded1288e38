//! What one party knows of a sharing and can put in, for the others to verify.
//!
//! `P_h` holds two of the three components of a value, `x_h` and `x_{h+1}`, so it can compute
//! any function of these two alone and share the result in one round; the third component,
//! `x_{h+2}`, both others know. The elements are cut into thirds, and `P_h` helps with the
//! third number `h`, so that all parties send as much.
//!
//! In the malicious mode whatever is put in is *claimed* by recorded products among it and
//! free sharings of `x_h` and `x_{h+1}`. Whether these hold depends on what the helper knows and
//! on nothing else, so it learns nothing from an abort. (A table that the others look up by
//! a bit of `x_{h+2}`, as in [`crate::helper`], could be wrong for one of its values: then
//! the abort would tell that bit.)

use crate::wire::{pack_planes, pack_shared, packed_planes_len, unpack_into, unpack_planes};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::bits::tail_mask;
use mpc_core::ring::pack::packed_len;
use mpc_core::ring::prg::Prg;
use mpc_core::ring::{Z64, elementwise};
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Bin, Words};
use std::ops::Range;
use std::sync::Arc;

/// The third with this number of a row of `len` words.
pub fn third(len: usize, number: usize) -> Range<usize> {
    number * len / 3..(number + 1) * len / 3
}

/// Rows of words, each cut into thirds, as one party sees them.
pub struct Thirds {
    party: PartyId,
    row: usize,
}

impl Thirds {
    /// The thirds of rows of `row` words.
    pub fn new(party: PartyId, row: usize) -> Thirds {
        Thirds { party, row }
    }

    /// The words of a row with which `helper` helps.
    pub fn of(&self, helper: PartyId) -> Range<usize> {
        third(self.row, helper.index())
    }

    /// The words of a row with which this party helps.
    pub fn own(&self) -> Range<usize> {
        self.of(self.party)
    }

    /// The thirds with which another party than `party` helps, in order.
    pub fn others(&self, party: PartyId) -> impl Iterator<Item = (PartyId, Range<usize>)> {
        let others = PartyId::ALL.into_iter().filter(move |helper| *helper != party);
        others.map(|helper| (helper, self.of(helper)))
    }

    /// `f` of the words of `x`, of `y` and of what the helper knows of `z`, in one row; zeros take
    /// the place of what it lacks.
    pub fn zip_known(
        &self,
        [x, y, z]: [&Arith<Z64>; 3],
        f: impl Fn(u64, u64, u64) -> u64,
    ) -> Arith<Z64> {
        let of = |component: fn(&Arith<Z64>) -> &[u64], lacks: PartyId| {
            let words @ [x, y, _] = [component(x), component(y), component(z)];
            let mut zipped = Words::zip3(words, &f);
            self.of(lacks).for_each(|at| zipped[at] = f(x[at], y[at], 0));
            zipped
        };
        let (first, second) =
            (of(Arith::first, self.party.next()), of(Arith::second, self.party.prev()));
        Arith::from_components(x.shape(), first, second)
    }

    /// Carry `j` into bit `j`, which are the planes of `carries` from the first on, xor that bit of the
    /// component `x_h` of `x`, or `x_{h+1}`: of what comes out, the two components that the helper
    /// knows count.
    pub fn xor_known(&self, carries: &Bin, x: &Bin, which: Known) -> Bin {
        let (own, prev, next) =
            (self.own(), self.of(self.party.prev()), self.of(self.party.next()));
        let [in_first, in_second] = match which {
            Known::First => [own, next],
            Known::Second => [prev, own],
        };
        let xor = |component: usize, range: Range<usize>| {
            Words::overwritten(carries.planes() * self.row, |sums| {
                for (plane, sum) in self.rows_mut(sums).enumerate() {
                    match plane.checked_sub(1) {
                        Some(below) => sum.copy_from_slice(carries.plane(below)[component]),
                        None => sum.fill(0),
                    }
                    let x = &x.plane(plane)[component][range.clone()];
                    sum[range.clone()].iter_mut().zip(x).for_each(|(sum, x)| *sum ^= x);
                }
            })
        };
        let (first, second) = (xor(0, in_first), xor(1, in_second));
        Bin::from_components(x.lanes(), carries.planes(), first, second)
    }

    /// All rows of some words, to be changed.
    pub fn rows_mut<'a>(&self, words: &'a mut [u64]) -> impl Iterator<Item = &'a mut [u64]> {
        words.chunks_exact_mut(self.row.max(1))
    }

    /// `rows` rows of the thirds of these helpers, each given row after row; nothing stands for
    /// zeros.
    pub fn place(&self, rows: usize, parts: [(PartyId, Option<&[u64]>); 3]) -> Words {
        Words::overwritten(rows * self.row, |placed| {
            for (helper, words) in parts {
                let range = self.of(helper);
                let mut from = words.map(|words| words.chunks_exact(range.len().max(1)));
                for to in self.rows_mut(placed) {
                    match from.as_mut().and_then(Iterator::next) {
                        Some(from) => to[range.clone()].copy_from_slice(from),
                        None => to[range.clone()].fill(0),
                    }
                }
            }
        })
    }
}

/// One of the two components that a helper knows.
#[derive(Clone, Copy)]
pub enum Known {
    /// `x_h`, which `P_{h-1}` knows as well.
    First,
    /// `x_{h+1}`, which `P_{h+1}` knows as well.
    Second,
}

/// The next words of a stream.
pub(crate) fn drawn(stream: &mut Prg, len: usize) -> Words {
    Words::overwritten(len, |words| stream.fill_words(words))
}

/// Shares what each helper knows: `own` are the values of this party's third of all
/// elements, of which `width` bits count. Components are below `2^width` as well.
///
/// # Cost
/// One round; `width` bits an element from its helper, so a third of that a party.
///
/// # Security
/// As [`crate::input`]: what `P_{h-1}` receives is masked by a stream of `P_h` and `P_{h+1}`. A
/// corrupt helper chooses what it puts in, but is committed to it.
pub async fn input_words<S: Security>(
    ctx: &Ctx<S>,
    shape: [usize; 2],
    width: u32,
    own: Words,
) -> Result<Arith<Z64>> {
    let (party, mut draw, mut masked) = (ctx.party(), ctx.draw(), own);
    let (prev, next) = (party.prev(), party.next());
    let len = shape[0] * shape[1];
    let thirds = Thirds::new(party, len);
    let low = u64::MAX >> (64 - width);
    let draw_masks = |stream: &mut Prg, masks: &mut [u64]| {
        stream.fill_words(masks);
        if width < u64::BITS {
            elementwise::update(masks, |mask| mask & low);
        }
    };
    // Step 1: masks, where they are a component; what a party puts in is masked by its own.
    let mut second = Words::unset(len);
    second[thirds.of(prev)].fill(0);
    draw_masks(&mut draw.with_next, &mut second[thirds.own()]);
    ctx.deviate(&mut masked, 0..width);
    let own_masks = &second[thirds.own()];
    elementwise::update_with(&mut masked, own_masks, |x, mask| x.wrapping_sub(mask) & low);
    let first = Words::overwritten(len, |first| {
        first[thirds.own()].copy_from_slice(&masked);
        first[thirds.of(next)].fill(0);
        draw_masks(&mut draw.with_prev, &mut first[thirds.of(prev)]);
    });
    // Step 2: send it to P_{i-1}.
    let of_next = thirds.of(next);
    let to_prev = pack_shared(&Arc::new(masked), width);
    let expect_next = packed_len(of_next.len(), width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    unpack_into(ctx, next, &received.from_next, width, &mut second[of_next])?;
    Ok(Arith::from_components(shape, first, second))
}

/// Shares bits that each helper knows: `own` are the words of this party's third of each of
/// `planes` planes of `lanes` bits.
///
/// # Cost
/// One round; a bit a lane and plane from its helper, so a third of that a party.
///
/// # Security
/// As [`input_words`].
pub async fn input_planes<S: Security>(
    ctx: &Ctx<S>,
    lanes: usize,
    planes: usize,
    own: Words,
) -> Result<Bin> {
    let (party, mut draw, mut masked) = (ctx.party(), ctx.draw(), own);
    let (prev, next) = (party.prev(), party.next());
    let thirds = Thirds::new(party, lanes.div_ceil(64));
    let lanes_of = |helper| lanes_in(lanes, &thirds.of(helper));
    let masks = |stream: &mut Prg, helper| {
        let mut masks = drawn(stream, planes * thirds.of(helper).len());
        cut_planes(&mut masks, lanes_of(helper));
        masks
    };
    let own_masks = masks(&mut draw.with_next, party);
    let prev_masks = masks(&mut draw.with_prev, prev);
    ctx.deviate(&mut masked, 0..tail_mask(lanes_of(party)).count_ones());
    masked.iter_mut().zip(&*own_masks).for_each(|(x, mask)| *x ^= mask);
    cut_planes(&mut masked, lanes_of(party));
    let to_prev = pack_planes(&masked, lanes_of(party));
    let lanes_of_next = lanes_of(next);
    let expect_next = packed_planes_len(planes, lanes_of_next);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_planes(ctx, next, received.from_next, planes, lanes_of_next)?;
    let first = [(party, Some(&masked[..])), (prev, Some(&prev_masks)), (next, None)];
    let second = [(party, Some(&own_masks[..])), (prev, None), (next, Some(&received))];
    let [first, second] = [first, second].map(|parts| thirds.place(planes, parts));
    Ok(Bin::from_components(lanes, planes, first, second))
}

/// Clears what planes of `lanes` bits hold past the last of them.
pub(crate) fn cut_planes(planes: &mut [u64], lanes: usize) {
    let (row, tail) = (lanes.div_ceil(64), tail_mask(lanes));
    if !lanes.is_multiple_of(64) {
        planes.chunks_exact_mut(row).for_each(|plane| plane[row - 1] &= tail);
    }
}

/// How many of `lanes` bits lie in a range of the words of their plane.
pub fn lanes_in(lanes: usize, words: &Range<usize>) -> usize {
    lanes.min(64 * words.end) - lanes.min(64 * words.start)
}

/// Claims that what the helper knows of each element of `x` is 0 or 1 modulo `2^bits`: the only
/// roots of `x^2 = x`, since one of `x` and `x - 1` is a unit. Local.
pub fn claim_bits<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>, bits: u32) {
    ctx.record(|| {
        let scaled = x.scale(1 << (64 - bits));
        Product::Elementwise {
            bits: 64,
            supports: [Support::KNOWN; 2],
            operands: [(&scaled).into(), x.into(), (&scaled).into()],
        }
    });
}
