//! Scaling of features, and folding it into the model.

use crate::common::{distance, kept, uniform};
use ndarray::{Array2, Axis, array, concatenate};
use nn::blueprint::Column::{self, Bounded, Indicator};
use nn::engine::{Engine, PlainFixed, PlainFloat, PlainTensor, Rounding, Trans, finish};
use nn::layers::Parameters;
use nn::rows::Rows;
use nn::scaling::{FeatureMap, MIN_DEVIATION, input_scale, scale_features};
use nn::spec::Scaling;

const DATA_SCALE: u32 = 20;
const ACTIVATIONS: u32 = 14;

/// Minus the mean, divided by the deviation, with divisor `n`; indicators as they are.
fn standardised(features: &Array2<f64>, columns: &[Column]) -> Array2<f64> {
    let mut out = features.clone();
    for (mut column, kind) in out.columns_mut().into_iter().zip(columns) {
        if *kind == Bounded {
            let deviation = column.std(0.0).max(MIN_DEVIATION);
            let mean = column.mean().unwrap();
            column.mapv_inplace(|x| (x - mean) / deviation);
        }
    }
    out
}

/// The scaled rows and how they became that, of rows that lie wherever they do.
fn scaled<E: Engine>(
    engine: &E,
    scaling: Scaling,
    columns: &[Column],
    features: Rows<E::Tensor>,
    scale: u32,
) -> (E::Tensor, FeatureMap<E::Tensor>) {
    let [count, _] = features.shape(engine);
    let scaled = finish(scale_features(engine, scaling, columns, features, scale));
    let (rows, map) = scaled.unwrap();
    assert_eq!(rows.scale(engine), scale);
    (rows.select(engine, &(0..count).collect::<Vec<_>>()).unwrap(), map)
}

fn scale_fixed(features: &Array2<f64>, columns: &[Column], scaling: Scaling) -> Array2<f64> {
    let engine = PlainFixed::new(Rounding::Nearest);
    let features = engine.encode(features, DATA_SCALE).unwrap();
    let scale = input_scale(scaling, DATA_SCALE, ACTIVATIONS);
    let [in_memory, stored] = [Rows::InMemory(features.clone()), kept(features)]
        .map(|features| scaled(&engine, scaling, columns, features, scale).0);
    assert_eq!(stored, in_memory, "wherever rows are");
    PlainFixed::decode(&in_memory)
}

/// A wide column, a narrow one off the centre, a constant one and an indicator.
fn mixed(rows: usize) -> (Array2<f64>, [Column; 4]) {
    let random = uniform(rows, 4, 3);
    let features = Array2::from_shape_fn((rows, 4), |(row, column)| match column {
        0 => random[(row, 0)],
        1 => 0.8 + 0.02 * random[(row, 1)],
        2 => -0.3,
        _ => f64::from(u8::from(random[(row, 3)] > 0.5)),
    });
    (features, [Bounded, Bounded, Bounded, Indicator])
}

#[test]
fn standardising_matches_the_textbook() {
    for rows in [1, 2, 97, 128, 5000] {
        let (features, columns) = mixed(rows);
        let expected = standardised(&features, &columns);
        let scaled = scale_fixed(&features, &columns, Scaling::Standardise);
        assert!(
            distance(&scaled, &expected) < 2e-3,
            "{rows} rows: {}",
            distance(&scaled, &expected)
        );
        assert!(distance(&scaled.select(Axis(1), &[3]), &features.select(Axis(1), &[3])) == 0.0);
        assert!(
            scaled.column(2).iter().all(|x| x.abs() < 1e-2),
            "a constant column stays near zero"
        );
    }
}

