use super::*;
use crate::failure::Explain;
use crate::schema::Bounds;
use crate::table::CsvFormat;
use ndarray::{array, s};
use proptest::prelude::*;
use std::fmt::Write as _;

const SCHEMA: &str = r#"
version = 1

[label]
name = "outcome"
kind = "class"
classes = ["benign", "malignant"]

[[columns]]
name = "age"
kind = "numeric"
min = 0
max = 100

[[columns]]
name = "sex"
kind = "categorical"
categories = ["F", "M"]
"#;

fn schema_with(from: &str, to: &str) -> Schema {
    assert!(SCHEMA.contains(from), "{from}");
    Schema::from_toml(&SCHEMA.replacen(from, to, 1)).unwrap()
}

fn schema() -> Schema {
    Schema::from_toml(SCHEMA).unwrap()
}

fn table(text: &str) -> Table {
    Table::parse(text.as_bytes(), "ward.csv", CsvFormat::default()).unwrap()
}

fn refusal(text: &str, schema: &Schema) -> String {
    encode(&table(text), schema).unwrap_err().to_string()
}

#[test]
fn columns_follow_the_schema_whatever_their_order_in_the_file() {
    let text = "name,outcome,sex,age\nAnn,malignant,F,25\nBob,benign,M,100\n";
    let (encoded, report) = encode(&table(text), &schema()).unwrap();
    assert_eq!(encoded.features(), array![[-0.5, 1.0, 0.0], [1.0, 0.0, 1.0]]);
    assert_eq!(encoded.labels(), array![[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!((report.rows, report.unused), (2, vec!["name".to_owned()]));
}

#[test]
fn a_class_that_no_row_has_still_has_its_column() {
    let (encoded, _) =
        encode(&table("age,sex,outcome\n1,F,benign\n2,F,benign\n"), &schema()).unwrap();
    assert_eq!(encoded.labels(), array![[1.0, 0.0], [1.0, 0.0]]);
}

#[test]
fn features_can_be_encoded_without_a_label() {
    let (features, _) = encode_features(&table("sex,age\nM,50\n"), &schema()).unwrap();
    assert_eq!(features, array![[0.0, 0.0, 1.0]]);
    assert_eq!(
        refusal("sex,Age\nM,50\n", &schema()),
        "ward.csv has no column 'age', 'outcome', which the schema needs"
    );
}

#[test]
fn all_bad_cells_are_named_in_the_order_of_the_rows() {
    let text = "age,sex,outcome\n\
                abc,F,benign\n\
                12,X,benign\n\
                \n\
                200,\"f\n\",\n\
                ,M,healthy\n\
                inf,M,malignant\n";
    assert_eq!(
        refusal(text, &schema()),
        "ward.csv: 8 cells do not fit the schema; the file was not used:\n\
         \x20 row 1 (line 2), column 'age': 'abc' is not a number\n\
         \x20 row 2 (line 3), column 'sex': 'X' is not one of 'F', 'M'\n\
         \x20 row 3 (line 5), column 'age': 200 is outside the bounds 0 to 100\n\
         \x20 row 3 (line 5), column 'sex': 'f' is not one of 'F', 'M' (did you mean 'F'?)\n\
         \x20 row 3 (line 5), column 'outcome': the value is missing\n\
         \x20 row 4 (line 7), column 'age': the value is missing\n\
         \x20 row 4 (line 7), column 'outcome': 'healthy' is not one of 'benign', 'malignant'\n\
         \x20 row 5 (line 8), column 'age': 'inf' is not a finite number"
    );
}

#[test]
fn many_bad_cells_are_counted_and_not_all_shown() {
    let mut text = String::from("age,sex,outcome\n");
    for row in 0..1000 {
        writeln!(
            text,
            "{},{},benign",
            if row < 300 { "x" } else { "1" },
            if row == 0 { "?" } else { "F" }
        )
        .unwrap();
    }
    let message = refusal(&text, &schema());
    assert!(message.starts_with("ward.csv: 301 cells do not fit"), "{message}");
    assert_eq!(message.lines().count(), 22, "{message}");
    assert!(message.contains("row 1 (line 2), column 'sex': the value is missing"), "{message}");
    assert!(message.ends_with("  ... and 281 more"), "{message}");
}

#[test]
fn long_and_multi_line_cells_are_quoted_in_one_short_line() {
    let text = format!("age,sex,outcome\n\"1\n2\",F,benign\n{},F,benign\n", "9".repeat(300) + "x");
    let message = refusal(&text, &schema());
    assert!(message.contains("'1\\n2' is not a number"), "{message}");
    assert!(message.contains(&format!("'{}...' is not a number", "9".repeat(40))), "{message}");
}

#[test]
fn hints_tell_what_to_change() {
    let hint = |text| encode(&table(text), &schema()).unwrap_err().hint().unwrap();
    assert!(hint("age;sex;outcome\n3,5;F;benign\n").contains("decimal = \"comma\""));
    assert!(hint("age,sex,outcome\nx,F,benign\n").contains("another rule in the schema"));
    let pandas = schema_with("[\"F\", \"M\"]", "[\"0\", \"1\"]");
    let message = refusal("age,sex,outcome\n3,1.0,benign\n", &pandas);
    assert!(message.ends_with("'1.0' is not one of '0', '1' (did you mean '1'?)"), "{message}");
}

#[test]
fn missing_numbers_follow_the_policy() {
    let text = "age,sex,outcome\n10,F,benign\n?,F,benign\n20,F,benign\nNA,F,benign\n60,F,benign\n";
    assert!(refusal(text, &schema()).contains("2 cells do not fit"));
    for (policy, expected) in
        [("\"mean\"", 30.0), ("\"median\"", 20.0), ("{ constant = 50 }", 50.0)]
    {
        let schema = schema_with("max = 100", &format!("max = 100\nmissing = {policy}"));
        let (encoded, report) = encode(&table(text), &schema).unwrap();
        let bounds = Bounds::new(0.0, 100.0).unwrap();
        for row in [1, 3] {
            assert_eq!(encoded.features()[[row, 0]], bounds.to_unit(expected), "{policy}");
        }
        assert_eq!(report.filled, [ColumnCount { column: "age".into(), cells: 2 }]);
    }
    let mean = schema_with("max = 100", "max = 100\nmissing = \"mean\"");
    assert!(encode(&table("age,sex,outcome\n5,F,benign\n"), &mean).is_ok());
    assert_eq!(
        refusal("age,sex,outcome\n?,F,benign\n", &mean),
        "ward.csv: column 'age' has no value from which missing ones could be filled in"
    );
}

#[test]
fn missing_categories_follow_the_policy() {
    let text = "age,sex,outcome\n1,?,benign\n1,M,benign\n";
    let categories = "categories = [\"F\", \"M\"]";
    let encoded = |policy: &str| {
        let schema = schema_with(categories, &format!("{categories}\nmissing = {policy}"));
        let (encoded, report) = encode(&table(text), &schema).unwrap();
        assert_eq!(report.filled.len(), 1, "{policy}");
        encoded.features().slice(s![.., 1..]).to_owned()
    };
    assert_eq!(encoded("\"own-category\""), array![[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    assert_eq!(encoded("{ constant = \"F\" }"), array![[1.0, 0.0], [0.0, 1.0]]);
    assert!(
        refusal(text, &schema()).contains("row 1 (line 2), column 'sex': the value is missing")
    );
}

#[test]
fn a_listed_category_is_never_missing() {
    let schema = schema_with("[\"F\", \"M\"]", "[\"F\", \"NA\"]\nmissing = \"own-category\"");
    let (encoded, report) = encode(&table("age,sex,outcome\n1,NA,benign\n"), &schema).unwrap();
    assert_eq!(encoded.features().slice(s![.., 1..]), array![[0.0, 1.0, 0.0]]);
    assert!(report.filled.is_empty());
}

#[test]
fn values_outside_the_bounds_are_clipped_where_the_schema_says_so() {
    let schema = schema_with("max = 100", "max = 100\nout_of_range = \"clip\"");
    let (encoded, report) =
        encode(&table("age,sex,outcome\n-3,F,benign\n1e9,F,benign\n"), &schema).unwrap();
    assert_eq!(encoded.features().column(0), array![-1.0, 1.0]);
    assert_eq!(report.clipped, [ColumnCount { column: "age".into(), cells: 2 }]);
}

#[test]
fn columns_that_fill_little_of_their_bounds_are_named() {
    let text = "age,sex,outcome\n31,F,benign\n33,M,benign\n35,F,malignant\n";
    let narrow = |max: &str| {
        let schema = schema_with("max = 100", &format!("max = {max}"));
        encode(&table(text), &schema).unwrap().1.narrow
    };
    assert_eq!(narrow("1000"), []);
    let [spread] = &narrow("1000000")[..] else { panic!("one column is narrow") };
    let deviation = (8.0f64 / 3.0).sqrt() / 1e6;
    assert_eq!(spread.column, "age");
    assert!((spread.deviation - deviation).abs() < 1e-12, "{}", spread.deviation);
    let constant = "age,sex,outcome\n31,F,benign\n31,M,malignant\n";
    assert_eq!(encode(&table(constant), &schema()).unwrap().1.narrow, []);
}

#[test]
fn a_number_label_is_mapped_by_its_bounds() {
    let schema = schema_with(
        "kind = \"class\"\nclasses = [\"benign\", \"malignant\"]",
        "kind = \"number\"\nmin = 0\nmax = 10",
    );
    let (encoded, _) = encode(&table("age,sex,outcome\n1,F,2.5\n1,F,10\n"), &schema).unwrap();
    assert_eq!(encoded.labels(), array![[-0.5], [1.0]]);
    let message = refusal("age,sex,outcome\n1,F,?\n1,F,11\n", &schema);
    assert!(message.contains("column 'outcome': the value is missing"), "{message}");
    assert!(message.contains("column 'outcome': 11 is outside the bounds 0 to 10"), "{message}");
}

#[test]
fn the_words_are_features_then_labels_and_name_what_has_no_word() {
    let encoded =
        Encoded::new(array![[0.5, -1.0], [0.25, f64::NAN]], array![[1.0], [0.0]]).unwrap();
    let words: Vec<_> = encoded.words(2).collect();
    assert_eq!(words[..3], [Ok(2), Ok(4u64.wrapping_neg()), Ok(1)]);
    assert_eq!(words[4..], [Ok(4), Ok(0)]);
    assert_eq!(
        words[3].unwrap_err().to_string(),
        "row 2, column 2 of the tensor: the value is not a number (NaN)"
    );
    let too_far = Encoded::new(array![[0.0]], array![[1e300]]).unwrap();
    let fault = too_far.words(20).find_map(Result::err).unwrap();
    assert_eq!((fault.row, fault.column), (1, 2));
    assert!(Encoded::new(array![[0.0]], array![[1.0], [1.0]]).is_none());
    assert!(Encoded::new(Array2::zeros((0, 1)), Array2::zeros((0, 1))).is_none());
}

#[test]
fn debug_output_shows_the_shape_only() {
    let encoded = Encoded::new(array![[0.123]], array![[0.456]]).unwrap();
    assert_eq!(format!("{encoded:?}"), "Encoded((1, 1) features, (1, 1) labels)");
}

#[test]
fn two_hundred_thousand_rows_are_encoded() {
    let mut text = String::from("age,sex,outcome\n");
    for row in 0..200_000 {
        let sex = ["F", "M"][row % 2];
        writeln!(text, "{}.5,{sex},{}", row % 100, ["benign", "malignant"][row % 2]).unwrap();
    }
    let (encoded, _) = encode(&table(&text), &schema()).unwrap();
    assert_eq!(encoded.rows(), 200_000);
    assert_eq!(encoded.features().row(199_999), array![0.99, 0.0, 1.0]);
}

proptest! {
    #[test]
    fn whatever_is_encoded_lies_within_its_range(
        cells in proptest::collection::vec(("[0-9.,e?-]{0,4}", "[FMfm?]{0,1}", 0..3usize), 1..30),
        policy in prop_oneof![Just("refuse"), Just("mean"), Just("median")],
        clip: bool,
    ) {
        let mut text = String::from("age,sex,outcome\n");
        for (age, sex, class) in &cells {
            writeln!(text, "\"{age}\",{sex},{}", ["benign", "malignant", "?"][*class]).unwrap();
        }
        let rule = if clip { "clip" } else { "refuse" };
        let schema = schema_with(
            "max = 100",
            &format!("max = 100\nmissing = \"{policy}\"\nout_of_range = \"{rule}\""),
        );
        let comma = CsvFormat { delimiter: crate::table::Delimiter::Comma };
        let table = Table::parse(text.as_bytes(), "x", comma).unwrap();
        if let Ok((encoded, report)) = encode(&table, &schema) {
            prop_assert_eq!((encoded.rows(), report.rows), (cells.len(), cells.len()));
            prop_assert!(encoded.words(DATA_SCALE).all(|word| word.is_ok()));
            prop_assert!(encoded.features().iter().all(|value| (-1.0..=1.0).contains(value)));
            for row in encoded.features().rows() {
                prop_assert_eq!(row[1] + row[2], 1.0);
            }
            for row in encoded.labels().rows() {
                prop_assert_eq!(row.sum(), 1.0);
            }
        }
    }
}
