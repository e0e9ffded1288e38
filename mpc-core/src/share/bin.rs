//! Replicated sharings of bits, bit-sliced.

use super::Words;
use crate::party::PartyId;
use crate::ring::bits::{plane_words, put_plane, tail_mask, take_plane};
use crate::ring::elementwise;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One party's replicated share of `planes x lanes` bits: `x = x_0 ^ x_1 ^ x_2`,
/// and `P_i` holds `(x_i, x_{i+1})`.
///
/// Bit-sliced: plane `j` holds bit `j` of every lane in `ceil(lanes / 64)` words,
/// so one word operation serves 64 lanes. Bits past the last lane are zero in
/// every component. A clone shares the buffers; all methods are local.
#[derive(Clone)]
pub struct Bin {
    lanes: usize,
    planes: usize,
    first: Arc<Words>,
    second: Arc<Words>,
}

impl Bin {
    /// Takes the two components that this party holds, plane-major.
    ///
    /// # Panics
    /// If a component does not consist of `planes` whole planes.
    pub fn from_components(
        lanes: usize,
        planes: usize,
        first: impl Into<Arc<Words>>,
        second: impl Into<Arc<Words>>,
    ) -> Self {
        let (first, second) = (first.into(), second.into());
        let len = planes * lanes.div_ceil(64);
        assert!(first.len() == len && second.len() == len, "whole planes");
        Self { lanes, planes, first, second }
    }

    /// The free sharing of planes that the two holders of `component` know.
    ///
    /// `words` is empty at the third party.
    pub fn known(
        party: PartyId,
        component: PartyId,
        lanes: usize,
        planes: usize,
        words: Words,
    ) -> Self {
        let zero = Words::zeroed(planes * lanes.div_ceil(64));
        match party {
            p if p == component => Self::from_components(lanes, planes, words, zero),
            p if p.next() == component => Self::from_components(lanes, planes, zero, words),
            _ => Self::from_components(lanes, planes, zero.clone(), zero),
        }
    }

    /// Planes of zeros.
    pub fn zeros(lanes: usize, planes: usize) -> Self {
        let zero = Arc::new(Words::zeroed(planes * lanes.div_ceil(64)));
        Self { lanes, planes, first: zero.clone(), second: zero }
    }

    /// Bits in a plane.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Number of planes.
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// Words in a plane.
    pub fn stride(&self) -> usize {
        self.lanes.div_ceil(64)
    }

    /// The component `x_i` that party `P_i` holds.
    pub fn first(&self) -> &[u64] {
        &self.first
    }

    /// The component `x_{i+1}` that party `P_i` holds.
    pub fn second(&self) -> &[u64] {
        &self.second
    }

    /// The buffers of both components, shared with this share.
    pub(crate) fn buffers(&self) -> (Arc<Words>, Arc<Words>) {
        (self.first.clone(), self.second.clone())
    }

    fn map(&self, planes: usize, f: impl Fn(&[u64]) -> Words) -> Self {
        Self::from_components(self.lanes, planes, f(&self.first), f(&self.second))
    }

    /// `self ^ other`.
    ///
    /// # Panics
    /// If the dimensions differ.
    pub fn xor(&self, other: &Self) -> Self {
        assert_eq!((self.lanes, self.planes), (other.lanes, other.planes), "xor: dimensions");
        let xor = |x: &[u64], y: &[u64]| Words::zip(x, y, |x, y| x ^ y);
        Self::from_components(
            self.lanes,
            self.planes,
            xor(&self.first, &other.first),
            xor(&self.second, &other.second),
        )
    }

    /// `!self`: component 0 takes the constant.
    pub fn not(&self, party: PartyId) -> Self {
        let (stride, tail) = (self.stride(), tail_mask(self.lanes));
        let ones = |words: &[u64]| {
            let mut flipped = Words::map(words, |x| !x);
            flipped.chunks_exact_mut(stride.max(1)).for_each(|plane| plane[stride - 1] &= tail);
            flipped
        };
        match party {
            PartyId::P0 => Self { first: Arc::new(ones(&self.first)), ..self.clone() },
            // Another value lies in another buffer, at each party.
            PartyId::P1 => Self { first: Arc::new(Words::clone(&self.first)), ..self.clone() },
            PartyId::P2 => Self { second: Arc::new(ones(&self.second)), ..self.clone() },
        }
    }

    /// The planes of a range.
    pub fn slice(&self, planes: Range<usize>) -> Self {
        let stride = self.stride();
        self.map(planes.len(), |x| x[planes.start * stride..planes.end * stride].into())
    }

