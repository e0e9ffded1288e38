//! Tables in all their forms, on the way to share files: read alike or refused with the place.

use crate::support::consortium::Files;
use crate::support::playground::Playground;
use crate::support::process::{Complaint, Outcome};
use crate::support::rows::{SCHEMA, fruit};
use serde_json::{Value, json};
use std::fmt::Write;

/// A member with a consortium file and keys; sharing needs no node.
struct Desk {
    play: Playground,
    files: Files,
}

impl Desk {
    fn new() -> Self {
        let play = Playground::new();
        let files = Files::local(&play, "consortium");
        Desk { play, files }
    }

    /// Shares `rows.csv` as it is now by `schema.toml`.
    fn share(&self, content: impl AsRef<[u8]>, schema: &str) -> Outcome {
        self.play.write("rows.csv", content);
        self.play.write("schema.toml", schema);
        let mut command = self.play.command("share rows.csv --schema schema.toml -o shares");
        command.env("TERCET_CONSORTIUM", &self.files.consortium);
        command.env("TERCET_IDENTITY", self.files.key("ward-a"));
        self.play.start(command).finish()
    }

    /// What is reported of a table that is shared.
    fn accepted(&self, content: impl AsRef<[u8]>, schema: &str) -> Value {
        let shared = self.share(content, schema).succeeded();
        std::fs::remove_dir_all(self.play.path("shares")).unwrap();
        shared
    }

    /// Why a table is not shared; nothing must have been written then.
    fn refused(&self, content: impl AsRef<[u8]>, schema: &str) -> Complaint {
        let complaint = self.share(content, schema).failed();
        assert!(self.play.is_untouched("shares"), "{complaint:?}, but something was written");
        complaint
    }
}

const WARD: &str = r#"
version = 1

[label]
name = "outcome"
kind = "class"
classes = ["home", "ward, again"]

[[columns]]
name = "age"
kind = "numeric"
min = 0
max = 120

[[columns]]
name = "town"
kind = "categorical"
categories = ["A-town", "B, the\nlesser"]
"#;

