//! What a specification says about the network.

use super::{ConvSpec, LayerSpec, PoolSpec, SpecError, Units, layer_key};
use crate::loss::{HUBER_BOUNDS, Loss};
use crate::volume::Volume;
use serde::{Deserialize, Serialize};

/// Most layers of a model.
pub const MAX_LAYERS: usize = 64;
/// Most units of a layer.
pub const MAX_UNITS: usize = 1 << 16;

/// Layers and loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Height, width and channels of a row, where it is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Volume>,
    /// The layers from the input on.
    pub layers: Vec<LayerSpec>,
    /// What the training minimises.
    pub loss: Loss,
}

/// The layers of LeNet for images of digits, as the literature on secure training has it:
/// two convolutions of 20 and 50 filters of 5 x 5, each with a maximum of 2 x 2 and a
/// rectifier, a dense layer of 500 with a rectifier, and a dense layer of the classes.
pub fn lenet() -> Vec<LayerSpec> {
    let conv = |filters| LayerSpec::Conv(ConvSpec { filters, kernel: 5, stride: 1, padding: 0 });
    let pool = LayerSpec::MaxPool(PoolSpec { size: 2, stride: 2 });
    let (hidden, last) = (Units::Count(500), Units::Outputs);
    vec![
        conv(20),
        pool,
        LayerSpec::Relu,
        conv(50),
        pool,
        LayerSpec::Relu,
        LayerSpec::Flatten,
        LayerSpec::Dense(hidden),
        LayerSpec::Relu,
        LayerSpec::Dense(last),
    ]
}

impl ModelSpec {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        if let Loss::Huber(distance) = self.loss
            && !(HUBER_BOUNDS[0]..=HUBER_BOUNDS[1]).contains(&distance)
        {
            let [min, max] = HUBER_BOUNDS;
            let reason = format!("the distance must be {min} to {max}, not {distance}");
            return Err(SpecError::invalid("model.loss.huber", reason));
        }
        let layers = &self.layers;
        if layers.is_empty() || layers.len() > MAX_LAYERS {
            let reason = format!("1 to {MAX_LAYERS} layers are needed, not {}", layers.len());
            return Err(SpecError::invalid("model.layers", reason));
        }
        for (index, layer) in layers.iter().enumerate() {
            layer.validate().map_err(|reason| SpecError::invalid(layer_key(index), reason))?;
            if *layer == LayerSpec::Dense(Units::Outputs)
                && layers[index + 1..].iter().any(LayerSpec::is_trained)
            {
                let reason = "only the last dense layer can be \"outputs\" wide";
                return Err(SpecError::invalid(layer_key(index), reason));
            }
            if layer.needs_image() && self.input.is_none() {
                let reason = format!(
                    "{layer} works on images: say what a row is, for instance \
                     input = [28, 28, 1] for height, width and channels"
                );
                return Err(SpecError::invalid(layer_key(index), reason));
            }
        }
        self.validate_end()
    }

    /// The loss must find the layer that it expects.
    fn validate_end(&self) -> Result<(), SpecError> {
        if !self.layers.iter().any(LayerSpec::is_trained) {
            return Err(SpecError::invalid("model.layers", "there is no dense layer to train"));
        }
        // A softmax is that of the loss: it may be written, but nowhere else.
        let layers = match self.layers.as_slice() {
            [before @ .., LayerSpec::Softmax] if self.loss == Loss::SoftmaxCrossEntropy => before,
            all => all,
        };
        if let Some(index) = layers.iter().position(|layer| *layer == LayerSpec::Softmax) {
            let reason = "softmax can only be the last layer, with loss \"softmax-cross-entropy\"";
            return Err(SpecError::invalid(layer_key(index), reason));
        }
        let brings_own_activation = matches!(self.loss, Loss::SoftmaxCrossEntropy | Loss::Logistic);
        if brings_own_activation && !matches!(layers.last(), Some(LayerSpec::Dense(_))) {
            return Err(SpecError::invalid(
                layer_key(layers.len() - 1),
                format!(
                    "loss \"{}\" needs a dense layer at the end: it has its activation built in",
                    self.loss
                ),
            ));
        }
        Ok(())
    }
}
