//! Input of a party's own values.
//!
//! Data holders outside share by file; this serves values that a compute party holds.

use crate::wire::{pack_words, unpack_words};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::{Error, Result};
use mpc_core::party::PartyId;
use mpc_core::ring::Ring;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Words};

/// Shares a matrix that `owner` holds; the other parties pass `None`.
///
/// Component `x_{i+1}` of owner `P_i` is drawn with the next party, the component that the
/// owner lacks is zero, and `x_i = x - x_{i+1}` goes to the previous party.
///
/// # Cost
/// One round; one ring element per element, from the owner alone.
///
/// # Security
/// `P_{i-1}` sees the value masked by a stream it does not know, `P_{i+1}` the mask. A
/// corrupt owner chooses its own input and no more.
///
/// # Errors
/// `Misuse` when the owner has no values or the wrong number.
pub async fn input<S: Security, R: Ring>(
    ctx: &Ctx<S>,
    owner: PartyId,
    shape: [usize; 2],
    values: Option<&[u64]>,
) -> Result<Arith<R>> {
    let len = shape[0] * shape[1];
    let mut draw = ctx.draw();
    let zero = Words::zeroed(len);
    if ctx.party() == owner {
        let values = values.filter(|values| values.len() == len);
        let Some(values) = values else {
            return Err(Error::Misuse(format!(
                "{owner} has no values of shape {shape:?} to share"
            )));
        };
        let mut mask = zero;
        draw.with_next.add_words(&mut mask);
        let masked: Words = values.iter().zip(&*mask).map(|(x, m)| x.wrapping_sub(*m)).collect();
        let to_prev = pack_words(&masked, R::BITS);
        ctx.exchange(Message { to_prev, ..Message::default() }).await;
        Ok(Arith::from_components(shape, masked, mask))
    } else if ctx.party() == owner.next() {
        let mut mask = zero.clone();
        draw.with_prev.add_words(&mut mask);
        ctx.exchange(Message::default()).await;
        Ok(Arith::from_components(shape, mask, zero))
    } else {
        let expect_next = mpc_core::ring::pack::packed_len(len, R::BITS as usize);
        let received = ctx.exchange(Message { expect_next, ..Message::default() }).await;
        let masked = unpack_words(ctx, owner, received.from_next, len, R::BITS)?;
        Ok(Arith::from_components(shape, zero, masked))
    }
}
