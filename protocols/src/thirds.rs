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

use crate::mul::local_products;
use crate::wire::{pack_planes, pack_words, packed_planes_len, unpack_planes, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::ring::bits::tail_mask;
use mpc_core::ring::pack::packed_len;
use mpc_core::ring::prg::Prg;
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Bin, Words};
use std::ops::Range;

/// A component as the helper of an element sees it.
#[derive(Clone, Copy)]
enum Component {
    /// `x_h`, which `P_{h-1}` knows as well.
    First,
    /// `x_{h+1}`, which `P_{h+1}` knows as well.
    Second,
    /// `x_{h+2}`, which the other two know.
    Lacking,
}

/// The three components of a value, each as a free sharing.
pub struct Parts<T> {
    /// `x_h` of every element.
    pub first: T,
    /// `x_{h+1}` of every element.
    pub second: T,
    /// `x_{h+2}` of every element: what its helper does not know.
    pub lacking: T,
}

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
    fn of(&self, helper: PartyId) -> Range<usize> {
        third(self.row, helper.index())
    }

    /// The words of a row with which this party helps.
    pub fn own(&self) -> Range<usize> {
        self.of(self.party)
    }

    /// The two thirds with which `helper` does not help, in order.
    fn others(&self, helper: PartyId) -> impl Iterator<Item = Range<usize>> {
        PartyId::ALL.into_iter().filter(move |other| *other != helper).map(|other| self.of(other))
    }

    /// Where this party's two components are the given one.
    fn holding(&self, component: Component) -> [Range<usize>; 2] {
        let (prev, own, next) = (self.party.prev(), self.party, self.party.next());
        match component {
            Component::First => [own, next],
            Component::Second => [prev, own],
            Component::Lacking => [next, prev],
        }
        .map(|helper| self.of(helper))
    }

    /// Rows that are zero outside a range.
    fn keep(&self, words: &[u64], range: &Range<usize>) -> Words {
        let mut kept = Words::zeroed(words.len());
        let rows = kept.chunks_exact_mut(self.row.max(1)).zip(words.chunks_exact(self.row.max(1)));
        rows.for_each(|(to, from)| to[range.clone()].copy_from_slice(&from[range.clone()]));
        kept
    }

    /// `rows` rows that are zero but for two ranges, each given row after row.
    fn place(&self, rows: usize, parts: [(Range<usize>, &[u64]); 2]) -> Words {
        let mut placed = Words::zeroed(rows * self.row);
        for (range, words) in parts {
            let from = words.chunks_exact(range.len().max(1));
            for (to, from) in placed.chunks_exact_mut(self.row.max(1)).zip(from) {
                to[range.clone()].copy_from_slice(from);
            }
        }
        placed
    }

    fn parts<T>(
        &self,
        first: &[u64],
        second: &[u64],
        share: impl Fn(Words, Words) -> T,
    ) -> Parts<T> {
        let part = |component| {
            let [in_first, in_second] = self.holding(component);
            share(self.keep(first, &in_first), self.keep(second, &in_second))
        };
        Parts {
            first: part(Component::First),
            second: part(Component::Second),
            lacking: part(Component::Lacking),
        }
    }

    /// The components of words that are all in one row.
    pub fn of_words(&self, shape: [usize; 2], first: &[u64], second: &[u64]) -> Parts<Arith<Z64>> {
        self.parts(first, second, |first, second| Arith::from_components(shape, first, second))
    }

    /// The components of bits, a plane a row.
    pub fn of_planes(&self, x: &Bin) -> Parts<Bin> {
        let share = |first, second| Bin::from_components(x.lanes(), x.planes(), first, second);
        self.parts(x.first(), x.second(), share)
    }
}

