//! The speed of this machine, beside which other figures mean something.

use mpc_core::ring::gemm::{MatRef, gemm_acc};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long the kernel runs.
const SPAN: Duration = Duration::from_millis(200);
/// Rows and columns of the product, and what it sums over: the first layer of network A.
const SHAPE: [usize; 3] = [128, 128, 784];

/// 10^9 multiply-additions of 64-bit words a second, on one core, in a matrix product.
pub fn gmac_per_second() -> f64 {
    let [rows, columns, depth] = SHAPE;
    let words =
        |len: usize| (0..len as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let (a, b): (Vec<u64>, Vec<u64>) = (words(rows * depth), words(depth * columns));
    let mut out = vec![0; rows * columns];
    let mut product = || {
        gemm_acc(&mut out, MatRef::new(&a, rows, depth), MatRef::new(&b, depth, columns));
        black_box(&out);
    };
    product();
    let (begun, mut products) = (Instant::now(), 0u32);
    while begun.elapsed() < SPAN {
        product();
        products += 1;
    }
    let work = (rows * columns * depth) as f64 * f64::from(products);
    work / begun.elapsed().as_secs_f64() / 1e9
}
