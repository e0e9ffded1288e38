//! The protocols that can be measured, each on made-up operands.

use super::made_up::{between, bits, numbers};
use super::measure::Bench;
use super::plan::{MATMUL_COLUMNS, MATMUL_DEPTH, Op, Protocol, SOFTMAX_CLASSES};
use mpc_core::ctx::{Ctx, Message};
use mpc_core::error::Result;
use mpc_core::net::Payload;
use mpc_core::party::PartyId;
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::Arith;
use protocols::and::and;
use protocols::exp::exp_neg;
use protocols::inject::inject;
use protocols::input::input;
use protocols::inv_sqrt::inv_sqrt;
use protocols::max::max_of_rows;
use protocols::mul::{Operand, matmul, mul};
use protocols::open::open;
use protocols::reciprocal::{RECIPROCAL_SCALE, reciprocal};
use protocols::relu::relu;
use protocols::sigmoid::sigmoid;
use protocols::sign::{bit_decompose, sign};
use protocols::softmax::softmax;
use protocols::trunc::truncate;

/// Fractional bits of operands.
const SCALE: u32 = 13;
/// Fractional bits of products.
const PRODUCT_SCALE: u32 = 2 * SCALE;
/// Fractional bits of logits.
const LOGIT_SCALE: u32 = 16;

impl<S: Security, D: FnMut(usize)> Bench<'_, S, D> {
    pub(super) async fn op(&mut self, op: Op, n: usize) -> Result<()> {
        let party = self.ctx.party();
        let x = |shape, scale| numbers(party, 1, shape, scale);
        let y = |shape, scale| numbers(party, 2, shape, scale).share;
        match op {
            Op::Relu => {
                let x = x([1, n], SCALE);
                self.run(async |ctx| relu(ctx, &x, SCALE).await.map(drop)).await
            }
            Op::Compare => {
                let x = x([1, n], SCALE).share;
                self.run(async |ctx| sign(ctx, &x, 32).await.map(drop)).await
            }
            Op::Decompose => {
                let x = x([1, n], SCALE).share;
                self.run(async |ctx| bit_decompose(ctx, &x, 64).await.map(drop)).await
            }
            Op::Mul => {
                let (x, y) = (x([1, n], SCALE).share, y([1, n], SCALE));
                let product = async |ctx: &Ctx<S>| {
                    let product = mul(&ctx.step("product"), &x, &y).await?;
                    rescaled(ctx, product).await
                };
                self.run(product).await
            }
            Op::Matmul => {
                let x = x([n, MATMUL_DEPTH], SCALE).share;
                let y = y([MATMUL_DEPTH, MATMUL_COLUMNS], SCALE);
                let product = async |ctx: &Ctx<S>| {
                    let (x, y) = (Operand::plain(&x), Operand::plain(&y));
                    let product = matmul(&ctx.step("product"), x, y).await?;
                    rescaled(ctx, product).await
                };
                self.run(product).await
            }
            Op::Trunc => {
                let x = x([1, n], PRODUCT_SCALE).share;
                self.run(async |ctx| rescaled(ctx, x.clone()).await).await
            }
            Op::Softmax => {
                let z = x([n, SOFTMAX_CLASSES], LOGIT_SCALE);
                self.run(async |ctx| softmax(ctx, &z).await.map(drop)).await
            }
            Op::Sigmoid => {
                let z = x([1, n], SCALE);
                self.run(async |ctx| sigmoid(ctx, &z).await.map(drop)).await
            }
        }
    }

    pub(super) async fn protocol(&mut self, protocol: Protocol, n: usize) -> Result<()> {
        let party = self.ctx.party();
        let x = |shape, scale| numbers(party, 1, shape, scale);
        match protocol {
            Protocol::Product => {
                let x = x([1, n], SCALE).share;
                self.run(async |ctx| mul(ctx, &x, &x).await.map(drop)).await
            }
            Protocol::And => {
                let [x, y] = [1, 2].map(|seed| bits(party, seed, 64 * n));
                self.run(async |ctx| and(ctx, &x, &y).await.map(drop)).await
            }
            Protocol::Inject => {
                let bits = bits(party, 1, n);
                self.run(async |ctx| inject(ctx, &bits, 0).await.map(drop)).await
            }
            Protocol::Open => {
                let x = x([1, n], SCALE).share;
                self.run(async |ctx| open(ctx, &x).await.map(drop)).await
            }
            Protocol::Input => {
                let known = (party == PartyId::P0).then(|| vec![1; n]);
                let owner = PartyId::P0;
                self.run(async |ctx| {
                    input::<_, Z64>(ctx, owner, [1, n], known.as_deref()).await.map(drop)
                })
                .await
            }
            Protocol::Max => {
                let x = x([n, SOFTMAX_CLASSES], LOGIT_SCALE).share;
                self.run(async |ctx| max_of_rows(ctx, &x).await.map(drop)).await
            }
            Protocol::Exp => {
                let x = between(party, 1, [1, n], LOGIT_SCALE, [0, 8]);
                self.run(async |ctx| exp_neg(ctx, &x).await.map(drop)).await
            }
            Protocol::Reciprocal => {
                let x = between(party, 1, [1, n], RECIPROCAL_SCALE, [1, 10]);
                self.run(async |ctx| reciprocal(ctx, &x, 10.0).await.map(drop)).await
            }
            Protocol::InvSqrt => {
                let x = between(party, 1, [1, n], PRODUCT_SCALE, [1, 8]);
                self.run(async |ctx| inv_sqrt(ctx, &x, SCALE).await.map(drop)).await
            }
        }
    }

    /// Rounds in which every party sends so many bytes to both others.
    pub(super) async fn link(&mut self, bytes: usize) -> Result<()> {
        self.run(async |ctx| {
            let [to_prev, to_next] =
                [(); 2].map(|()| Payload::written(bytes, |zeros| zeros.fill(0)));
            let message = Message { to_prev, to_next, expect_prev: bytes, expect_next: bytes };
            ctx.exchange(message).await;
            Ok(())
        })
        .await
    }
}

/// A truncation of products.
async fn rescaled<S: Security>(ctx: &Ctx<S>, product: Arith<Z64>) -> Result<()> {
    truncate(&ctx.step("rescale"), &product, PRODUCT_SCALE - SCALE).await.map(drop)
}
