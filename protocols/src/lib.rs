//! Secure three-party protocols on replicated shares, one file each.
//!
//! A protocol is an `async fn` over a [`Ctx`](mpc_core::ctx::Ctx): each `.await`
//! costs the rounds its documentation states, and `try_join!` runs independent
//! protocols in the same rounds. `docs/PROTOCOLS.md` lists all of them with cost and
//! leakage.

pub mod and;
pub mod argmax;
pub mod beaver;
pub mod bounds;
pub mod carry;
pub mod concordance;
pub mod exp;
pub mod helper;
pub mod inject;
pub mod input;
pub mod inv_sqrt;
pub mod lacking;
pub mod log_sum_exp;
pub mod max;
pub mod mul;
pub mod one_hot;
pub mod open;
pub mod operands;
pub mod reciprocal;
pub mod relu;
pub mod reshare;
pub mod sigmoid;
pub mod sign;
pub mod softmax;
pub mod thirds;
pub mod tournament;
pub mod trunc;
pub mod verify;
mod wire;
