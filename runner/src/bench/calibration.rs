//! The speed of this machine, beside which other figures mean something.

use mpc_core::ring::gemm::{Backend, MatRef, gemm_acc_with};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each kernel runs.
const SPAN: Duration = Duration::from_millis(100);
/// Rows and columns of the product, and what it sums over: the first layer of network A.
const SHAPE: [usize; 3] = [128, 128, 784];

/// How fast one core multiplies matrices of 64-bit words, in 10^9 multiply-additions a second.
///
/// Machines are compared by a kernel that both can run: the fastest one of each says what a
/// program reaches, not how fast the processor is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixSpeed {
    /// The kernel that products use here.
    #[serde(default)]
    pub matrix_kernel: String,
    /// By that kernel.
    #[serde(rename = "gmac_per_second_one_core")]
    pub used: f64,
    /// By each kernel that this processor can run, by the name of its instructions.
    #[serde(default, rename = "gmac_per_second_one_core_by_kernel")]
    pub by_kernel: BTreeMap<String, f64>,
}

impl MatrixSpeed {
    /// Measures, which takes about half a second.
    pub fn here() -> Self {
        let speed = |backend: Backend| (backend.name().to_owned(), gmac_per_second(backend));
        let by_kernel: BTreeMap<_, _> = Backend::available().into_iter().map(speed).collect();
        let matrix_kernel = Backend::best().name().to_owned();
        MatrixSpeed { used: by_kernel[&matrix_kernel], matrix_kernel, by_kernel }
    }

    /// In words, the kernel in use first.
    pub fn text(&self) -> String {
        let others = self.by_kernel.iter().filter(|(name, _)| **name != self.matrix_kernel);
        let others = others.map(|(name, rate)| format!("; {name}: {rate:.1}"));
        format!("{:.1} GMAC/s ({}{})", self.used, self.matrix_kernel, others.collect::<String>())
    }
}

fn gmac_per_second(backend: Backend) -> f64 {
    let [rows, columns, depth] = SHAPE;
    let words =
        |len: usize| (0..len as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let (a, b): (Vec<u64>, Vec<u64>) = (words(rows * depth), words(depth * columns));
    let mut out = vec![0; rows * columns];
    let mut product = || {
        let [a, b] = [MatRef::new(&a, rows, depth), MatRef::new(&b, depth, columns)];
        gemm_acc_with(backend, &mut out, a, b);
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
