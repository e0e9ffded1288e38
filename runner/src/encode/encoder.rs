//! The encoder: column by column, collecting faults on the way.

use super::fault::{CellFault, CellFaultKind, EncodeError, quoted};
use super::fill::{mean, median};
use super::report::Report;
use crate::schema::{
    Bounds, CategoricalColumn, CategoricalMissing, ClassLabel, Column, Label, NumberLabel,
    NumericColumn, NumericMissing, OutOfRange, Schema,
};
use crate::table::{Faults, Table};
use ndarray::{Array2, ArrayViewMut2, s};
use std::collections::HashMap;

/// What a missing number is.
#[derive(Clone, Copy)]
enum Missing {
    /// A fault.
    Fault,
    /// Filled in later.
    Filled,
}

/// Encodes column by column and collects what is wrong on the way.
pub(super) struct Encoder<'a> {
    table: &'a Table,
    schema: &'a Schema,
    /// Where each column of the schema stands in the table.
    places: HashMap<&'a str, usize>,
    faults: Vec<Faults<CellFault>>,
    no_values: Option<String>,
    report: Report,
}

impl<'a> Encoder<'a> {
    /// Every column of the schema that is needed must be in `places`.
    pub(super) fn new(
        table: &'a Table,
        schema: &'a Schema,
        places: HashMap<&'a str, usize>,
    ) -> Self {
        let report = Report::new(table, schema);
        Encoder { table, schema, places, faults: Vec::new(), no_values: None, report }
    }

    /// What was done, or everything that was wrong.
    pub(super) fn finish(self) -> Result<Report, EncodeError> {
        let file = self.table.file().to_owned();
        let faults = Faults::merged(self.faults, |fault| fault.place.row);
        match self.no_values {
            _ if !faults.is_empty() => Err(EncodeError::BadCells { file, faults }),
            Some(column) => Err(EncodeError::NoValues { file, column }),
            None => Ok(self.report),
        }
    }

    /// The features; a cell that is not as it should be becomes 0 and a fault.
    pub(super) fn features(&mut self) -> Array2<f64> {
        let mut features = Array2::zeros((self.table.rows(), self.schema.feature_columns()));
        let mut at = 0;
        for column in self.schema.columns() {
            let part = features.slice_mut(s![.., at..]);
            at += match column {
                Column::Numeric(numeric) => self.numeric(numeric, part),
                Column::Categorical(categorical) => self.categorical(categorical, part),
                Column::Ignore(_) => 0,
            };
        }
        features
    }

    /// The labels; a cell that is not as it should be becomes 0 and a fault.
    pub(super) fn labels(&mut self) -> Array2<f64> {
        let mut labels = Array2::zeros((self.table.rows(), self.schema.label_columns()));
        let place = self.places[self.schema.label().name()];
        match self.schema.label() {
            Label::Class(ClassLabel { classes, .. }) => {
                self.one_of(place, classes, None, |row, class| labels[[row, class]] = 1.0);
            }
            Label::Number(NumberLabel { bounds, out_of_range, .. }) => {
                let values = self.numbers(place, *bounds, *out_of_range, Missing::Fault);
                for (cell, value) in labels.iter_mut().zip(values) {
                    *cell = value.map_or(0.0, |value| bounds.to_unit(value));
                }
            }
        }
        labels
    }

    /// Fills in the first column of `to` and returns how many that is: one.
    fn numeric(&mut self, column: &NumericColumn, mut to: ArrayViewMut2<'_, f64>) -> usize {
        let missing = match column.missing {
            NumericMissing::Refuse => Missing::Fault,
            _ => Missing::Filled,
        };
        let place = self.places[column.name.as_str()];
        let values = self.numbers(place, column.bounds, column.out_of_range, missing);
        let present = || values.iter().flatten().copied();
        let substitute = match column.missing {
            NumericMissing::Refuse => Some(0.0),
            NumericMissing::Mean => mean(present()),
            NumericMissing::Median => median(present().collect()),
            NumericMissing::Constant(value) => Some(value),
        };
        if substitute.is_none() {
            self.no_values.get_or_insert_with(|| column.name.clone());
        }
        for (cell, value) in to.column_mut(0).iter_mut().zip(&values) {
            *cell = value.or(substitute).map_or(0.0, |value| column.bounds.to_unit(value));
        }
        1
    }

