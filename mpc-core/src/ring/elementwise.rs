//! Element-by-element kernels on the hot paths.

/// `out[i] += x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i]` mod 2^64: the local part
/// of a replicated product, element by element.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_mul_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    let n = out.len();
    assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
    for i in 0..n {
        let sum = y0[i].wrapping_add(y1[i]);
        let cross = x0[i].wrapping_mul(sum).wrapping_add(x1[i].wrapping_mul(y0[i]));
        out[i] = out[i].wrapping_add(cross);
    }
}

/// `out[i] ^= (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i])`: the same over bits,
/// 64 to a word.
///
/// # Panics
/// If the lengths differ.
pub fn replicated_and_acc(out: &mut [u64], x0: &[u64], x1: &[u64], y0: &[u64], y1: &[u64]) {
    let n = out.len();
    assert!([x0.len(), x1.len(), y0.len(), y1.len()] == [n; 4], "operands differ in length");
    for i in 0..n {
        out[i] ^= (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i]);
    }
}
