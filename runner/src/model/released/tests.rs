use super::*;
use crate::model::open::tests::{opened, values};
use std::fs;

fn saved() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    ReleasedModel::new(opened()).unwrap().save(dir.path()).unwrap();
    dir
}

fn refusal(dir: &tempfile::TempDir) -> String {
    ReleasedModel::load(dir.path()).expect_err("the model must be refused").to_string()
}

#[test]
fn a_saved_model_loads_with_the_same_weights() {
    let dir = saved();
    let loaded = ReleasedModel::load(dir.path()).unwrap();
    let weights: Vec<Vec<f64>> = loaded
        .model
        .parameters()
        .flat_map(|p| [p.weights.iter().copied().collect(), p.bias.iter().copied().collect()])
        .collect();
    assert_eq!(weights, values());
    assert_eq!(loaded.release.parties.len(), 3);
    assert_eq!(loaded.schema.digest(), loaded.release.terms.schema);
}

#[test]
fn the_weight_file_has_the_names_and_shapes_of_a_sequential_network() {
    let dir = saved();
    let bytes = fs::read(dir.path().join(WEIGHT_FILE)).unwrap();
    let archive = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> =
        archive.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec())).collect();
    tensors.sort();
    let expected = [
        ("0.bias", vec![3]),
        ("0.weight", vec![3, 2]),
        ("2.bias", vec![2]),
        ("2.weight", vec![2, 3]),
    ];
    assert_eq!(tensors, expected.map(|(name, shape)| (name.to_owned(), shape)));
}

#[test]
fn a_model_is_not_replaced_but_half_a_model_is() {
    let dir = saved();
    let model = ReleasedModel::new(opened()).unwrap();
    let refused = model.save(dir.path());
    assert!(matches!(refused, Err(ReleasedError::File(FileError::Exists(_)))));
    fs::remove_file(dir.path().join(CARD_FILE)).unwrap();
    model.save(dir.path()).unwrap();
}

#[test]
fn altered_files_are_refused_with_the_reason() {
    let dir = saved();
    let weights = dir.path().join(WEIGHT_FILE);
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    assert!(refusal(&dir).contains("model.safetensors does not belong to its model.json"));

    for (from, to, reason) in [
        ("\"format\": 1", "\"format\": 2", "format 2 is unknown"),
        ("\"format\": 1,", "", "missing field"),
        ("\"dense\": 3", "\"dense\": 4", "tensor 0.weight has another type or shape"),
        ("max = 100.0", "max = 120.0", "the schema of the model has digest"),
    ] {
        let dir = saved();
        let card = dir.path().join(CARD_FILE);
        let text = fs::read_to_string(&card).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&card, text.replace(from, to)).unwrap();
        assert!(refusal(&dir).contains(reason), "{}", refusal(&dir));
    }
}
