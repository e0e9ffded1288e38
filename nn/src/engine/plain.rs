//! The tensor of the plain engines, and what they do alike.

use mpc_core::error::{Error, Result};
use mpc_core::ring::RowMap;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use std::ops::Range;

/// A matrix of plain values with its scale.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainTensor<V> {
    /// The values, in words or in numbers as the engine has it; rows are samples.
    pub values: Array2<V>,
    /// Fractional bits.
    pub scale: u32,
}

/// Rows and columns as an array.
pub(super) fn shape_of<V>(a: &PlainTensor<V>) -> [usize; 2] {
    [a.values.nrows(), a.values.ncols()]
}

fn misfit<V>(op: &'static str, a: &PlainTensor<V>, b: &PlainTensor<V>) -> Error {
    Error::Shape { op, left: shape_of(a), right: shape_of(b) }
}

fn require_equal_scales<V>(op: &str, a: &PlainTensor<V>, b: &PlainTensor<V>) -> Result<()> {
    if a.scale == b.scale {
        Ok(())
    } else {
        Err(Error::Misuse(format!("{op}: operands have scales {} and {}", a.scale, b.scale)))
    }
}

/// How the scales of the operands of an elementwise operation relate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scales {
    /// They must be equal, and the result has the same.
    Equal,
    /// They add up.
    AddUp,
}

/// Combines `a` elementwise with `b`, which has the shape of `a` or is one row of its width.
pub(super) fn combine<V: Clone>(
    op: &'static str,
    mut a: PlainTensor<V>,
    b: &PlainTensor<V>,
    scales: Scales,
    mut f: impl FnMut(&V, &V) -> Result<V>,
) -> Result<PlainTensor<V>> {
    if scales == Scales::Equal {
        require_equal_scales(op, &a, b)?;
    }
    let Some(other) = b.values.broadcast(a.values.dim()) else {
        return Err(misfit(op, &a, b));
    };
    for (x, y) in a.values.iter_mut().zip(other.iter()) {
        *x = f(x, y)?;
    }
    if scales == Scales::AddUp {
        a.scale += b.scale;
    }
    Ok(a)
}

/// What is told of elements, `1 x n`, that are beyond their bounds or not.
pub(super) fn beyond<V>(
    a: &PlainTensor<V>,
    bounds: &[u64],
    is_beyond: impl Fn(&V, u64) -> bool,
    told: impl Fn(bool) -> V,
) -> Result<PlainTensor<V>> {
    if shape_of(a) != [1, bounds.len()] {
        return Err(Error::Shape { op: "beyond", left: shape_of(a), right: [1, bounds.len()] });
    }
    let values = Array2::from_shape_fn((1, bounds.len()), |(_, at)| {
        told(is_beyond(&a.values[(0, at)], bounds[at]))
    });
    Ok(PlainTensor { values, scale: 0 })
}

/// Refuses a second operand that is not exactly of the shape of the first.
pub(super) fn require_same_shape<V>(
    op: &'static str,
    a: &PlainTensor<V>,
    b: &PlainTensor<V>,
) -> Result<()> {
    if shape_of(a) == shape_of(b) { Ok(()) } else { Err(misfit(op, a, b)) }
}

/// Refuses a second operand that is not one row as wide as the first.
pub(super) fn require_row<V>(
    op: &'static str,
    a: &PlainTensor<V>,
    row: &PlainTensor<V>,
) -> Result<()> {
    if shape_of(row) == [1, a.values.ncols()] { Ok(()) } else { Err(misfit(op, a, row)) }
}

/// The operands of a matrix product as it sees them.
pub(super) fn factors<'a, V>(
    a: &'a PlainTensor<V>,
    a_trans: super::Trans,
    b: &'a PlainTensor<V>,
    b_trans: super::Trans,
) -> Result<(ArrayView2<'a, V>, ArrayView2<'a, V>)> {
    let (left, right) = (a_trans.of(shape_of(a)), b_trans.of(shape_of(b)));
    if left[1] != right[0] {
        return Err(Error::Shape { op: "matmul", left, right });
    }
    let view = |t: &'a PlainTensor<V>, trans| match trans {
        super::Trans::No => t.values.view(),
        super::Trans::Yes => t.values.t(),
    };
    Ok((view(a, a_trans), view(b, b_trans)))
}

/// The given rows.
pub(super) fn select_rows<V: Clone>(a: &PlainTensor<V>, rows: &[usize]) -> Result<PlainTensor<V>> {
    match rows.iter().find(|&&row| row >= a.values.nrows()) {
        Some(row) => Err(Error::Misuse(format!(
            "select_rows: there is no row {row} in {}",
            a.values.nrows()
        ))),
        None => Ok(PlainTensor { values: a.values.select(Axis(0), rows), scale: a.scale }),
    }
}

