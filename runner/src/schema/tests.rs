use super::*;
use crate::table::{CsvFormat, Delimiter, Table};
use proptest::prelude::*;

const EXAMPLE: &str = r#"
version = 1

[file]
delimiter = "semicolon"

[label]
name = "outcome"
kind = "class"
classes = ["benign", "malignant"]

[[columns]]
name = "age"
kind = "numeric"
min = 0
max = 120
missing = "median"
out_of_range = "clip"

[[columns]]
name = "dose"
kind = "numeric"
min = -0.0
max = 2.5
missing = { constant = 1 }

[[columns]]
name = "smoker"
kind = "categorical"
categories = ["no", "yes"]
missing = "own-category"

[[columns]]
name = "patient"
kind = "ignore"
"#;

fn example() -> Schema {
    Schema::from_toml(EXAMPLE).unwrap()
}

fn refusal(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    Schema::from_toml(&EXAMPLE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_schema_file_says_what_the_features_are() {
    let schema = example();
    let names: Vec<String> = schema.features().into_iter().map(|feature| feature.name).collect();
    assert_eq!(names, ["age", "dose", "smoker=no", "smoker=yes", "smoker=(missing)"]);
    let indicators: Vec<bool> = schema.features().iter().map(Feature::is_indicator).collect();
    assert_eq!(indicators, [false, false, true, true, true]);
    assert_eq!((schema.feature_columns(), schema.label_columns()), (5, 2));
    assert_eq!(schema.label().classes().unwrap(), ["benign", "malignant"]);
    assert_eq!(schema.file().delimiter, Delimiter::Semicolon);
}

#[test]
fn a_schema_survives_its_file() {
    let schema = example();
    assert_eq!(Schema::from_toml(&schema.to_toml()).unwrap(), schema);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("schema.toml");
    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(Schema::load(&path).unwrap(), schema);
    std::fs::write(&path, EXAMPLE.replace("version = 1", "version = 2")).unwrap();
    let message = Schema::load(&path).unwrap_err().to_string();
    assert!(message.ends_with("schema.toml: format version 2 is unknown"), "{message}");
}

#[test]
fn the_digest_covers_what_is_shared_and_nothing_else() {
    let digest = example().digest();
    let same = [
        ("delimiter = \"semicolon\"", "decimal = \"comma\" # a remark"),
        ("min = -0.0", "min = 0"),
        ("max = 120", "max = 120.0"),
        ("name = \"patient\"", "name = \"record\""),
    ];
    for (from, to) in same {
        assert!(EXAMPLE.contains(from));
        let schema = Schema::from_toml(&EXAMPLE.replacen(from, to, 1)).unwrap();
        assert_eq!(schema.digest(), digest, "{to}");
    }
    let different = [
        ("\"outcome\"", "\"result\""),
        ("[\"benign\", \"malignant\"]", "[\"malignant\", \"benign\"]"),
        ("\"age\"", "\"years\""),
        ("max = 120", "max = 121"),
        ("\"median\"", "\"mean\""),
        ("\"clip\"", "\"refuse\""),
        ("constant = 1", "constant = 2"),
        ("[\"no\", \"yes\"]", "[\"noyes\"]"),
        ("\"own-category\"", "\"refuse\""),
        ("kind = \"ignore\"", "kind = \"numeric\"\nmin = 0\nmax = 1"),
    ];
    for (from, to) in different {
        assert!(EXAMPLE.contains(from));
        let schema = Schema::from_toml(&EXAMPLE.replacen(from, to, 1)).unwrap();
        assert_ne!(schema.digest(), digest, "{to}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let cases = [
        ("max = 120", "max = 0", "column 'age': min = 0 must be less than max = 0"),
        ("max = 120", "max = inf", "column 'age': min = 0 and max = inf must be finite"),
        ("constant = 1", "constant = 3", "column 'dose': the constant 3 for missing values"),
        ("\"own-category\"", "{ constant = \"maybe\" }", "the constant 'maybe'"),
        ("\"own-category\"", "\"drop\"", "unknown variant `drop`"),
        ("[\"no\", \"yes\"]", "[\"no\", \"no\"]", "category 'no' is listed twice"),
        ("[\"no\", \"yes\"]", "[]", "column 'smoker': it lists no category"),
        ("[\"no\", \"yes\"]", "[\" no\"]", "has blanks around it"),
        ("[\"benign\", \"malignant\"]", "[\"benign\"]", "label 'outcome': it needs two classes"),
        ("\"dose\"", "\"age\"", "column 'age' is described twice"),
        ("\"dose\"", "\"outcome\"", "column 'outcome' is described twice"),
        ("\"dose\"", "\"\"", "a column's name is empty"),
        ("max = 120", "max = 120\nunit = \"years\"", "unknown field `unit`"),
        ("kind = \"ignore\"", "kind = \"date\"", "unknown variant `date`"),
        ("version = 1", "version = 1\ntitle = \"x\"", "unknown field `title`"),
    ];
    for (from, to, expected) in cases {
        let message = refusal(from, to);
        assert!(message.contains(expected), "{to}: {message}");
    }
    let all_ignored = "version = 1\n[label]\nname = \"y\"\nkind = \"number\"\nmin = 0\nmax = 1\n\
                       [[columns]]\nname = \"a\"\nkind = \"ignore\"\n";
    let message = Schema::from_toml(all_ignored).unwrap_err().to_string();
    assert!(message.contains("every column is ignored"), "{message}");
}

fn table(text: &str) -> Table {
    Table::parse(text.as_bytes(), "farm.csv", CsvFormat::default()).unwrap()
}

/// A file with one column of each kind that a draft tells apart.
fn farm() -> Table {
    let mut text = String::from("plot_id,soil,rain,note,site,label,yield,empty\n");
    for row in 0..200 {
        let soil = ["clay", "sand", "loam"][row % 3];
        let soil = if row == 7 { "?" } else { soil };
        let rain = if row == 9 { "n/a".into() } else { format!("{}.5", 20 + row) };
        let yield_ = if row == 3 { "many".into() } else { row.to_string() };
        let label = ["10", "9", "2"][row % 3];
        text +=
            &format!("{},{soil},{rain},remark {row},north,{label},{},\n", 1000 + row * 3, yield_);
    }
    table(&text)
}

#[test]
fn a_draft_guesses_kinds_and_leaks_no_extreme() {
    let draft = Draft::of(&farm(), &DraftOptions::default()).unwrap();
    let kinds: Vec<(&str, &str)> = draft
        .schema
        .columns()
        .iter()
        .map(|column| {
            let kind = match column {
                Column::Numeric(_) => "numeric",
                Column::Categorical(_) => "categorical",
                Column::Ignore(_) => "ignore",
            };
            (column.name(), kind)
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("plot_id", "ignore"),
            ("soil", "categorical"),
            ("rain", "numeric"),
            ("note", "ignore"),
            ("site", "categorical"),
            ("yield", "numeric"),
            ("empty", "ignore"),
        ]
    );
    let Label::Class(label) = draft.schema.label() else { panic!("a label of classes") };
    assert_eq!(label.classes, ["2", "9", "10"], "numbers sort as numbers");
    let Column::Categorical(soil) = &draft.schema.columns()[1] else { panic!("categorical") };
    assert_eq!(soil.categories, ["clay", "loam", "sand"]);
    assert_eq!(soil.missing, CategoricalMissing::OwnCategory);
    let Column::Numeric(rain) = &draft.schema.columns()[2] else { panic!("numeric") };
    assert_eq!((rain.bounds.min(), rain.bounds.max()), (0.0, 300.0));
    assert_eq!(rain.missing, NumericMissing::Median);
}

#[test]
fn a_draft_file_is_a_schema_with_remarks_in_place() {
    let draft = Draft::of(&farm(), &DraftOptions::default()).unwrap();
    let text = draft.to_toml();
    assert_eq!(Schema::from_toml(&text).unwrap(), draft.schema);
    assert!(text.contains("name = \"plot_id\"\n# ignored: every row has a value of its own"));
    assert!(text.contains("name = \"site\"\n# constant in the file"));
    assert!(text.contains("name = \"empty\"\n# ignored: the file has no value in it"));
    assert!(text.contains("name = \"label\"\n# taken as the label"));
    assert!(!text.contains("remark 7") && !text.contains("1042"), "identifiers stay out");
}

#[test]
fn a_draft_takes_the_label_it_is_told() {
    let options = DraftOptions { label: Some("rain".into()), ..DraftOptions::default() };
    let draft = Draft::of(&farm(), &options).unwrap();
    assert!(matches!(draft.schema.label(), Label::Number(label) if label.bounds.max() == 300.0));
    assert!(draft.remarks.iter().all(|(column, _)| column != "rain"));

    let label = |name: &str| DraftOptions { label: Some(name.into()), ..DraftOptions::default() };
    let missing = Draft::of(&farm(), &label("Label")).unwrap_err();
    assert_eq!(missing.to_string(), "farm.csv has no column 'Label'");
    assert!(missing.hint().unwrap().contains("plot_id, soil, rain"));
    let constant = Draft::of(&farm(), &label("site")).unwrap_err().to_string();
    assert!(constant.contains("fewer than two different values"), "{constant}");
}

#[test]
fn rare_categories_and_odd_cells_are_remarked_without_their_values() {
    let mut text = String::from("blood,weight,y\n");
    for row in 0..100 {
        let blood = if row == 5 { "AB-" } else { ["A+", "0+"][row % 2] };
        let weight = if row == 6 { "heavy".to_owned() } else { format!("{}", 50 + row % 40) };
        text += &format!("{blood},{weight},{}\n", row % 2);
    }
    let draft = Draft::of(&table(&text), &DraftOptions::default()).unwrap();
    let about = |name: &str| -> String {
        draft
            .remarks
            .iter()
            .filter(|(column, _)| column == name)
            .map(|(_, text)| text.as_str())
            .collect()
    };
    assert!(about("blood").contains("rare"), "{:?}", draft.remarks);
    assert!(about("weight").contains("not numbers"), "{:?}", draft.remarks);
    assert!(!draft.to_toml().contains("heavy"));
}

#[test]
fn decimal_commas_are_suspected_and_understood() {
    let mut text = String::from("weight;y\n");
    (0..50).for_each(|row| text += &format!("{},5;{}\n", 40 + row % 30, row % 2));
    let suspected = Draft::of(&table(&text), &DraftOptions::default()).unwrap();
    assert!(suspected.to_toml().contains("draft again with --decimal comma"));
    let file = FileRules { decimal: Decimal::Comma, ..FileRules::default() };
    let options = DraftOptions { file, ..DraftOptions::default() };
    let understood = Draft::of(&table(&text), &options).unwrap();
    assert!(
        matches!(&understood.schema.columns()[0], Column::Numeric(weight) if weight.bounds.max() == 80.0)
    );
}

proptest! {
    #[test]
    fn no_schema_text_panics(text in "[a-z=\\[\\]{}\" \n0-9.]{0,200}") {
        let _ = Schema::from_toml(&text);
    }

    #[test]
    fn no_altered_schema_panics(at in 0..EXAMPLE.len(), byte in any::<u8>()) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(schema) = Schema::from_toml(&text)
        {
            prop_assert_eq!(schema.features().len(), schema.feature_columns());
        }
    }

    #[test]
    fn every_table_that_is_drafted_makes_a_valid_file(
        name in "[a-c=#'\"\n\\[\\]]{1,8}",
        rows in proptest::collection::vec(("[a-c?é\"'\n#]{0,3}", -1e6..1e6f64, 0..3u8), 4..40),
    ) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut text = format!("{},number,label\n", quoted(&name));
        for (category, number, class) in &rows {
            text += &format!("{},{number},{class}\n", quoted(category));
        }
        let format = CsvFormat { delimiter: Delimiter::Comma };
        let parsed = Table::parse(text.as_bytes(), "x", format);
        prop_assume!(!name.trim().is_empty());
        let table = parsed.unwrap();
        if let Ok(draft) = Draft::of(&table, &DraftOptions::default()) {
            prop_assert_eq!(&Schema::from_toml(&draft.to_toml()).unwrap(), &draft.schema);
        }
    }
}
