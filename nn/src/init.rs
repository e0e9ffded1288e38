//! The weights that a training starts with: public, and the same at all parties.

use crate::seed::{Purpose, Seed};
use crate::spec::Initial;
use ndarray::Array2;
use rand::RngExt;

/// Initial weights of a dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseInitial {
    /// `outputs x inputs`.
    pub weights: Array2<f64>,
    /// `1 x outputs`.
    pub bias: Array2<f64>,
}

/// Draws the weights of the dense layer that is the `layer`-th of the network.
pub fn dense(
    initial: Initial,
    [outputs, inputs]: [usize; 2],
    seed: &Seed,
    layer: usize,
) -> DenseInitial {
    let mut random = seed.stream(Purpose::Initial(layer as u32));
    let mut uniform = |rows, columns, bound: f64| {
        Array2::from_shape_simple_fn((rows, columns), || {
            bound * (2.0 * random.random::<f64>() - 1.0)
        })
    };
    let (weight_bound, bias_bound) = match initial {
        Initial::Uniform => (1.0 / (inputs as f64).sqrt(), 1.0 / (inputs as f64).sqrt()),
        Initial::GlorotUniform => ((6.0 / (inputs + outputs) as f64).sqrt(), 0.0),
        Initial::HeUniform => ((6.0 / inputs as f64).sqrt(), 0.0),
        Initial::Zeros => (0.0, 0.0),
    };
    let weights = uniform(outputs, inputs, weight_bound);
    DenseInitial { weights, bias: uniform(1, outputs, bias_bound) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &Array2<f64>) -> (f64, f64) {
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        values.iter().fold(bounds, |(min, max), &value| (min.min(value), max.max(value)))
    }

    #[test]
    fn weights_fill_their_interval_evenly() {
        let seed = Seed::from_number(5);
        let uniform = dense(Initial::Uniform, [100, 64], &seed, 0);
        let (min, max) = spread(&uniform.weights);
        assert!((-0.125..-0.124).contains(&min) && (0.124..0.125).contains(&max));
        assert!(uniform.weights.mean().unwrap().abs() < 0.004);
        assert!(uniform.bias.iter().all(|bias| bias.abs() < 0.125 && *bias != 0.0));

        let glorot = dense(Initial::GlorotUniform, [100, 50], &seed, 0);
        let (min, max) = spread(&glorot.weights);
        assert!((-0.2..-0.198).contains(&min) && (0.198..0.2).contains(&max));
        assert!(glorot.bias.iter().all(|&bias| bias == 0.0));

        let he = dense(Initial::HeUniform, [100, 54], &seed, 0);
        let (min, max) = spread(&he.weights);
        assert!((-1.0 / 3.0..-0.33).contains(&min) && (0.33..1.0 / 3.0).contains(&max));
        assert!(he.bias.iter().all(|&bias| bias == 0.0));

        let zeros = dense(Initial::Zeros, [3, 2], &seed, 0);
        assert!(zeros.weights.iter().chain(&zeros.bias).all(|&weight| weight == 0.0));
    }

    #[test]
    fn layers_and_seeds_differ_and_repeat() {
        let draw = |seed, layer| dense(Initial::Uniform, [4, 4], &Seed::from_number(seed), layer);
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }
}
