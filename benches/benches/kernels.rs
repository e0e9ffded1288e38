//! Speed of the kernels on one core: matrix products, bit-slicing, packing and
//! the pseudorandom generator.
//!
//! Run all with `cargo bench -p benches --bench kernels`, or some by a part of
//! their name, for instance `-- product/128x784x128`. Throughput of products
//! is in multiply-additions per second. The clock is the processor time of the
//! thread, so that other work on the machine does not count.

use benches::thread_time::{Clock, ThreadTime, group};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mpc_core::fixed::{decode, encode};
use mpc_core::ring::bits::{from_planes_into, plane_words, to_planes_into};
use mpc_core::ring::elementwise::{replicated_and, replicated_mul};
use mpc_core::ring::gemm::{Backend, Factor, MatRef, gemm_acc_with, gemm_replicated_acc_with};
use mpc_core::ring::pack::{pack, packed_len, unpack};
use mpc_core::ring::prg::Prg;
use ndarray::Array2;
use std::hint::black_box;

/// Values of a hidden layer of 128 units over a batch of 128 rows.
const LAYER: usize = 128 * 128;

criterion_group!(
    name = kernels;
    config = Criterion::default().with_measurement(ThreadTime);
    targets = products, replicated_products, slicing, packing, generator, elementwise, fixed_point
);
criterion_main!(kernels);

fn random(seed: u8, len: usize) -> Vec<u64> {
    let mut words = vec![0; len];
    Prg::new(&[seed; 16]).fill_words(&mut words);
    words
}

/// A product's shape, and which operands are transposed.
struct Shape {
    rows: usize,
    depth: usize,
    cols: usize,
    transposed: [bool; 2],
}

impl Shape {
    /// The products of a network 784-128-128-10 at batch 128, forward and backward,
    /// then a thin, a tall and a large one.
    fn all() -> Vec<Shape> {
        [
            (128, 784, 128, [false, false]),
            (128, 128, 128, [false, true]),
            (784, 128, 128, [true, false]),
            (128, 128, 10, [false, false]),
            (128, 10, 128, [false, true]),
            (1, 784, 128, [false, false]),
            (784, 128, 1, [false, false]),
            (73_728, 25, 20, [false, true]),
            (1024, 1024, 1024, [false, false]),
            (1024, 1024, 1024, [false, true]),
            (1024, 1024, 1024, [true, false]),
        ]
        .map(|(rows, depth, cols, transposed)| Shape { rows, depth, cols, transposed })
        .into()
    }

    fn name(&self) -> String {
        let letter = |transposed| if transposed { 't' } else { 'n' };
        let [a, b] = self.transposed.map(letter);
        format!("{}x{}x{}-{a}{b}", self.rows, self.depth, self.cols)
    }

    fn products(&self) -> u64 {
        (self.rows * self.depth * self.cols) as u64
    }

    /// Whether slow reference code may be asked to do it.
    fn is_moderate(&self) -> bool {
        self.products() < 1 << 28
    }

    fn left<'a>(&self, words: &'a [u64]) -> MatRef<'a> {
        view(words, self.rows, self.depth, self.transposed[0])
    }

    fn right<'a>(&self, words: &'a [u64]) -> MatRef<'a> {
        view(words, self.depth, self.cols, self.transposed[1])
    }
}

fn view(words: &[u64], rows: usize, cols: usize, transposed: bool) -> MatRef<'_> {
    if transposed { MatRef::new(words, cols, rows).t() } else { MatRef::new(words, rows, cols) }
}

/// Every backend, a plain triple loop, and the product of `ndarray` on floats.
fn products(c: &mut Clock) {
    for shape in Shape::all() {
        let mut group = group(c, &format!("product/{}", shape.name()));
        group.throughput(Throughput::Elements(shape.products()));
        let (a, b) = (random(1, shape.rows * shape.depth), random(2, shape.depth * shape.cols));
        let mut out = vec![0; shape.rows * shape.cols];
        for backend in Backend::available() {
            group.bench_function(format!("{backend:?}"), |bench| {
                bench.iter(|| {
                    gemm_acc_with(backend, &mut out, shape.left(&a), shape.right(&b));
                });
            });
        }
        if shape.is_moderate() {
            group.bench_function("triple loop", |bench| {
                bench.iter(|| triple_loop(&mut out, black_box(&a), black_box(&b), shape.cols));
            });
        }
        let float = |words: &[u64], rows, cols, transposed: bool| {
            let values: Vec<f64> = words.iter().map(|word| *word as f64).collect();
            let shape = if transposed { (cols, rows) } else { (rows, cols) };
            Array2::from_shape_vec(shape, values).expect("the words fill the shape")
        };
        let x = float(&a, shape.rows, shape.depth, shape.transposed[0]);
        let y = float(&b, shape.depth, shape.cols, shape.transposed[1]);
        let x = if shape.transposed[0] { x.t() } else { x.view() };
        let y = if shape.transposed[1] { y.t() } else { y.view() };
        group.bench_function("ndarray f64", |bench| bench.iter(|| x.dot(&y)));
    }
}