/// The one column of `a` so many times.
pub(super) fn repeat_columns<V: Clone>(
    a: &PlainTensor<V>,
    columns: usize,
) -> Result<PlainTensor<V>> {
    let [rows, of] = shape_of(a);
    match a.values.broadcast((rows, columns)) {
        Some(values) if of == 1 => Ok(PlainTensor { values: values.to_owned(), scale: a.scale }),
        _ => Err(Error::Shape { op: "repeat_columns", left: shape_of(a), right: [rows, 1] }),
    }
}

/// The given columns.
pub(super) fn select_columns<V: Clone>(
    a: &PlainTensor<V>,
    columns: Range<usize>,
) -> Result<PlainTensor<V>> {
    if columns.start > columns.end || columns.end > a.values.ncols() {
        return Err(Error::Misuse(format!(
            "select_columns: there are no columns {columns:?} in {}",
            a.values.ncols()
        )));
    }
    Ok(PlainTensor { values: a.values.slice(s![.., columns]).to_owned(), scale: a.scale })
}

/// The tensors side by side.
pub(super) fn concat_columns<V: Clone>(parts: &[&PlainTensor<V>]) -> Result<PlainTensor<V>> {
    let Some(first) = parts.first() else {
        return Err(Error::Misuse("concat_columns: there is no tensor".into()));
    };
    for part in parts {
        require_equal_scales("concat_columns", first, part)?;
        if part.values.nrows() != first.values.nrows() {
            return Err(misfit("concat_columns", first, part));
        }
    }
    let views: Vec<_> = parts.iter().map(|part| part.values.view()).collect();
    let values = ndarray::concatenate(Axis(1), &views)
        .map_err(|error| Error::Misuse(format!("concat_columns: {error}")))?;
    Ok(PlainTensor { values, scale: first.scale })
}

/// Overwrites the rows of `a` from `first` on.
pub(super) fn set_rows<V: Clone>(
    a: &mut PlainTensor<V>,
    first: usize,
    part: &PlainTensor<V>,
) -> Result<()> {
    require_equal_scales("set_rows", a, part)?;
    let end = first.checked_add(part.values.nrows()).filter(|&end| end <= a.values.nrows());
    match end {
        Some(end) if a.values.ncols() == part.values.ncols() => {
            a.values.slice_mut(s![first..end, ..]).assign(&part.values);
            Ok(())
        }
        _ => Err(misfit("set_rows", a, part)),
    }
}

/// Refuses a rescaling that would add fractional bits, or shift all of a word away.
pub(super) fn require_fewer_bits<V>(a: &PlainTensor<V>, scale: u32) -> Result<()> {
    if scale <= a.scale && a.scale - scale < super::MAX_RESCALE_BITS {
        Ok(())
    } else {
        Err(Error::Misuse(format!("cannot rescale from scale {} to {scale}", a.scale)))
    }
}

/// Refuses a list of factors that does not have one for each column.
pub(super) fn require_factor_per_column<V>(a: &PlainTensor<V>, factors: &[f64]) -> Result<()> {
    if factors.len() == a.values.ncols() {
        Ok(())
    } else {
        Err(Error::Shape { op: "mul_public_row", left: shape_of(a), right: [1, factors.len()] })
    }
}

/// The column of the largest element of each row, the first of equals: `rows x 1`.
pub(super) fn argmax<V: PartialOrd>(values: &Array2<V>) -> Result<Array2<usize>> {
    if values.ncols() == 0 {
        return Err(Error::Misuse("the maximum of no columns".into()));
    }
    let place = |row: ArrayView1<'_, V>| {
        (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
    };
    let places: Vec<usize> = values.rows().into_iter().map(place).collect();
    Ok(Array1::from(places).insert_axis(Axis(1)))
}

/// The elements row after row.
fn words<V: Copy>(a: &PlainTensor<V>) -> Vec<V> {
    a.values.iter().copied().collect()
}

/// A tensor of elements that come row after row.
fn tensor<V: Clone>(values: Vec<V>, [rows, columns]: [usize; 2], scale: u32) -> PlainTensor<V> {
    let values = Array2::from_shape_vec((rows, columns), values);
    PlainTensor { values: values.expect("one value an element"), scale }
}

/// The same elements in another shape.
pub(super) fn reshape<V: Copy>(a: &PlainTensor<V>, shape: [usize; 2]) -> Result<PlainTensor<V>> {
    if shape[0].checked_mul(shape[1]) == Some(a.values.len()) {
        Ok(tensor(words(a), shape, a.scale))
    } else {
        Err(Error::Shape { op: "reshape", left: shape_of(a), right: shape })
    }
}

