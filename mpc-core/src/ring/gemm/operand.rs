//! What a product is made of: a matrix, or one that a party makes of two components.
//!
//! A product of replicated sharings, `(x_0 + x_1 + x_2) (y_0 + y_1 + y_2)`, takes a party that holds
//! `x_i` and `x_{i+1}` one product of matrices, not two. Let `w` be a root of `w^2 - w + 1`, so `1 / w
//! = 1 - w`. Then with `u_i = w x_i + x_{i+1}` and `v_i = y_i + (1 - w) y_{i+1}`
//!
//! ```text
//! u_i v_i = w x_i y_i + x_i y_{i+1} + x_{i+1} y_i + (1 - w) x_{i+1} y_{i+1} ,
//! ```
//!
//! which add up to `x y` over the parties: `w` and `1 - w` of each `x_i y_i` come from either of its
//! holders. That is the share conversion of Cramer, Damgard, Ishai (TCC 2005) to Shamir's
//! sharings on a line, here over the Galois ring of degree two (Abspoel et al., TCC 2019). There is no such `w` in
//! the integers, but there is among their 2 x 2 matrices, `[[0, -1], [1, 1]]`, and since a product of
//! matrices adds up products along its inner dimension, steps `2 q` and `2 q + 1` of that can take
//! the place of the two coordinates.

use super::scratch::Buffer;
use super::{Factor, MatRef};
use crate::ring::simd::{Level, multiversion};

/// Steps of the inner dimension that are mixed.
pub(super) const TOGETHER: usize = 2;

/// An operand of a product.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a> {
    /// As it is.
    Plain(MatRef<'a>),
    /// Mixed of two components.
    Mixed(Mixed<'a>),
}

/// `u` or `v` of two components that are laid out alike. After an odd number of steps follows
/// one of zeros.
#[derive(Clone, Copy)]
pub(super) struct Mixed<'a> {
    /// With a row for each step of the inner dimension.
    components: [Factor<'a>; 2],
    /// [`LEFT`] or [`RIGHT`].
    side: usize,
    /// Whether the operand has a column for each step.
    flipped: bool,
}

/// The side of `u = x_0 w + x_1`.
const LEFT: usize = 0;
/// The side of `v = y_0 + (1 - w) y_1`.
const RIGHT: usize = 1;

impl<'a> Operand<'a> {
    /// Both operands of one product for the local part of that of `a` and `b`.
    ///
    /// # Panics
    /// If the components of a matrix are not laid out alike.
    pub(super) fn mixed(a: [Factor<'a>; 2], b: [Factor<'a>; 2]) -> [Operand<'a>; 2] {
        assert!(
            a[0].is_laid_out_as(&a[1]) && b[0].is_laid_out_as(&b[1]),
            "components of one matrix"
        );
        let mixed = |components, side| Mixed { components, side, flipped: side == LEFT };
        [mixed(a.map(Factor::t), LEFT), mixed(b, RIGHT)].map(Operand::Mixed)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Operand::Plain(matrix) => matrix.rows(),
            Operand::Mixed(mixed) if mixed.flipped => mixed.across(),
            Operand::Mixed(mixed) => mixed.steps(),
        }
    }

    /// Number of columns.
    pub(super) fn cols(&self) -> usize {
        self.t().rows()
    }

    /// The transpose.
    pub(super) fn t(self) -> Operand<'a> {
        match self {
            Operand::Plain(matrix) => Operand::Plain(matrix.t()),
            Operand::Mixed(mixed) => Operand::Mixed(Mixed { flipped: !mixed.flipped, ..mixed }),
        }
    }

    /// Distance from an element to the one below it, in the matrix that [`Operand::matrix`] gives.
    pub(super) fn down(&self) -> usize {
        match self {
            Operand::Plain(matrix) => matrix.down(),
            Operand::Mixed(mixed) if mixed.flipped => mixed.strides()[1],
            Operand::Mixed(mixed) => mixed.strides()[0],
        }
    }

    /// Distance from an element to its right neighbour, in the matrix that [`Operand::matrix`] gives.
    pub(super) fn right(&self) -> usize {
        self.t().down()
    }

    /// The `rows` x `cols` part whose top left element is at (`row`, `col`). Steps that are mixed
    /// are not taken apart.
    ///
    /// # Panics
    /// If it does not lie in the matrix.
    pub(super) fn block(&self, row: usize, rows: usize, col: usize, cols: usize) -> Operand<'a> {
        match self {
            Operand::Plain(matrix) => Operand::Plain(matrix.block(row, rows, col, cols)),
            Operand::Mixed(mixed) if mixed.flipped => {
                Operand::Mixed(mixed.part(col, cols, row, rows))
            }
            Operand::Mixed(mixed) => Operand::Mixed(mixed.part(row, rows, col, cols)),
        }
    }

    /// The matrix; what has to be made first lies in `buffer`.
    pub(super) fn matrix<'b>(
        &self,
        level: Level,
        gathered: &mut [Buffer; 2],
        buffer: &'b mut Buffer,
    ) -> MatRef<'b>
    where
        'a: 'b,
    {
        match self {
            Operand::Plain(matrix) => *matrix,
            Operand::Mixed(mixed) => {
                let matrix = mixed.made(level, gathered, buffer);
                if mixed.flipped { matrix.t() } else { matrix }
            }
        }
    }
}