#[test]
fn the_largest_table_of_the_largest_values_fits() {
    let rows = 1 << 20;
    let features =
        Array2::from_shape_fn(
            (rows, 2),
            |(row, column)| {
                if column == 0 || row % 2 == 0 { 1.0 } else { -1.0 }
            },
        );
    let scaled = scale_fixed(&features, &[Bounded, Bounded], Scaling::Standardise);
    assert_eq!(scaled[(0, 1)], 1.0);
    assert_eq!(scaled[(1, 1)], -1.0);
    assert_eq!(scaled[(0, 0)], 0.0);

    let more = concatenate![Axis(0), features, array![[1.0, 1.0]]];
    let engine = PlainFixed::new(Rounding::Nearest);
    let more = Rows::InMemory(engine.encode(&more, DATA_SCALE).unwrap());
    let columns = [Bounded, Bounded];
    let refused = finish(scale_features(&engine, Scaling::Standardise, &columns, more, 13));
    let message = refused.unwrap_err().to_string();
    assert_eq!(message, "at most 1048576 rows of scale 20 can be standardised, not 1048577");
}

#[test]
fn unit_maps_bounded_columns_alone() {
    let (features, columns) = mixed(50);
    let scaled = scale_fixed(&features, &columns, Scaling::Unit);
    let expected = Array2::from_shape_fn(features.dim(), |(row, column)| {
        let x = features[(row, column)];
        if columns[column] == Bounded { (x + 1.0) / 2.0 } else { x }
    });
    assert!(distance(&scaled, &expected) < 2f64.powi(-14));
    assert!(distance(&scale_fixed(&features, &columns, Scaling::None), &features) < 2f64.powi(-14));
}

#[test]
fn data_with_few_bits_enter_as_they_are() {
    let engine = PlainFixed::new(Rounding::Nearest);
    let features = engine.encode(&uniform(5, 2, 1), 8).unwrap();
    assert_eq!(input_scale(Scaling::None, 8, 13), 8);
    let rows = Rows::InMemory(features.clone());
    assert_eq!(scaled(&engine, Scaling::None, &[Bounded; 2], rows, 8).0, features);
    assert_eq!(input_scale(Scaling::Unit, 8, 13), 9);
    assert_eq!(input_scale(Scaling::Standardise, 8, 13), 13);
}

/// The layer on scaled features and the folded layer on the features as they came.
fn both_ways<E: Engine<Tensor = PlainTensor<V>>, V: Clone>(
    engine: &E,
    scaling: Scaling,
    decode: impl Fn(&E::Tensor) -> Array2<f64>,
) -> [Array2<f64>; 2] {
    let (features, columns) = mixed(200);
    let initial = Parameters { weights: uniform(3, 4, 5), bias: uniform(1, 3, 6) };
    let layer = Parameters::public(engine, &initial, [37, ACTIVATIONS + 37]).unwrap();
    let shared = Rows::InMemory(engine.public(&features, DATA_SCALE).unwrap());
    let (scaled, map) = scaled(engine, scaling, &columns, shared, ACTIVATIONS);
    let product = engine.matmul(&scaled, Trans::No, &layer.weights, Trans::Yes);
    let direct = engine.add_row(finish(product).unwrap(), &layer.bias).unwrap();
    let folded = finish(map.fold(engine, layer)).unwrap();
    let through = features.dot(&decode(&folded.weights).t()) + decode(&folded.bias);
    [decode(&direct), through]
}

#[test]
fn a_folded_layer_answers_to_raw_features_as_the_layer_to_scaled_ones() {
    for scaling in [Scaling::Standardise, Scaling::Unit, Scaling::None] {
        let [direct, folded] = both_ways(&PlainFloat, scaling, |tensor| tensor.values.clone());
        assert!(distance(&direct, &folded) < 1e-10, "{scaling:?} in floating point");
        for rounding in [Rounding::Nearest, Rounding::Stochastic { seed: 1 }] {
            let engine = PlainFixed::new(rounding);
            let [direct, folded] = both_ways(&engine, scaling, PlainFixed::decode);
            let far = distance(&direct, &folded);
            assert!(far < 1e-3, "{scaling:?} in fixed point: {far}");
        }
    }
}
