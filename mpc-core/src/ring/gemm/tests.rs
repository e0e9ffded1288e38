//! Every backend against the definition of the product.

use super::*;
use proptest::prelude::*;

/// Operands that are hard on kernels which split words.
const EXTREMES: [u64; 12] = [
    0,
    1,
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    (1 << 52) - 1,
    1 << 52,
    (1 << 52) + 1,
    u32::MAX as u64,
    1 << 32,
    0xfff0_0000_0000_0fff,
    0x000f_ffff_ffff_f000,
];

/// A word that is extreme as often as random.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), prop::sample::select(EXTREMES.to_vec())]
}

/// Words of a matrix, at most `len` of them made one by one and repeated with a twist.
fn words(len: usize) -> impl Strategy<Value = Vec<u64>> {
    let sample = prop::collection::vec(word(), len.clamp(1, 50));
    (sample, any::<u64>()).prop_map(move |(sample, twist)| {
        let turn =
            |i: usize| if i.is_multiple_of(3) { 0 } else { twist.wrapping_mul(i as u64 / 50) };
        (0..len).map(|i| sample[i % sample.len()] ^ turn(i)).collect()
    })
}

fn view(words: &[u64], rows: usize, cols: usize, transposed: bool) -> MatRef<'_> {
    if transposed { MatRef::new(words, cols, rows).t() } else { MatRef::new(words, rows, cols) }
}

/// `out += a b`, as the product is defined.
fn define(out: &mut [u64], a: MatRef<'_>, b: MatRef<'_>) {
    for i in 0..a.rows() {
        for j in 0..b.cols() {
            for p in 0..a.cols() {
                let word = &mut out[i * b.cols() + j];
                *word = word.wrapping_add(a.at(i, p).wrapping_mul(b.at(p, j)));
            }
        }
    }
}

/// Sizes around those of tiles and their remainders, and beyond one block of the driver.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0usize..5, 16 => 5usize..72, 1 => 260usize..300]
}

prop_compose! {
    /// The shape of a product, not too long for the definition.
    fn shape()(rows in size(), depth in size(), cols in size()) -> [usize; 3] {
        if rows * depth * cols > 1_000_000 { [rows, depth % 16, cols] } else { [rows, depth, cols] }
    }
}

/// A product: its shape, which operands are transposed, their components and the old output.
type Case = ([usize; 3], [bool; 2], [Vec<u64>; 4], Vec<u64>);

fn case() -> impl Strategy<Value = Case> {
    (shape(), any::<[bool; 2]>()).prop_flat_map(|([rows, depth, cols], transposed)| {
        let (a, b) = (rows * depth, depth * cols);
        let operands = [words(a), words(a), words(b), words(b)];
        (Just([rows, depth, cols]), Just(transposed), operands, words(rows * cols))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_backends_multiply((shape, transposed, operands, old) in case()) {
        let [rows, depth, cols] = shape;
        let [a0, a1] = [0, 1].map(|i| view(&operands[i], rows, depth, transposed[0]));
        let [b0, b1] = [2, 3].map(|i| view(&operands[i], depth, cols, transposed[1]));
        let mut plain = old.clone();
        define(&mut plain, a0, b0);
        let mut replicated = plain.clone();
        define(&mut replicated, a0, b1);
        define(&mut replicated, a1, b0);
        for backend in Backend::available() {
            let mut out = old.clone();
            gemm_acc_with(backend, &mut out, a0, b0);
            prop_assert!(out == plain, "{:?}: {:?} {:?}", backend, shape, transposed);
            let mut out = old.clone();
            gemm_replicated_acc_with(backend, &mut out, [a0, a1], [b0, b1]);
            prop_assert!(out == replicated, "{:?}: {:?} {:?}", backend, shape, transposed);
        }
    }
}

#[test]
fn far_apart_steps_are_packed_and_right() {
    // Distances that make the driver pack both operands even where it need not.
    let (rows, depth, cols) = (600, 20, 600);
    let a: Vec<u64> =
        (0..rows * depth).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let b: Vec<u64> = a.iter().map(|x| x.rotate_left(29)).collect();
    let (a, b) = (view(&a, rows, depth, true), view(&b, depth, cols, false));
    let mut expected = vec![7; rows * cols];
    define(&mut expected, a, b);
    for backend in Backend::available() {
        let mut out = vec![7; rows * cols];
        gemm_acc_with(backend, &mut out, a, b);
        assert!(out == expected, "{backend:?}");
    }
}

#[test]
fn all_pairs_of_extremes_multiply() {
    let n = EXTREMES.len();
    let (a, b) = (MatRef::new(&EXTREMES, n, 1), MatRef::new(&EXTREMES, 1, n));
    let expected: Vec<u64> =
        EXTREMES.iter().flat_map(|x| EXTREMES.iter().map(|y| x.wrapping_mul(*y))).collect();
    // Three times as many rows and columns, so that no backend leaves it to another.
    for backend in Backend::available() {
        let repeated = EXTREMES.repeat(3);
        let mut out = vec![0; 9 * n * n];
        gemm_acc_with(
            backend,
            &mut out,
            MatRef::new(&repeated, 3 * n, 1),
            MatRef::new(&repeated, 1, 3 * n),
        );
        for (i, row) in out.chunks(3 * n).enumerate() {
            assert_eq!(*row, expected[i % n * n..][..n].repeat(3), "{backend:?}");
        }
        let mut out = vec![0; n * n];
        gemm_acc_with(backend, &mut out, a, b);
        assert_eq!(out, expected, "{backend:?}");
    }
}

#[test]
fn long_sums_are_cut_and_right() {
    let (rows, depth, cols) = (41, 1003, 43);
    let words = |len: usize, turn: u32| -> Vec<u64> {
        let word = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(turn);
        (0..len).map(word).collect()
    };
    let (a, b) = (words(rows * depth, 3), words(depth * cols, 29));
    for [left, right] in [[false, false], [false, true], [true, false], [true, true]] {
        let (a, b) = (view(&a, rows, depth, left), view(&b, depth, cols, right));
        let mut expected = vec![7; rows * cols];
        define(&mut expected, a, b);
        for backend in Backend::available() {
            let mut out = vec![7; rows * cols];
            gemm_acc_with(backend, &mut out, a, b);
            assert!(out == expected, "{backend:?}, transposed: {left}, {right}");
        }
    }
}

#[test]
fn rows_may_be_dealt_to_threads() {
    let (rows, depth, cols) = (203, 150, 101);
    let a: Vec<u64> =
        (0..rows * depth).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let b: Vec<u64> =
        (0..depth * cols).map(|i| (i as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9)).collect();
    let (a, b) = (view(&a, rows, depth, true), view(&b, depth, cols, false));
    let mut expected = vec![0; rows * cols];
    gemm_acc(&mut expected, a, b);
    set_threads(3);
    let mut out = vec![0; rows * cols];
    gemm_acc(&mut out, a, b);
    set_threads(1);
    assert!(out == expected);
}

#[test]
#[should_panic(expected = "inner dimensions differ")]
fn shapes_must_fit() {
    gemm_acc(&mut [0; 4], MatRef::new(&[1; 6], 2, 3), MatRef::new(&[1; 4], 2, 2));
}