impl<'a> Mixed<'a> {
    /// Steps of the inner dimension.
    fn steps(&self) -> usize {
        self.components[0].rows().next_multiple_of(TOGETHER)
    }

    /// Length of the other dimension.
    fn across(&self) -> usize {
        self.components[0].cols()
    }

    /// Distances between the steps of what is made, and between its elements across.
    fn strides(&self) -> [usize; 2] {
        match self.components[0].has_rows_in_one_piece() {
            true => [self.across(), 1],
            false => [1, self.steps()],
        }
    }

    /// Some of the steps, and of the elements across.
    fn part(&self, step: usize, steps: usize, from: usize, across: usize) -> Mixed<'a> {
        assert!(step.is_multiple_of(TOGETHER), "steps that are mixed");
        let steps = steps.min(self.components[0].rows() - step);
        Mixed { components: self.components.map(|x| x.block(step, steps, from, across)), ..*self }
    }

    /// What is mixed, with a row for each step, laid out as the components are.
    fn made<'b>(
        &self,
        level: Level,
        gathered: &mut [Buffer; 2],
        buffer: &'b mut Buffer,
    ) -> MatRef<'b> {
        let (steps, across) = (self.steps(), self.across());
        let [first, second] = gathered;
        let components = [self.components[0].matrix(first), self.components[1].matrix(second)];
        let storage = buffer.take(steps * across);
        match self.side {
            LEFT => mix::<LEFT>(level, storage, components),
            _ => mix::<RIGHT>(level, storage, components),
        }
        match self.components[0].has_rows_in_one_piece() {
            true => MatRef::new(storage, steps, across),
            false => MatRef::new(storage, across, steps).t(),
        }
    }
}

/// Two steps of an operand, from `[a, b]` of the first component and `[c, d]` of the second.
#[inline(always)]
fn pair<const SIDE: usize>([a, b]: [u64; 2], [c, d]: [u64; 2]) -> [u64; 2] {
    match SIDE {
        // [a b] w = [b, b - a], to which [c d] is added.
        LEFT => [b.wrapping_add(c), b.wrapping_sub(a).wrapping_add(d)],
        // (1 - w) [c d]' = [c + d, -c]', to which [a b]' is added.
        _ => [a.wrapping_add(c).wrapping_add(d), b.wrapping_sub(c)],
    }
}

multiversion! {
    /// Mixes two components, with a row for each step, into a matrix that is laid out alike.
    fn mix<const SIDE: usize>(mixed: &mut [u64], components: [MatRef<'_>; 2]) {
        let (steps, across) = (components[0].rows(), components[0].cols());
        let whole = steps / TOGETHER * TOGETHER;
        if components[0].right() == 1 {
            let row = |of: usize, step: usize| {
                &components[of].data()[step * components[of].down()..][..across]
            };
            for (at, rows) in mixed.chunks_exact_mut((TOGETHER * across).max(1)).enumerate() {
                let step = TOGETHER * at;
                let (first, second) = rows.split_at_mut(across);
                let outs = first.iter_mut().zip(second);
                if step < whole {
                    let x = row(0, step).iter().zip(row(0, step + 1));
                    let y = row(1, step).iter().zip(row(1, step + 1));
                    for ((to, (a, b)), (c, d)) in outs.zip(x).zip(y) {
                        [*to.0, *to.1] = pair::<SIDE>([*a, *b], [*c, *d]);
                    }
                } else {
                    for ((to, a), c) in outs.zip(row(0, step)).zip(row(1, step)) {
                        [*to.0, *to.1] = pair::<SIDE>([*a, 0], [*c, 0]);
                    }
                }
            }
        } else {
            let column = |of: usize, at: usize| {
                &components[of].data()[at * components[of].right()..][..steps]
            };
            let long = steps.next_multiple_of(TOGETHER).max(1);
            for (at, to) in mixed.chunks_exact_mut(long).enumerate() {
                let ((x, x_rest), (y, y_rest)) =
                    (column(0, at).as_chunks(), column(1, at).as_chunks());
                let (to, _) = to.as_chunks_mut();
                for ((to, x), y) in to.iter_mut().zip(x).zip(y) {
                    *to = pair::<SIDE>(*x, *y);
                }
                if let (Some(to), [a], [c]) = (to.last_mut(), x_rest, y_rest) {
                    *to = pair::<SIDE>([*a, 0], [*c, 0]);
                }
            }
        }
    }
}
