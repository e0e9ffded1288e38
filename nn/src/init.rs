//! The weights that a training starts with: public, and the same at all parties.

use crate::blueprint::{Pair, Role};
use crate::layers::Parameters;
use crate::seed::{Purpose, Seed};
use crate::spec::Initial;
use ndarray::Array2;
use rand::RngExt;

/// The two tensors of a pair that belongs to the `layer`-th layer of the network.
pub fn initial(
    initial: Initial,
    Pair { role, shapes: [first, second] }: Pair,
    seed: &Seed,
    layer: usize,
) -> Parameters<Array2<f64>> {
    let fans = match role {
        Role::Weights { fans } => fans,
        Role::Scaling => {
            return Parameters { weights: Array2::ones(first), bias: Array2::zeros(second) };
        }
        Role::Statistics => {
            return Parameters { weights: Array2::zeros(first), bias: Array2::ones(second) };
        }
    };
    let [inputs, outputs] = fans.map(|fan| fan as f64);
    let mut random = seed.stream(Purpose::Initial(layer as u32));
    let mut uniform = |shape, bound: f64| {
        Array2::from_shape_simple_fn(shape, || bound * (2.0 * random.random::<f64>() - 1.0))
    };
    let (weight_bound, bias_bound) = match initial {
        Initial::Uniform => (1.0 / inputs.sqrt(), 1.0 / inputs.sqrt()),
        Initial::GlorotUniform => ((6.0 / (inputs + outputs)).sqrt(), 0.0),
        Initial::HeUniform => ((6.0 / inputs).sqrt(), 0.0),
        Initial::Zeros => (0.0, 0.0),
    };
    let weights = uniform(first, weight_bound);
    Parameters { weights, bias: uniform(second, bias_bound) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::LayerShape;
    use crate::spec::BatchNormSpec;
    use crate::volume::{Volume, Windows};

    fn dense(
        kind: Initial,
        [outputs, inputs]: [usize; 2],
        seed: &Seed,
        layer: usize,
    ) -> Parameters<Array2<f64>> {
        let pair = LayerShape::Dense { inputs, outputs }.pairs()[0];
        initial(kind, pair, seed, layer)
    }

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

    /// An input of a convolution is in as many outputs as a filter has pixels, times filters.
    #[test]
    fn a_convolution_counts_its_kernel_both_ways() {
        let input = Volume { height: 9, width: 9, channels: 3 };
        let windows = Windows { input, kernel: [4, 4], stride: 1, padding: 0 };
        let pair = LayerShape::Conv { windows, filters: 21 }.pairs()[0];
        assert_eq!(pair.role, Role::Weights { fans: [48, 336] });
        let drawn = initial(Initial::GlorotUniform, pair, &Seed::from_number(5), 0);
        let (min, max) = spread(&drawn.weights);
        assert!((-0.125..-0.122).contains(&min) && (0.122..0.125).contains(&max));
    }

    #[test]
    fn a_normalisation_starts_without_effect() {
        let image = Volume { height: 2, width: 2, channels: 3 };
        let shape = LayerShape::BatchNorm { image, spec: BatchNormSpec::DEFAULT };
        let drawn = |at: usize| {
            let pair = shape.pairs()[at];
            let Parameters { weights, bias } =
                initial(Initial::Zeros, pair, &Seed::from_number(1), 0);
            (weights, bias)
        };
        let (ones, zeros) = (Array2::ones((1, 3)), Array2::zeros((1, 3)));
        assert_eq!(drawn(0), (ones.clone(), zeros.clone()));
        assert_eq!(drawn(1), (zeros, ones));
    }

    #[test]
    fn layers_and_seeds_differ_and_repeat() {
        let draw = |seed, layer| dense(Initial::Uniform, [4, 4], &Seed::from_number(seed), layer);
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }
}
