//! The course of a training: its events, its end, and what it refuses.

use crate::common::{blueprint, kept, quadrants, uniform};
use mpc_core::error::Error;
use ndarray::Array2;
use nn::blueprint::Target;
use nn::engine::{Engine, PlainFixed, PlainFloat, PlainTensor, Rounding, finish};
use nn::network::Network;
use nn::plan::Plan;
use nn::rows::Rows;
use nn::seed::Seed;
use nn::train::{DATA_SCALE, Dataset, Event, Progress, Trainer, train};
use nn::twin::train_float;
use std::ops::ControlFlow;

const SPEC: &str = "[model]\nlayers = [{ dense = 2 }]\nloss = \"softmax-cross-entropy\"\n\
                    [training]\nepochs = 2\nbatch = 4\nlearning_rate = 0.1";

#[test]
fn the_observer_sees_every_batch() {
    let (data, _) = quadrants(10, 1);
    let mut events = Vec::new();
    let mut observer = |event| {
        events.push(event);
        ControlFlow::Continue(())
    };
    let blueprint = blueprint(SPEC, &data, Target::Classes(2));
    train_float(&blueprint, &data, &Seed::from_number(1), &mut observer).unwrap();
    let batch = |epoch, batch| Event::Batch(Progress { epoch, epochs: 2, batch, batches: 3 });
    assert_eq!(
        events,
        [
            Event::Scaling,
            batch(1, 1),
            batch(1, 2),
            batch(1, 3),
            batch(2, 1),
            batch(2, 2),
            batch(2, 3),
            Event::Folding,
        ]
    );
}

#[test]
fn the_observer_can_stop_between_batches() {
    let (data, _) = quadrants(10, 1);
    let mut left = 4;
    let mut observer = |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let blueprint = blueprint(SPEC, &data, Target::Classes(2));
    let stopped = train_float(&blueprint, &data, &Seed::from_number(1), &mut observer);
    match stopped.unwrap_err() {
        Error::Cancelled { step } => assert_eq!(step, "epoch-1/batch-3"),
        other => panic!("{other}"),
    }
}

#[test]
fn data_of_another_shape_are_refused() {
    let (data, _) = quadrants(10, 1);
    let blueprint = blueprint(SPEC, &data, Target::Classes(2));
    let refused = |features: Array2<f64>, labels: Array2<f64>| {
        let engine = PlainFloat;
        let data = Dataset {
            features: engine.public(&features, DATA_SCALE).unwrap(),
            labels: engine.public(&labels, 0).unwrap(),
        };
        finish(train(&engine, &blueprint, data, &Seed::from_number(1), &mut ())).unwrap_err()
    };
    let wide = refused(uniform(10, 3, 1), data.labels.clone());
    assert!(matches!(wide, Error::Shape { op: "features", left: [10, 3], right: [10, 2] }));
    let short = refused(data.features.clone(), uniform(9, 2, 1));
    assert!(matches!(short, Error::Shape { op: "labels", .. }));
}

#[test]
fn a_trainer_goes_step_by_step_to_the_same_model() {
    let (data, _) = quadrants(12, 3);
    let blueprint = blueprint(&SPEC.replace("epochs = 2", "epochs = 1"), &data, Target::Classes(2));
    let seed = Seed::from_number(1);
    let engine = PlainFloat;
    let shared = Dataset {
        features: engine.public(&data.features, DATA_SCALE).unwrap(),
        labels: engine.public(&data.labels, 0).unwrap(),
    };
    let order = nn::order::epoch_order(blueprint.spec().training.order, 12, &seed, 0);
    let mut trainer = finish(Trainer::new(&engine, &blueprint, shared, &seed)).unwrap();
    for rows in order.chunks(4) {
        trainer = finish(trainer.batch(&engine, rows)).unwrap();
    }
    let stepwise = finish(trainer.finish()).unwrap().parameters.remove(0).weights.values;
    let model = train_float(&blueprint, &data, &seed, &mut ()).unwrap();
    assert_eq!(&stepwise, model.parameters().next().unwrap().weights);
}

#[test]
fn rows_that_are_not_in_memory_give_the_same_model() {
    let (data, _) = quadrants(40, 3);
    let logistic =
        SPEC.replace("softmax-cross-entropy", "logistic").replace("dense = 2", "dense = 1");
    for (spec, scaling) in [(SPEC, "standardise"), (SPEC, "unit"), (&logistic, "none")] {
        let spec = format!("{spec}\n[features]\nscaling = \"{scaling}\"");
        let blueprint = blueprint(&spec, &data, Target::Classes(2));
        let engine = PlainFixed::new(Rounding::Nearest);
        let model = |data: Dataset<Rows<PlainTensor<i64>>>| {
            let seed = Seed::from_number(1);
            let trained = finish(train(&engine, &blueprint, data, &seed, &mut ())).unwrap();
            let numbers = trained.parameters.iter().flat_map(|p| [&p.weights, &p.bias]);
            numbers.flat_map(|tensor| tensor.values.clone()).collect::<Vec<i64>>()
        };
        let encoded = Dataset {
            features: engine.encode(&data.features, DATA_SCALE).unwrap(),
            labels: engine.encode(&data.labels, 0).unwrap(),
        };
        let stored = Dataset {
            features: kept(encoded.features.clone()),
            labels: kept(encoded.labels.clone()),
        };
        assert_eq!(model(stored), model(encoded.into()), "{scaling}");
    }
}

#[test]
fn the_seed_decides_and_repeats() {
    let (data, _) = quadrants(40, 3);
    let blueprint = blueprint(SPEC, &data, Target::Classes(2));
    let weights = |number| {
        let model = train_float(&blueprint, &data, &Seed::from_number(number), &mut ()).unwrap();
        model.parameters().next().unwrap().weights.clone()
    };
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
}

#[test]
fn dropout_leaves_nothing_out_when_a_network_is_judged_between_steps() {
    let (data, labels) = (Array2::ones((8, 6)), Array2::from_elem((8, 2), 0.5));
    let data = Dataset { features: data, labels };
    let spec = "[model]\nlayers = [{ dense = 6 }, { dropout = 0.5 }, { dense = 2 }]\n\
                loss = \"softmax-cross-entropy\"\n\
                [training]\nepochs = 1\nbatch = 8\nlearning_rate = 0.1";
    let blueprint = blueprint(spec, &data, Target::Classes(2));
    let (engine, seed) = (PlainFloat, Seed::from_number(3));
    let plan = Plan::choose(&blueprint, DATA_SCALE).unwrap();
    let plain = |values: &Array2<f64>| PlainTensor { values: values.clone(), scale: DATA_SCALE };
    let network = Network::new(&engine, &blueprint, plan, &seed).unwrap();
    let labels = plain(&data.labels);
    let (network, _) = finish(network.trained(&engine, plain(&data.features), &labels, 8)).unwrap();
    let outputs = finish(network.outputs(&engine, plain(&data.features))).unwrap().values;
    assert!(outputs.rows().into_iter().all(|row| row == outputs.row(0)), "{outputs}");
}
