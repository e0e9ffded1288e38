//! Neural networks over three kinds of arithmetic: secret shares among three parties,
//! the same fixed point in the clear, and floating point.
//!
//! From the outside in:
//!
//! * [`spec`] reads what a job says in TOML, [`blueprint`] fits it to the data, and
//!   [`plan`] chooses how many bits everything gets;
//! * [`train`] scales features ([`scaling`]), runs batches ([`network`], in the order of
//!   [`order`], from the weights of [`init`]) and leaves a model;
//! * [`layers`], [`loss`] and [`optim`] are the network itself, written once over
//!   [`engine::Engine`];
//! * [`model`] is what the receiver has and predicts with, [`metrics`] says how well;
//! * [`infer`] predicts with a model that stays shared;
//! * [`validation`] says how well it does on rows that stay secret;
//! * [`range`] says how close a training comes to overflow;
//! * [`watch`] counts on shares what leaves its range;
//! * [`twin`] trains the same in the clear, for comparison;
//! * [`rows`] are those of a data set, also where memory is too small for all of them;
//! * [`volume`] are images as rows, and windows over them;
//! * [`triples`] says what triples a training needs.
//!
//! ```
//! use ndarray::array;
//! use nn::blueprint::{Blueprint, Column, DataShape, Target};
//! use nn::{seed::Seed, spec::Spec, train::Dataset, twin::train_float};
//!
//! let spec = Spec::from_toml(r#"
//!     [model]
//!     layers = [{ dense = 4 }, "relu", { dense = "outputs" }]
//!     loss = "softmax-cross-entropy"
//!     [training]
//!     epochs = 100
//!     batch = 2
//!     learning_rate = 0.2
//! "#)?;
//! let target = Target::Classes(2);
//! let shape = DataShape { rows: 4, columns: vec![Column::Bounded; 2], target };
//! let blueprint = Blueprint::new(spec, shape)?;
//! let data = Dataset {
//!     features: array![[-1.0, 0.5], [-0.5, -0.5], [0.5, -1.0], [1.0, 0.0]],
//!     labels: array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]],
//! };
//! let model = train_float(&blueprint, &data, &Seed::from_number(1), &mut ())?;
//! let outputs = model.outputs(&data.features)?;
//! assert_eq!(model.classes(&outputs), Some(vec![0, 0, 1, 1]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod blueprint;
pub mod engine;
pub mod infer;
pub mod init;
pub mod inputs;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod network;
pub mod optim;
pub mod order;
pub mod plan;
pub mod range;
pub mod rows;
pub mod scaling;
pub mod seed;
pub mod spec;
pub mod train;
pub mod triples;
pub mod twin;
pub mod validation;
pub mod volume;
pub mod watch;
