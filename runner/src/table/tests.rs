use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

fn parse(text: &str) -> Result<Table, TableError> {
    Table::parse(text.as_bytes(), "farm.csv", CsvFormat::default())
}

fn refusal(bytes: &[u8]) -> String {
    Table::parse(bytes, "farm.csv", CsvFormat::default()).unwrap_err().to_string()
}

fn row(table: &Table, row: usize) -> Vec<&str> {
    (0..table.columns().len()).map(|column| table.cell(row, column)).collect()
}

#[test]
fn quoted_commas_line_breaks_and_quotes_stay_in_their_cell() {
    let table =
        parse("name,note\n\"Smith, J.\",\"first\nsecond\"\nB,\"say \"\"hi\"\"\"\n").unwrap();
    assert_eq!(table.rows(), 2);
    assert_eq!(row(&table, 0), ["Smith, J.", "first\nsecond"]);
    assert_eq!(row(&table, 1), ["B", "say \"hi\""]);
    assert_eq!(table.place(1).to_string(), "row 2 (line 4)");
}

#[test]
fn byte_order_mark_line_ends_blanks_and_empty_lines_do_not_matter() {
    let plain = parse("a,b\n1,2\n3,4\n").unwrap();
    for text in ["\u{feff}a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4", " a , b\n1 ,\t2\n\n3, 4\n\n"] {
        let table = parse(text).unwrap();
        assert_eq!(table.columns(), plain.columns(), "{text:?}");
        assert_eq!((row(&table, 0), row(&table, 1)), (row(&plain, 0), row(&plain, 1)), "{text:?}");
    }
    let carriage_returns = parse("a,b\r1,2\r3,4").unwrap();
    assert_eq!(carriage_returns.place(1).line, 3);
    let gap = parse("a,b\r\n1,2\r\n\r\n3,4\r\n").unwrap();
    assert_eq!((gap.place(0).line, gap.place(1).line), (2, 4));
}

#[test]
fn the_delimiter_is_found_or_set() {
    for text in ["a;b\n1,5;2\n", "a\tb\n1,5\t2\n"] {
        assert_eq!(row(&parse(text).unwrap(), 0), ["1,5", "2"], "{text:?}");
    }
    let semicolons = CsvFormat { delimiter: Delimiter::Semicolon };
    let table = Table::parse(b"a,b,c;d\n1,2,3;4\n", "x", semicolons).unwrap();
    assert_eq!(table.columns(), ["a,b,c", "d"]);
    assert_eq!(parse("only\n1\n").unwrap().columns(), ["only"]);
}

#[test]
fn files_without_rows_are_refused() {
    assert_eq!(refusal(b""), "farm.csv: is empty");
    assert_eq!(refusal(b"\xEF\xBB\xBF\r\n\n"), "farm.csv: is empty");
    assert_eq!(refusal(b"a,b\r\n"), "farm.csv: has a header line but no data rows");
}

#[test]
fn header_faults_name_the_column() {
    assert_eq!(
        refusal(b"age,sex, age\n1,2,3\n"),
        "farm.csv: column 'age' is named twice in the header line (columns 1 and 3)"
    );
    assert_eq!(refusal(b"a,,c\n1,2,3\n"), "farm.csv: column 2 of 3 has no name in the header line");
}

#[test]
fn ragged_rows_are_all_listed_with_their_lines() {
    assert_eq!(
        refusal(b"a,b\n1,2\n\n3\n4,5,6\n7,8\n"),
        "farm.csv: 2 of its rows do not have the 2 fields of the header line:\n\
         \x20 row 2 (line 4): 1 field\n\
         \x20 row 3 (line 5): 3 fields"
    );
    let mut many = String::from("a,b\n");
    (0..500).for_each(|_| many.push_str("1\n"));
    let message = refusal(many.as_bytes());
    assert!(message.starts_with("farm.csv: 500 of its rows"), "{message}");
    assert!(message.ends_with("row 20 (line 21): 1 field\n  ... and 480 more"), "{message}");
}

