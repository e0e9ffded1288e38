//! Predicting with a model that stays shared, for rows that are shared as well.
//!
//! The forward pass is that of the layers in training. Of its outputs, the logits, only
//! what was asked for is made: the class, by a maximum on shares, or probabilities. Nothing
//! is opened here; whoever asked gets the shares of the answer.
//!
//! # Scales
//!
//! Parameters come at the scales that training or an import left them at. A trained layer takes
//! its input at the scale by which that of its bias exceeds that of its weights, for then the
//! bias is added without rounding; activations are rounded to what the next layer takes.

use crate::blueprint::{LayerShape, Pair, Role};
use crate::engine::Engine;
use crate::layers::{Layer, Parameters, batch_norm};
use crate::loss::Loss;
use crate::train::DATA_SCALE;
use mpc_core::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Fractional bits of activations, logits and answers where no layer says otherwise.
pub const ANSWER_SCALE: u32 = 16;
/// Rows that are computed, and verified, at a time: it bounds the memory.
const ROWS_AT_A_TIME: usize = 1024;

/// What is answered for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The number of the most probable class, and nothing else.
    Class,
    /// The probability of each class; of two classes with one output, that of the second.
    Probabilities,
    /// The numbers of a regression, on the label's mapped scale.
    Numbers,
}

