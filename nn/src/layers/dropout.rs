//! Dropout: in training, some activations are left out, others in each step.
//!
//! Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 2014. Which ones follows
//! from the joint seed, so all parties agree on it without a message, and a product with what
//! everybody knows is local. Nothing secret depends on the seed.

use super::Saved;
use crate::engine::Engine;
use crate::plan::FACTOR_SCALE;
use crate::seed::{Purpose, Seed};
use mpc_core::error::Result;
use rand::RngExt;

/// `x` with probability `1 - rate`, divided by that, and zero else, elementwise; in a model
/// that predicts, `x`.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability of zero, below 1.
    pub rate: f64,
    /// Scale of the input; the output has the bits of the factor more.
    pub scale: u32,
    drawn: Option<Drawn>,
}

/// Where the random numbers of a step come from.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    seed: Seed,
    layer: u32,
    step: u32,
}

impl Dropout {
    /// The layer as it predicts.
    pub fn new(rate: f64, scale: u32) -> Self {
        Dropout { rate, scale, drawn: None }
    }

    /// The layer as it is in a step of training, of which both count from zero.
    pub(super) fn in_step(self, seed: &Seed, layer: u32, step: u32) -> Self {
        Dropout { drawn: Some(Drawn { seed: *seed, layer, step }), ..self }
    }

    pub(super) async fn forward<E: Engine>(
        &self,
        engine: &E,
        input: E::Tensor,
    ) -> Result<(E::Tensor, Saved<E::Tensor>)> {
        Ok((self.masked(engine, input, self.scale).await?, Vec::new()))
    }

    /// What was left out has no error.
    pub(super) async fn input_error<E: Engine>(
        &self,
        engine: &E,
        error: &E::Tensor,
        scale: u32,
    ) -> Result<E::Tensor> {
        self.masked(engine, error.clone(), scale).await
    }

    /// `x` times the factors of this step, brought to `scale` before.
    async fn masked<E: Engine>(&self, engine: &E, x: E::Tensor, scale: u32) -> Result<E::Tensor> {
        let Some(Drawn { seed, layer, step }) = self.drawn else { return Ok(x) };
        let x = engine.step("round").align(x, scale).await?;
        let [rows, columns] = engine.shape(&x);
        let mut random = seed.stream(Purpose::Dropout { layer, step });
        let kept = 1.0 / (1.0 - self.rate);
        let factor = |_| if random.random::<f64>() < self.rate { 0.0 } else { kept };
        let factors: Vec<f64> = (0..rows * columns).map(factor).collect();
        let row = engine.reshape(x, [1, rows * columns])?;
        let row = engine.mul_public_row(row, &factors, FACTOR_SCALE)?;
        engine.reshape(row, [rows, columns])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{PlainFloat, PlainTensor, finish};
    use ndarray::Array2;

    fn ones() -> PlainTensor<f64> {
        PlainTensor { values: Array2::ones((40, 50)), scale: 0 }
    }

    #[test]
    fn a_step_leaves_out_the_same_on_both_ways_and_keeps_the_mean() {
        let seed = Seed::from_number(3);
        let in_step = |layer, step| Dropout::new(0.25, 0).in_step(&seed, layer, step);
        let forward =
            |dropout: Dropout| finish(dropout.forward(&PlainFloat, ones())).unwrap().0.values;
        let first = forward(in_step(1, 0));
        assert!(first.iter().all(|&x| x == 0.0 || (x - 4.0 / 3.0).abs() < 1e-12));
        assert!((first.mean().unwrap() - 1.0).abs() < 0.05);
        let error = finish(in_step(1, 0).input_error(&PlainFloat, &ones(), 0)).unwrap();
        assert_eq!(error.values, first);
        assert_ne!(forward(in_step(1, 1)), first);
        assert_ne!(forward(in_step(2, 0)), first);
    }

    #[test]
    fn a_model_leaves_nothing_out() {
        let (output, _) = finish(Dropout::new(0.9, 0).forward(&PlainFloat, ones())).unwrap();
        assert_eq!(output, ones());
    }
}
