//! What each layer costs, forth and back, in either mode.

use crate::common::{blueprint, uniform};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::share::{Fixed, fixed_word};
use mpc_core::testing::{deal, run3_with_cost};
use ndarray::Array2;
use nn::blueprint::{LayerShape, Role, Target};
use nn::engine::{Engine, Mpc};
use nn::init;
use nn::layers::{Layer, Parameters};
use nn::seed::Seed;
use nn::spec::Initial;
use nn::train::Dataset;

/// Rounds, and bytes that the parties send together.
type Cost = (u64, u64);

/// The cost of the way forth and of both ways, of a layer on rows of `inputs` numbers which
/// makes rows of `outputs`.
pub fn cost<S: Security>(
    shape: &LayerShape,
    [inputs, outputs]: [usize; 2],
    rows: usize,
) -> [Cost; 2] {
    let share = |values: &Array2<f64>, scale, seed| {
        let words: Vec<u64> = values.iter().map(|&x| fixed_word(x, scale)).collect();
        deal(seed, [values.nrows(), values.ncols()], &words).map(|share| Fixed::new(share, scale))
    };
    let input = share(&uniform(rows, inputs, 1), 40, 1);
    let error = share(&uniform(rows, outputs, 2), 13, 2);
    [false, true].map(|back| {
        let outcomes = run3_with_cost::<S, _, _>(3, |ctx| {
            let at = ctx.party().index();
            let (input, error) = (input[at].clone(), error[at].clone());
            async move {
                let engine = Mpc::new(ctx.step("layer"));
                let seed = Seed::from_number(0);
                let layer = Layer::new(shape, 13, 13, |pair| {
                    let scales = match pair.role {
                        Role::Weights { .. } => [26, 39],
                        Role::Scaling => [26, 35],
                        Role::Statistics => [24, 25],
                    };
                    let values = init::initial(Initial::default(), pair, &seed, 0);
                    Parameters::public(&engine, &values, scales)
                })?;
                let layer = layer.in_step(&seed, 0, 0);
                let (output, saved) = layer.forward(&engine.step("forward"), input).await?;
                assert_eq!(engine.shape(&output), [rows, outputs]);
                if back {
                    let (gradient, below) = (engine.step("gradient"), engine.step("below"));
                    futures_util::try_join!(
                        layer.gradient(&gradient, &saved, &error),
                        layer.input_error(&below, &saved, &error, 13),
                    )?;
                }
                ctx.begin_verification()?;
                ctx.end_verification();
                Ok(())
            }
        });
        let traffic = outcomes.map(|(_, outcome)| outcome.traffic);
        (traffic[0].rounds, traffic.iter().map(|traffic| traffic.payload_bytes).sum())
    })
}

/// A layer on 16 images of 4 x 4 pixels of 2 channels: how it is written, the width of its
/// output, and its cost in the semi-honest and the malicious mode, the verification left out.
type Case = (&'static str, usize, [[Cost; 2]; 2]);

/// The figures of the table in `docs/TRAINING.md`.
const CASES: [Case; 13] = [
    ("{ dense = 8 }", 8, [[(2, 13_440), (3, 31_872)], [(3, 10_052), (4, 28_484)]]),
    ("{ conv = 4, kernel = 2 }", 36, [[(2, 24_192), (3, 37_248)], [(3, 20_804), (4, 33_860)]]),
    ("{ max-pool = 2 }", 8, [[(20, 27_504), (22, 36_720)], [(20, 27_504), (22, 36_720)]]),
    ("{ avg-pool = 2 }", 8, [[(0, 0), (1, 192)], [(0, 0), (2, 149)]]),
    ("\"global-avg-pool\"", 2, [[(1, 10_368), (2, 10_464)], [(2, 6980), (4, 7051)]]),
    ("\"batch-norm\"", 32, [[(53, 25_962), (60, 51_036)], [(73, 22_619), (83, 47_648)]]),
    ("{ dropout = 0.5 }", 32, [[(1, 10_368), (1, 10_368)], [(2, 6980), (2, 6980)]]),
    ("\"flatten\"", 32, [[(0, 0), (0, 0)], [(0, 0), (0, 0)]]),
    ("\"relu\"", 32, [[(10, 48_068), (11, 60_356)], [(10, 48_068), (11, 60_356)]]),
    ("{ leaky-relu = 0.2 }", 32, [[(11, 51_456), (12, 63_744)], [(12, 48_068), (13, 60_356)]]),
    ("\"sigmoid\"", 32, [[(34, 386_946), (37, 416_514)], [(41, 357_790), (45, 385_763)]]),
    ("\"tanh\"", 32, [[(34, 386_307), (37, 415_875)], [(41, 357_280), (45, 385_253)]]),
    (
        "{ max-pool = 2, stride = 1 }",
        18,
        [[(20, 61_884), (22, 82_620)], [(20, 61_884), (22, 82_620)]],
    ),
];

#[test]
fn every_layer() {
    for (layer, outputs, expected) in CASES {
        let data = Dataset { features: uniform(16, 32, 1), labels: uniform(16, 1, 2) };
        let toml = format!(
            "[model]\nlayers = [{layer}, {{ dense = 1 }}]\nloss = \"mean-squared\"\ninput = [4, 4, 2]\n\
             [training]\nepochs = 1\nbatch = 16\nlearning_rate = 0.1\n\
             [features]\nscaling = \"none\""
        );
        let blueprint = blueprint(&toml, &data, Target::Numbers(1));
        let shape = &blueprint.layers()[0];
        let widths = [32, outputs];
        let costs = [cost::<SemiHonest>(shape, widths, 16), cost::<Malicious>(shape, widths, 16)];
        assert_eq!(costs, expected, "{layer}");
    }
}