/// Row-major operands, each row of the output by multiples of rows of `b`.
fn triple_loop(out: &mut [u64], a: &[u64], b: &[u64], cols: usize) {
    let depth = b.len() / cols;
    for (out, a) in out.chunks_exact_mut(cols).zip(a.chunks_exact(depth)) {
        for (x, b) in a.iter().zip(b.chunks_exact(cols)) {
            for (word, y) in out.iter_mut().zip(b) {
                *word = word.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
}

/// The local part of a product of shares, counted as the two products that its definition has.
fn replicated_products(c: &mut Clock) {
    for shape in Shape::all().into_iter().filter(Shape::is_moderate) {
        let mut group = group(c, &format!("replicated product/{}", shape.name()));
        group.throughput(Throughput::Elements(2 * shape.products()));
        let [a0, a1] = [1, 2].map(|seed| random(seed, shape.rows * shape.depth));
        let [b0, b1] = [3, 4].map(|seed| random(seed, shape.depth * shape.cols));
        let mut out = vec![0; shape.rows * shape.cols];
        let backend = Backend::best();
        group.bench_function(format!("{backend:?}"), |bench| {
            bench.iter(|| {
                let a = [&a0, &a1].map(|a| Factor::from(shape.left(a)));
                let b = [&b0, &b1].map(|b| Factor::from(shape.right(b)));
                gemm_replicated_acc_with(backend, &mut out, a, b);
            });
        });
    }
}

/// Words to bit planes and back; throughput in bytes of words.
fn slicing(c: &mut Clock) {
    let mut group = group(c, "bit planes");
    group.throughput(Throughput::Bytes(8 * LAYER as u64));
    let mut values = random(1, LAYER);
    for k in [64, 32, 1] {
        let mut planes = vec![0; k * plane_words(LAYER)];
        group.bench_function(format!("to {k}"), |bench| {
            bench.iter(|| to_planes_into(black_box(&values), k, &mut planes));
        });
        group.bench_function(format!("from {k}"), |bench| {
            bench.iter(|| from_planes_into(black_box(&planes), k, &mut values));
        });
    }
}

/// Words to the wire and back; throughput in bytes of words.
fn packing(c: &mut Clock) {
    let mut group = group(c, "wire");
    group.throughput(Throughput::Bytes(8 * LAYER as u64));
    let mut words = random(1, LAYER);
    for k in [64, 52, 32, 16, 13] {
        let mut bytes = vec![0; packed_len(LAYER, k)];
        group.bench_function(format!("pack {k} bits"), |bench| {
            bench.iter(|| pack(black_box(&words), k, &mut bytes));
        });
        group.bench_function(format!("unpack {k} bits"), |bench| {
            bench.iter(|| unpack(black_box(&bytes), k, &mut words));
        });
    }
}

/// Draws of several lengths; throughput in bytes of keystream.
fn generator(c: &mut Clock) {
    let mut group = group(c, "generator");
    for len in [16, 1 << 10, 1 << 17] {
        group.throughput(Throughput::Bytes(8 * len as u64));
        let mut words = vec![0; len];
        let mut prg = Prg::new(&[1; 16]);
        group.bench_function(format!("fill {len} words"), |bench| {
            bench.iter(|| prg.fill_words(&mut words));
        });
        group.bench_function(format!("subtract {len} words"), |bench| {
            bench.iter(|| prg.sub_words(&mut words));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("new", |bench| {
        bench.iter_batched(|| [7; 16], |key| Prg::new(&key), BatchSize::SmallInput);
    });
}

/// The local parts of products of shares, element by element.
fn elementwise(c: &mut Clock) {
    let mut group = group(c, "elementwise");
    group.throughput(Throughput::Elements(LAYER as u64));
    let [x0, x1, y0, y1, mut out] = [1, 2, 3, 4, 5].map(|seed| random(seed, LAYER));
    group.bench_function("product", |bench| {
        bench.iter(|| replicated_mul(&mut out, &x0, &x1, &y0, &y1));
    });
    group.bench_function("and", |bench| {
        bench.iter(|| replicated_and(&mut out, &x0, &x1, &y0, &y1));
    });
}

/// Real numbers to words and back, as rows are prepared and a model is opened.
fn fixed_point(c: &mut Clock) {
    const SCALE: u32 = 20;
    let mut group = group(c, "fixed point");
    let words: Vec<u64> = random(9, LAYER).into_iter().map(|word| word >> 28).collect();
    let reals: Vec<f64> = words.iter().map(|word| decode(*word, SCALE)).collect();
    group.throughput(Throughput::Elements(LAYER as u64));
    group.bench_function("encode", |b| {
        b.iter(|| -> Result<Vec<u64>, _> { reals.iter().map(|x| encode(*x, SCALE)).collect() });
    });
    group.bench_function("decode", |b| {
        b.iter(|| -> Vec<f64> { words.iter().map(|word| decode(*word, SCALE)).collect() });
    });
    group.finish();
}
