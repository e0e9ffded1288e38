//! Rows of a data set, of which training takes some at a time: in memory, or wherever an
//! application keeps what is too much for it.

use crate::engine::Engine;
use crate::train::Dataset;
use mpc_core::error::Result;
use std::fmt;
use std::ops::Range;

/// Rows that are kept elsewhere than in memory. What they are is as secret there as here.
pub trait StoredRows<T> {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2];

    /// The given rows, in the given order, at whatever scale; a row may occur more than once.
    ///
    /// # Errors
    /// `Error::Rows` when they cannot be read.
    fn read(&self, rows: &[usize]) -> Result<T>;

    /// Overwrites the rows from `first` on by those of `part`, whatever its scale.
    ///
    /// # Errors
    /// `Error::Rows` when they cannot be kept.
    fn write(&mut self, first: usize, part: &T) -> Result<()>;
}

/// Rows of numbers, all at one scale.
pub enum Rows<T> {
    /// A tensor.
    InMemory(T),
    /// Rows that are read when they are needed.
    Stored {
        /// The rows.
        rows: Box<dyn StoredRows<T> + Send>,
        /// Fractional bits.
        scale: u32,
    },
}

impl<T> Rows<T> {
    /// Rows and columns.
    pub fn shape<E: Engine<Tensor = T>>(&self, engine: &E) -> [usize; 2] {
        match self {
            Rows::InMemory(all) => engine.shape(all),
            Rows::Stored { rows, .. } => rows.shape(),
        }
    }

    /// Fractional bits.
    pub fn scale<E: Engine<Tensor = T>>(&self, engine: &E) -> u32 {
        match self {
            Rows::InMemory(all) => engine.scale(all),
            Rows::Stored { scale, .. } => *scale,
        }
    }

    /// The given rows, in the given order; a row may occur more than once.
    ///
    /// # Errors
    /// Those of the engine for a row that is not there, `Error::Rows` when they cannot be read.
    pub fn select<E: Engine<Tensor = T>>(&self, engine: &E, which: &[usize]) -> Result<T> {
        match self {
            Rows::InMemory(all) => engine.select_rows(all, which),
            Rows::Stored { rows, scale } => Ok(engine.with_scale(rows.read(which)?, *scale)),
        }
    }

    /// Overwrites rows from `first` on by those of `part`, whose words count: its scale does not.
    ///
    /// # Errors
    /// Those of the engine for a part that does not fit, `Error::Rows` when it cannot be kept.
    pub fn overwrite<E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        first: usize,
        part: T,
    ) -> Result<()> {
        match self {
            Rows::InMemory(all) => {
                let part = engine.with_scale(part, engine.scale(all));
                engine.set_rows(all, first, &part)
            }
            Rows::Stored { rows, .. } => rows.write(first, &part),
        }
    }

    /// The same words read at another scale.
    pub fn with_scale<E: Engine<Tensor = T>>(self, engine: &E, scale: u32) -> Self {
        match self {
            Rows::InMemory(all) => Rows::InMemory(engine.with_scale(all, scale)),
            Rows::Stored { rows, .. } => Rows::Stored { rows, scale },
        }
    }

    /// Numbers of rows, some at a time, such that about `numbers` are in memory.
    pub fn parts<E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        numbers: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<T, E> {
        let [rows, columns] = self.shape(engine);
        let at_a_time = (numbers / columns.max(1)).max(1);
        (0..rows).step_by(at_a_time).map(move |first| first..rows.min(first + at_a_time))
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rows::InMemory(_) => "Rows(in memory)",
            Rows::Stored { .. } => "Rows(stored)",
        })
    }
}

impl<T> From<Dataset<T>> for Dataset<Rows<T>> {
    fn from(Dataset { features, labels }: Dataset<T>) -> Self {
        Dataset { features: Rows::InMemory(features), labels: Rows::InMemory(labels) }
    }
}