fn drawn(stream: &mut Prg, len: usize) -> Words {
    let mut words = Words::zeroed(len);
    stream.fill_words(&mut words);
    words
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
    own: &[u64],
) -> Result<Arith<Z64>> {
    let (party, mut draw) = (ctx.party(), ctx.draw());
    let thirds = Thirds::new(party, shape[0] * shape[1]);
    let (prev, next) = (thirds.of(party.prev()), thirds.of(party.next()));
    let low = |word: u64| word & (u64::MAX >> (64 - width));
    let masks = |stream: &mut Prg, len| drawn(stream, len).iter().map(|w| low(*w)).collect();
    let own_masks: Words = masks(&mut draw.with_next, own.len());
    let prev_masks: Words = masks(&mut draw.with_prev, prev.len());
    let mut masked: Words = own.iter().copied().collect();
    ctx.deviate(&mut masked, 0..width);
    masked.iter_mut().zip(&*own_masks).for_each(|(x, mask)| *x = low(x.wrapping_sub(*mask)));
    let to_prev = pack_words(&masked, width);
    let expect_next = packed_len(next.len(), width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_words(ctx, party.next(), &received.from_next, next.len(), width)?;
    let first = thirds.place(1, [(thirds.own(), &masked), (prev, &prev_masks)]);
    let second = thirds.place(1, [(thirds.own(), &own_masks), (next, &received)]);
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
    own: &[u64],
) -> Result<Bin> {
    let (party, mut draw) = (ctx.party(), ctx.draw());
    let thirds = Thirds::new(party, lanes.div_ceil(64));
    let (prev, next) = (thirds.of(party.prev()), thirds.of(party.next()));
    // No bits are kept past the last lane.
    let cut = |rows: &mut Words, words: &Range<usize>| {
        let tail = tail_mask(lanes_in(lanes, words));
        rows.chunks_exact_mut(words.len().max(1)).for_each(|row| row[words.len() - 1] &= tail);
    };
    let masks = |stream: &mut Prg, words: &Range<usize>| {
        let mut masks = drawn(stream, planes * words.len());
        cut(&mut masks, words);
        masks
    };
    let own_masks = masks(&mut draw.with_next, &thirds.own());
    let prev_masks = masks(&mut draw.with_prev, &prev);
    let mut masked: Words = own.iter().copied().collect();
    ctx.deviate(&mut masked, 0..tail_mask(lanes_in(lanes, &thirds.own())).count_ones());
    masked.iter_mut().zip(&*own_masks).for_each(|(x, mask)| *x ^= mask);
    cut(&mut masked, &thirds.own());
    let to_prev = pack_planes(&masked, lanes_in(lanes, &thirds.own()));
    let lanes_of_next = lanes_in(lanes, &next);
    let expect_next = packed_planes_len(planes, lanes_of_next);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_planes(ctx, party.next(), &received.from_next, planes, lanes_of_next)?;
    let first = thirds.place(planes, [(thirds.own(), &masked), (prev, &prev_masks)]);
    let second = thirds.place(planes, [(thirds.own(), &own_masks), (next, &received)]);
    Ok(Bin::from_components(lanes, planes, first, second))
}

/// How many of `lanes` bits lie in a range of the words of their plane.
pub fn lanes_in(lanes: usize, words: &Range<usize>) -> usize {
    lanes.min(64 * words.end) - lanes.min(64 * words.start)
}

/// `x * y`, element by element, where the component that the helper lacks is all there is of
/// `y`, and zero in `x`; all components of `x` are multiples of `2^granularity`.
///
/// The helper's part of the product is zero. So the stream that masks it is left out, and
/// what it would send is known without it.
///
/// # Cost
/// One round; `64 - granularity` bits an element from each but its helper: two thirds of
/// that a party.
///
/// # Security
/// As [`crate::reshare::reshare`]: `P_h` receives its component masked by a stream of the other
/// two, `P_{h+1}` its own by one of `P_h` and `P_{h+2}`. The product is recorded for verification.
pub async fn mul_by_lacking<S: Security>(
    ctx: &Ctx<S>,
    x: &Arith<Z64>,
    y: &Arith<Z64>,
    granularity: u32,
) -> Result<Arith<Z64>> {
    let (party, width) = (ctx.party(), 64 - granularity);
    let (prev, next) = (party.prev(), party.next());
    let thirds = Thirds::new(party, x.len());
    // Step 1: mask with F_{i+1} - F_i, where F_{h+1} is left out.
    let local = local_products(x, y);
    let mut sent = Words::zeroed(thirds.others(party).map(|range| range.len()).sum());
    let mut start = 0;
    for range in thirds.others(party) {
        sent[start..start + range.len()].copy_from_slice(&local[range.clone()]);
        start += range.len();
    }
    ctx.deviate(&mut sent, granularity..64);
    let mut draw = ctx.draw();
    let (mut minus, plus) =
        (drawn(&mut draw.with_prev, x.len()), drawn(&mut draw.with_next, x.len()));
    let mut first = negated(&minus, granularity);
    minus[thirds.of(prev)].fill(0);
    for (at, z) in thirds.others(party).flatten().zip(sent.iter_mut()) {
        *z = z.wrapping_add(plus[at].wrapping_sub(minus[at]) << granularity);
        first[at] = *z;
        *z >>= granularity;
    }
    // Step 2: send z_i to P_{i-1}, but for the own third.
    let to_prev = pack_words(&sent, width);
    let count = x.len() - thirds.of(next).len();
    let expect_next = packed_len(count, width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_words(ctx, next, &received.from_next, count, width)?;
    // In its third, the next party's component is the mask alone.
    let mut second = negated(&plus, granularity);
    let places = thirds.others(next).flatten();
    places.zip(&*received).for_each(|(at, z)| second[at] = z << granularity);
    let z = Arith::from_components(x.shape(), first, second);
    ctx.record(|| Product::Elementwise {
        bits: 64,
        supports: [Support::KNOWN, Support::LACKING],
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
}

/// `-word * 2^granularity` for every word.
fn negated(words: &[u64], granularity: u32) -> Words {
    words.iter().map(|word| word.wrapping_neg() << granularity).collect()
}

/// Claims that each element of `x`, which its helper knows, is 0 or 1 modulo `2^bits`: the only roots of `x^2 = x`, since
/// one of `x` and `x - 1` is a unit. Local.
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
