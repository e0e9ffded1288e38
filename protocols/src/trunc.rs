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
//! With `s_j`, `k_j` the sum and carry of bit `j` of the `t_i`: `T = s_0 + 2 (s_1 + k_0) +
//! 4 k_1`, so `w = k_1 + (s_1 AND k_0)`: three ANDs of depth two.
//!
//! Rounding: with `r_i = x_i mod 2^f`, `sum(x_i >> f) = (S - r_0 - r_1 - r_2) / 2^f`, and
//! the `r_i` are uniform apart from their sum modulo `2^f`, so they add up to `3/2 * 2^f`
//! in the mean. That is put in beforehand: the result is within 1.5 units in the last
//! place of `z / 2^f`, either side, with mean error below `2^-f`.

use crate::and::and;
use crate::helper::lookup;
use crate::inject::inject;
use crate::operands::{CarrySave, carry_save};
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Fixed};

/// `7 * 2^61`: brings values of either sign into the top quarter of the ring.
const OFFSET: u64 = 7 << 61;

/// A value that is being divided by `2^f`.
pub struct Truncation {
    /// Components of `z + OFFSET` and half of the rounding loss.
    shifted: Arith<Z64>,
    /// `shifted >> f` component by component, less the offset.
    quotient: Arith<Z64>,
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
        let shifted = z.add_public(ctx.party(), OFFSET.wrapping_add(rounding));
        let quotient = shifted
            .linear(z.shape(), |x| x.iter().map(|x| x >> f).collect())
            .add_public(ctx.party(), (OFFSET >> f).wrapping_neg());
        Ok(Truncation { shifted, quotient, f })
    }

    /// The quotient modulo `2^(64-f)`, for free: enough to see its sign, from the
    /// [`Truncation::sign_width`] low bits.
    pub fn low_bits(&self) -> &Arith<Z64> {
        &self.quotient
    }

    /// How many low bits hold the sign, if the quotient is below `2^31` in magnitude.
    pub fn sign_width(&self) -> usize {
        // |z| < 2^61 bounds the quotient by 2^(61-f) + 2.
        (63 - self.f).clamp(2, 32) as usize
    }

    /// The quotient in the whole ring.
    ///
    /// # Cost
    /// Four rounds; `3 + 4 f` bits per element and party. In the semi-honest mode one round
    /// and `2 f` bits.
    ///
    /// # Security
    /// ANDs and products of free sharings, recorded for verification; nothing is opened.
    /// The result is off by the low bits of the components, which each party knows two
    /// of: as a rounding function of `z` and the components it is deterministic, and we
    /// claim no more of it (Li et al., S&P 2023, on why 'random rounding' is not
    /// realised).
    pub async fn finish<S: Security>(&self, ctx: &Ctx<S>) -> Result<Arith<Z64>> {
        let wraps =
            if S::VERIFIED { self.wraps(ctx).await? } else { self.wraps_by_helper(ctx).await? };
        self.quotient.sub(&wraps)
    }

    /// `w 2^(64-f)` from the top two bits of each component.
    async fn wraps<S: Security>(&self, ctx: &Ctx<S>) -> Result<Arith<Z64>> {
        // Step 1: k_0, k_1 of the top two bits.
        let CarrySave { sum, carry } =
            carry_save(&ctx.step("top-bits"), &self.shifted, 62, 2, 2).await?;
        // Step 2: s_1 AND k_0.
        let both = and(&ctx.step("wraps"), &sum.slice(1..2), &carry.slice(0..1)).await?;
        // Steps 3, 4: w 2^(64-f) from its two summands.
        let summands = Bin::concat(&[&carry.slice(1..2), &both]);
        let wraps = inject(&ctx.step("inject"), &summands, 64 - self.f).await?.sum_rows();
        wraps.reshape(self.quotient.shape())
    }

    /// `w 2^(64-f)` by a helper, who knows `u = x_h + x_{h+1}` and its carry `c`. Since the
    /// top bit of `z'` is set, `u + x_{h+2}` carries exactly if both have theirs set, so `w =
    /// c + msb(u) msb(x_{h+2})` (as in the known-MSB truncation of Dalskov, Escudero, Keller,
    /// PoPETs 2020).
    async fn wraps_by_helper<S: Security>(&self, ctx: &Ctx<S>) -> Result<Arith<Z64>> {
        let granularity = 64 - self.f;
        let entries = |a: u64, b: u64| {
            let (sum, carry) = a.overflowing_add(b);
            let carry = u64::from(carry);
            [carry << granularity, (carry + (sum >> 63)) << granularity]
        };
        lookup(ctx, &self.shifted, granularity, entries, |x| x >> 63).await
    }
}

/// `z / 2^f`, rounded; see [`Truncation::finish`] for preconditions, cost and security.
///
/// # Errors
/// `Misuse` when `f` is out of range.
pub async fn truncate<S: Security>(ctx: &Ctx<S>, z: &Arith<Z64>, f: u32) -> Result<Arith<Z64>> {
    Truncation::new(ctx, z, f)?.finish(ctx).await
}

/// The same reals with `scale` fractional bits: truncated, or lifted for free.
pub async fn rescale<S: Security>(ctx: &Ctx<S>, x: &Fixed, scale: u32) -> Result<Fixed> {
    if scale >= x.scale {
        return Ok(x.upscale(scale));
    }
    Ok(Fixed::new(truncate(ctx, &x.share, x.scale - scale).await?, scale))
}
