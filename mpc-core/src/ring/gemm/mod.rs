//! Matrix products mod 2^64.

mod mat_ref;

pub use mat_ref::MatRef;

/// `out += a * b` mod 2^64; `out` is row-major, `a.rows()` x `b.cols()`.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm_acc(out: &mut [u64], a: MatRef<'_>, b: MatRef<'_>) {
    assert_eq!(a.cols(), b.rows(), "inner dimensions differ");
    assert_eq!(out.len(), a.rows() * b.cols(), "the output has another shape");
    if out.is_empty() {
        return;
    }
    let (a_down, a_right) = a.strides();
    let (b_down, b_right) = b.strides();
    for (i, row) in out.chunks_exact_mut(b.cols()).enumerate() {
        for p in 0..a.cols() {
            let x = a.data()[i * a_down + p * a_right];
            for (j, z) in row.iter_mut().enumerate() {
                *z = z.wrapping_add(x.wrapping_mul(b.data()[p * b_down + j * b_right]));
            }
        }
    }
}

/// The local part of a replicated product, `out += a0 * (b0 + b1) + a1 * b0`.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm_replicated_acc(
    out: &mut [u64],
    a0: MatRef<'_>,
    a1: MatRef<'_>,
    b0: MatRef<'_>,
    b1: MatRef<'_>,
) {
    gemm_acc(out, a0, b0);
    gemm_acc(out, a0, b1);
    gemm_acc(out, a1, b0);
}
