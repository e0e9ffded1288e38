//! A specification together with the shape of the data: every size is known.

mod pairs;

pub use pairs::{Pair, Role};

use crate::layers::MAX_NORMALISED;
use crate::loss::Loss;
use crate::order::kept_back;
use crate::seed::Seed;
use crate::spec::{
    BatchNormSpec, LayerSpec, MAX_UNITS, Metric, ModelSpec, Scaling, Spec, SpecError, Units,
    ValidationSpec, layer_key,
};
use crate::validation::MAX_AUC_ROWS;
use crate::volume::{Volume, Windows};
use std::ops::Range;

/// Most weights and biases of a network.
pub const MAX_PARAMETERS: usize = 1 << 26;

/// What a feature column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A number, mapped by the schema's bounds to `[-1, 1]`; it is scaled.
    Bounded,
    /// Zero or one, for instance one column of a one-hot category; it is left as it is.
    Indicator,
}

/// What the label holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of so many classes; the label tensor is one-hot.
    Classes(usize),
    /// So many numbers, mapped by the schema's bounds to `[-1, 1]`.
    Numbers(usize),
}

impl Target {
    /// Columns of the label tensor.
    pub fn columns(self) -> usize {
        match self {
            Target::Classes(columns) | Target::Numbers(columns) => columns,
        }
    }
}

/// The shape of the training data, which everybody may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// Rows of all holders.
    pub rows: usize,
    /// The feature columns, in the order of the tensor.
    pub columns: Vec<Column>,
    /// The label.
    pub target: Target,
}

/// Most numbers in all windows of an image.
const MAX_WINDOW_NUMBERS: usize = 1 << 24;

/// One layer with its sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayerShape {
    /// A dense layer of this many inputs and outputs.
    Dense {
        /// Width of a row that enters.
        inputs: usize,
        /// Width of a row that leaves.
        outputs: usize,
    },
    /// A convolution.
    Conv {
        /// The windows.
        windows: Windows,
        /// Channels of the output.
        filters: usize,
    },
    /// The maximum of each window.
    MaxPool(Windows),
    /// The mean of each window.
    AvgPool(Windows),
    /// Each channel less its mean, by its deviation, times a factor, plus an offset.
    BatchNorm {
        /// What enters and leaves; a row that is no image is a pixel of many channels.
        image: Volume,
        /// What is added to variances, and how fast their running means follow.
        spec: BatchNormSpec,
    },
    /// In training, zero with this probability.
    Dropout(f64),
    /// Nothing: an image is a row as it is.
    Flatten,
    /// `max(x, 0)`.
    Relu,
    /// `x` above zero and this many times `x` below.
    LeakyRelu(f64),
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `(e^x - e^-x) / (e^x + e^-x)`.
    Tanh,
}

/// Most rows that are judged at a time.
const MAX_JUDGED_ROWS: usize = 1024;
/// Most numbers in a tensor that is made of these, where a row does not have more.
const MAX_JUDGED_NUMBERS: u128 = 1 << 23;

/// What the layers make of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Most numbers in one tensor.
    pub numbers: u128,
    /// Most products of numbers in one layer, forwards.
    pub products: u128,
}

/// A network and its training, with every size known.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    spec: Spec,
    data: DataShape,
    layers: Vec<LayerShape>,
    /// Rows of the data sets that are not trained on.
    kept_back: Vec<Range<usize>>,
}

