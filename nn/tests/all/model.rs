//! The opened model: parameters that do not fit, outputs and classes.

use ndarray::{Array2, array};
use nn::blueprint::LayerShape;
use nn::layers::Parameters;
use nn::loss::Loss;
use nn::model::Model;

const LAYERS: [LayerShape; 3] = [
    LayerShape::Dense { inputs: 2, outputs: 2 },
    LayerShape::Relu,
    LayerShape::Dense { inputs: 2, outputs: 1 },
];

fn parameters() -> Vec<Parameters<Array2<f64>>> {
    vec![
        Parameters { weights: array![[1.0, -1.0], [0.5, 2.0]], bias: array![[0.0, -1.0]] },
        Parameters { weights: array![[1.0, 1.0]], bias: array![[-1.0]] },
    ]
}

#[test]
fn outputs_are_read_as_the_loss_says() {
    let features = array![[3.0, 1.0], [0.0, 0.25]];
    // Row 1: relu(2, 2.5) -> 3.5; row 2: relu(-0.25, -0.5) -> -1.
    let squared = Model::new(&LAYERS, Loss::MeanSquared, parameters()).unwrap();
    assert_eq!(squared.outputs(&features).unwrap(), array![[3.5], [-1.0]]);
    assert_eq!(squared.layers(), LAYERS);

    let logistic = Model::new(&LAYERS, Loss::Logistic, parameters()).unwrap();
    let outputs = logistic.outputs(&features).unwrap();
    assert!((outputs[(0, 0)] - 0.970_687_769).abs() < 1e-9);
    assert_eq!(logistic.classes(&outputs).unwrap(), [1, 0]);
    let probabilities = logistic.probabilities(&outputs).unwrap();
    assert_eq!(probabilities.row(0)[0] + probabilities.row(0)[1], 1.0);
    assert_eq!(probabilities[(0, 1)], outputs[(0, 0)]);

    let softmax = Model::new(&LAYERS[..2], Loss::SoftmaxCrossEntropy, parameters()[..1].to_vec());
    let softmax = softmax.unwrap();
    let outputs = softmax.outputs(&features).unwrap();
    assert!((outputs[(0, 0)] - 1.0 / (1.0 + 0.5f64.exp())).abs() < 1e-12);
    assert_eq!(outputs.row(1), array![0.5, 0.5]);
    assert_eq!(softmax.classes(&outputs).unwrap(), [1, 0], "the first of equals");
}

#[test]
fn large_outputs_do_not_overflow() {
    let layers = [LayerShape::Dense { inputs: 1, outputs: 2 }];
    let far = vec![Parameters { weights: array![[1e6], [-1e6]], bias: array![[0.0, 0.0]] }];
    let model = Model::new(&layers, Loss::SoftmaxCrossEntropy, far).unwrap();
    assert_eq!(model.outputs(&array![[1.0], [-1.0]]).unwrap(), array![[1.0, 0.0], [0.0, 1.0]]);
    let layers = [LayerShape::Dense { inputs: 1, outputs: 1 }];
    let far = vec![Parameters { weights: array![[1e6]], bias: array![[0.0]] }];
    let model = Model::new(&layers, Loss::Logistic, far).unwrap();
    assert_eq!(model.outputs(&array![[1.0], [-1.0]]).unwrap(), array![[1.0], [0.0]]);
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let refused =
        |parameters| Model::new(&LAYERS, Loss::MeanSquared, parameters).unwrap_err().to_string();
    assert_eq!(refused(parameters()[..1].to_vec()), "weights of layer 3 are missing");
    let more = [parameters(), parameters()].concat();
    assert_eq!(refused(more), "4 pairs of weights and biases, but the network has 2");
    let mut narrow = parameters();
    narrow[1].weights = array![[1.0]];
    assert!(
        refused(narrow)
            .starts_with("layer 3 needs tensors of 1 x 2 and 1 x 1, not 1 x 1 and 1 x 1")
    );
    let mut bias = parameters();
    bias[0].bias = array![[1.0], [1.0]];
    assert!(refused(bias).starts_with("layer 1 needs"));
    let mut nan = parameters();
    nan[1].bias[(0, 0)] = f64::NAN;
    assert_eq!(refused(nan), "a weight of layer 3 is not a number");

    let model = Model::new(&LAYERS, Loss::MeanSquared, parameters()).unwrap();
    assert!(model.outputs(&array![[1.0, 2.0, 3.0]]).is_err());
}
