//! Products of what a helper knows of one factor and the component that it lacks of the other.
//!
//! With `x = x_h + x_{h+1}` and `y = y_{h+2}` ([`crate::thirds`]), `x y` is `x_{h+1} y_{h+2}`, which
//! `P_{h+1}` knows, and `x_h y_{h+2}`, which `P_{h+2}` does: the helper's part is zero. So the stream
//! that masks it is left out, and what it would send is known without it.
//!
//! | | helper `P_h` | `P_{h+1}` | `P_{h+2}` |
//! |---|---|---|---|
//! | local part | 0 | `x_{h+1} y_{h+2}` | `x_h y_{h+2}` |
//! | mask | `-F_h` | `F_{h+2}` | `F_h - F_{h+2}` |
//!
//! `F_i` is the stream of `P_{i-1}` and `P_i`, so that the masks add up to zero.

use crate::thirds::{Thirds, cut_planes, drawn, lanes_in};
use crate::wire::{
    AT_A_TIME, pack_blocks, pack_shared, packed_planes_len, unpack_blocks, unpack_words,
};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::party::PartyId;
use mpc_core::ring::bits::tail_mask;
use mpc_core::ring::pack::packed_len;
use mpc_core::ring::{Z64, elementwise, vectorized};
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Bin, Words};
use std::sync::Arc;

/// `x * y`, element by element, where what counts of `x` is what the helper knows, and of `y` is
/// `factor` of the component that it lacks; products of their components are multiples of
/// `2^granularity`. Where products are kept, the second factor is what `recorded` gives.
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
    factor: impl Fn(u64) -> u64,
    recorded: impl FnOnce() -> Arith<Z64>,
    granularity: u32,
) -> Result<Arith<Z64>> {
    let (party, width, len) = (ctx.party(), 64 - granularity, x.len());
    let (prev, next) = (party.prev(), party.next());
    let thirds = Thirds::new(party, len);
    // Step 1: the local parts.
    let mut sent = Words::overwritten(len - thirds.own().len(), |mut rest| {
        for (helper, range) in thirds.others(party) {
            let part = rest.split_off_mut(..range.len()).expect("room for both thirds");
            let (x, y) = local_factors(party, helper, components(x), components(y));
            elementwise::zip(part, &x[range.clone()], &y[range], |x, y| x.wrapping_mul(factor(y)));
        }
    });
    ctx.deviate(&mut sent, granularity..64);
    // Step 2: mask them, some at a time; in the third of a helper, its own component is the mask
    // alone.
    let mut draw = ctx.draw();
    let [mut first, mut second] = [(); 2].map(|()| Words::unset(len));
    let (lower, upper) = sent.split_at_mut(thirds.of(prev.min(next)).len());
    let [of_prev, of_next] = if prev < next { [lower, upper] } else { [upper, lower] };
    for first in first[thirds.own()].chunks_mut(AT_A_TIME) {
        draw.with_prev.fill_words(first);
        elementwise::update(first, |mask| mask.wrapping_neg() << granularity);
    }
    let places = first[thirds.of(next)].chunks_mut(AT_A_TIME);
    let places = places.zip(second[thirds.of(next)].chunks_mut(AT_A_TIME));
    for (z, (first, second)) in of_next.chunks_mut(AT_A_TIME).zip(places) {
        draw.with_prev.fill_words(first);
        draw.with_next.fill_words(second);
        let words = z.iter_mut().zip(first.iter_mut().zip(second));
        vectorized(
            #[inline(always)]
            || {
                for (z, (first, second)) in words {
                    *first = z.wrapping_add(second.wrapping_sub(*first) << granularity);
                    *z = *first >> granularity;
                    *second = second.wrapping_neg() << granularity;
                }
            },
        );
    }
    let places = first[thirds.of(prev)].chunks_mut(AT_A_TIME);
    let masks = second[thirds.of(prev)].chunks_mut(AT_A_TIME);
    for (z, (first, mask)) in of_prev.chunks_mut(AT_A_TIME).zip(places.zip(masks)) {
        draw.with_next.fill_words(mask);
        let words = z.iter_mut().zip(first.iter_mut().zip(mask));
        vectorized(
            #[inline(always)]
            || {
                for (z, (first, mask)) in words {
                    *first = z.wrapping_add(*mask << granularity);
                    *z = *first >> granularity;
                }
            },
        );
    }
    // Step 3: send z_i to P_{i-1}, but for the own third.
    let to_prev = pack_shared(&Arc::new(sent), width);
    let count = len - thirds.of(next).len();
    let expect_next = packed_len(count, width as usize);
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_words(ctx, next, received.from_next, count, width)?;
    let mut rest = &received[..];
    for (_, range) in thirds.others(next) {
        let part = rest.split_off(..range.len()).expect("both thirds");
        elementwise::map(&mut second[range], part, |z| z << granularity);
    }
    let z = Arith::from_components(x.shape(), first, second);
    ctx.record(|| Product::Elementwise {
        bits: 64,
        supports: [Support::KNOWN, Support::LACKING],
        operands: [x.into(), (&recorded()).into(), (&z).into()],
    });
    Ok(z)
}

