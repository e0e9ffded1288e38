//! From a claim on a long inner product to one on a single product.
//!
//! Recursive folding (Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019; Goyal,
//! Song, ePrint 2020/134): the vectors are cut into `2^v` parts, read as multilinear
//! polynomials `X` and `Y`; the parties compute the products on the grid, of which the
//! corners must add up to the claim, and go on with the claim at a random point.

use super::algebra::Algebra;
use super::coin::Coins;
use super::grid::{self, Known};
use super::line;
use super::shared::Shared;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Words;
use std::ops::Range;

/// The claim that the inner product of `x` and `y` is `z`, over an extension; of the factors
/// each party has one share ([`line`]).
pub struct Claim {
    /// This party's share of a vector. Units that nobody used hold anything before [`compress`].
    pub x: Words,
    /// Of a vector of the same length.
    pub y: Words,
    /// One element.
    pub z: Shared,
    /// How many elements count: those after them are zero, once all is put in.
    pub elements: usize,
    /// What is used of `x` and of `y`.
    used: [Used; 2],
}

/// Which parts of a vector can differ from zero, as all parties know.
enum Used {
    /// Any.
    All,
    /// These of its units.
    Units(Vec<bool>),
}

impl Used {
    /// Of a vector that was cut into parts and put together again, with room for `words`.
    fn folded<A: Algebra>(self, cut: &Cut, words: usize) -> Used {
        match self {
            Used::Units(units) if cut.part >= A::UNIT => {
                let mut folded: Vec<bool> =
                    units.chunks(cut.parts).map(|units| units.contains(&true)).collect();
                folded.resize(words.div_ceil(A::UNIT), false);
                Used::Units(folded)
            }
            _ => Used::All,
        }
    }
}

impl Claim {
    /// The claim that an inner product of `elements` zeros is zero, with room for the first
    /// fold.
    pub fn zero<A: Algebra>(elements: usize) -> Claim {
        let words = padded_words::<A>(elements);
        let [x, y] = [(); 2].map(|()| Words::unset(words));
        let used = [(); 2].map(|()| Used::Units(vec![false; words.div_ceil(A::UNIT)]));
        Claim { x, y, z: Shared::zeroed(A::WIDTH), elements, used }
    }

    /// Some words of `x`, number 0, or of `y`, to be added to: zeros if nothing was put in yet.
    pub fn part<A: Algebra>(&mut self, number: usize, words: &Range<usize>) -> &mut [u64] {
        self.used_part::<A>(number, words, false)
    }

    /// Some words of `x`, number 0, or of `y`, all of which are to be overwritten.
    pub fn room<A: Algebra>(&mut self, number: usize, words: &Range<usize>) -> &mut [u64] {
        self.used_part::<A>(number, words, true)
    }

    fn used_part<A: Algebra>(
        &mut self,
        number: usize,
        words: &Range<usize>,
        overwritten: bool,
    ) -> &mut [u64] {
        let vector = if number == 0 { &mut self.x } else { &mut self.y };
        if let Used::Units(units) = &mut self.used[number] {
            let first = words.start / A::UNIT;
            for (unit, used) in
                units[..words.end.div_ceil(A::UNIT)].iter_mut().enumerate().skip(first)
            {
                let of_unit = unit_words::<A>(unit, vector.len());
                let whole = words.start <= of_unit.start && of_unit.end <= words.end;
                if !(*used || overwritten && whole) {
                    vector[of_unit].fill(0);
                }
                *used = true;
            }
        }
        &mut vector[words.clone()]
    }

    /// Zeros where nothing was put in.
    fn complete<A: Algebra>(&mut self) {
        for (vector, used) in [&mut self.x, &mut self.y].into_iter().zip(&self.used) {
            let Used::Units(units) = used else { continue };
            for (unit, _) in units.iter().enumerate().filter(|(_, used)| !**used) {
                let words = unit_words::<A>(unit, vector.len());
                vector[words].fill(0);
            }
        }
    }

    /// `x`, number 0, or `y`.
    fn vector(&mut self, number: usize) -> &mut Words {
        if number == 0 { &mut self.x } else { &mut self.y }
    }
}