#[test]
fn tables_are_shared_alike_in_whatever_form_they_come() {
    let desk = Desk::new();
    let plain = "age,town,outcome\n\
                 30,A-town,home\n\
                 41.5,\"B, the\nlesser\",\"ward, again\"\n";
    for (form, text) in [
        ("as it is", plain.to_owned()),
        ("byte order mark", format!("\u{feff}{plain}")),
        ("CRLF", plain.replace("home\n", "home\r\n").replace("outcome\n", "outcome\r\n")),
        ("no line end at the end", plain.trim_end().to_owned()),
        ("empty lines", plain.replace("home\n", "home\n\n\n")),
        (
            "semicolons",
            plain
                .replace("age,town,outcome", "age;town;outcome")
                .replace("30,A-town,home", "30;A-town;home")
                .replace("41.5,\"B", "41.5;\"B")
                .replace("\",\"", "\";\""),
        ),
        ("all quoted", plain.replace("30,A-town,home", "\"30\",\"A-town\",\"home\"")),
        (
            "another order of columns",
            "outcome,age,town\nhome,30,A-town\n\"ward, again\",41.5,\"B, the\nlesser\"\n".into(),
        ),
    ] {
        let shared = desk.accepted(&text, WARD);
        assert_eq!(shared["rows"], 2, "{form}");
        assert_eq!((&shared["features"], &shared["labels"]), (&json!(3), &json!(2)), "{form}");
        assert_eq!(shared["report"]["filled"], json!([]), "{form}");
    }
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_row_and_column_and_nothing_is_written() {
    let desk = Desk::new();
    let header = "age,town,outcome\n30,A-town,home\n";
    for (rows, parts) in [
        ("", &["rows.csv: is empty"][..]),
        ("age,town,outcome\n", &["header line but no data rows"]),
        ("age,town,age\n1,A-town,home\n", &["column 'age' is named twice", "columns 1 and 3"]),
        ("age,,outcome\n1,A-town,home\n", &["column 2 of 3 has no name"]),
        ("Age,town,outcome\n1,A-town,home\n", &["no column 'age'"]),
    ] {
        desk.refused(rows, WARD).must_mention(parts);
    }
    for (rows, parts) in [
        ("31,A-town\n", &["1 of its rows", "row 2 (line 3): 2 fields"][..]),
        ("31,A-town,home,1\n32\n", &["row 2 (line 3): 4 fields", "row 3 (line 4): 1 field"]),
        ("31,\"A-town,home\n", &["line 3: the quote opened here is never closed"]),
        ("31,Atown,home\n", &["row 2 (line 3), column 'town': 'Atown'", "did you mean 'A-town'"]),
        ("31,C-town,home\n", &["row 2 (line 3), column 'town': 'C-town' is not one of"]),
        ("31,A-town,moon\n", &["column 'outcome': 'moon' is not one of 'home', 'ward, again'"]),
        ("31,A-town,\n", &["row 2 (line 3), column 'outcome': the value is missing"]),
        ("?,A-town,home\n", &["row 2 (line 3), column 'age': the value is missing"]),
        ("31,NA,home\n", &["row 2 (line 3), column 'town': the value is missing"]),
        ("old,A-town,home\n", &["column 'age': 'old' is not a number"]),
        ("inf,A-town,home\n", &["column 'age': 'inf' is not a finite number"]),
        ("1e400,A-town,home\n", &["column 'age': '1e400' is not a finite number"]),
        ("121,A-town,home\n", &["column 'age': 121 is outside the bounds 0 to 120"]),
        // The places count from the cell's row, not from its line, where they differ.
        (
            "31,\"B, the\nlesser\",home\n-1,A-town,home\n",
            &["row 3 (line 5), column 'age': -1 is outside"],
        ),
        ("-1,A-town,home\n,X,home\n", &["3 cells do not fit", "row 2", "row 3"]),
    ] {
        desk.refused(format!("{header}{rows}"), WARD).must_mention(parts);
    }
    desk.refused(b"age,town,outcome\n3\xff,A-town,home\n", WARD).must_mention(&["line 2, byte 2"]);
    desk.refused(b"\xff\xfea\0g\0e\0", WARD).must_mention(&["UTF-16"]);
    desk.refused("age;town;outcome\n3,5;A-town;home\n", WARD).must_hint("decimal = \"comma\"");
}

#[test]
fn missing_values_follow_the_policy_of_the_schema() {
    let desk = Desk::new();
    let gaps = "age,town,outcome\n30,A-town,home\n,?,home\n50,A-town,\"ward, again\"\n";
    desk.refused(gaps, WARD).must_mention(&["2 cells", "column 'age'", "column 'town'"]);
    let with = |age: &str, town: &str| {
        let numeric = WARD.replace("max = 120", &format!("max = 120\nmissing = {age}"));
        format!("{numeric}missing = {town}\n")
    };
    for (age, town, features) in [
        ("\"mean\"", "\"own-category\"", 4),
        ("\"median\"", "{ constant = \"A-town\" }", 3),
        ("{ constant = 40 }", "\"own-category\"", 4),
    ] {
        let shared = desk.accepted(gaps, &with(age, town));
        assert_eq!(shared["features"], features, "{age}, {town}");
        let filled = json!([{ "column": "age", "cells": 1 }, { "column": "town", "cells": 1 }]);
        assert_eq!(shared["report"]["filled"], filled, "{age}, {town}");
    }
    let refusing = with("\"mean\"", "\"refuse\"");
    desk.refused(gaps, &refusing).must_mention(&["1 cell does not fit", "column 'town'"]);
    let nothing = "age,town,outcome\n?,A-town,home\n";
    desk.refused(nothing, &with("\"mean\"", "\"refuse\"")).must_mention(&["'age' has no value"]);
    // A label is what is to be learned: no policy fills it in.
    let no_label = "age,town,outcome\n30,A-town,NA\n";
    desk.refused(no_label, &with("\"mean\"", "\"own-category\"")).must_mention(&["'outcome'"]);
}

#[test]
fn a_bad_schema_is_refused_with_what_is_wrong() {
    let desk = Desk::new();
    let table = fruit(6, &["apple", "melon"]);
    for (from, to, part) in [
        ("name = \"weight\"", "name = \"size\"", "column 'size' is described twice"),
        ("max = 10\n", "max = 0\n", "column 'size'"),
        ("kind = \"categorical\"", "kind = \"magic\"", "magic"),
        ("version = 1", "version = 9", "version 9 is unknown"),
        ("\"green\", \"red\"", "\"red\", \"red\"", "'red' is listed twice"),
        ("classes = [\"apple\", \"melon\", \"plum\"]", "classes = [\"apple\"]", "two classes"),
    ] {
        let schema = SCHEMA.replacen(from, to, 1);
        assert_ne!(schema, SCHEMA, "{from} is not in the schema");
        desk.refused(&table, &schema).must_mention(&["schema.toml", part]);
    }
}

#[test]
fn two_hundred_thousand_rows_are_drafted_and_shared() {
    let desk = Desk::new();
    let mut table = String::from("amount,note,paid\n");
    for row in 0..200_000 {
        let amount = f64::from(row * 7919 % 1_700_000) + 0.25;
        writeln!(table, "{amount},\"n, {}\",{}", row % 3, ["yes", "no"][row as usize % 2]).unwrap();
    }
    desk.play.write("large.csv", &table);
    desk.play.run("schema large.csv --label paid -o large.toml").succeeded();
    let shared = desk.accepted(&table, &desk.play.read_text("large.toml"));
    assert_eq!((&shared["rows"], &shared["features"]), (&json!(200_000), &json!(4)));
}
