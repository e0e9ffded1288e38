//! Specifications: what is read, what is refused, and with which words.

use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Target};
use nn::loss::Loss;
use nn::spec::{Initial, LayerSpec, RowOrder, Scaling, Spec, Units};

const FULL: &str = r#"
[model]
layers = [{ dense = 64 }, "relu", { dense = 8 }, "sigmoid", { dense = "outputs" }]
loss = "softmax-cross-entropy"

[training]
epochs = 50
batch = 32
learning_rate = 0.1
optimiser = "sgd"
order = "file"
initial = "uniform"
seed = 7

[features]
scaling = "unit"

[precision]
activations = 14
errors = 13
head_room = 8
"#;

const SHORT: &str = r#"
[model]
layers = [{ dense = "outputs" }]
loss = "logistic"
[training]
epochs = 1
batch = 1
learning_rate = 1
"#;

fn data(rows: usize, columns: usize, target: Target) -> DataShape {
    DataShape { rows, columns: vec![Column::Bounded; columns], target }
}

#[test]
fn a_full_specification_is_read_and_written() {
    let spec = Spec::from_toml(FULL).unwrap();
    assert_eq!(spec.model.layers[0], LayerSpec::Dense(Units::Count(64)));
    assert_eq!(spec.model.layers[1], LayerSpec::Relu);
    assert_eq!(spec.model.layers[3], LayerSpec::Sigmoid);
    assert_eq!(spec.model.layers[4], LayerSpec::Dense(Units::Outputs));
    assert_eq!(spec.model.loss, Loss::SoftmaxCrossEntropy);
    assert_eq!((spec.training.epochs, spec.training.batch), (50, 32));
    assert_eq!((spec.training.order, spec.training.initial), (RowOrder::File, Initial::Uniform));
    assert_eq!((spec.training.seed, spec.features.scaling), (Some(7), Scaling::Unit));
    assert_eq!(spec.precision.head_room, Some(8));
    let written = toml::to_string(&spec).unwrap();
    assert_eq!(Spec::from_toml(&written).unwrap(), spec);
}

#[test]
fn a_short_specification_gets_the_defaults() {
    let spec = Spec::from_toml(SHORT).unwrap();
    assert_eq!(
        (spec.training.order, spec.training.initial),
        (RowOrder::Shuffled, Initial::GlorotUniform)
    );
    assert_eq!((spec.training.seed, spec.features.scaling), (None, Scaling::Standardise));
    let written = toml::to_string(&spec).unwrap();
    assert!(!written.contains("precision") && !written.contains("seed"), "{written}");
    assert_eq!(Spec::from_toml(&written).unwrap(), spec);
}

