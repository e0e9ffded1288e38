//! Division by a power of two that never wraps.
//!
//! Shifting each component drops the low bits but also the carries out of the top: the
//! components add up to the value plus `w 2^64`, and `w 2^(64-f)` is left over. Local
//! truncation (SecureML, ABY3 'trunc1') ignores it and is off by `2^(64-f)` now and
//! then. Here `w` is computed, from two bits of each component.
//!
//! Derivation (ours). Let `|z| < 2^61` and `z' = z + 7 * 2^61`, so `z'` lies strictly
//! between `6 * 2^61` and `2^64`: `z' / 2^64` in `(3/4, 1)`. Let `x_0 + x_1 + x_2 = S =
//! z' + w 2^64` over the integers, `t_i = x_i >> 62` and `T = t_0 + t_1 + t_2`. From
//! `S / 2^62 - 3 < T <= S / 2^62` and `S / 2^62` in `(4w + 3, 4w + 4)` follows `4w < T <
//! 4w + 4`, so `w = T >> 2`, for every sharing of `z'`.
//!
//! A helper `P_h` knows `u = t_h + t_{h+1}` and puts in two of the bits of `u = 4 c + 2 m + l`; with
//! `a` the upper bit of `t_{h+2}`, which is shared for free, `w = c + m a`: the rest of `T` is at
//! least 4 if both `m` and `a` are set, at most 2 if neither is, and at most 4 if one is,
//! but never 4, since `T` is no multiple of 4.
//!
//! Rounding: with `r_i = x_i mod 2^f`, `sum(x_i >> f) = (S - r_0 - r_1 - r_2) / 2^f`, and
//! the `r_i` are uniform apart from their sum modulo `2^f`, so they add up to `3/2 * 2^f`
//! in the mean. That is put in beforehand: the result is within 1.5 units in the last
//! place of `z / 2^f`, either side, with mean error below `2^-f`.

use crate::helper::{Component, Table, lookup};
use crate::lacking::mul_by_lacking;
use crate::thirds::{Thirds, claim_bits, input_words};
use futures_util::try_join;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::{Product, Security, Support};
use mpc_core::share::{Arith, Fixed, Words};

/// `7 * 2^61`: brings values of either sign into the top quarter of the ring.
const OFFSET: u64 = 7 << 61;

/// A value that is being divided by `2^f`.
pub struct Truncation {
    z: Arith<Z64>,
    /// What to add to the components of `z`: [`OFFSET`] and half of the rounding loss, to `x_0`.
    offset: [u64; 2],
    f: u32,
}

impl Truncation {
    /// Begins to divide `z` by `2^f`; local.
    ///
    /// # Preconditions
    /// `|z| < 2^61 - 2^(f+1)`, and `1 <= f <= 60`.
    ///
    /// # Errors
    /// `Misuse` when `f` is out of range.
    pub fn new<S: Security>(ctx: &Ctx<S>, z: &Arith<Z64>, f: u32) -> Result<Truncation> {
        if !(1..=60).contains(&f) {
            return Err(Error::Misuse(format!("cannot truncate by {f} bits: allowed are 1 to 60")));
        }
        let rounding = 3 << (f - 1);
        let offset = at_x_0(ctx.party(), OFFSET.wrapping_add(rounding));
        Ok(Truncation { z: z.clone(), offset, f })
    }

    /// The quotient modulo `2^(64-f)`, for free: enough to see its sign, from the
    /// [`Truncation::sign_width`] low bits.
    pub fn low_bits(&self, party: PartyId) -> Arith<Z64> {
        let (f, [first, second]) = (self.f, self.offset);
        let of_x_0 = |x: u64| (x.wrapping_add(first | second) >> f).wrapping_sub(OFFSET >> f);
        self.z.map_components(party, of_x_0, |x| x >> f)
    }

    /// How many low bits hold the sign, if the quotient is below `2^31` in magnitude.
    pub fn sign_width(&self) -> usize {
        // |z| < 2^61 bounds the quotient by 2^(61-f) + 2.
        (63 - self.f).clamp(2, 32) as usize
    }