/// The words of a unit of a vector of `len` words.
fn unit_words<A: Algebra>(unit: usize, len: usize) -> Range<usize> {
    unit * A::UNIT..len.min((unit + 1).saturating_mul(A::UNIT))
}

/// Words of each part that are folded or multiplied in one go: what is expanded stays in
/// the second-level cache, 664 kB where eight parts are multiplied.
const BLOCK: usize = 1536;

/// How a vector is cut into the parts of a fold: unit by unit, the first one to the first
/// part, the second to the second and so on. So neighbours stay neighbours, and what is zero
/// by construction in a long stretch stays so.
struct Cut {
    parts: usize,
    /// Words of a part.
    part: usize,
    unit: usize,
}

impl Cut {
    fn new<A: Algebra>(words: usize, variables: usize) -> Cut {
        let part = words >> variables;
        Cut { parts: 1 << variables, part, unit: A::UNIT.min(part) }
    }

    /// Words of the parts, so many at a time as are used or not used together.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let step = BLOCK.min(self.unit).max(1);
        (0..self.part).step_by(step).map(move |start| start..self.part.min(start + step))
    }

    /// These words of a part.
    fn of<'a>(&self, vector: &'a [u64], part: usize, words: &Range<usize>) -> &'a [u64] {
        let (unit, at) = (words.start / self.unit, words.start % self.unit);
        &vector[(unit * self.parts + part) * self.unit + at..][..words.len()]
    }

    /// Whether these words of any part can differ from zero.
    fn uses<A: Algebra>(&self, used: &Used, words: &Range<usize>) -> bool {
        match used {
            Used::Units(units) if self.part >= A::UNIT => {
                let first = words.start / self.unit * self.parts;
                units[first..first + self.parts].contains(&true)
            }
            _ => true,
        }
    }
}

/// Variables of a step, where there are many elements, and at most. Two halve the rounds of one
/// for a third more work, three save another third of them for 40 % more.
const VARIABLES: usize = 2;
const MOST_VARIABLES: usize = 3;

/// Reduces a claim to one on lists of at most one element, in which `z` is `X (X - 1) x y`.
///
/// # Cost
/// For each step two rounds, and `3^v - 1` elements (and 16 bytes) per party. A step of `v`
/// variables divides the number of groups by `2^v`: by four where there are more than
/// [`Algebra::FEW`], else by eight or, in the first steps, less; where groups have several elements,
/// a last one makes of a group an element.
///
/// # Security
/// What is sent is masked. If the claim is wrong, so is the one that is left, except with
/// probability `2 v / #challenges` for a step of `v` variables: the values at the corners add
/// up to the claim, so the polynomial that the parties computed is not the product.
pub async fn compress<A: Algebra, S: Security>(
    ctx: &Ctx<S>,
    coins: &mut Coins<S>,
    mut claim: Claim,
) -> Result<Claim> {
    claim.complete::<A>();
    claim.z.update(|z| line::scale::<A>(z));
    while claim.elements > 1 {
        let ctx = ctx.step("fold");
        let variables = variables_for::<A>(claim.elements);
        if claim.elements <= A::GROUP {
            claim.x = spread::<A>(&claim.x, variables);
            claim.y = spread::<A>(&claim.y, variables);
            claim.used = [(); 2].map(|()| Used::All);
        }
        let cut = Cut::new::<A>(claim.x.len(), variables);
        // Step 1: the products on the grid; the claim gives one of the corners.
        let known = Known::Sum(claim.z.clone());
        let points = known.missing(variables);
        let mut local = grid_products::<A>(&claim, &cut, variables, &points);
        local.chunks_exact_mut(A::WIDTH).for_each(|z| line::weigh_product::<A>(ctx.party(), z));
        let values = known.complete::<A>(variables, &A::reshare(&ctx, local).await?);
        // Step 2: everything at a random point.
        let at = coins.toss().await.next::<A>(variables);
        claim.z = grid::evaluate::<A>(values, &at);
        let elements = cut.part / A::WIDTH;
        claim.elements = if claim.elements <= A::GROUP { 1 } else { claim.elements.min(elements) };
        let words = padded_words::<A>(claim.elements);
        let used = std::mem::replace(&mut claim.used, [(); 2].map(|()| Used::All));
        for (number, used) in used.into_iter().enumerate() {
            let folded = at_point::<A>(claim.vector(number), (&cut, &used), &at, words);
            *claim.vector(number) = folded;
            claim.used[number] = used.folded::<A>(&cut, words);
        }
    }
    for vector in [&mut claim.x, &mut claim.y] {
        *vector = A::list(vector, claim.elements);
    }
    Ok(claim)
}