/// Requires that the full specification with one text replaced is refused with these words.
fn refused(from: &str, to: &str, words: &str) {
    assert!(FULL.contains(from), "{from}");
    let error = Spec::from_toml(&FULL.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(error.contains(words), "{to}: {error}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    refused("epochs = 50", "epochs = 50\nepoch = 3", "unknown field `epoch`");
    refused("epochs = 50", "", "missing field `epochs`");
    refused("epochs = 50", "epochs = 0", "training.epochs: must be 1 to 100000, not 0");
    refused("epochs = 50", "epochs = -1", "invalid value: integer `-1`");
    refused("batch = 32", "batch = 0", "training.batch: must be 1 to 1048576, not 0");
    refused("batch = 32", "batch = \"all\"", "invalid type: string");
    for rate in ["0.0", "-0.1", "nan", "inf", "1e-12", "2000.0"] {
        refused("rate = 0.1", &format!("rate = {rate}"), "training.learning_rate: must be");
    }
    refused("\"sgd\"", "\"adam\"", "unknown variant `adam`");
    refused("{ dense = 64 }, \"relu\"", "\"relu\"", "layer 1: the first layer must be dense");
    refused("\"uniform\"", "\"zeros\"", "training.initial: a network of more than one");
    refused("[features]", "[featuers]", "unknown field `featuers`");
    refused("\"unit\"", "\"minmax\"", "unknown variant `minmax`, expected one of `standardise`");
    refused("\"softmax-cross-entropy\"", "\"hinge\"", "unknown variant `hinge`");
    refused("\"relu\"", "\"tanh\"", "unknown variant `tanh`");
    refused("{ dense = 64 }", "{ dense = 64, bias = false }", "wanted exactly 1 element");
    refused("{ dense = 64 }", "{ dense = \"classes\" }", "\"outputs\" is needed, not \"classes\"");
    refused("{ dense = 64 }", "{ dense = 1.5 }", "a number of units or \"outputs\" is needed");
    refused(
        "{ dense = 64 }",
        "{ dense = 0 }",
        "layer 1: a dense layer has 1 to 65536 units, not 0",
    );
    refused("{ dense = 64 }", "{ dense = 70000 }", "not 70000");
    refused("{ dense = 8 }", "{ dense = \"outputs\" }", "layer 3: only the last dense layer");
    refused(
        ", { dense = \"outputs\" }]",
        "]",
        "layer 4: loss \"softmax-cross-entropy\" needs a dense",
    );
    refused("\"outputs\" }", "\"outputs\" }, \"relu\"", "layer 6: loss");
}

#[test]
fn layers_are_counted() {
    let layers = |list: &str| SHORT.replace("[{ dense = \"outputs\" }]", list);
    let refused = |text: &str| Spec::from_toml(text).unwrap_err().to_string();
    assert_eq!(refused(&layers("[]")), "model.layers: 1 to 64 layers are needed, not 0");
    assert_eq!(
        refused(&layers("[\"relu\"]").replace("logistic", "mean-squared")),
        "model.layers: there is no dense layer to train"
    );
    let many = format!("[{}{{ dense = 1 }}]", "\"relu\", ".repeat(64));
    assert_eq!(refused(&layers(&many)), "model.layers: 1 to 64 layers are needed, not 65");
}

#[test]
fn sizes_come_from_the_data() {
    let blueprint =
        Blueprint::new(Spec::from_toml(FULL).unwrap(), data(100, 7, Target::Classes(22))).unwrap();
    assert_eq!(
        blueprint.layers(),
        [
            LayerShape::Dense { inputs: 7, outputs: 64 },
            LayerShape::Relu,
            LayerShape::Dense { inputs: 64, outputs: 8 },
            LayerShape::Sigmoid,
            LayerShape::Dense { inputs: 8, outputs: 22 },
        ]
    );
    assert_eq!((blueprint.batch(), blueprint.batches()), (32, 4));
    let few =
        Blueprint::new(Spec::from_toml(FULL).unwrap(), data(10, 7, Target::Classes(22))).unwrap();
    assert_eq!((few.batch(), few.batches()), (10, 1));
}

#[test]
fn a_specification_that_does_not_fit_the_data_is_refused() {
    let refused = |text: &str, shape: DataShape, words: &str| {
        let error = Blueprint::new(Spec::from_toml(text).unwrap(), shape).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(FULL, data(0, 7, Target::Classes(3)), "there is no row to train on");
    refused(FULL, data(5, 0, Target::Classes(3)), "1 to 65536 features can enter, not 0");
    refused(FULL, data(5, 7, Target::Classes(1)), "does not suit a label of 1 classes");
    refused(FULL, data(5, 7, Target::Numbers(1)), "needs classes as label");
    refused(
        SHORT,
        data(5, 7, Target::Classes(3)),
        "\"logistic\" does not suit a label of 3 classes",
    );
    let squared = SHORT.replace("logistic", "mean-squared");
    refused(&squared, data(5, 7, Target::Classes(2)), "needs numbers as label");
    refused(&squared, data(5, 7, Target::Numbers(0)), "needs");
    let narrow = FULL.replace("\"outputs\"", "9");
    refused(
        &narrow,
        data(5, 7, Target::Classes(22)),
        "layer 5 does not fit the data: the label needs 22 outputs, not 9",
    );
    let huge = FULL
        .replace("{ dense = 64 }, \"relu\", { dense = 8 }", "{ dense = 60000 }, { dense = 60000 }");
    refused(&huge, data(5, 7, Target::Classes(3)), "weights are too many: at most 67108864");
}
