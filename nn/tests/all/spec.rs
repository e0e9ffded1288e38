//! Specifications: what is read, what is refused, and with which words.

use nn::blueprint::{Blueprint, Column, DataShape, LayerShape, Target};
use nn::loss::Loss;
use nn::spec::{Initial, LayerSpec, RowOrder, Scaling, Spec, Units};
use nn::volume::Windows;

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
fn optimisers_schedules_and_figures_are_read_and_written() {
    for training in [
        "optimiser = { kind = \"sgd\", momentum = 0.9, nesterov = true, weight_decay = 1e-4 }",
        "optimiser = \"adam\"\nschedule = { kind = \"cosine\" }\nwarm_up = 10",
        "optimiser = { kind = \"adamw\", amsgrad = true }\nclip = { norm = 1.0 }",
        "schedule = { kind = \"step\", every = 3, factor = 0.1 }\nclip = { value = 0.5 }",
        "class_weights = [1.0, 4]",
        "[validation]\nfraction = 0.1\nmetrics = [\"auc\", \"loss\"]\neach_epoch = [\"auc\"]\n\
         early_stopping = { metric = \"auc\", patience = 3 }",
    ] {
        let spec = Spec::from_toml(&format!("{SHORT}{training}")).unwrap();
        assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap()).unwrap(), spec);
    }
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
    refused("\"sgd\"", "\"newton\"", "unknown variant `newton`");
    let table = |text: &str, words: &str| refused("\"sgd\"", text, words);
    table("{ kind = \"sgd\", beta1 = 0.9 }", "unknown field `beta1`");
    table("{ kind = \"sgd\", momentum = 1.0 }", "training.optimiser.momentum: must be 0 to");
    table("{ kind = \"sgd\", nesterov = true }", "needs a momentum");
    table("{ kind = \"adam\", epsilon = 1e-8 }", "training.optimiser.epsilon: must be 0.000004");
    table("{ kind = \"adam\", beta2 = 0.99999 }", "training.optimiser.beta2");
    let also = |text: &str, words: &str| refused("seed = 7", &format!("seed = 7\n{text}"), words);
    also("schedule = { kind = \"step\", every = 0, factor = 0.5 }", "training.schedule.every");
    also("schedule = { kind = \"cosine\", end = 1.0 }", "training.schedule.end");
    also("clip = { value = 0.0 }", "training.clip: must be");
    also("class_weights = [1.0, 0.0]", "training.class_weights: must be");
    let validation = |text: &str, words: &str| {
        refused("[precision]", &format!("[validation]\n{text}\n[precision]"), words);
    };
    validation("fraction = 1.0\nmetrics = [\"loss\"]", "validation.fraction");
    validation("metrics = [\"loss\"]", "validation.fraction: say which rows are kept back");
    validation("fraction = 0.2\nsets = [\"a\"]\nmetrics = [\"loss\"]", "not both");
    validation("fraction = 0.2\nmetrics = []", "validation.metrics: list at least one");
    validation("fraction = 0.2\nmetrics = [\"r2\"]", "\"r2\" does not suit the loss");
    let not_listed = "fraction = 0.2\nmetrics = [\"loss\"]\neach_epoch = [\"accuracy\"]";
    validation(not_listed, "\"accuracy\" is not among validation.metrics");
    let early = "early_stopping = { metric = \"loss\", patience = 2 }";
    let early = format!("fraction = 0.2\nmetrics = [\"loss\"]\n{early}");
    validation(&early, "validation.each_epoch lists");
    refused("{ dense = 64 }, \"relu\"", "\"relu\"", "layer 1: the first layer must be dense");
    refused("\"uniform\"", "\"zeros\"", "training.initial: a network of more than one");
    refused("[features]", "[featuers]", "unknown field `featuers`");
    refused("\"unit\"", "\"minmax\"", "unknown variant `minmax`, expected one of `standardise`");
    refused("\"softmax-cross-entropy\"", "\"hinge\"", "unknown variant `hinge`");
    refused("\"relu\"", "\"swish\"", "unknown variant `swish`, expected one of `relu`");
    refused("{ dense = 64 }", "{ dense = 64, bias = false }", "unknown field `bias`");
    refused("{ dense = 64 }", "{ dense = 64, stride = 2 }", "dense takes no stride");
    refused("{ dense = 64 }", "{ dense = 64, conv = 2 }", "a layer is one of dense, conv,");
    refused("{ dense = 64 }", "{ conv = 64, kernel = 3 }", "layer 1: conv 64 3x3 works on images");
    refused("\"relu\"", "{ leaky-relu = -1.0 }", "layer 2: the slope of leaky-relu is");
    refused("\"relu\"", "{ dropout = 1.0 }", "layer 2: the rate of dropout is 0 to 0.95, not 1");
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
    refused("\"relu\"", "\"softmax\"", "layer 2: softmax can only be the last layer");
}