/// Variables of the next step: one group becomes one element at once.
fn variables_for<A: Algebra>(elements: usize) -> usize {
    let groups = elements.div_ceil(A::GROUP);
    if groups > A::FEW {
        return VARIABLES;
    }
    // As few steps as there can be, and the first ones, which are the dearest, in few variables.
    let left = if groups > 1 { groups } else { elements };
    let all = left.next_power_of_two().ilog2() as usize;
    all / all.div_ceil(MOST_VARIABLES).max(1)
}

/// Words of a vector that can be cut into equal parts for the next step, long ones into whole
/// units.
fn padded_words<A: Algebra>(elements: usize) -> usize {
    let groups = elements.div_ceil(A::GROUP);
    let parts = if groups > 1 { 1 << variables_for::<A>(elements) } else { 1 };
    let part = groups.div_ceil(parts) * A::GROUP * A::WIDTH;
    parts * if part > A::UNIT { part.next_multiple_of(A::UNIT) } else { part }
}

/// The elements of one group, each in a group of its own.
fn spread<A: Algebra>(group: &Words, variables: usize) -> Words {
    let mut groups = Words::zeroed(group.len() << variables);
    let count = 1 << variables;
    for (at, word) in group.iter().enumerate().filter(|(at, _)| at % A::GROUP < count) {
        let element = at % A::GROUP;
        groups[element * group.len() + at - element] = *word;
    }
    groups
}

/// The multilinear polynomial whose corners are the parts of a vector, at a point; with room
/// for `words` words.
fn at_point<A: Algebra>(
    vector: &Words,
    (cut, used): (&Cut, &Used),
    at: &[u64],
    words: usize,
) -> Words {
    let room = cut.part.min(BLOCK) * cut.parts / 2;
    let [mut from, mut to] = [(); 2].map(|()| Words::zeroed(room));
    Words::overwritten(words, |folded| {
        folded[cut.part..].fill(0);
        for range in cut.blocks() {
            if !cut.uses::<A>(used, &range) {
                folded[range].fill(0);
                continue;
            }
            let len = range.len();
            let mut half = cut.parts / 2;
            for low in 0..half {
                let [low_part, high_part] =
                    [low, low + half].map(|part| cut.of(vector, part, &range));
                A::fold(&mut to[low * len..][..len], low_part, high_part, at[0]);
            }
            for &r in &at[1..] {
                std::mem::swap(&mut from, &mut to);
                half /= 2;
                let (low, high) = from[..2 * half * len].split_at(half * len);
                A::fold(&mut to[..half * len], low, high, r);
            }
            folded[range].copy_from_slice(&to[..len]);
        }
    })
}

/// The products of this party's shares at some points of the grid: a list.
fn grid_products<A: Algebra>(
    claim: &Claim,
    cut: &Cut,
    variables: usize,
    points: &[usize],
) -> Words {
    let mut dots: Vec<A::Dot> = points.iter().map(|_| A::Dot::default()).collect();
    let size = grid::points(variables) * cut.part.min(BLOCK);
    let [mut left, mut right] = [(); 2].map(|()| Words::zeroed(size));
    let used = |range: &Range<usize>| claim.used.iter().all(|used| cut.uses::<A>(used, range));
    for range in cut.blocks().filter(used) {
        let len = range.len();
        for (grid, vector) in [(&mut left, &claim.x), (&mut right, &claim.y)] {
            let corners: Vec<_> = (0..cut.parts).map(|part| cut.of(vector, part, &range)).collect();
            A::expand(&mut grid[..grid::points(variables) * len], &corners);
        }
        for (point, dot) in points.iter().zip(&mut dots) {
            let at = point * len..(point + 1) * len;
            A::add_dot(dot, &left[at.clone()], &right[at]);
        }
    }
    dots.into_iter().flat_map(A::finish_dot).collect()
}
