//! The protocols against their plain definitions: compiled once for each security mode,
//! which is the `Mode` of the crate.

mod bits;
mod bounds;
mod functions;
mod products;
mod truncation;
mod views;

use crate::Mode;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::testing;
use protocols::verify::verify;

/// Runs one program at three parties, verifies it if the mode does, and returns what each
/// got.
pub fn run3<T, F>(seed: u64, program: impl Fn(Ctx<Mode>) -> F + Sync) -> [T; 3]
where
    T: Send,
    F: Future<Output = Result<T>>,
{
    testing::run3(seed, |ctx: Ctx<Mode>| {
        let result = program(ctx.step("test"));
        async move {
            let result = result.await?;
            verify(&ctx).await?;
            Ok(result)
        }
    })
}