impl Answer {
    /// The name in jobs and messages.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Class => "class",
            Answer::Probabilities => "probabilities",
            Answer::Numbers => "numbers",
        }
    }

    /// Whether a model that was trained with this loss can give such an answer.
    pub fn suits(self, loss: Loss) -> bool {
        match loss {
            Loss::SoftmaxCrossEntropy | Loss::Logistic => self != Answer::Numbers,
            Loss::MeanSquared | Loss::Huber(_) => self == Answer::Numbers,
        }
    }

    /// Columns of the answer of a network with so many outputs.
    pub fn columns(self, outputs: usize) -> usize {
        match self {
            Answer::Class => 1,
            Answer::Probabilities | Answer::Numbers => outputs,
        }
    }

    /// Fractional bits of the answer.
    pub fn scale(self) -> u32 {
        match self {
            Answer::Class => 0,
            Answer::Probabilities | Answer::Numbers => ANSWER_SCALE,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A network whose parameters stay what the engine computes on: shares, under MPC.
#[derive(Clone, Debug)]
pub struct SharedModel<T> {
    layers: Vec<Layer<T>>,
    loss: Loss,
    outputs: usize,
}

impl<T: Clone> SharedModel<T> {
    /// Puts parameters into the layers they belong to; the first takes rows as holders share
    /// them, mapped by the schema's bounds.
    ///
    /// # Errors
    /// `Error::Misuse` where there are more or fewer than the layers need or their scales
    /// leave no room, `Error::Shape` where one has another shape.
    pub fn new<E: Engine<Tensor = T>>(
        engine: &E,
        shapes: &[LayerShape],
        loss: Loss,
        parameters: Vec<Parameters<T>>,
    ) -> Result<Self> {
        let mut parameters = parameters.into_iter();
        let mut layers = Vec::with_capacity(shapes.len());
        let mut width = None;
        for shape in shapes {
            let default = if width.is_none() { DATA_SCALE } else { ANSWER_SCALE };
            let mut input_scale = ANSWER_SCALE;
            let layer = Layer::new(shape, ANSWER_SCALE, ANSWER_SCALE, |pair| {
                let of_layer = parameters.next().ok_or_else(|| misfit("too few"))?;
                let (of_layer, by_bias) = fitted(engine, pair, of_layer, default)?;
                input_scale = by_bias;
                Ok(of_layer)
            })?;
            layers.push(layer.taking(input_scale));
            width = shape.width().or(width);
        }
        match (parameters.len(), width) {
            (0, Some(outputs)) => {
                round_to_what_follows(&mut layers);
                Ok(SharedModel { layers, loss, outputs })
            }
            (0, None) => Err(misfit("none")),
            _ => Err(misfit("too many")),
        }
    }

    /// Outputs of the last layer for each row, before softmax or sigmoid; exact.
    ///
    /// # Errors
    /// `Error::Shape` where rows are not as wide as the network, and those of the engine.
    pub async fn logits<E: Engine<Tensor = T>>(&self, engine: &E, rows: T) -> Result<T> {
        let mut value = rows;
        for (index, layer) in self.layers.iter().enumerate() {
            let step = engine.step(&format!("forward-{index}"));
            (value, _) = layer.forward(&step, value).await?;
        }
        Ok(value)
    }
}

/// Answers for each row: `rows x` [`Answer::columns`], at [`Answer::scale`].
///
/// `progress` hears how many rows are done.
///
/// # Cost
/// The forward pass of the layers, and for a class a maximum, for probabilities a softmax
/// or sigmoid; rounds are spent once for every 1024 rows.
///
/// # Security
/// Nothing is opened. All that the answer depends on is verified before it is returned,
/// if the engine verifies.
///
/// # Errors
/// `Error::Misuse` for an answer that does not suit the loss, `Error::Shape` where rows are
/// not as wide as the network, and those of the engine.
pub async fn infer<E: Engine>(
    engine: &E,
    model: &SharedModel<E::Tensor>,
    rows: &E::Tensor,
    answer: Answer,
    mut progress: impl FnMut(usize),
) -> Result<E::Tensor> {
    if !answer.suits(model.loss) {
        let loss = model.loss;
        return Err(Error::Misuse(format!("a model of loss {loss} answers no {answer}")));
    }
    let [count, _] = engine.shape(rows);
    let all: Vec<usize> = (0..count).collect();
    let empty = Array2::zeros((count, answer.columns(model.outputs)));
    let mut answers = engine.public(&empty, answer.scale())?;
    for chunk in all.chunks(ROWS_AT_A_TIME) {
        let stage = engine.step(&format!("rows-{}", chunk[0]));
        let logits = model.logits(&stage, engine.select_rows(rows, chunk)?).await?;
        let part = answer_of(&stage.step("answer"), model.loss, logits, answer).await?;
        stage.checkpoint().await?;
        engine.set_rows(&mut answers, chunk[0], &part)?;
        progress(chunk[0] + chunk.len());
    }
    Ok(answers)
}

async fn answer_of<E: Engine>(
    engine: &E,
    loss: Loss,
    logits: E::Tensor,
    answer: Answer,
) -> Result<E::Tensor> {
    let unrounded = match (answer, loss) {
        (Answer::Class, Loss::Logistic) => return Ok(engine.relu(logits, ANSWER_SCALE).await?.1),
        (Answer::Class, _) => {
            let logits = engine.step("round").align(logits, ANSWER_SCALE).await?;
            return engine.argmax(&logits).await;
        }
        (Answer::Probabilities, Loss::Logistic) => engine.sigmoid(logits, ANSWER_SCALE).await?,
        (Answer::Probabilities, _) => engine.softmax(logits, ANSWER_SCALE).await?,
        (Answer::Numbers, _) => logits,
    };
    engine.step("round").align(unrounded, ANSWER_SCALE).await
}

/// Parameters whose bias has the scale of the products, and the scale of the input; `default`
/// is that where the parameters do not tell.
fn fitted<E: Engine>(
    engine: &E,
    Pair { role, shapes }: Pair,
    parameters: Parameters<E::Tensor>,
    default: u32,
) -> Result<(Parameters<E::Tensor>, u32)> {
    let Parameters { weights, bias } = parameters;
    for (op, tensor, right) in [("weights", &weights, shapes[0]), ("bias", &bias, shapes[1])] {
        let left = engine.shape(tensor);
        if left != right {
            return Err(Error::Shape { op, left, right });
        }
    }
    if !matches!(role, Role::Weights { .. }) {
        // A normalisation takes its tensors at any scale.
        return Ok((Parameters { weights, bias }, default));
    }
    let by_bias = engine.scale(&bias).checked_sub(engine.scale(&weights));
    let input_scale = by_bias.filter(|&scale| scale > 0).unwrap_or(default);
    let bias = engine.lift(bias, engine.scale(&weights) + input_scale)?;
    Ok((Parameters { weights, bias }, input_scale))
}

/// Gives activations the scale at which the next dense layer takes them.
fn round_to_what_follows<T>(layers: &mut [Layer<T>]) {
    let mut following = ANSWER_SCALE;
    for layer in layers.iter_mut().rev() {
        match layer {
            Layer::Dense(dense) => following = dense.input_scale,
            Layer::Conv(conv) => following = conv.input_scale,
            Layer::BatchNorm(_) => following = batch_norm::INPUT_SCALE,
            Layer::MaxPool(pool) => pool.scale = following,
            Layer::AvgPool(pool) => pool.scale = following,
            Layer::Dropout(_) | Layer::Flatten => {}
            Layer::Relu(relu) => relu.scale = following,
            Layer::LeakyRelu(relu) => relu.scale = following,
            Layer::Sigmoid(sigmoid) => sigmoid.scale = following,
            Layer::Tanh(tanh) => tanh.scale = following,
        }
    }
}

fn misfit(what: &str) -> Error {
    Error::Misuse(format!("the layers of the model get {what} of the parameters"))
}