/// The loss has it built in, so that it changes nothing.
#[test]
fn a_softmax_may_be_written_at_the_end() {
    let written = FULL.replace("\"outputs\" }", "\"outputs\" }, \"softmax\"");
    let of = |text: &str| {
        Blueprint::new(Spec::from_toml(text).unwrap(), data(100, 7, Target::Classes(22))).unwrap()
    };
    let [with, without] = [of(&written), of(FULL)];
    let (last, before) = with.layers().split_last().unwrap();
    assert_eq!((*last, before), (LayerShape::Flatten, without.layers()));
    let logistic = SHORT.replace("\"outputs\" }", "\"outputs\" }, \"softmax\"");
    let refused = Spec::from_toml(&logistic).unwrap_err().to_string();
    assert!(refused.contains("layer 2: softmax can only be"), "{refused}");
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

const IMAGES: &str = r#"
[model]
input = [28, 28, 1]
layers = [
    { conv = 20, kernel = 5 }, "relu", { max-pool = 2 },
    { conv = 50, kernel = 5, stride = 2, padding = 1 }, { avg-pool = 3, stride = 1 },
    "global-avg-pool", "flatten", { dense = 500 }, { leaky-relu = 0.2 }, { dropout = 0.5 }, { dense = "outputs" },
]
loss = "softmax-cross-entropy"
[training]
epochs = 1
batch = 128
learning_rate = 0.1
[features]
scaling = "unit"
"#;

#[test]
fn layers_of_images_get_their_sizes() {
    let spec = Spec::from_toml(IMAGES).unwrap();
    assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap()).unwrap(), spec);
    let blueprint = Blueprint::new(spec, data(500, 784, Target::Classes(10))).unwrap();
    let windows = |input: [usize; 3], kernel: [usize; 2], stride, padding| Windows {
        input: input.into(),
        kernel,
        stride,
        padding,
    };
    // The rectifier before the maximum changed places with it.
    assert_eq!(
        blueprint.layers(),
        [
            LayerShape::Conv { windows: windows([28, 28, 1], [5, 5], 1, 0), filters: 20 },
            LayerShape::MaxPool(windows([24, 24, 20], [2, 2], 2, 0)),
            LayerShape::Relu,
            LayerShape::Conv { windows: windows([12, 12, 20], [5, 5], 2, 1), filters: 50 },
            LayerShape::AvgPool(windows([5, 5, 50], [3, 3], 1, 0)),
            LayerShape::AvgPool(windows([3, 3, 50], [3, 3], 1, 0)),
            LayerShape::Flatten,
            LayerShape::Dense { inputs: 50, outputs: 500 },
            LayerShape::LeakyRelu(0.2),
            LayerShape::Dropout(0.5),
            LayerShape::Dense { inputs: 500, outputs: 10 },
        ]
    );
    assert_eq!(blueprint.layers()[0].parameters(), 26 * 20);
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let refused = |from: &str, to: &str, words: &str| {
        assert!(IMAGES.contains(from), "{from}");
        let spec = Spec::from_toml(&IMAGES.replacen(from, to, 1));
        let fit = |spec| Blueprint::new(spec, data(500, 784, Target::Classes(10)));
        let error = spec.and_then(fit).unwrap_err().to_string();
        assert!(error.contains(words), "{to}: {error}");
    };
    refused("28, 1]", "27, 1]", "model.input does not fit the data: 28 x 27 pixels of 1 are not");
    refused("input = [28, 28, 1]", "", "layer 1: conv 20 5x5 works on images: say what a row is");
    refused("[28, 28, 1]", "[28, 28]", "invalid length 2");
    refused("kernel = 5 }", "kernel = 29 }", "conv 20 29x29 is larger than its input, 28 x 28");
    refused("kernel = 5 }", "kernel = 0 }", "the kernel must be 1 to 256, not 0");
    refused("kernel = 5 }", "kernal = 5 }", "unknown field `kernal`");
    refused(", kernel = 5 }", " }", "conv needs a kernel");
    refused("padding = 1", "padding = 5", "layer 4: the padding must be 0 to 4, not 5");
    refused("stride = 2", "stride = 0", "layer 4: the stride must be 1 to 256, not 0");
    refused("max-pool = 2", "max-pool = 0", "the windows of a pool must be 1 to 256, not 0");
    refused("max-pool = 2", "max-pool = 2, kernel = 3", "max-pool takes no kernel");
    refused(
        "\"global-avg-pool\"",
        "{ dense = 7 }, { max-pool = 1 }",
        "needs an image, not a row of 7",
    );
    refused("\"unit\"", "\"standardise\"", "every pixel is standardised by itself");
    refused("kernel = 5 }", "kernel = 5, padding = 1 }", "a convolution with padding cannot take");
    refused("conv = 20, kernel = 5", "conv = 60000, kernel = 1", "numbers of an image: at most");
}

