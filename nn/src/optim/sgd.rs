//! Stochastic gradient descent with momentum and weight decay.
//!
//! The velocity is kept in steps, that is times the learning rate: `u = lr v`. Where the
//! rate has changed, `u <- momentum (lr / last_lr) u + lr g`, which is `lr (momentum v + g)`.

use super::{Memory, Now, decayed, scaled, working_scale};
use crate::engine::Engine;
use crate::plan::FACTOR_SCALE;
use crate::spec::Sgd;
use futures_util::try_join;
use mpc_core::error::Result;

/// What to take off a tensor, and its velocity; `gradient` is times the learning rate.
pub(super) async fn change<E: Engine>(
    engine: &E,
    sgd: Sgd,
    value: &E::Tensor,
    gradient: E::Tensor,
    memory: Memory<E::Tensor>,
    now: Now,
) -> Result<(E::Tensor, Memory<E::Tensor>)> {
    let scale = working_scale(engine, value);
    let kept = sgd.momentum * now.rate / now.last_rate;
    let (align, decay, fade) = (engine.step("gradient"), engine.step("decay"), engine.step("fade"));
    let (mut step, decay, faded) = try_join!(
        align.align(gradient, scale),
        async {
            let factor = sgd.weight_decay * now.rate;
            if factor > 0.0 { decayed(&decay, value, factor).await.map(Some) } else { Ok(None) }
        },
        async {
            match memory {
                Memory::Velocity(velocity) => {
                    scaled(&fade, velocity, kept, FACTOR_SCALE, scale).await.map(Some)
                }
                Memory::Nothing | Memory::Moments(_) => Ok(None),
            }
        },
    )?;
    if let Some(decay) = decay {
        step = engine.add(step, &decay)?;
    }
    if sgd.momentum == 0.0 {
        return Ok((step, Memory::Nothing));
    }
    let velocity = match faded {
        Some(faded) => engine.add(faded, &step)?,
        None => step.clone(),
    };
    let step = if sgd.nesterov {
        let ahead = engine.step("ahead");
        let ahead = scaled(&ahead, velocity.clone(), sgd.momentum, FACTOR_SCALE, scale).await?;
        engine.add(step, &ahead)?
    } else {
        velocity.clone()
    };
    Ok((step, Memory::Velocity(velocity)))
}