#[test]
fn a_stray_quote_never_swallows_rows() {
    assert_eq!(
        refusal(b"a,b\n1,2\n3,\"4\n5,6\n"),
        "farm.csv: line 3: the quote opened here is never closed"
    );
    assert_eq!(
        refusal(b"a,b\n1,\"2\n3,4\n5,\"6\n"),
        "farm.csv: line 4, byte 4 of the line: text after a closing quote"
    );
}

#[test]
fn other_encodings_are_named_with_their_place() {
    assert_eq!(
        refusal(b"a,b\r\n1,M\xFCller\r\n"),
        "farm.csv: line 2, byte 4 of the line: 0xFC is not valid UTF-8"
    );
    assert_eq!(refusal(b"\xFF\xFEa\0,\0b\0"), "farm.csv: is encoded as UTF-16");
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_its_name() {
    let missing = Table::read("/nowhere/x.csv".as_ref(), CsvFormat::default()).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/x.csv: cannot be read: "));
}

#[test]
fn rows_can_be_picked_and_written_again() {
    let table = parse("a,b\n1,\"x, y\"\n2,\"q\"\"\"\n3,z\n").unwrap();
    let picked = table.filter_rows(|row| row != 0);
    assert_eq!(picked.rows(), 2);
    assert_eq!(picked.place(0).line, 3, "rows keep their place in the file");
    let mut written = Vec::new();
    picked.write_csv(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), "a,b\n2,\"q\"\"\"\n3,z\n");
}

#[test]
fn a_table_can_be_made_of_cells() {
    let made = |cells: &[&str]| {
        Table::from_cells("farm.csv", vec!["a".into(), "b".into()], cells.iter().copied())
    };
    assert_eq!(made(&["1", "x", "2", "y"]).unwrap(), parse("a,b\n1,x\n2,y\n").unwrap());
    assert_eq!((made(&[]), made(&["1"]), made(&["1", "x", "2"])), (None, None, None));
    assert_eq!(Table::from_cells("x", vec![], ["1"].into_iter()), None);
}

#[test]
fn two_hundred_thousand_rows_are_read() {
    let mut text = String::from("id,amount,city\n");
    for row in 0..200_000 {
        writeln!(text, "{row},{}.25,\"Town, {}\"", row * 7, row % 10).unwrap();
    }
    let table = parse(&text).unwrap();
    assert_eq!(table.rows(), 200_000);
    assert_eq!(row(&table, 199_999), ["199999", "1399993.25", "Town, 9"]);
    assert_eq!(table.place(199_999).line, 200_001);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        width in 1..5usize,
        cells in proptest::collection::vec("[a-z0-9,;\"\n\r\t é]{0,6}", 1..40),
    ) {
        let rows: Vec<&[String]> = cells.chunks_exact(width).collect();
        prop_assume!(!rows.is_empty());
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        writer.write_record((0..width).map(|column| format!("c{column}"))).unwrap();
        for row in &rows {
            writer.write_record(row.iter()).unwrap();
        }
        let comma = CsvFormat { delimiter: Delimiter::Comma };
        let table = Table::parse(&writer.into_inner().unwrap(), "x", comma).unwrap();
        prop_assert_eq!(table.rows(), rows.len());
        for (at, cells) in rows.iter().enumerate() {
            let trimmed: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
            prop_assert_eq!(row(&table, at), trimmed);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Table::parse(&bytes, "x", CsvFormat::default());
    }

    #[test]
    fn no_text_panics(text in "[ab,;\"\n\r\t\u{feff}é]{0,60}") {
        if let Ok(table) = Table::parse(text.as_bytes(), "x", CsvFormat::default()) {
            prop_assert!(table.rows() > 0);
            prop_assert_eq!(table.column(0).len(), table.rows());
        }
    }
}