    /// Planes in any order, each the one of that number of a sharing.
    ///
    /// # Panics
    /// If the numbers of lanes differ, there is no such plane, or there are none at all.
    pub fn pick<'a>(planes: impl IntoIterator<Item = (&'a Self, usize)>) -> Self {
        let planes: Vec<(&Self, usize)> = planes.into_iter().collect();
        let lanes = planes[0].0.lanes;
        assert!(planes.iter().all(|(of, _)| of.lanes == lanes), "pick: lanes");
        let stride = lanes.div_ceil(64);
        let join = |component: fn(&Self) -> &[u64]| -> Words {
            planes.iter().map(|(of, plane)| &component(of)[plane * stride..][..stride]).collect()
        };
        Self::from_components(lanes, planes.len(), join(Self::first), join(Self::second))
    }

    /// For each plane of `x`, that `^` the one of `y`.
    ///
    /// # Panics
    /// If there are not as many, none at all, or the numbers of lanes differ.
    pub fn xor_of(x: &[(Self, usize)], y: &[(Self, usize)]) -> Self {
        assert_eq!(x.len(), y.len(), "xor: planes");
        let (lanes, stride) = (x[0].0.lanes, x[0].0.stride());
        let xor = |component: usize| {
            Words::overwritten(x.len() * stride, |to| {
                let planes = to.chunks_exact_mut(stride.max(1)).zip(x.iter().zip(y));
                for (to, ((x, of_x), (y, of_y))) in planes {
                    assert!(x.lanes == lanes && y.lanes == lanes, "xor: lanes");
                    let (x, y) = (x.plane(*of_x)[component], y.plane(*of_y)[component]);
                    elementwise::zip(to, x, y, |x, y| x ^ y);
                }
            })
        };
        Self::from_components(lanes, x.len(), xor(0), xor(1))
    }

    /// This party's components of one plane.
    pub fn plane(&self, plane: usize) -> [&[u64]; 2] {
        let range = plane * self.stride()..(plane + 1) * self.stride();
        [&self.first[range.clone()], &self.second[range]]
    }

    /// The same, the planes from number `at` on `^` the first `planes` ones of `other`.
    ///
    /// # Panics
    /// If the numbers of lanes differ, or there are not so many planes.
    pub fn xor_from(mut self, at: usize, other: &Self, planes: usize) -> Self {
        assert_eq!(self.lanes, other.lanes, "xor: lanes");
        if planes == 0 {
            return self;
        }
        let (start, len) = (at * self.stride(), planes * self.stride());
        let range = start..start + len;
        for (x, from) in [(&mut self.first, &other.first), (&mut self.second, &other.second)] {
            let from = &from[..len];
            match Arc::get_mut(x) {
                Some(x) => elementwise::update_with(&mut x[range.clone()], from, |x, y| x ^ y),
                None => {
                    *x = Arc::new(Words::overwritten(x.len(), |to| {
                        to[..range.start].copy_from_slice(&x[..range.start]);
                        elementwise::zip(
                            &mut to[range.clone()],
                            &x[range.clone()],
                            from,
                            |x, y| x ^ y,
                        );
                        to[range.end..].copy_from_slice(&x[range.end..]);
                    }));
                }
            }
        }
        self
    }

    /// One plane of `planes * lanes` bits cut into `planes` planes of `lanes` bits.
    ///
    /// # Panics
    /// If there is not one plane of that many bits.
    pub fn split_plane(&self, planes: usize, lanes: usize) -> Self {
        assert_eq!((self.planes, self.lanes), (1, planes * lanes), "split: dimensions");
        let stride = plane_words(lanes);
        let cut = |x: &[u64]| {
            Words::overwritten(planes * stride, |cut| {
                for (number, plane) in cut.chunks_exact_mut(stride.max(1)).enumerate() {
                    take_plane(x, number * lanes, plane, lanes);
                }
            })
        };
        Self::from_components(lanes, planes, cut(&self.first), cut(&self.second))
    }

    /// The lanes of all parts behind each other, plane by plane.
    ///
    /// # Panics
    /// If the dimensions differ or there is no part.
    pub fn side_by_side(parts: &[Self]) -> Self {
        let (planes, lanes) = (parts[0].planes, parts[0].lanes);
        assert!(parts.iter().all(|part| (part.planes, part.lanes) == (planes, lanes)));
        let wide = plane_words(lanes * parts.len());
        let join = |component: usize| {
            let mut joined = Words::zeroed(planes * wide);
            for (plane, joined) in joined.chunks_exact_mut(wide.max(1)).enumerate() {
                for (number, part) in parts.iter().enumerate() {
                    put_plane(joined, number * lanes, part.plane(plane)[component]);
                }
            }
            joined
        };
        Self::from_components(lanes * parts.len(), planes, join(0), join(1))
    }

    /// The planes of all parts, one after the other.
    ///
    /// # Panics
    /// If the numbers of lanes differ or there is no part.
    pub fn concat(parts: &[&Self]) -> Self {
        let lanes = parts[0].lanes;
        assert!(parts.iter().all(|part| part.lanes == lanes), "concat: lanes");
        let planes = parts.iter().map(|part| part.planes).sum();
        let join = |component: fn(&Self) -> &[u64]| -> Words {
            parts.iter().map(|part| component(part)).collect()
        };
        Self::from_components(lanes, planes, join(Self::first), join(Self::second))
    }
}

impl fmt::Debug for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bin({} planes x {} lanes secret)", self.planes, self.lanes)
    }
}
