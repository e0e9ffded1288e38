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

    /// The thirds with which another party than `party` helps, in order.
    fn others(&self, party: PartyId) -> impl Iterator<Item = (PartyId, Range<usize>)> {
        let others = PartyId::ALL.into_iter().filter(move |helper| *helper != party);
        others.map(|helper| (helper, self.of(helper)))
    }

    /// `f` of the words that the helper knows, in one row, and zero for those it lacks.
    pub fn map_known(&self, x: &Arith<Z64>, f: impl Fn(u64) -> u64) -> Arith<Z64> {
        let (mut first, mut second) = (Words::map(x.first(), &f), Words::map(x.second(), &f));
        first[self.of(self.party.next())].fill(0);
        second[self.of(self.party.prev())].fill(0);
        Arith::from_components(x.shape(), first, second)
    }

    /// Rows of bits as two operands: what the helper of a word knows, and the component that it
    /// lacks.
    pub fn split(&self, x: &Bin) -> [Bin; 2] {
        let (prev, next) = (self.of(self.party.prev()), self.of(self.party.next()));
        let zeroed = |words: &[u64], range: &Range<usize>| {
            let mut kept = Words::from(words);
            self.rows_mut(&mut kept).for_each(|row| row[range.clone()].fill(0));
            kept
        };
        let only = |words: &[u64], range: &Range<usize>| {
            let mut kept = Words::zeroed(words.len());
            let rows = self.rows_mut(&mut kept).zip(words.chunks_exact(self.row.max(1)));
            rows.for_each(|(to, x)| to[range.clone()].copy_from_slice(&x[range.clone()]));
            kept
        };
        let share = |first, second| Bin::from_components(x.lanes(), x.planes(), first, second);
        // The component that is lacking is the first one that P_{h+2} holds, and the second one
        // that P_{h+1} does.
        let known = share(zeroed(x.first(), &next), zeroed(x.second(), &prev));
        [known, share(only(x.first(), &next), only(x.second(), &prev))]
    }

    /// What is given for all words, xor the component `x_h` of `x`, or `x_{h+1}`: of what comes
    /// out, the two components that the helper knows count.
    pub fn xor_known(&self, below: &Bin, x: &Bin, which: Known) -> Bin {
        let (own, prev, next) =
            (self.own(), self.of(self.party.prev()), self.of(self.party.next()));
        let [in_first, in_second] = match which {
            Known::First => [own, next],
            Known::Second => [prev, own],
        };
        let xor = |below: &[u64], x: &[u64], range: Range<usize>| {
            let mut sum = Words::from(below);
            for (to, x) in self.rows_mut(&mut sum).zip(x.chunks_exact(self.row.max(1))) {
                to[range.clone()].iter_mut().zip(&x[range.clone()]).for_each(|(to, x)| *to ^= x);
            }
            sum
        };
        let first = xor(below.first(), x.first(), in_first);
        let second = xor(below.second(), x.second(), in_second);
        Bin::from_components(x.lanes(), x.planes(), first, second)
    }

    fn rows_mut<'a>(&self, words: &'a mut [u64]) -> impl Iterator<Item = &'a mut [u64]> {
        words.chunks_exact_mut(self.row.max(1))
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
}

/// A component that a helper knows.
#[derive(Clone, Copy)]
pub enum Known {
    /// `x_h`, which `P_{h-1}` knows as well.
    First,
    /// `x_{h+1}`, which `P_{h+1}` knows as well.
    Second,
}

fn drawn(stream: &mut Prg, len: usize) -> Words {
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
    own: &[u64],
) -> Result<Arith<Z64>> {
    let (party, mut draw) = (ctx.party(), ctx.draw());
    let thirds = Thirds::new(party, shape[0] * shape[1]);
    let (prev, next) = (thirds.of(party.prev()), thirds.of(party.next()));
    let low = |word: u64| word & (u64::MAX >> (64 - width));
    let masks = |stream: &mut Prg, len| Words::map(&drawn(stream, len), low);
    let own_masks: Words = masks(&mut draw.with_next, own.len());
    let prev_masks: Words = masks(&mut draw.with_prev, prev.len());
    let mut masked = Words::from(own);
    ctx.deviate(&mut masked, 0..width);
    masked.iter_mut().zip(&*own_masks).for_each(|(x, mask)| *x = low(x.wrapping_sub(*mask)));
    let to_prev = pack_words(&masked, width);
    let expect_next = packed_len(next.len(), width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_words(ctx, party.next(), received.from_next, next.len(), width)?;
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
    let mut masked = Words::from(own);
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

/// `x * y`, element by element, where what counts of `x` is what the helper knows, and of `y`
/// the component that it lacks; products of their components are multiples of
/// `2^granularity`.
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
    // Step 1: the local parts, x_{h+1} y_{h+2} of P_{h+1} and x_h y_{h+2} of P_{h+2}.
    let local = |helper| match helper {
        helper if helper == prev => (x.first(), y.second()),
        _ => (x.second(), y.first()),
    };
    let mut sent = Words::zeroed(thirds.others(party).map(|(_, range)| range.len()).sum());
    let mut start = 0;
    for (helper, range) in thirds.others(party) {
        let (sent, (x, y)) = (&mut sent[start..start + range.len()], local(helper));
        let factors = x[range.clone()].iter().zip(&y[range.clone()]);
        sent.iter_mut().zip(factors).for_each(|(z, (x, y))| *z = x.wrapping_mul(*y));
        start += range.len();
    }
    ctx.deviate(&mut sent, granularity..64);
    // Step 2: mask with F_{i+1} - F_i, where F_{h+1} is left out.
    let mut draw = ctx.draw();
    let mut first = drawn(&mut draw.with_prev, x.len());
    first.iter_mut().for_each(|word| *word = word.wrapping_neg() << granularity);
    let plus = drawn(&mut draw.with_next, x.len());
    let mut start = 0;
    for (helper, range) in thirds.others(party) {
        let (sent, first) = (&mut sent[start..start + range.len()], &mut first[range.clone()]);
        for ((z, first), plus) in sent.iter_mut().zip(first).zip(&plus[range.clone()]) {
            let minus = if helper == prev { 0 } else { *first };
            *first = z.wrapping_add(plus << granularity).wrapping_add(minus);
            *z = *first >> granularity;
        }
        start += range.len();
    }
    // Step 3: send z_i to P_{i-1}, but for the own third.
    let to_prev = pack_words(&sent, width);
    let count = x.len() - thirds.of(next).len();
    let expect_next = packed_len(count, width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_words(ctx, next, received.from_next, count, width)?;
    // In its third, the next party's component is the mask alone.
    let (mut second, mut start) = (plus, 0);
    second[thirds.of(next)].iter_mut().for_each(|word| *word = word.wrapping_neg() << granularity);
    for (_, range) in thirds.others(next) {
        let received = &received[start..start + range.len()];
        start += range.len();
        second[range].iter_mut().zip(received).for_each(|(to, z)| *to = z << granularity);
    }
    let z = Arith::from_components(x.shape(), first, second);
    ctx.record(|| Product::Elementwise {
        bits: 64,
        supports: [Support::KNOWN, Support::LACKING],
        operands: [x.into(), y.into(), (&z).into()],
    });
    Ok(z)
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
