//! Speed of the kernels of the verification on one core, on what lies in the caches.
//!
//! Run all with `cargo bench -p benches --bench verification`. The clock is the processor time of
//! the thread. Throughput counts elements of the Galois ring, or the columns of a table of 64 rows:
//! columns of words, or of words of bits.

use benches::thread_time::{Clock, ThreadTime, group};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::ring::galois::{Dot, GaloisRing, Weights};
use mpc_core::ring::grid::{self, Term};
use mpc_core::ring::prg::Prg;
use mpc_core::ring::{Weighed, gf64};
use mpc_core::share::Words;

type Ring = GaloisRing<48>;

const DEGREE: usize = 48;
/// Words of an octet: elements that lie side by side.
const OCTET: usize = 8;
/// Elements of a vector.
const ELEMENTS: usize = 64;
/// Columns and rows of a table, and its variables.
const COLUMNS: usize = 64;
const ROWS: usize = 64;
const VARIABLES: usize = 6;

criterion_group!(
    name = verification;
    config = Criterion::default().with_measurement(ThreadTime);
    targets = elements, tables
);
criterion_main!(verification);

fn random(seed: u8, len: usize) -> Words {
    Words::overwritten(len, |words| Prg::new(&[seed; 16]).fill_words(words))
}

/// What folds and inner products do with elements of the extension.
fn elements(c: &mut Clock) {
    let mut group = group(c, "elements");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let [x, y, mut out] = [1, 2, 3].map(|seed| random(seed, ELEMENTS * DEGREE));
    let challenges = random(4, ELEMENTS);
    group.bench_function("inner product", |bench| {
        let mut dot = Dot::<DEGREE>::default();
        bench.iter(|| dot.add(&x, &y));
    });
    group.bench_function("fold", |bench| {
        bench.iter(|| Ring::fold(&mut out, &x, &y, challenges[0]));
    });
    group.bench_function("times challenges", |bench| {
        bench.iter(|| Ring::mul_challenges(&mut out, &challenges));
    });
    group.bench_function("fold of GF(2^64)", |bench| {
        let (mut out, len) = (random(5, ELEMENTS), ELEMENTS);
        bench.iter(|| gf64::fold(&mut out, &x[..len], &y[..len], challenges[0]));
    });
    group.finish();
}

/// What becomes of a table of single products.
fn tables(c: &mut Clock) {
    let mut group = group(c, "table");
    group.throughput(Throughput::Elements(COLUMNS as u64));
    let [x0, x1, y0, y1] = [1, 2, 3, 4].map(|seed| random(seed, COLUMNS * ROWS));
    let terms: [Term<'_>; 2] = [(&x0, &[&y0, &y1]), (&x1, &[&y0])];
    let corners: Vec<usize> = (0..ROWS).map(grid::corner_point).collect();
    let points: Vec<usize> =
        (0..grid::points(VARIABLES)).filter(|point| !corners.contains(point)).collect();
    let rows = points.len();
    let mut products = Words::zeroed(rows * COLUMNS);
    group.bench_function("products of words", |bench| {
        bench.iter(|| grid::multiply_words(&mut products, &points, ROWS, &terms));
    });
    group.bench_function("products of bits", |bench| {
        bench.iter(|| grid::multiply_bits(&mut products, &points, ROWS, &terms));
    });
    let octets: Vec<&[u64]> = products.chunks_exact(rows * OCTET).collect();
    let challenges = random(5, COLUMNS);
    group.bench_function("words weighed", |bench| {
        let mut sums = Words::zeroed(rows.next_multiple_of(OCTET) * DEGREE);
        bench.iter(|| {
            let part = Weighed { sums: &mut sums, rows, octets: &octets };
            Ring::add_weighted_rows(&mut [part], &challenges);
        });
    });
    group.bench_function("bits weighed", |bench| {
        let mut sums = Words::zeroed(rows);
        bench.iter(|| {
            let part = Weighed { sums: &mut sums, rows, octets: &octets };
            gf64::add_weighted_rows(&mut [part], &challenges);
        });
    });
    let small: Vec<u64> = random(6, ROWS * DEGREE).iter().map(|weight| weight >> 40).collect();
    let any = random(7, ROWS * DEGREE);
    for (name, weights) in [("small weights", &small[..]), ("any weights", &any[..])] {
        let (weights, mut out) = (Weights::new(weights), Words::zeroed(COLUMNS * DEGREE));
        group.bench_function(format!("words at a point, {name}"), |bench| {
            bench.iter(|| Ring::combine(&mut out, &[(&x0, &weights)]));
        });
    }
    let (weights, mut out) = (random(8, ROWS), Words::zeroed(64 * COLUMNS));
    group.bench_function("bits at a point", |bench| {
        bench.iter(|| gf64::combine(&mut out, &[(&x0, &weights)]));
    });
    group.finish();
}
