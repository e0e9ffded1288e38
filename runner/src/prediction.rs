//! Predicting with an opened model: a table in, the same table with predictions out.

use crate::encode::{self, EncodeError, Report};
use crate::failure::Explain;
use crate::schema::{Label, Schema};
use crate::table::Table;
use mpc_core::error::Error;
use ndarray::Array2;
use nn::model::Model;

/// The column that predictions are written to.
const PREDICTION: &str = "prediction";

/// Why nothing can be predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionError {
    /// Cells or columns do not fit the schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A column of the table is in the way of a column of predictions.
    #[error("{file} has a column '{column}' already, which predictions would be written to")]
    ColumnTaken {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// The model does not fit the schema.
    #[error("the model cannot be used with this schema: {0}")]
    Model(#[from] Error),
    /// The result cannot be written as CSV.
    #[error("cannot write the predictions: {0}")]
    Csv(#[from] csv::Error),
}

impl Explain for PredictionError {
    fn hint(&self) -> Option<String> {
        match self {
            PredictionError::Encode(error) => error.hint(),
            PredictionError::ColumnTaken { .. } => {
                Some("rename or remove that column of the input".into())
            }
            _ => None,
        }
    }
}

/// A table with predictions.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// The rows that came in with their predictions, as comma-separated values.
    pub csv: Vec<u8>,
    /// What was done to the cells of the table on the way.
    pub report: Report,
}

/// What is predicted for the rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// The number of each row's class, and the probability of each class, if that is known.
    Classes(Vec<usize>, Option<Array2<f64>>),
    /// Numbers on the label's mapped scale.
    Numbers(Vec<f64>),
}

/// Predicts for each row of a table, which may lack the label's column.
///
/// All columns are kept. `prediction` is added, and where the label is a class,
/// `probability_CLASS` for each.
///
/// # Errors
/// When cells do not fit the schema, or a column is in the way.
pub fn predict(
    model: &Model,
    schema: &Schema,
    table: &Table,
) -> Result<Predictions, PredictionError> {
    let (features, report) = features(schema, table, true)?;
    let outputs = model.outputs(&features)?;
    let answers = match model.classes(&outputs) {
        Some(classes) => Answers::Classes(classes, model.probabilities(&outputs)),
        None => Answers::Numbers(outputs.column(0).to_vec()),
    };
    Ok(Predictions { csv: written(schema, table, &answers)?, report })
}

/// The features of a table to predict for, to which columns can be added.
///
/// # Errors
/// When cells do not fit the schema, or a column is in the way.
pub fn features(
    schema: &Schema,
    table: &Table,
    probabilities: bool,
) -> Result<(Array2<f64>, Report), PredictionError> {
    let added = added_columns(schema.label(), probabilities);
    if let Some(column) = added.iter().find(|name| table.column_index(name).is_some()) {
        let (file, column) = (table.file().to_owned(), column.clone());
        return Err(PredictionError::ColumnTaken { file, column });
    }
    Ok(encode::encode_features(table, schema)?)
}

/// The table with its answers, as comma-separated values.
///
/// # Errors
/// When the answers are of another kind or number than the label and the rows.
pub fn written(
    schema: &Schema,
    table: &Table,
    answers: &Answers,
) -> Result<Vec<u8>, PredictionError> {
    let misfit = || Error::Misuse("the answers are not those of such a label".into());
    let probabilities = matches!(answers, Answers::Classes(_, Some(_)));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(table.columns().iter().chain(&added_columns(schema.label(), probabilities)))?;
    for row in 0..table.rows() {
        for column in 0..table.columns().len() {
            csv.write_field(table.cell(row, column))?;
        }
        match (schema.label(), answers) {
            (Label::Class(label), Answers::Classes(classes, probabilities)) => {
                let class = classes.get(row).and_then(|&class| label.classes.get(class));
                csv.write_field(class.ok_or_else(misfit)?)?;
                for probability in probabilities.iter().flat_map(|of_rows| of_rows.row(row)) {
                    csv.write_field(format!("{probability:.6}"))?;
                }
            }
            (Label::Number(label), Answers::Numbers(numbers)) => {
                let number = numbers.get(row).ok_or_else(misfit)?;
                csv.write_field(label.bounds.from_unit(*number).to_string())?;
            }
            _ => return Err(misfit().into()),
        }
        csv.write_record(None::<&[u8]>)?;
    }
    Ok(csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
}

/// `prediction`, and for classes with their probabilities one `probability_CLASS` each.
fn added_columns(label: &Label, probabilities: bool) -> Vec<String> {
    let classes = label.classes().filter(|_| probabilities).unwrap_or_default().iter();
    let probabilities = classes.map(|class| format!("probability_{class}"));
    [PREDICTION.to_owned()].into_iter().chain(probabilities).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::CsvFormat;
    use ndarray::array;
    use nn::blueprint::LayerShape;
    use nn::layers::Parameters;
    use nn::loss::Loss;

    const COLUMNS: &str = r#"
        version = 1
        [[columns]]
        kind = "numeric"
        name = "x"
        min = -10
        max = 10
    "#;
    const CLASSES: &str = "[label]\nkind = \"class\"\nname = \"y\"\nclasses = [\"no\", \"a,b\"]";
    const NUMBER: &str = "[label]\nkind = \"number\"\nname = \"y\"\nmin = 0\nmax = 100";

    fn predicted(label: &str, text: &str) -> Result<String, String> {
        let schema = Schema::from_toml(&format!("{COLUMNS}\n{label}")).unwrap();
        let table = Table::parse(text.as_bytes(), "in.csv", CsvFormat::default()).unwrap();
        let (loss, weights) = match schema.label() {
            Label::Class(_) => (Loss::SoftmaxCrossEntropy, array![[0.0], [10.0]]),
            Label::Number(_) => (Loss::MeanSquared, array![[0.5]]),
        };
        let outputs = weights.nrows();
        let parameters = Parameters { weights, bias: ndarray::Array2::zeros((1, outputs)) };
        let layers = [LayerShape::Dense { inputs: 1, outputs }];
        let model = Model::new(&layers, loss, vec![parameters]).unwrap();
        let predictions = predict(&model, &schema, &table).map_err(|e| e.to_string())?;
        Ok(String::from_utf8(predictions.csv).unwrap())
    }

    #[test]
    fn classes_come_with_their_probabilities_and_columns_are_kept() {
        assert_eq!(
            predicted(CLASSES, "note,x\n\"a, b\",10\nc,-10\nd,0\n").unwrap(),
            "note,x,prediction,probability_no,\"probability_a,b\"\n\
             \"a, b\",10,\"a,b\",0.000045,0.999955\n\
             c,-10,no,0.999955,0.000045\n\
             d,0,no,0.500000,0.500000\n"
        );
    }

    #[test]
    fn a_number_is_predicted_in_the_units_of_the_label() {
        let text = "x,y\n10,?\n-10,3\n";
        assert_eq!(predicted(NUMBER, text).unwrap(), "x,y,prediction\n10,?,75\n-10,3,25\n");
    }

    #[test]
    fn bad_cells_and_columns_in_the_way_are_named() {
        let bad = predicted(NUMBER, "x\n1\nabc\n").unwrap_err();
        assert!(bad.contains("row 2 (line 3), column 'x': 'abc' is not a number"), "{bad}");
        let taken = predicted(NUMBER, "x,prediction\n1,2\n").unwrap_err();
        assert!(taken.contains("in.csv has a column 'prediction' already"), "{taken}");
        let missing = predicted(NUMBER, "z\n1\n").unwrap_err();
        assert!(missing.contains("in.csv has no column 'x'"), "{missing}");
    }
}