impl Blueprint {
    /// Fits a specification to the data.
    ///
    /// # Errors
    /// `SpecError::Invalid` for a specification that suits no data, `SpecError::Data`
    /// for one that does not suit these.
    pub fn new(spec: Spec, data: DataShape) -> Result<Self, SpecError> {
        spec.validate()?;
        let outputs = outputs(spec.model.loss, data.target)?;
        let weights = spec.training.class_weights.len();
        if weights > 0 && data.target != Target::Classes(weights) {
            let reason = format!(
                "there are {weights} weights, but the label has {} classes",
                data.target.columns()
            );
            return Err(SpecError::data("training.class_weights", reason));
        }
        if data.rows == 0 {
            return Err(SpecError::data("training", "there is no row to train on"));
        }
        if !(1..=MAX_UNITS).contains(&data.columns.len()) {
            let reason = format!("1 to {MAX_UNITS} features can enter, not {}", data.columns.len());
            return Err(SpecError::data("model", reason));
        }
        let layers = layer_shapes(&spec.model, data.columns.len(), outputs)?;
        let folded = spec.features.scaling != Scaling::None;
        let indicators = data.columns.contains(&Column::Indicator);
        if folded && indicators && matches!(layers[0], LayerShape::Conv { .. }) {
            let reason = "a convolution can take in the scaling of numbers, but some columns \
                          are categories; set features.scaling to \"none\"";
            return Err(SpecError::data(layer_key(0), reason));
        }
        let parameters: usize = layers.iter().map(LayerShape::parameters).sum();
        if parameters > MAX_PARAMETERS {
            let reason = format!("{parameters} weights are too many: at most {MAX_PARAMETERS}");
            return Err(SpecError::data("model.layers", reason));
        }
        let blueprint = Blueprint { spec, data, layers, kept_back: Vec::new() };
        for (index, layer) in blueprint.layers.iter().enumerate() {
            if let LayerShape::BatchNorm { image, .. } = layer
                && blueprint.batch().saturating_mul(image.height * image.width) > MAX_NORMALISED
            {
                let reason = format!(
                    "a batch has more than {MAX_NORMALISED} numbers a channel, too many for their \
                     variance: make training.batch smaller"
                );
                return Err(SpecError::data(layer_key(index), reason));
            }
        }
        if let Some(validation) = &blueprint.spec.validation {
            if validation.metrics.contains(&Metric::Auc)
                && blueprint.data.target != Target::Classes(2)
            {
                let reason = "\"auc\" needs a label of two classes";
                return Err(SpecError::data("validation.metrics", reason));
            }
            if validation.fraction.is_some() {
                blueprint.check_validation("validation.fraction")?;
            }
        }
        Ok(blueprint)
    }

    /// The same with the rows known that [`ValidationSpec::sets`] names, and that are not trained
    /// on: some ranges, in order. Until then a job with such sets is one without validation.
    ///
    /// # Errors
    /// `SpecError::Data` where no row is left to train on, or none to judge by.
    pub fn keeping_back(self, rows: Vec<Range<usize>>) -> Result<Self, SpecError> {
        let in_order = rows.is_sorted_by(|a, b| a.end <= b.start);
        if !in_order || rows.iter().any(|range| range.end > self.data.rows) {
            let reason = format!("there are no such rows among {}", self.data.rows);
            return Err(SpecError::data("validation.sets", reason));
        }
        let blueprint = Blueprint { kept_back: rows, ..self };
        blueprint.check_validation("validation.sets")?;
        Ok(blueprint)
    }

    fn check_validation(&self, key: &str) -> Result<(), SpecError> {
        let rows = self.validation_rows();
        if rows == 0 || self.training_rows() == 0 {
            let reason = "none of the rows is left to train on, or none to judge by";
            return Err(SpecError::data(key, reason));
        }
        let auc = self.spec.validation.as_ref().is_some_and(|v| v.metrics.contains(&Metric::Auc));
        if auc && rows > MAX_AUC_ROWS {
            let reason = format!("\"auc\" takes at most {MAX_AUC_ROWS} rows, not {rows}");
            return Err(SpecError::data(key, reason));
        }
        Ok(())
    }

    /// What is told of the model on rows that are kept back, where it is known which these are.
    pub fn validation(&self) -> Option<&ValidationSpec> {
        self.spec.validation.as_ref().filter(|_| self.validation_rows() > 0)
    }

    /// The rows to train on and those that are kept back; the same at all parties.
    pub fn divided(&self, seed: &Seed) -> [Vec<usize>; 2] {
        match self.kept_back.as_slice() {
            [] => kept_back(self.data.rows, self.validation_rows(), seed),
            ranges => {
                let back = |row: &usize| ranges.iter().any(|range| range.contains(row));
                let (back, training) = (0..self.data.rows).partition(back);
                [training, back]
            }
        }
    }

    /// The specification.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The shape of the data.
    pub fn data(&self) -> &DataShape {
        &self.data
    }

    /// The layers from the input on.
    pub fn layers(&self) -> &[LayerShape] {
        &self.layers
    }

    /// Rows that are kept back to judge the model by.
    pub fn validation_rows(&self) -> usize {
        if !self.kept_back.is_empty() {
            return self.kept_back.iter().map(Range::len).sum();
        }
        let fraction = self.spec.validation.as_ref().and_then(|spec| spec.fraction);
        (self.data.rows as f64 * fraction.unwrap_or(0.0)).round() as usize
    }

    /// Rows that are trained on.
    pub fn training_rows(&self) -> usize {
        self.data.rows - self.validation_rows()
    }

    /// Rows of a full batch.
    pub fn batch(&self) -> usize {
        self.spec.training.batch.min(self.training_rows())
    }

