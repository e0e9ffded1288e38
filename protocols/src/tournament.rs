//! The largest of a few candidates by a tournament, and the way back through it.
//!
//! `ceil(log2 n)` levels, in each of which the first half of the candidates meets the second.
//! That is the most common way (Falcon: Wagh et al., PoPETs 2021, algorithm 4, one after the
//! other; here in a tree). The bits of all matches are kept: a derivative goes back to the
//! winner by as many products as there were matches.
//!
//! Candidates are compared as they come out of an exact product, before anything is rounded:
//! their differences lose their low bits by a shift of the components, for free, and what
//! wins is rounded once, by whoever takes it. So a quarter of the truncations is left where
//! four candidates meet. A shift may be off by 1.5 units in the last place, so among
//! candidates closer than that any may win.

use crate::inject::inject;
use crate::mul::mul_multiples;
use crate::sign::sign;
use crate::verify::relieve;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed, Words};
use std::ops::Range;

/// Bits that differences keep beyond those at which they are compared: what is dropped, once a
/// level, is a tenth of a unit in the last place at most.
const GUARD: u32 = 4;

/// Candidates that compete at a time where products are kept for their verification, whole rows
/// of them: what a level of more would hold is worth more than the rounds of another tournament.
const AT_A_TIME: usize = 3 << 18;

/// The winner among the parts of each row, and the bits of the matches.
pub struct Winner {
    /// `rows x columns / parts`, at the scale that the candidates came with.
    pub value: Fixed,
    /// For each level, for each match of it, 1 where the first half won; integers.
    pub bits: Vec<Arith<Z64>>,
}

/// The elementwise maximum of the `parts` equal parts of each row of `z`, compared at
/// `scale`.
///
/// # Preconditions
/// `|z| < 2^60` as an integer at its own scale, and below `2^30` at `scale`.
///
/// # Cost
/// `ceil(log2 parts)` levels of 10 rounds; `parts - 1` matches an element of the result, each
/// as [`sign`] by the bits that values have at `scale`, [`inject`], and 8 bytes a party, or
/// fewer where `z` has more fractional bits than `scale`.
///
/// Where products are kept for their verification, of more than three quarters of a million
/// candidates some rows compete after the others, each time in so many rounds, and they are
/// verified in parts, see [`relieve`].
///
/// # Security
/// Comparisons and products; nothing is opened, also not who wins.
///
/// # Errors
/// `Misuse` when rows do not have so many equal parts, and those of [`relieve`].
pub async fn tournament<S: Security>(
    ctx: &Ctx<S>,
    z: &Fixed,
    parts: usize,
    scale: u32,
) -> Result<Winner> {
    let [_, cols] = z.shape();
    if parts == 0 || !cols.is_multiple_of(parts) {
        return Err(Error::Misuse(format!("{cols} columns are not {parts} equal parts")));
    }
    if !ctx.keeps_products() || z.share.len() <= AT_A_TIME {
        return compete(ctx, Rows::of(&z.share), z.scale, parts, scale).await;
    }
    in_heats(ctx, z, parts, scale, (AT_A_TIME / cols).max(1)).await
}

/// The tournament of so many rows at a time.
async fn in_heats<S: Security>(
    ctx: &Ctx<S>,
    z: &Fixed,
    parts: usize,
    scale: u32,
    at_a_time: usize,
) -> Result<Winner> {
    let (rows, mut heats) = (z.share.rows(), Vec::new());
    for first in (0..rows).step_by(at_a_time) {
        let some = Rows::of(&z.share).only(first..rows.min(first + at_a_time));
        heats.push(compete(&ctx.step("heat"), some, z.scale, parts, scale).await?);
    }
    let values: Vec<_> = heats.iter().map(|heat| &heat.value.share).collect();
    let value = Fixed::new(Arith::concat_rows(&values)?, z.scale);
    let level = |at: usize| heats.iter().map(|heat| &heat.bits[at]).collect::<Vec<_>>();
    let bits = (0..heats[0].bits.len()).map(|at| Arith::concat_rows(&level(at)));
    Ok(Winner { value, bits: bits.collect::<Result<_>>()? })
}

/// Some rows of candidates, where they lie.
#[derive(Clone, Copy)]
struct Rows<'a> {
    shape: [usize; 2],
    first: &'a [u64],
    second: &'a [u64],
}

impl<'a> Rows<'a> {
    /// All of them.
    fn of(x: &'a Arith<Z64>) -> Rows<'a> {
        Rows { shape: x.shape(), first: x.first(), second: x.second() }
    }

    fn only(self, rows: Range<usize>) -> Rows<'a> {
        let [_, cols] = self.shape;
        let words = rows.start * cols..rows.end * cols;
        let shape = [rows.len(), cols];
        Rows { shape, first: &self.first[words.clone()], second: &self.second[words] }
    }
}