/// The first `planes` planes of `x & y`, where what counts of `x` is what the helper of a word knows,
/// and of `y` the component that it lacks.
///
/// # Cost
/// One round; two thirds of a bit a lane, plane and party.
///
/// # Security
/// As [`mul_by_lacking`].
pub async fn and_by_lacking<S: Security>(
    ctx: &Ctx<S>,
    x: &Bin,
    y: &Bin,
    planes: usize,
) -> Result<Bin> {
    let (party, lanes) = (ctx.party(), x.lanes());
    let (prev, next) = (party.prev(), party.next());
    let thirds = Thirds::new(party, x.stride());
    let (len, lanes_of) =
        (|helper| planes * thirds.of(helper).len(), |helper| lanes_in(lanes, &thirds.of(helper)));
    // Step 1: the local parts, one third after the other.
    let sent_len = planes * (x.stride() - thirds.own().len());
    let mut sent = Words::overwritten(sent_len, |mut rest| {
        for (helper, range) in thirds.others(party) {
            let local = rest.split_off_mut(..len(helper)).expect("room for both thirds");
            for (plane, local) in local.chunks_exact_mut(range.len().max(1)).enumerate() {
                let (x, y) = local_factors(party, helper, x.plane(plane), y.plane(plane));
                let factors = x[range.clone()].iter().zip(&y[range.clone()]);
                local.iter_mut().zip(factors).for_each(|(z, (x, y))| *z = x & y);
            }
        }
    });
    ctx.deviate(&mut sent, 0..tail_mask(lanes).count_ones());
    // Step 2: mask them; in the third of a helper, its own component is the mask alone.
    let mut draw = ctx.draw();
    let (lower, upper) = sent.split_at_mut(len(prev.min(next)));
    let [of_prev, of_next] = if prev < next { [lower, upper] } else { [upper, lower] };
    let mut own_mask = drawn(&mut draw.with_prev, len(party));
    draw.with_prev.xor_words(of_next);
    let mut next_mask = drawn(&mut draw.with_next, len(next));
    of_next.iter_mut().zip(&*next_mask).for_each(|(z, mask)| *z ^= mask);
    draw.with_next.xor_words(of_prev);
    cut_planes(&mut own_mask, lanes_of(party));
    cut_planes(&mut next_mask, lanes_of(next));
    cut_planes(of_next, lanes_of(next));
    cut_planes(of_prev, lanes_of(prev));
    let first = [(party, Some(&own_mask[..])), (next, Some(of_next)), (prev, Some(of_prev))];
    let first = thirds.place(planes, first);
    // Step 3: send z_i to P_{i-1}, but for the own third.
    let lanes_of_others = |party| {
        let mut lanes = thirds.others(party).map(|(helper, _)| lanes_of(helper));
        [(); 2].map(|()| lanes.next().unwrap_or_default())
    };
    let to_prev = pack_blocks(sent, planes, lanes_of_others(party));
    let blocks = lanes_of_others(next);
    let expect_next = blocks.map(|lanes| packed_planes_len(planes, lanes)).iter().sum();
    let received = ctx.exchange(Message { to_prev, expect_next, ..Message::default() }).await;
    let received = unpack_blocks(ctx, next, received.from_next, planes, blocks)?;
    let (lower, upper) = received.split_at(len(party.min(prev)));
    let [of_party, of_prev] = if party < prev { [lower, upper] } else { [upper, lower] };
    let second = [(party, Some(of_party)), (next, Some(&next_mask[..])), (prev, Some(of_prev))];
    let second = thirds.place(planes, second);
    let z = Bin::from_components(lanes, planes, first, second);
    ctx.record(|| Product::And {
        supports: [Support::KNOWN, Support::LACKING],
        operands: [(&x.slice(0..planes)).into(), (&y.slice(0..planes)).into(), (&z).into()],
    });
    Ok(z)
}

/// What `party` multiplies in the third of another helper.
fn local_factors<'a>(
    party: PartyId,
    helper: PartyId,
    [x_first, x_second]: [&'a [u64]; 2],
    [y_first, y_second]: [&'a [u64]; 2],
) -> (&'a [u64], &'a [u64]) {
    if helper == party.prev() { (x_first, y_second) } else { (x_second, y_first) }
}

fn components(x: &Arith<Z64>) -> [&[u64]; 2] {
    [x.first(), x.second()]
}
