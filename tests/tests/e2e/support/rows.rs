//! Small tables that a network learns in a moment, with their schema and job.

use std::fmt::Write;

/// How the columns of [`fruit`] are to be read.
pub const SCHEMA: &str = r#"
version = 1

[label]
name = "kind"
kind = "class"
classes = ["apple", "melon", "plum"]

[[columns]]
name = "size"
kind = "numeric"
min = 0
max = 10

[[columns]]
name = "weight"
kind = "numeric"
min = 0
max = 1000

[[columns]]
name = "colour"
kind = "categorical"
categories = ["green", "red"]
"#;

/// The row `number` of a table whose kinds lie far apart: apples are small,
/// melons large, and plums small but heavy.
fn row(number: usize, kind: &str) -> String {
    let (size, weight) = match kind {
        "apple" => (2.0, 200.0),
        "melon" => (8.0, 700.0),
        _ => (2.5, 900.0),
    };
    let jitter = |factor: usize| (number * factor % 101) as f64 / 50.0 - 1.0;
    let colour = ["green", "red"][number % 2];
    format!("{:.2},{:.1},{colour},{kind}", size + jitter(37), weight + 80.0 * jitter(53))
}

/// A table with so many rows of these kinds in turn.
pub fn fruit(rows: usize, kinds: &[&str]) -> String {
    let mut text = String::from("size,weight,colour,kind\n");
    for number in 0..rows {
        writeln!(text, "{}", row(number, kinds[number % kinds.len()])).unwrap();
    }
    text
}

/// A job on the fruit of both wards, for the analyst.
pub fn job(epochs: usize) -> String {
    format!(
        r#"
        name = "fruit"
        receiver = "analyst"
        [data]
        schema = "schema.toml"
        from = ["ward-a", "ward-b"]
        [model]
        layers = [{{ dense = 8 }}, "relu", {{ dense = "outputs" }}]
        loss = "softmax-cross-entropy"
        [training]
        epochs = {epochs}
        batch = 16
        learning_rate = 0.5
        seed = 7
        "#
    )
}

/// More epochs than any test waits for.
pub const ENDLESS: usize = 100_000;
