//! Matrix products mod 2^64: register-blocked kernels, chosen at run time by
//! what the processor can do.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512dq;
#[cfg(target_arch = "x86_64")]
mod avx512ifma;
mod backend;
mod driver;
mod factor;
mod mat_ref;
mod operand;
mod panel;
mod portable;
mod scratch;
#[cfg(test)]
mod tests;
mod thin;
mod threads;

pub use backend::Backend;
pub use factor::{Factor, Reading};
pub use mat_ref::MatRef;
pub(super) use panel::pack;
pub use threads::{MAX_THREADS, set_threads};

use operand::Operand;
use scratch::{Buffer, Panels, Scratch};

/// `out += a * b` mod 2^64; `out` is row-major, `a.rows()` x `b.cols()`.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm_acc(out: &mut [u64], a: MatRef<'_>, b: MatRef<'_>) {
    gemm_acc_with(Backend::best(), out, a, b);
}

/// [`gemm_acc`] by a chosen backend.
///
/// # Panics
/// If the shapes do not fit or the processor cannot run the backend.
pub fn gemm_acc_with(backend: Backend, out: &mut [u64], a: MatRef<'_>, b: MatRef<'_>) {
    multiply_by_parts(backend, out, Operand::Plain(a), Operand::Plain(b));
}

/// A party's local part of a replicated product is added to `out`: the parts of all three, of
/// the same shape, add up to the product of the sums of all components. Party `i` passes components
/// `i` and `i + 1` of both operands.
///
/// # Panics
/// If the shapes do not fit, or the two components of an operand are not laid out alike.
pub fn gemm_replicated_acc(out: &mut [u64], a: [Factor<'_>; 2], b: [Factor<'_>; 2]) {
    gemm_replicated_acc_with(Backend::best(), out, a, b);
}

/// [`gemm_replicated_acc`] by a chosen backend.
///
/// # Panics
/// As [`gemm_replicated_acc`], and if the processor cannot run the backend.
pub fn gemm_replicated_acc_with(
    backend: Backend,
    out: &mut [u64],
    a: [Factor<'_>; 2],
    b: [Factor<'_>; 2],
) {
    assert_eq!(a[0].cols(), b[0].rows(), "inner dimensions differ");
    // Which parts add up is a matter of what is multiplied: it is the same at all parties.
    let (rows, cols) = (a[0].rows(), b[0].cols());
    let ([Some(a0), Some(a1)], [Some(b0), Some(b1)], 0..=thin::FEW) =
        (a.map(|a| a.existing()), b.map(|b| b.existing()), rows.min(cols))
    else {
        let [a, b] = Operand::mixed(a, b);
        return multiply_by_parts(backend, out, a, b);
    };
    // To mix what is read only once would cost more than a second product:
    // a0 (b0 + b1) + a1 b0 = a0 b1 + (a0 + a1) b0, where the smaller operand is added up.
    scratch::with_sum(|sum| {
        if rows < cols {
            let a_sum = MatRef::sum([a0, a1], sum.take(rows * a0.cols()));
            gemm_acc_with(backend, out, a0, b1);
            gemm_acc_with(backend, out, a_sum, b0);
        } else {
            let b_sum = MatRef::sum([b0, b1], sum.take(b0.rows() * cols));
            gemm_acc_with(backend, out, a0, b_sum);
            gemm_acc_with(backend, out, a1, b0);
        }
    });
}

/// `out += a * b`, the rows on several cores where that is allowed and pays.
fn multiply_by_parts(backend: Backend, out: &mut [u64], a: Operand<'_>, b: Operand<'_>) {
    assert_eq!(a.cols(), b.rows(), "inner dimensions differ");
    assert_eq!(out.len(), a.rows() * b.cols(), "the output has another shape");
    threads::for_row_parts(out, b.cols(), a.cols(), |row, out| {
        let part = a.block(row, out.len() / b.cols().max(1), 0, a.cols());
        scratch::with_scratch(|Scratch { panels, product }| {
            multiply(backend, panels, product, out, part, b);
        });
    });
}

/// `out += a * b`; narrow products are computed transposed.
fn multiply(
    backend: Backend,
    panels: &mut Panels,
    product: &mut Buffer,
    out: &mut [u64],
    a: Operand<'_>,
    b: Operand<'_>,
) {
    let (rows, cols) = (a.rows(), b.cols());
    if cols == 0 || rows == 0 {
        return;
    }
    if cols > thin::FEW || rows <= cols {
        return multiply_wide(backend, panels, out, a, b);
    }
    if cols == 1 {
        return multiply_wide(backend, panels, out, b.t(), a.t());
    }
    let product = product.take(out.len());
    product.fill(0);
    multiply_wide(backend, panels, product, b.t(), a.t());
    for (i, row) in out.chunks_exact_mut(cols).enumerate() {
        for (j, word) in row.iter_mut().enumerate() {
            *word = word.wrapping_add(product[j * rows + i]);
        }
    }
}

/// `out += a * b` where `out` has no fewer columns than rows, or more than a few of either.
fn multiply_wide(
    backend: Backend,
    panels: &mut Panels,
    out: &mut [u64],
    a: Operand<'_>,
    b: Operand<'_>,
) {
    const ABSENT: &str = "the processor cannot run this backend";
    if let (0..=thin::FEW, Operand::Plain(a), Operand::Plain(b)) = (a.rows(), a, b) {
        let level = backend.level().expect(ABSENT);
        return thin::multiply(level, &mut panels.lhs, out, a, b);
    }
    match backend.suited_to([a.rows(), a.cols(), b.cols()]) {
        Backend::Portable => driver::multiply(portable::Portable, panels, out, a, b),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 => {
            driver::multiply(avx2::Avx2::new().expect(ABSENT), panels, out, a, b);
        }
        #[cfg(target_arch = "x86_64")]
        Backend::Avx512Dq => {
            driver::multiply(avx512dq::Avx512Dq::new().expect(ABSENT), panels, out, a, b);
        }
        #[cfg(target_arch = "x86_64")]
        Backend::Avx512Ifma => {
            driver::multiply(avx512ifma::Avx512Ifma::new().expect(ABSENT), panels, out, a, b);
        }
        #[cfg(target_arch = "x86_64")]
        Backend::Amx => driver::multiply(amx::Amx::new().expect(ABSENT), panels, out, a, b),
        #[cfg(not(target_arch = "x86_64"))]
        _ => panic!("{ABSENT}"),
    }
}