/// The long rows along a map.
pub(super) fn gather<V: Copy + Default>(
    a: &PlainTensor<V>,
    map: &RowMap,
) -> Result<PlainTensor<V>> {
    let [rows, columns] = shape_of(a);
    if columns != map.short() {
        let right = [rows, map.short()];
        return Err(Error::Shape { op: "gather", left: [rows, columns], right });
    }
    let mut long = vec![V::default(); rows * map.long()];
    map.gather(&words(a), &mut long);
    Ok(tensor(long, [rows, map.long()], a.scale))
}

/// The short rows that long ones add up to.
pub(super) fn scatter_add<V: Copy + Default>(
    a: &PlainTensor<V>,
    map: &RowMap,
    add: impl Fn(V, V) -> V,
) -> Result<PlainTensor<V>> {
    let [rows, columns] = shape_of(a);
    if columns != map.long() {
        let right = [rows, map.long()];
        return Err(Error::Shape { op: "scatter", left: [rows, columns], right });
    }
    let mut short = vec![V::default(); rows * map.short()];
    map.scatter_add(&words(a), &mut short, add);
    Ok(tensor(short, [rows, map.short()], a.scale))
}

/// The rows of a product as the long rows of a map.
pub(super) fn long_rows<V: Copy>(product: &PlainTensor<V>, map: &RowMap) -> Result<PlainTensor<V>> {
    let (elements, long) = (product.values.len(), map.long().max(1));
    if !elements.is_multiple_of(long) {
        let (left, right) = (shape_of(product), [1, map.long()]);
        return Err(Error::Shape { op: "scattered product", left, right });
    }
    reshape(product, [elements / long, long])
}

/// The maximum of the parts of each row by a tournament, and who won its matches.
pub(super) fn max_of_parts<V: Copy + PartialOrd>(
    a: &PlainTensor<V>,
    parts: usize,
    bit: impl Fn(bool) -> V,
) -> Result<(PlainTensor<V>, Vec<PlainTensor<V>>)> {
    let [rows, columns] = shape_of(a);
    if parts == 0 || !columns.is_multiple_of(parts) {
        let reason = format!("max_of_parts: {columns} columns are not {parts} equal parts");
        return Err(Error::Misuse(reason));
    }
    let (mut values, mut left, mut bits) = (a.values.clone(), parts, Vec::new());
    while left > 1 {
        let matches = left / 2 * (columns / parts);
        let mut wins = Array2::from_elem((rows, matches), bit(false));
        let mut winners = values.slice(s![.., matches..]).to_owned();
        for ((row, column), win) in wins.indexed_iter_mut() {
            let first = values[(row, column)];
            if first >= winners[(row, column)] {
                (winners[(row, column)], *win) = (first, bit(true));
            }
        }
        bits.push(PlainTensor { values: wins, scale: 0 });
        values = winners;
        left -= left / 2;
    }
    Ok((PlainTensor { values, scale: a.scale }, bits))
}

/// `log sum_k e^z_k` of each row: `rows x 1`.
pub(super) fn log_sum_exp(values: &Array2<f64>) -> Array2<f64> {
    let of_row = |row: ArrayView1<'_, f64>| {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        max + row.iter().map(|z| (z - max).exp()).sum::<f64>().ln()
    };
    values.map_axis(Axis(1), of_row).insert_axis(Axis(1))
}

/// The pairs of a row whose label is one and another row, in which the first has the higher
/// score, or an equal one and comes before.
pub(super) fn concordance<V: PartialOrd>(
    scores: &Array2<V>,
    labels: &Array2<V>,
    is_one: impl Fn(&V) -> bool,
) -> Result<usize> {
    let rows = scores.nrows();
    if scores.dim() != (rows, 1) || labels.dim() != (rows, 1) {
        let (left, right) = ([rows, scores.ncols()], [labels.nrows(), labels.ncols()]);
        return Err(Error::Shape { op: "concordance", left, right });
    }
    let (ones, zeros): (Vec<usize>, Vec<usize>) =
        (0..rows).partition(|&row| is_one(&labels[(row, 0)]));
    let higher = |one: usize, zero: usize| {
        let (one_score, zero_score) = (&scores[(one, 0)], &scores[(zero, 0)]);
        one_score > zero_score || (one_score == zero_score && one < zero)
    };
    let of_one = |&one: &usize| zeros.iter().filter(|&&zero| higher(one, zero)).count();
    Ok(ones.iter().map(of_one).sum())
}