    /// Rows that are kept back whose outputs are computed, and verified, at a time: as many as
    /// bound the memory.
    pub fn judged_at_a_time(&self) -> usize {
        let of_row = self.load_of(1).numbers.max(1);
        ((MAX_JUDGED_NUMBERS / of_row) as usize).clamp(1, MAX_JUDGED_ROWS)
    }

    /// What the layers make of a full batch, or of the rows that are judged at a time.
    pub fn load(&self) -> Load {
        let judged = match self.validation() {
            Some(_) => self.judged_at_a_time().min(self.validation_rows()),
            None => 0,
        };
        self.load_of(self.batch().max(judged))
    }

    fn load_of(&self, rows: usize) -> Load {
        let mut load = Load { numbers: self.data.columns.len() as u128, products: 0 };
        for layer in &self.layers {
            let (numbers, products) = layer.load();
            load.numbers = load.numbers.max(numbers);
            load.products = load.products.max(products);
        }
        let rows = rows as u128;
        Load { numbers: rows * load.numbers, products: rows * load.products }
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.training_rows().div_ceil(self.batch())
    }
}

impl LayerShape {
    /// Width of a row that leaves the layer, where it is not that of one that enters.
    pub fn width(&self) -> Option<usize> {
        match self {
            LayerShape::Dense { outputs, .. } => Some(*outputs),
            LayerShape::Conv { windows, filters } => Some(windows.output(*filters).len()),
            LayerShape::MaxPool(windows) | LayerShape::AvgPool(windows) => {
                Some(windows.output(windows.input.channels).len())
            }
            _ => None,
        }
    }

    /// Most numbers that it makes of a row, and how many products of numbers that takes.
    fn load(&self) -> (u128, u128) {
        let of_windows = |windows: &Windows| {
            let [height, width] = windows.places().unwrap_or_default();
            [height, width, windows.len()].into_iter().map(|n| n as u128).product::<u128>()
        };
        let width = self.width().unwrap_or_default() as u128;
        match self {
            LayerShape::Dense { inputs, outputs } => (width, (*inputs as u128) * *outputs as u128),
            LayerShape::Conv { windows, filters } => {
                let numbers = of_windows(windows);
                (width.max(numbers), numbers * *filters as u128)
            }
            LayerShape::MaxPool(windows) | LayerShape::AvgPool(windows) => {
                (width.max(of_windows(windows)), 0)
            }
            _ => (width, 0),
        }
    }

    /// Whether a maximum before it is the same as one after it.
    fn never_decreases(&self) -> bool {
        matches!(self, LayerShape::Relu | LayerShape::LeakyRelu(_))
    }

    /// Numbers in the tensors of the layer.
    pub fn parameters(&self) -> usize {
        self.pairs().iter().flat_map(|pair| pair.shapes).map(|[rows, columns]| rows * columns).sum()
    }
}

/// How wide the last layer is for this loss and label.
fn outputs(loss: Loss, target: Target) -> Result<usize, SpecError> {
    let misfit = |reason: String| Err(SpecError::data("model.loss", reason));
    match (loss, target) {
        (Loss::SoftmaxCrossEntropy, Target::Classes(classes)) if classes >= 2 => Ok(classes),
        (Loss::Logistic, Target::Classes(2)) => Ok(1),
        (Loss::MeanSquared | Loss::Huber(_), Target::Numbers(columns)) if columns >= 1 => {
            Ok(columns)
        }
        (Loss::MeanSquared | Loss::Huber(_), Target::Classes(_)) => {
            misfit(format!("\"{loss}\" needs numbers as label, but the label is a class"))
        }
        (loss, Target::Numbers(_)) => {
            misfit(format!("\"{loss}\" needs classes as label, but the label is a number"))
        }
        (loss, Target::Classes(classes)) => {
            misfit(format!("\"{loss}\" does not suit a label of {classes} classes"))
        }
    }
}

/// What a layer takes.
#[derive(Clone, Copy)]
enum Input {
    Row(usize),
    Image(Volume),
}

impl Input {
    fn width(self) -> usize {
        match self {
            Input::Row(width) => width,
            Input::Image(image) => image.len(),
        }
    }

    fn image(self, layer: &LayerSpec) -> Result<Volume, String> {
        match self {
            Input::Image(image) => Ok(image),
            Input::Row(width) => Err(format!("{layer} needs an image, not a row of {width}")),
        }
    }
}

