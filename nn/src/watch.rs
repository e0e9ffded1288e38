//! A debug run: how many numbers of a training leave the range that its scales assume.
//!
//! Overflow cannot be seen on shares, and [`crate::range`] tries a training out on other rows. Here
//! the parties count on the real ones, under MPC: of each layer with weights its exact outputs, the
//! exact errors of its input, and the gradients. Only the counts of a whole training are revealed.
//!
//! # Bounds
//!
//! Outputs and errors are rounded, so they must stay below the head-room `2^h` for which the
//! scales were chosen ([`crate::plan`]): below `2^61` in words, `2^60` where a maximum is taken of
//! them. Numbers wrap around from `2^63` on only, so everything from the bound up to four times the
//! largest number that can be rounded is found; of what has wrapped around, most. A gradient must
//! stay below what the optimiser takes, for plain SGD what a word holds.
//!
//! # Cost
//!
//! After each batch some 11 rounds for each `2^18` numbers, and 59 bytes a number and party; in
//! the malicious mode they are verified as they are counted.

use crate::engine::Engine;
use mpc_core::error::Result;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::ops::Range;

/// Numbers that are looked at in one go: it bounds the memory and the length of messages.
const BLOCK: usize = 1 << 18;
/// Most bits of a bound, in words.
const MAX_BITS: u32 = 61;
/// The same of numbers of which a maximum is taken.
const MAX_MATCH_BITS: u32 = 60;

/// What is counted of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    /// Its exact outputs, before they are rounded.
    Outputs,
    /// The exact errors of its input.
    Errors,
    /// The gradients of its weights.
    Gradients,
}

impl Watched {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Watched::Outputs => "outputs",
            Watched::Errors => "errors",
            Watched::Gradients => "gradients",
        }
    }
}

/// How many numbers of a layer left their range, in all batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeCount {
    /// The layer, from 1 as in the specification.
    pub layer: u64,
    /// Which of its numbers.
    pub what: Watched,
    /// The magnitude that they had to stay below, in the last batch.
    pub bound: f64,
    /// How many did not.
    pub beyond: u64,
    /// Of so many.
    pub of: u64,
}

/// Numbers of a step of training that have to stay below a bound.
#[derive(Clone, Debug)]
struct Seen<T> {
    layer: usize,
    what: Watched,
    numbers: T,
    /// In words.
    bound: u64,
    /// The value of a word.
    unit: f64,
}

/// What a step of training notes down of its numbers.
#[derive(Debug)]
pub struct Notes<T> {
    head_room: u32,
    /// What gradients have to stay below, and by how many bits the scale at which they are steps
    /// exceeds theirs.
    gradients: (f64, i32),
    seen: RefCell<Vec<Seen<T>>>,
}

impl<T: Clone> Notes<T> {
    /// Nothing yet, of a training with that head-room and gradients below that bound once their
    /// scale is read as so much larger.
    pub fn new(head_room: u32, gradients: (f64, i32)) -> Self {
        Notes { head_room, gradients, seen: RefCell::default() }
    }

    fn note<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        (layer, what): (usize, Watched),
        numbers: &T,
        bound: u64,
        unit: f64,
    ) {
        let numbers = engine.with_scale(numbers.clone(), 0);
        self.seen.borrow_mut().push(Seen { layer, what, numbers, bound, unit });
    }

    fn exact<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        place: (usize, Watched),
        numbers: &T,
        most: u32,
    ) {
        let scale = engine.scale(numbers);
        let bits = (scale + self.head_room).min(most);
        self.note(engine, place, numbers, 1 << bits, (-f64::from(scale)).exp2());
    }

    /// Notes the exact outputs of a layer, of which a maximum is taken next or not.
    pub fn outputs<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        layer: usize,
        numbers: &T,
        matched: bool,
    ) {
        let most = if matched { MAX_MATCH_BITS } else { MAX_BITS };
        self.exact(engine, (layer, Watched::Outputs), numbers, most);
    }

    /// Notes the exact errors of a layer's input.
    pub fn errors<E: Engine<Tensor = T>>(&self, engine: &E, layer: usize, numbers: &T) {
        self.exact(engine, (layer, Watched::Errors), numbers, MAX_BITS);
    }

    /// Notes an exact gradient of a layer.
    pub fn gradient<E: Engine<Tensor = T>>(&self, engine: &E, layer: usize, numbers: &T) {
        let (bound, shift) = self.gradients;
        let unit = (-f64::from(engine.scale(numbers)) - f64::from(shift)).exp2();
        let bound = (bound / unit).clamp(1.0, f64::from(MAX_BITS).exp2()) as u64;
        self.note(engine, (layer, Watched::Gradients), numbers, bound, unit);
    }
}

/// Counts of what left its range, on an engine with tensors `T`.
#[derive(Clone, Debug)]
pub struct Watch<T> {
    /// A column for each tensor that is watched.
    counts: Option<T>,
    /// What is known of each.
    of: Vec<RangeCount>,
}

