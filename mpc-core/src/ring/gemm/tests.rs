//! Every backend against the definition of the product.

use super::*;
use crate::ring::{RowMap, Unfolded};
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

/// Asserts that every backend adds the product to what was there, as it is defined.
fn assert_all_backends_multiply(a: MatRef<'_>, b: MatRef<'_>) {
    let old = vec![7; a.rows() * b.cols()];
    let mut expected = old.clone();
    define(&mut expected, a, b);
    for backend in Backend::available() {
        let mut out = old.clone();
        gemm_acc_with(backend, &mut out, a, b);
        let strides = [a, b].map(|x| [x.down(), x.right()]);
        assert!(out == expected, "{backend:?}, distances down and right: {strides:?}");
    }
}

/// Sizes around those of tiles and their remainders, and beyond one block of the driver.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0usize..5, 16 => 5usize..72, 2 => 60usize..140, 1 => 260usize..300]
}

prop_compose! {
    /// The shape of a product, not too long for the definition.
    fn shape()(rows in size(), depth in size(), cols in size()) -> [usize; 3] {
        if rows * depth * cols > 1_000_000 { [rows, depth % 16, cols] } else { [rows, depth, cols] }
    }
}

/// A product: its shape, which operands are transposed, their components and the old output.
type Case = ([usize; 3], [bool; 2], [[Vec<u64>; 3]; 2], Vec<u64>);

fn case() -> impl Strategy<Value = Case> {
    (shape(), any::<[bool; 2]>()).prop_flat_map(|([rows, depth, cols], transposed)| {
        let components = |len: usize| [words(len), words(len), words(len)];
        let operands = [components(rows * depth), components(depth * cols)];
        (Just([rows, depth, cols]), Just(transposed), operands, words(rows * cols))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_backends_multiply((shape, transposed, [a, b], old) in case()) {
        let [rows, depth, cols] = shape;
        let a = a.each_ref().map(|a| view(a, rows, depth, transposed[0]));
        let b = b.each_ref().map(|b| view(b, depth, cols, transposed[1]));
        let mut plain = old.clone();
        define(&mut plain, a[0], b[0]);
        let mut replicated = old.clone();
        a.iter().for_each(|a| b.iter().for_each(|b| define(&mut replicated, *a, *b)));
        for backend in Backend::available() {
            let mut out = old.clone();
            gemm_acc_with(backend, &mut out, a[0], b[0]);
            prop_assert!(out == plain, "{:?}: {:?} {:?}", backend, shape, transposed);
            // The parties need not use the same backend.
            let mut out = old.clone();
            for (party, backend) in [backend, Backend::best(), backend].into_iter().enumerate() {
                let next = (party + 1) % 3;
                let [a, b] = [&a, &b].map(|x| [x[party], x[next]].map(Factor::from));
                gemm_replicated_acc_with(backend, &mut out, a, b);
            }
            prop_assert!(out == replicated, "{:?}: {:?} {:?}", backend, shape, transposed);
        }
    }
}

/// Windows of three columns and all their channels over images of `side` columns: a map that
/// repeats elements and has zeros.
fn windows(side: usize, channels: usize) -> RowMap {
    let place = |column: usize, offset: usize| (column + offset).checked_sub(1);
    let columns = (0..side).flat_map(|column| (0..3).map(move |offset| place(column, offset)));
    let places = columns.flat_map(|column| {
        let column = column.filter(|column| *column < side);
        (0..channels).map(move |channel| column.map(|column| column * channels + channel))
    });
    RowMap::new(side * channels, places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Products of windows that are gathered part by part, on either side.
    #[test]
    fn unfolded_factors_multiply(
        (images, side, channels) in (1usize..60, 3usize..8, 1usize..6),
        others in size(),
        transposed: bool,
        seed: u64,
    ) {
        let (map, width) = (windows(side, channels), 3 * channels);
        let rows = images * side;
        let words = |len: usize, turn: u64| -> Vec<u64> {
            (0..len as u64).map(|i| (seed ^ turn ^ i << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
        };
        let images = [1, 2, 3].map(|turn| words(images * side * channels, turn));
        let whole = images.each_ref().map(|images| {
            let mut long = vec![0; rows * width];
            map.gather(images, &mut long);
            long
        });
        // The windows times something, or something times the windows.
        let other_len = others * if transposed { rows } else { width };
        let other = [4, 5, 6].map(|turn| words(other_len, turn));
        let other = other.each_ref().map(|words| match transposed {
            true => MatRef::new(words, others, rows),
            false => MatRef::new(words, width, others),
        });
        let whole = whole.each_ref().map(|words| MatRef::new(words, rows, width));
        let len = others * if transposed { width } else { rows };
        let mut expected = vec![7; len];
        for x in whole {
            for y in other {
                if transposed { define(&mut expected, y, x) } else { define(&mut expected, x, y) }
            }
        }
        let unfolded = images.each_ref().map(|images| Unfolded::new(images, &map, width));
        for backend in Backend::available() {
            let mut out = vec![7; len];
            for party in 0..3 {
                let next = (party + 1) % 3;
                let x = [unfolded[party], unfolded[next]].map(Factor::from);
                let y = [other[party], other[next]].map(Factor::from);
                let [a, b] = if transposed { [y, x] } else { [x, y] };
                gemm_replicated_acc_with(backend, &mut out, a, b);
            }
            prop_assert!(out == expected, "{:?}", backend);
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
    assert_all_backends_multiply(a, b);
}

#[test]
fn all_pairs_of_extremes_multiply() {
    let n = EXTREMES.len();
    let (a, b) = (MatRef::new(&EXTREMES, n, 1), MatRef::new(&EXTREMES, 1, n));
    let expected: Vec<u64> =
        EXTREMES.iter().flat_map(|x| EXTREMES.iter().map(|y| x.wrapping_mul(*y))).collect();
    // Three times as many rows and columns, so that none leaves it to another but the one that takes
    // long sums alone, below.
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
        assert_all_backends_multiply(a, b);
    }
}

#[test]
fn sums_of_extremes_do_not_overflow() {
    // Sums of parts of words are largest where all bits are set, and longer than any stretch.
    let [rows, depth, cols] = [33, 900, 50];
    let words = |len: usize, turn: usize, sample: &[u64]| -> Vec<u64> {
        (0..len).map(|i| sample[(i + i / 7 * turn) % sample.len()]).collect()
    };
    for sample in [&EXTREMES[..], &[u64::MAX]] {
        let (a, b) = (words(rows * depth, 1, sample), words(depth * cols, 5, sample));
        let (a, b) = (view(&a, rows, depth, false), view(&b, depth, cols, false));
        assert_all_backends_multiply(a, b);
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
