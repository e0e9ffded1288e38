//! The MNIST data set: its four files as tables, and the schema that describes them.

use crate::schema::{
    Bounds, ClassLabel, Column, FileRules, Label, NumericColumn, NumericMissing, OutOfRange, Schema,
};
use crate::table::Table;
use crate::table::idx::{self, IdxError};
use ndarray::{Array2, s};
use nn::volume::Volume;
use std::path::Path;

/// Pixels of a row or a column of an image.
const SIDE: usize = 28;
/// What a row is.
pub const IMAGE: Volume = Volume { height: SIDE, width: SIDE, channels: 1 };
/// Digits.
const CLASSES: u8 = 10;
/// Name of the label's column.
const LABEL: &str = "label";

/// The rows for training and for tests: 784 columns of pixels from 0 to 255, and
/// the column `label` with the digit.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// 60,000 rows for training.
    pub train: Table,
    /// 10,000 rows for tests.
    pub test: Table,
}

impl Mnist {
    /// Reads the four original files, gzip packed, from a directory.
    ///
    /// # Errors
    /// When one is missing or is not as it should be.
    pub fn load(dir: &Path) -> Result<Self, IdxError> {
        Mnist::load_part(dir, usize::MAX)
    }

    /// The same with at most so many rows for training, the first ones.
    ///
    /// # Errors
    /// As for [`Mnist::load`].
    pub fn load_part(dir: &Path, training_rows: usize) -> Result<Self, IdxError> {
        let train = read(dir, "train", training_rows)?;
        Ok(Mnist { train, test: read(dir, "t10k", usize::MAX)? })
    }
}

/// The schema of both tables.
pub fn schema() -> Schema {
    let bounds = Bounds::new(0.0, 255.0).expect("0 to 255 is an interval");
    let pixel = |name| {
        let (missing, out_of_range) = (NumericMissing::Refuse, OutOfRange::Refuse);
        Column::Numeric(NumericColumn { name, bounds, missing, out_of_range })
    };
    let classes = (0..CLASSES).map(|digit| digit.to_string()).collect();
    let label = Label::Class(ClassLabel { name: LABEL.into(), classes });
    Schema::new(FileRules::default(), pixel_names().map(pixel).collect(), label)
        .expect("the names are different and the digits are classes")
}

fn pixel_names() -> impl Iterator<Item = String> {
    (0..SIDE * SIDE).map(|at| format!("pixel_{}_{}", at / SIDE, at % SIDE))
}

fn read(dir: &Path, part: &str, most: usize) -> Result<Table, IdxError> {
    let images = dir.join(format!("{part}-images-idx3-ubyte.gz"));
    let labels = dir.join(format!("{part}-labels-idx1-ubyte.gz"));
    let (pixels, digits) = idx::read_pair(&images, &labels, [SIDE, SIDE], CLASSES)?;
    let rows = digits.len().min(most);
    Ok(table(part, &pixels.slice(s![..rows, ..]).to_owned(), &digits[..rows]))
}

fn table(part: &str, pixels: &Array2<u8>, digits: &[u8]) -> Table {
    let spelt: Vec<String> = (0..=u8::MAX).map(|value| value.to_string()).collect();
    let columns = pixel_names().chain([LABEL.to_owned()]).collect();
    let cells = pixels.rows().into_iter().zip(digits).flat_map(|(row, digit)| {
        row.to_vec().into_iter().chain([*digit]).map(|value| spelt[usize::from(value)].as_str())
    });
    Table::from_cells(&format!("mnist-{part}"), columns, cells)
        .expect("the IDX reader returns one whole row of pixels a digit, of bounded size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::encode;

    #[test]
    fn pixels_and_digits_fit_the_schema() {
        let pixels = Array2::from_shape_fn((3, SIDE * SIDE), |(row, at)| {
            [0, 255, 51][row] * u8::from(at != 1)
        });
        let table = table("train", &pixels, &[7, 0, 9]);
        assert_eq!((table.rows(), table.columns().len()), (3, 785));
        assert_eq!((table.columns()[29].as_str(), table.cell(1, 784)), ("pixel_1_1", "0"));
        let (encoded, _) = encode(&table, &schema()).unwrap();
        let value = |row, at| encoded.features()[[row, at]];
        assert_eq!((value(0, 5), value(1, 5), value(1, 1)), (-1.0, 1.0, -1.0));
        assert!((value(2, 783) + 0.6).abs() < 1e-12);
        assert_eq!((encoded.labels()[[0, 7]], encoded.labels()[[2, 9]]), (1.0, 1.0));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Mnist::load(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(
            error.starts_with("/nowhere/train-images-idx3-ubyte.gz: cannot be read"),
            "{error}"
        );
    }
}