impl<T> Default for Watch<T> {
    /// Nothing counted yet.
    fn default() -> Self {
        Watch { counts: None, of: Vec::new() }
    }
}

impl<T: Clone> Watch<T> {
    /// Counts what a step has noted; nothing else may be under way.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn count<E: Engine<Tensor = T>>(
        mut self,
        engine: &E,
        notes: Notes<T>,
    ) -> Result<Self> {
        let mut seen = notes.seen.into_inner();
        // Layers and kinds in order, whichever of two branches was faster.
        seen.sort_by_key(|seen| (seen.layer, seen.what));
        let lengths: Vec<usize> =
            seen.iter().map(|seen| engine.shape(&seen.numbers).into_iter().product()).collect();
        let mut sums = vec![None; seen.len()];
        for (index, block) in blocks(&lengths).into_iter().enumerate() {
            let stage = engine.step(&format!("block-{index}"));
            let mut pieces = Vec::with_capacity(block.len());
            let mut bounds = Vec::new();
            for (at, elements) in &block {
                let row = stage.reshape(seen[*at].numbers.clone(), [1, lengths[*at]])?;
                bounds.extend(std::iter::repeat_n(seen[*at].bound, elements.len()));
                pieces.push(stage.select_columns(&row, elements.clone())?);
            }
            let all = stage.concat_columns(&pieces.iter().collect::<Vec<_>>())?;
            drop(pieces);
            let ones = stage.beyond(&all, &bounds).await?;
            let mut start = 0;
            for (at, elements) in block {
                let end = start + elements.len();
                let sum = stage.sum_columns(&stage.select_columns(&ones, start..end)?)?;
                sums[at] = Some(match sums[at].take() {
                    None => sum,
                    Some(before) => stage.add(before, &sum)?,
                });
                start = end;
            }
            stage.checkpoint().await?;
        }
        let sums: Vec<T> = sums.into_iter().flatten().collect();
        if sums.len() != seen.len() || sums.is_empty() {
            return Ok(self);
        }
        let sums = engine.concat_columns(&sums.iter().collect::<Vec<_>>())?;
        self.counts = Some(match self.counts.take() {
            None => sums,
            Some(before) => engine.add(before, &sums)?,
        });
        let before = std::mem::take(&mut self.of);
        self.of = seen
            .into_iter()
            .zip(lengths)
            .enumerate()
            .map(|(at, (Seen { layer, what, bound, unit, .. }, length))| RangeCount {
                layer: layer as u64 + 1,
                what,
                bound: bound as f64 * unit,
                beyond: 0,
                of: before.get(at).map_or(0, |count| count.of) + length as u64,
            })
            .collect();
        Ok(self)
    }

    /// Reveals what was counted, and nothing else.
    ///
    /// # Security
    /// Through [`Engine::reveal`]: in the malicious mode after verification.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn reveal<E: Engine<Tensor = T>>(self, engine: &E) -> Result<Vec<RangeCount>> {
        let Some(counts) = self.counts else { return Ok(Vec::new()) };
        let counts = engine.reveal(&counts).await?;
        let mut told: Vec<RangeCount> = Vec::new();
        for (count, beyond) in self.of.into_iter().zip(counts) {
            // A party that lies, where nothing is verified, can tell any number.
            let count = RangeCount { beyond: (beyond as u64).min(count.of), ..count };
            match told.last_mut() {
                // Weights and bias of a layer.
                Some(last) if (last.layer, last.what) == (count.layer, count.what) => {
                    last.beyond += count.beyond;
                    last.of += count.of;
                }
                _ => told.push(count),
            }
        }
        Ok(told)
    }
}

/// Tensors of these lengths cut into blocks of at most [`BLOCK`] elements.
fn blocks(lengths: &[usize]) -> Vec<Vec<(usize, Range<usize>)>> {
    let (mut blocks, mut block, mut room) = (Vec::new(), Vec::new(), BLOCK);
    for (at, &length) in lengths.iter().enumerate() {
        let mut start = 0;
        while start < length {
            let end = length.min(start + room);
            block.push((at, start..end));
            room -= end - start;
            start = end;
            if room == 0 {
                blocks.push(std::mem::take(&mut block));
                room = BLOCK;
            }
        }
    }
    if !block.is_empty() {
        blocks.push(block);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_every_element_once() {
        let lengths = [3, BLOCK - 3, 0, 2 * BLOCK + 5, 7];
        let blocks = blocks(&lengths);
        let size = |block: &Vec<(usize, Range<usize>)>| -> usize {
            block.iter().map(|(_, elements)| elements.len()).sum()
        };
        assert_eq!(blocks.iter().map(size).collect::<Vec<_>>(), [BLOCK, BLOCK, BLOCK, 12]);
        let mut reached = [0; 5];
        for (at, elements) in blocks.into_iter().flatten() {
            assert_eq!(elements.start, reached[at]);
            reached[at] = elements.end;
        }
        assert_eq!(reached, lengths);
    }
}