    /// The quotient in the whole ring.
    ///
    /// # Cost
    /// In the semi-honest mode one round and `2 f` bits per element and party; else as
    /// [`Truncation::finish_in_two_rounds`].
    ///
    /// # Security
    /// In the semi-honest mode as [`lookup`], else as [`Truncation::finish_in_two_rounds`].
    pub async fn finish<S: Security>(&self, ctx: &Ctx<S>) -> Result<Arith<Z64>> {
        if S::VERIFIED {
            self.finish_in_two_rounds(ctx).await
        } else {
            lookup(ctx, &self.z, self).await
        }
    }

    /// The quotient in the whole ring, for less traffic: where other protocols run beside,
    /// the second round costs nothing.
    ///
    /// # Cost
    /// Two rounds; `(4 f + 1) / 3` bits per element and party.
    ///
    /// # Security
    /// What a helper puts in is claimed by recorded products, and one more product is
    /// recorded; nothing is opened. The result is off by the low bits of the components,
    /// which each party knows two of: as a rounding function of `z` and the components it
    /// is deterministic, and we claim no more of it (Li et al., S&P 2023, on why 'random
    /// rounding' is not realised).
    pub async fn finish_in_two_rounds<S: Security>(&self, ctx: &Ctx<S>) -> Result<Arith<Z64>> {
        self.finish_claiming(ctx, self.known(ctx.party())).await
    }

    /// [`Truncation::finish_in_two_rounds`], given what this party puts in as a helper: in
    /// the hands of an adversary that may be anything.
    ///
    /// With `t_i = 2 p_i + q_i`, claimed are `q_h q_{h+1} = k` and `m^2 = m` modulo `2^(f+1)`, where
    /// `k = 2 c + m - p_h - p_{h+1}`. So `m` is a bit, and `2 c = p_h + p_{h+1} + q_h q_{h+1} - m`, which
    /// lies between -1 and 3 and is even, is 0 or 2: `c` is a bit modulo `2^f`, and the bits of `u`
    /// are unique. All of that is about numbers that the helper knows, whatever the third
    /// component is.
    pub async fn finish_claiming<S: Security>(
        &self,
        ctx: &Ctx<S>,
        [known_c, known_m]: [Words; 2],
    ) -> Result<Arith<Z64>> {
        let (f, shape, party) = (self.f, self.z.shape(), ctx.party());
        let granularity = 64 - f;
        let shifted = self.z.add_public(party, self.offset[0] | self.offset[1]);
        // Step 1: c and m.
        let (carry, middle) = (ctx.step("carry"), ctx.step("middle"));
        let (c, m) = try_join!(
            input_words(&carry, shape, f, known_c),
            input_words(&middle, shape, f + 1, known_m),
        )?;
        if S::VERIFIED {
            // Times 2^(63 - f), since it holds modulo 2^(f + 1).
            let up = 63 - f;
            let q = shifted.map(|x| x >> 62 & 1);
            let k = |c: u64, m: u64, x: u64| ((c << 1).wrapping_add(m)).wrapping_sub(x >> 63) << up;
            let k = Thirds::new(party, c.len()).zip_known([&c, &m, &shifted], k);
            ctx.record(|| Product::Elementwise {
                bits: 64,
                supports: [Support::FIRST, Support::SECOND],
                operands: [(&q.scale(1 << up)).into(), (&q).into(), (&k).into()],
            });
            claim_bits(ctx, &m, f + 1);
        }
        // Step 2: w = c + m a, all of it times 2^(64 - f).
        let a = |x: u64| x >> 63 << granularity;
        let (wraps, recorded) = (ctx.step("wraps"), || shifted.map(a));
        let both = mul_by_lacking(&wraps, &m, &shifted, a, recorded, granularity).await?;
        let less =
            |x: u64, c: u64, both: u64| (x >> f).wrapping_sub(c << granularity).wrapping_sub(both);
        let quotient = Arith::combine_three("truncation", [&shifted, &c, &both], less)?;
        Ok(quotient.plus_public(party, (OFFSET >> f).wrapping_neg()))
    }