    /// The numbers of a column within their bounds; `None` where one is missing
    /// or a fault.
    fn numbers(
        &mut self,
        place: usize,
        bounds: Bounds,
        out_of_range: OutOfRange,
        missing: Missing,
    ) -> Vec<Option<f64>> {
        let rules = self.schema.file();
        let (mut filled, mut clipped) = (0, 0);
        let mut number = |cell: &str| -> Result<Option<f64>, CellFaultKind> {
            if rules.is_missing(cell) {
                return match missing {
                    Missing::Fault => Err(CellFaultKind::Missing),
                    Missing::Filled => {
                        filled += 1;
                        Ok(None)
                    }
                };
            }
            match rules.number(cell) {
                None => Err(CellFaultKind::NotANumber { text: quoted(cell) }),
                Some(value) if !value.is_finite() => {
                    Err(CellFaultKind::NotFinite { text: quoted(cell) })
                }
                Some(value) if bounds.contains(value) => Ok(Some(value)),
                Some(value) if out_of_range == OutOfRange::Clip => {
                    clipped += 1;
                    Ok(Some(bounds.clip(value)))
                }
                Some(_) => Err(CellFaultKind::OutOfRange { text: quoted(cell), bounds }),
            }
        };
        let mut faults = Faults::none();
        let mut values = Vec::with_capacity(self.table.rows());
        for (row, cell) in self.table.column(place).enumerate() {
            values.push(number(cell).unwrap_or_else(|kind| {
                faults.push(self.fault(row, place, kind));
                None
            }));
        }
        self.faults.push(faults);
        self.report.filled(&self.table.columns()[place], filled);
        self.report.clipped(&self.table.columns()[place], clipped);
        values
    }

    /// Fills in the first columns of `to` and returns how many they are.
    fn categorical(&mut self, column: &CategoricalColumn, mut to: ArrayViewMut2<'_, f64>) -> usize {
        let known = column.categories.len();
        let substitute = match &column.missing {
            CategoricalMissing::Refuse => None,
            CategoricalMissing::OwnCategory => Some(known),
            CategoricalMissing::Constant(text) => {
                column.categories.iter().position(|category| category == text)
            }
        };
        let place = self.places[column.name.as_str()];
        let filled =
            self.one_of(place, &column.categories, substitute, |row, index| to[[row, index]] = 1.0);
        self.report.filled(&column.name, filled);
        known + usize::from(column.missing == CategoricalMissing::OwnCategory)
    }

    /// Sets which of the known texts each row has, and the substitute where a
    /// cell is missing; returns how often that was needed. A listed text is
    /// never taken as missing.
    fn one_of(
        &mut self,
        place: usize,
        known: &[String],
        substitute: Option<usize>,
        mut set: impl FnMut(usize, usize),
    ) -> usize {
        let positions: HashMap<&str, usize> =
            known.iter().enumerate().map(|(index, text)| (text.as_str(), index)).collect();
        let mut faults = Faults::none();
        let mut filled = 0;
        for (row, cell) in self.table.column(place).enumerate() {
            let missing = self.schema.file().is_missing(cell);
            match (positions.get(cell), substitute) {
                (Some(&index), _) => set(row, index),
                (None, Some(index)) if missing => {
                    filled += 1;
                    set(row, index);
                }
                (None, None) if missing => {
                    faults.push(self.fault(row, place, CellFaultKind::Missing));
                }
                (None, _) => {
                    faults.push(self.fault(row, place, CellFaultKind::unknown(cell, known)))
                }
            }
        }
        self.faults.push(faults);
        filled
    }

    fn fault(&self, row: usize, column: usize, kind: CellFaultKind) -> CellFault {
        let column = self.table.columns()[column].clone();
        CellFault { place: self.table.place(row), column, kind }
    }
}
