//! A debug run counts what leaves its range: on shares the same as in the clear.

use crate::common::{blueprint, one_hot, uniform};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, run3};
use ndarray::Array2;
use nn::blueprint::{Blueprint, LayerShape, Target};
use nn::engine::Mpc;
use nn::init;
use nn::seed::Seed;
use nn::spec::Initial;
use nn::train::{DATA_SCALE, Dataset, Event, Observer, train};
use nn::twin::train_float;
use nn::watch::{RangeCount, Watched};
use std::ops::ControlFlow;

const ROWS: usize = 40;

/// Keeps what is counted.
#[derive(Default)]
struct Counted(Option<Vec<RangeCount>>);

impl Observer for Counted {
    fn observe(&mut self, _event: Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn range_counts(&mut self, counts: &[RangeCount]) {
        assert!(self.0.is_none(), "told once");
        self.0 = Some(counts.to_vec());
    }
}

fn spec(layers: &str, training: &str) -> String {
    format!(
        "[model]\nlayers = [{layers}]\nloss = \"softmax-cross-entropy\"\n[training]\n\
         learning_rate = 0.001\ninitial = \"uniform\"\n{training}\n[features]\nscaling = \"none\"\n\
         [precision]\nhead_room = 1\n[debug]\ncount_range_violations = true"
    )
}

fn data() -> Dataset<Array2<f64>> {
    // Fractions that a share holds exactly.
    let features = uniform(ROWS, 5, 1).mapv(|x| (x * 4096.0).round() / 4096.0 * 4.0);
    Dataset { features, labels: one_hot(&[0, 1, 2, 1].repeat(ROWS / 4), 3) }
}

fn on_shares<S: Security>(blueprint: &Blueprint) -> Option<Vec<RangeCount>> {
    let share = |values: &Array2<f64>, scale: u32, seed: u64| {
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
    };
    let Dataset { features, labels } = data();
    let (features, labels) = (share(&features, DATA_SCALE, 1), share(&labels, 0, 2));
    let [first, second, third] = run3::<S, _, _>(5, |ctx| {
        let at = ctx.party().index();
        let data = Dataset { features: features[at].clone(), labels: labels[at].clone() };
        async move {
            let (engine, mut counted) = (Mpc::new(ctx.step("train")), Counted::default());
            train(&engine, blueprint, data, &Seed::from_number(7), &mut counted).await?;
            Ok(counted.0)
        }
    });
    assert!(first == second && second == third, "all parties learn the same");
    first
}

/// The counts of all engines, which are the same.
fn agree(spec: &str) -> (Blueprint, Vec<RangeCount>) {
    let (blueprint, mut counted) =
        (blueprint(spec, &data(), Target::Classes(3)), Counted::default());
    train_float(&blueprint, &data(), &Seed::from_number(7), &mut counted).unwrap();
    let counts = counted.0.unwrap();
    for shares in [on_shares::<SemiHonest>(&blueprint), on_shares::<Malicious>(&blueprint)] {
        assert_eq!(shares.as_ref(), Some(&counts));
    }
    (blueprint, counts)
}

#[test]
fn numbers_beyond_the_head_room_are_counted_layer_by_layer() {
    let layers = "{ dense = 6 }, \"relu\", { dense = 4 }, \"relu\", { dense = \"outputs\" }";
    let (blueprint, counts) = agree(&spec(layers, "epochs = 1\nbatch = 40"));
    let places: Vec<_> = counts.iter().map(|count| (count.layer, count.what, count.of)).collect();
    use Watched::{Errors, Gradients, Outputs};
    let expected = [
        (1, Outputs, 240),
        (1, Gradients, 36),
        (3, Outputs, 160),
        (3, Errors, 240),
        (3, Gradients, 28),
        (5, Outputs, 120),
        (5, Errors, 160),
        (5, Gradients, 15),
    ];
    assert_eq!(places, expected);
    // The first layer, by its definition.
    let LayerShape::Dense { .. } = blueprint.layers()[0] else { panic!("a dense layer") };
    let pair = blueprint.layers()[0].pairs()[0];
    let first = init::initial(Initial::Uniform, pair, &Seed::from_number(7), 0);
    let outputs = data().features.dot(&first.weights.t()) + &first.bias;
    let beyond = outputs.iter().filter(|z| z.abs() >= 2.0).count() as u64;
    assert_eq!((counts[0].beyond, counts[0].bound), (beyond, 2.0));
    assert!(beyond > 0 && beyond < 240, "{beyond}");
}

#[test]
fn counts_of_all_batches_add_up() {
    let layers = "{ dense = 6 }, \"relu\", { dense = \"outputs\" }";
    let (_, counts) = agree(&spec(layers, "epochs = 3\nbatch = 16"));
    assert_eq!((counts[0].what, counts[0].of), (Watched::Outputs, 3 * 240));
    let gradients = counts.iter().find(|count| count.what == Watched::Gradients).unwrap();
    assert_eq!(gradients.of, 9 * 36, "three batches an epoch");
    assert!(counts[0].beyond > 0);
}

/// Adam wants averaged gradients below 1.4: weighted classes make them larger.
#[test]
fn gradients_that_the_optimiser_does_not_take_are_counted() {
    let training =
        "epochs = 1\nbatch = 40\noptimiser = \"adam\"\nclass_weights = [60.0, 1.0, 60.0]";
    let (_, counts) = agree(&spec("{ dense = \"outputs\" }", training));
    let gradients = counts.iter().find(|count| count.what == Watched::Gradients).unwrap();
    assert!((gradients.bound - 1.4).abs() < 1e-3, "{gradients:?}");
    assert!(gradients.beyond > 0 && gradients.beyond < gradients.of, "{gradients:?}");
}

#[test]
fn nothing_is_counted_unless_the_job_says_so() {
    let spec = spec("{ dense = \"outputs\" }", "epochs = 1\nbatch = 40");
    let quiet = blueprint(&spec.replace("= true", "= false"), &data(), Target::Classes(3));
    assert_eq!(on_shares::<SemiHonest>(&quiet), None);
}