#[test]
fn what_a_batch_takes_is_known_before_it_is_computed() {
    let blueprint = |layers: &str, batch: &str, rows, columns| {
        let text = SHORT.replace("[{ dense = \"outputs\" }]", layers);
        let spec = Spec::from_toml(&text.replace("batch = 1\n", batch)).unwrap();
        Blueprint::new(spec, data(rows, columns, Target::Classes(2)))
    };
    let layers = r#"[{ dense = 300 }, "relu", { dense = "outputs" }]"#;
    let load = blueprint(layers, "batch = 50\n", 70, 10).unwrap().load();
    assert_eq!((load.numbers, load.products), (50 * 300, 50 * 3000));
    let layers = r#"[{ dense = 65536 }, "relu", { dense = "outputs" }]"#;
    let load = blueprint(layers, "batch = 1048576\n", 1 << 21, 1).unwrap().load();
    assert_eq!(load.numbers, 1 << 36);
}

#[test]
fn as_many_rows_are_judged_at_a_time_as_bound_the_memory() {
    let blueprint = |width: usize| {
        let layers = format!("[{{ dense = {width} }}, \"relu\", {{ dense = \"outputs\" }}]");
        let text = SHORT.replace("[{ dense = \"outputs\" }]", &layers);
        let text = format!("{text}\n[validation]\nfraction = 0.5\nmetrics = [\"accuracy\"]");
        let spec = Spec::from_toml(&text).unwrap();
        Blueprint::new(spec, data(5000, 10, Target::Classes(2))).unwrap()
    };
    for (width, rows) in [(10, 1024), (1 << 13, 1024), (1 << 16, 128)] {
        let blueprint = blueprint(width);
        assert_eq!(blueprint.judged_at_a_time(), rows);
        // More than the batch of one row.
        assert_eq!(blueprint.load().numbers, (rows * width.max(10)) as u128);
    }
}
