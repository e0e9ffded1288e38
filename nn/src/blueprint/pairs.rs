//! The tensors of a layer, which come in pairs.

use super::LayerShape;

/// Two tensors of a layer: their shapes, and what they are to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What they are.
    pub role: Role,
    /// Rows and columns of the first and of the second.
    pub shapes: [[usize; 2]; 2],
}

/// What a pair of tensors is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weights, an output a row, and a bias.
    Weights {
        /// To how many numbers that enter an output is connected, and to how many that leave
        /// an input is.
        fans: [usize; 2],
    },
    /// By what the channels of a normalisation are multiplied, and what is added to them.
    Scaling,
    /// Mean and variance of each channel of a normalisation: measured, not trained.
    Statistics,
}

impl LayerShape {
    /// The pairs of tensors that the layer has, in the order of a model's tensors.
    pub fn pairs(&self) -> Vec<Pair> {
        let weights = |outputs: usize, inputs: usize, fans| Pair {
            role: Role::Weights { fans },
            shapes: [[outputs, inputs], [1, outputs]],
        };
        match *self {
            LayerShape::Dense { inputs, outputs } => {
                vec![weights(outputs, inputs, [inputs, outputs])]
            }
            LayerShape::Conv { windows, filters } => {
                let fans = [windows.len(), windows.pixels() * filters];
                vec![weights(filters, windows.len(), fans)]
            }
            LayerShape::BatchNorm { image, .. } => [Role::Scaling, Role::Statistics]
                .map(|role| Pair { role, shapes: [[1, image.channels]; 2] })
                .to_vec(),
            _ => Vec::new(),
        }
    }
}