    /// The bits `c` and `m` of `u`, for the elements with which `party` helps.
    pub fn known(&self, party: PartyId) -> [Words; 2] {
        let own = Thirds::new(party, self.z.len()).own();
        let (first, second) = (&self.z.first()[own.clone()], &self.z.second()[own]);
        let top =
            |x: u64, component: Component| x.wrapping_add(self.offset[component as usize]) >> 62;
        let sum = |x, y| top(x, Component::First) + top(y, Component::Second);
        let bits = |bit: u32| Words::zip(first, second, |x, y| sum(x, y) >> bit & 1);
        [bits(2), bits(1)]
    }
}

/// `-w` modulo `2^f` by a helper, who knows `u = x_h + x_{h+1}` and its carry `c`. Since the
/// top bit of `z'` is set, `u + x_{h+2}` carries exactly if both have theirs set, so `w =
/// c + msb(u) msb(x_{h+2})` (as in the known-MSB truncation of Dalskov, Escudero, Keller,
/// PoPETs 2020).
impl Table for Truncation {
    fn width(&self) -> u32 {
        self.f
    }

    fn entries(&self) -> impl Fn(u64, u64) -> [u64; 2] {
        let offset = self.offset;
        move |first, second| {
            let (first, second) = (first.wrapping_add(offset[0]), second.wrapping_add(offset[1]));
            let (sum, carry) = first.overflowing_add(second);
            let carry = u64::from(carry);
            [carry, carry + (sum >> 63)].map(u64::wrapping_neg)
        }
    }

    fn choice(&self, component: Component) -> impl Fn(u64) -> u64 {
        let offset = self.offset[component as usize];
        move |word| word.wrapping_add(offset) >> 63
    }

    fn result(&self, component: Component) -> impl Fn(u64, u64) -> u64 {
        let (f, offset) = (self.f, self.offset[component as usize]);
        let less = if offset == 0 { 0 } else { OFFSET >> f };
        move |less_wraps, word| {
            (word.wrapping_add(offset) >> f).wrapping_add(less_wraps << (64 - f)).wrapping_sub(less)
        }
    }
}

/// What to add to the components that `party` holds, so that `value` is added to `x_0`.
fn at_x_0(party: PartyId, value: u64) -> [u64; 2] {
    match party {
        PartyId::P0 => [value, 0],
        PartyId::P1 => [0, 0],
        PartyId::P2 => [0, value],
    }
}

/// `z / 2^f`, rounded; see [`Truncation::finish`] for preconditions, cost and security.
///
/// # Errors
/// `Misuse` when `f` is out of range.
pub async fn truncate<S: Security>(ctx: &Ctx<S>, z: &Arith<Z64>, f: u32) -> Result<Arith<Z64>> {
    Truncation::new(ctx, z, f)?.finish(ctx).await
}

/// Elements from which on a third of their traffic counts for more than a round.
const MANY: usize = 3 << 14;

/// The same reals with `scale` fractional bits: truncated, or lifted for free.
///
/// # Cost
/// That of [`Truncation::finish`], or for many elements that of
/// [`Truncation::finish_in_two_rounds`].
///
/// # Errors
/// `Misuse` when more than 60 bits are to go.
pub async fn rescale<S: Security>(ctx: &Ctx<S>, x: &Fixed, scale: u32) -> Result<Fixed> {
    if scale >= x.scale {
        return Ok(x.upscale(scale));
    }
    let truncation = Truncation::new(ctx, &x.share, x.scale - scale)?;
    let quotient = match x.share.len() {
        MANY.. => truncation.finish_in_two_rounds(ctx).await?,
        _ => truncation.finish(ctx).await?,
    };
    Ok(Fixed::new(quotient, scale))
}