/// The layers with their sizes. A rectifier before a maximum changes places with it: that is
/// the same function, and there are fewer numbers after the maximum.
fn layer_shapes(
    model: &ModelSpec,
    width: usize,
    outputs: usize,
) -> Result<Vec<LayerShape>, SpecError> {
    let mut input = match model.input {
        None => Input::Row(width),
        Some(image) if image.len() == width && width > 0 => Input::Image(image),
        Some(Volume { height, width: across, channels }) => {
            let reason = format!(
                "{height} x {across} pixels of {channels} are not the {width} columns that \
                 features have"
            );
            return Err(SpecError::data("model.input", reason));
        }
    };
    let mut shapes: Vec<LayerShape> = Vec::with_capacity(model.layers.len());
    for (index, layer) in model.layers.iter().enumerate() {
        let shape = layer_shape(layer, &mut input, outputs)
            .map_err(|reason| SpecError::data(layer_key(index), reason))?;
        shapes.push(shape);
        for at in (1..=index).rev() {
            let [before, after] = [&shapes[at - 1], &shapes[at]];
            if before.never_decreases() && matches!(after, LayerShape::MaxPool(_)) {
                shapes.swap(at - 1, at);
            }
        }
    }
    let width = input.width();
    if width == outputs {
        Ok(shapes)
    } else {
        let last = model.layers.iter().rposition(LayerSpec::is_trained);
        let reason =
            format!("the label needs {outputs} outputs, not {width}; \"outputs\" fits always");
        Err(SpecError::data(layer_key(last.unwrap_or_default()), reason))
    }
}

/// A layer with its sizes; `input` becomes what the next one takes.
fn layer_shape(layer: &LayerSpec, input: &mut Input, outputs: usize) -> Result<LayerShape, String> {
    let pool = |input: &mut Input, size: [usize; 2], stride| {
        let image = input.image(layer)?;
        let windows = Windows { input: image, kernel: size, stride, padding: 0 };
        *input = Input::Image(checked(windows, layer, image.channels)?);
        Ok::<_, String>(windows)
    };
    Ok(match *layer {
        LayerSpec::Dense(units) => {
            let units = match units {
                Units::Count(count) => count,
                Units::Outputs => outputs,
            };
            let inputs = std::mem::replace(input, Input::Row(units)).width();
            LayerShape::Dense { inputs, outputs: units }
        }
        LayerSpec::Conv(conv) => {
            let kernel = [conv.kernel; 2];
            let (stride, padding) = (conv.stride, conv.padding);
            let windows = Windows { input: input.image(layer)?, kernel, stride, padding };
            *input = Input::Image(checked(windows, layer, conv.filters)?);
            LayerShape::Conv { windows, filters: conv.filters }
        }
        LayerSpec::MaxPool(spec) => LayerShape::MaxPool(pool(input, [spec.size; 2], spec.stride)?),
        LayerSpec::AvgPool(spec) => LayerShape::AvgPool(pool(input, [spec.size; 2], spec.stride)?),
        LayerSpec::GlobalAvgPool => {
            let Volume { height, width, .. } = input.image(layer)?;
            LayerShape::AvgPool(pool(input, [height, width], 1)?)
        }
        LayerSpec::Flatten => {
            *input = Input::Row(input.width());
            LayerShape::Flatten
        }
        LayerSpec::BatchNorm(spec) => {
            let image = match *input {
                Input::Row(channels) => Volume { height: 1, width: 1, channels },
                Input::Image(image) => image,
            };
            LayerShape::BatchNorm { image, spec }
        }
        LayerSpec::Dropout(rate) => LayerShape::Dropout(rate),
        LayerSpec::Relu => LayerShape::Relu,
        LayerSpec::LeakyRelu(slope) => LayerShape::LeakyRelu(slope),
        LayerSpec::Sigmoid => LayerShape::Sigmoid,
        LayerSpec::Tanh => LayerShape::Tanh,
        LayerSpec::Softmax => LayerShape::Flatten,
    })
}

/// The image that windows make, if there are some and not too many.
fn checked(windows: Windows, layer: &LayerSpec, channels: usize) -> Result<Volume, String> {
    let Volume { height, width, .. } = windows.input;
    if windows.places().is_none() {
        return Err(format!("{layer} is larger than its input, {height} x {width} pixels"));
    }
    let output = windows.output(channels);
    let numbers = output.len().max(windows.len().saturating_mul(windows.output(1).len()));
    if numbers > MAX_WINDOW_NUMBERS {
        let most = MAX_WINDOW_NUMBERS;
        return Err(format!("{layer} makes {numbers} numbers of an image: at most {most}"));
    }
    Ok(output)
}