/// The tournament of some rows.
async fn compete<S: Security>(
    ctx: &Ctx<S>,
    z: Rows<'_>,
    z_scale: u32,
    parts: usize,
    scale: u32,
) -> Result<Winner> {
    let [rows, cols] = z.shape;
    let lanes = cols / parts;
    let surplus = z_scale.saturating_sub(scale);
    let granularity = surplus.saturating_sub(GUARD);
    let (mut won, mut left, mut bits) = (None, parts, Vec::new());
    while left > 1 {
        let candidates = won.as_ref().map_or(z, Rows::of);
        let ctx = ctx.step("level");
        let matches = left / 2 * lanes;
        // Step 1: the differences, without the bits that no comparison sees, so that products of
        // what is left are short.
        let difference = differences(&ctx, candidates, matches, granularity);
        // Step 2: whose difference is not negative.
        let seen = without_low_bits(&ctx, &difference, surplus);
        let width = (63 - surplus).clamp(2, 32) as usize;
        let negative = sign(&ctx.step("compare"), &seen, width).await?;
        drop(seen);
        relieve(&ctx).await?;
        let wins = inject(&ctx.step("bits"), &negative.not(ctx.party()), 0).await?;
        let wins = wins.reshape([rows, matches])?;
        relieve(&ctx).await?;
        // Step 3: the second of a match, and the difference if the first won.
        let lead = mul_multiples(&ctx.step("select"), &difference, &wins, granularity).await?;
        won = Some(winners(candidates, &lead, matches));
        bits.push(wins);
        left -= left / 2;
        relieve(&ctx).await?;
    }
    // A single candidate wins without a match.
    let all = || Arith::from_components(z.shape, Words::from(z.first), Words::from(z.second));
    Ok(Winner { value: Fixed::new(won.unwrap_or_else(all), z_scale), bits })
}

/// What three components lose in the mean by `bits` low bits: put in before, it leaves what comes
/// out without bias.
fn loss(bits: u32) -> u64 {
    if bits == 0 { 0 } else { 3 << (bits - 1) }
}

/// What is left of `x` where `bits` low bits are shifted out of each component.
fn without_low_bits<S: Security>(ctx: &Ctx<S>, x: &Arith<Z64>, bits: u32) -> Arith<Z64> {
    if bits == 0 {
        return x.clone();
    }
    x.map_components(ctx.party(), |x| x.wrapping_add(loss(bits)) >> bits, |x| x >> bits)
}

/// The first `matches` elements of each row less as many after them, without `bits` low bits.
fn differences<S: Security>(ctx: &Ctx<S>, x: Rows<'_>, matches: usize, bits: u32) -> Arith<Z64> {
    let [rows, cols] = x.shape;
    let of = |x: &[u64], loss: u64| {
        Words::overwritten(rows * matches, |out| {
            let rows = x.chunks_exact(cols.max(1)).zip(out.chunks_exact_mut(matches.max(1)));
            for (row, out) in rows {
                let (first, second) = row[..2 * matches].split_at(matches);
                for (out, (a, b)) in out.iter_mut().zip(first.iter().zip(second)) {
                    *out = a.wrapping_sub(*b).wrapping_add(loss) >> bits << bits;
                }
            }
        })
    };
    let losses = match ctx.party() {
        PartyId::P0 => [loss(bits), 0],
        PartyId::P1 => [0, 0],
        PartyId::P2 => [0, loss(bits)],
    };
    Arith::from_components([rows, matches], of(x.first, losses[0]), of(x.second, losses[1]))
}

/// The second of each match plus the lead of the first, and who had no match.
fn winners(x: Rows<'_>, lead: &Arith<Z64>, matches: usize) -> Arith<Z64> {
    let [rows, cols] = x.shape;
    let left = cols - matches;
    let of = |x: &[u64], lead: &[u64]| {
        Words::overwritten(rows * left, |out| {
            let leads = lead.chunks_exact(matches.max(1));
            let rows = x.chunks_exact(cols.max(1)).zip(leads);
            for ((row, lead), out) in rows.zip(out.chunks_exact_mut(left.max(1))) {
                let (seconds, unmatched) = row[matches..].split_at(matches);
                let (sums, others) = out.split_at_mut(matches);
                let terms = seconds.iter().zip(lead);
                sums.iter_mut().zip(terms).for_each(|(to, (x, lead))| *to = x.wrapping_add(*lead));
                others.copy_from_slice(unmatched);
            }
        })
    };
    let (first, second) = (of(x.first, lead.first()), of(x.second, lead.second()));
    Arith::from_components([rows, left], first, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::verify;
    use mpc_core::security::Malicious;
    use mpc_core::testing::{deal, reconstruct, run3};

    /// Rows that compete after others win as they would together.
    #[test]
    fn heats() {
        const SHAPE: [usize; 2] = [5, 8];
        let words: Vec<u64> = (0..40u64).map(|i| ((i * 23 % 40) as i64 - 20) as u64).collect();
        let won = |at_a_time: usize| {
            let dealt = deal::<Z64>(3, SHAPE, &words);
            let shares = run3(7, |ctx: Ctx<Malicious>| {
                let z = Fixed::new(dealt[ctx.party().index()].clone(), 0);
                async move {
                    let won = in_heats(&ctx.step("heats"), &z, 4, 0, at_a_time).await?;
                    verify(&ctx).await?;
                    Ok([vec![won.value.share], won.bits].concat())
                }
            });
            let of = |at: usize| {
                let shares = shares.each_ref().map(|shares| shares[at].clone());
                (shares[0].shape(), reconstruct(&shares))
            };
            [of(0), of(1), of(2)]
        };
        let together = won(5);
        let largest = |row: usize, lane: usize| {
            let candidates = (0..4).map(|part| words[row * 8 + part * 2 + lane] as i64);
            candidates.max().expect("four") as u64
        };
        let expected: Vec<u64> = (0..10).map(|at| largest(at / 2, at % 2)).collect();
        assert_eq!(together[0], ([5, 2], expected));
        assert_eq!([together[1].0, together[2].0], [[5, 4], [5, 2]]);
        for at_a_time in [1, 2, 3] {
            assert_eq!(won(at_a_time), together);
        }
    }
}
