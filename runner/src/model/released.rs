//! The opened model as its receiver keeps it: `model.safetensors` and `model.json`.

use super::open::OpenedModel;
use super::shape::{self, TensorShape};
use super::share::Terms;
use crate::digest::Digest;
use crate::failure::Explain;
use crate::files::{self, FileError};
use crate::identity::Name;
use crate::schema::{Schema, SchemaError};
use jiff::Timestamp;
use ndarray::Array2;
use nn::layers::Parameters;
use nn::model::Model;
use nn::spec::SpecError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the model card.
const FORMAT: u32 = 1;
/// Longest model card (64 MiB).
const MAX_CARD_BYTES: u64 = 64 << 20;
/// Longest weight file (32 GiB).
const MAX_WEIGHT_BYTES: u64 = 32 << 30;
const CARD_FILE: &str = "model.json";
/// Name of the weight file of a released model.
pub const WEIGHT_FILE: &str = "model.safetensors";

/// Why a model cannot be kept or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleasedError {
    /// A file of the model could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model card is not of the expected form.
    #[error("{}: {reason}", path.display())]
    Card {
        /// The model card.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights are not those that the model card describes.
    #[error("{} does not belong to its model.json: {reason}", path.display())]
    Weights {
        /// The weight file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The schema in the model card cannot be used.
    #[error("the schema of the model: {0}")]
    Schema(#[from] SchemaError),
    /// The schema in the model card is not the one that the parties agreed on.
    #[error("the schema of the model has digest {found}, but the parties agreed on {expected}")]
    OtherSchema {
        /// Digest that the parties agreed on.
        expected: Digest,
        /// Digest of the schema in the model card.
        found: Digest,
    },
    /// The network cannot be built from its specification.
    #[error("the network of the model: {0}")]
    Spec(#[from] SpecError),
    /// The opened tensors do not fit the network.
    #[error("the tensors do not fit the network: {0}")]
    Tensors(String),
}

impl Explain for ReleasedError {
    fn hint(&self) -> Option<String> {
        match self {
            ReleasedError::File(e) => e.hint(),
            ReleasedError::Card { .. } | ReleasedError::Weights { .. } => {
                Some("fetch the model again with `tercet model fetch`".into())
            }
            _ => None,
        }
    }
}

/// What is known about a released model, beside its weights: the model card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    format: u32,
    /// When the model was opened.
    pub opened: Timestamp,
    /// What the model is, as all three parties signed it.
    pub terms: Terms,
    /// The parties and their signatures over their shares, in hexadecimal.
    pub parties: Vec<Signed>,
    /// SHA-256 of the weight file.
    pub weights: Digest,
}

/// A party and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Name of the party.
    pub name: Name,
    /// Its Ed25519 signature over the sealed share that it released.
    pub signature: String,
}

/// A model that its receiver can use.
#[derive(Debug)]
pub struct ReleasedModel {
    /// The model card.
    pub release: Release,
    /// The schema: how rows are read and what outputs mean.
    pub schema: Schema,
    /// The network with its weights.
    pub model: Model,
    weight_file: Vec<u8>,
}

impl ReleasedModel {
    /// Makes a usable model of an opened one.
    ///
    /// # Errors
    /// When its schema is another one than was agreed on, or the tensors do not
    /// fit the network.
    pub fn new(opened: OpenedModel) -> Result<Self, ReleasedError> {
        let OpenedModel { terms, tensors, contributions } = opened;
        let schema = schema_of(&terms)?;
        let model = build(&terms, &schema, &tensors)?;
        let weight_file = encode_weights(&terms, &schema, &tensors)?;
        let parties = contributions.into_iter().map(|contribution| Signed {
            name: contribution.name,
            signature: hex::encode(contribution.signature.to_bytes()),
        });
        let release = Release {
            format: FORMAT,
            opened: Timestamp::now(),
            terms,
            parties: parties.collect(),
            weights: Digest::of_bytes(&weight_file),
        };
        Ok(ReleasedModel { release, schema, model, weight_file })
    }

    /// Writes both files into a directory; a model that is there is not replaced.
    ///
    /// The card is written last and holds the digest of the weights: a directory
    /// with a card has a whole model, and one without has none.
    ///
    /// # Errors
    /// When a model is there or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<[PathBuf; 2], ReleasedError> {
        let [weights, card] = [WEIGHT_FILE, CARD_FILE].map(|name| dir.join(name));
        if card.exists() {
            return Err(FileError::Exists(card).into());
        }
        files::create_dir(dir)?;
        files::write_atomic(&weights, &self.weight_file)?;
        let text = serde_json::to_string_pretty(&self.release)
            .map_err(|e| ReleasedError::Card { path: card.clone(), reason: e.to_string() })?;
        files::write_atomic(&card, text.as_bytes())?;
        Ok([weights, card])
    }

    /// Loads a model from the directory that it was saved to.
    ///
    /// # Errors
    /// When a file is missing, altered or malformed.
    pub fn load(dir: &Path) -> Result<Self, ReleasedError> {
        let [weights, card] = [WEIGHT_FILE, CARD_FILE].map(|name| dir.join(name));
        let wrong_card = |reason| ReleasedError::Card { path: card.clone(), reason };
        let release: Release = serde_json::from_slice(&files::read_capped(&card, MAX_CARD_BYTES)?)
            .map_err(|e| wrong_card(e.to_string()))?;
        if release.format != FORMAT {
            return Err(wrong_card(format!("format {} is unknown", release.format)));
        }
        let schema = schema_of(&release.terms)?;
        let weight_file = files::read_capped(&weights, MAX_WEIGHT_BYTES)?;
        let wrong_weights = |reason| ReleasedError::Weights { path: weights.clone(), reason };
        if Digest::of_bytes(&weight_file) != release.weights {
            return Err(wrong_weights("its digest is another one".into()));
        }
        let (_, shapes) = network(&release.terms, &schema)?;
        let tensors = decode_weights(&shapes, &weight_file).map_err(wrong_weights)?;
        let model = build(&release.terms, &schema, &tensors)?;
        Ok(ReleasedModel { release, schema, model, weight_file })
    }
}

/// The schema of a model, which must be the one that the parties agreed on.
fn schema_of(terms: &Terms) -> Result<Schema, ReleasedError> {
    let schema = Schema::from_toml(&terms.schema_file)?;
    if schema.digest() == terms.schema {
        Ok(schema)
    } else {
        Err(ReleasedError::OtherSchema { expected: terms.schema, found: schema.digest() })
    }
}

/// The layers of the network, and the tensors that it needs.
fn network(
    terms: &Terms,
    schema: &Schema,
) -> Result<(nn::blueprint::Blueprint, Vec<TensorShape>), ReleasedError> {
    let rows = usize::try_from(terms.rows).unwrap_or(usize::MAX);
    let blueprint = shape::blueprint(&terms.spec, schema, rows)?;
    let tensors = shape::tensors(blueprint.layers());
    Ok((blueprint, tensors))
}

fn build(terms: &Terms, schema: &Schema, tensors: &[Vec<f64>]) -> Result<Model, ReleasedError> {
    let wrong = |reason: &str| ReleasedError::Tensors(reason.to_owned());
    let (blueprint, shapes) = network(terms, schema)?;
    let described = terms.tensors.iter().map(|t| (t.name.as_str(), t.rows, t.columns));
    let needed = shapes.iter().map(|t| (t.name.as_str(), t.rows as u64, t.columns as u64));
    if !described.eq(needed) || tensors.len() != shapes.len() {
        return Err(wrong("names or shapes differ"));
    }
    let mut arrays = Vec::with_capacity(tensors.len());
    for (shape, values) in shapes.iter().zip(tensors) {
        let array = Array2::from_shape_vec((shape.rows, shape.columns), values.clone());
        arrays.push(array.map_err(|e| wrong(&e.to_string()))?);
    }
    let mut arrays = arrays.into_iter();
    let mut parameters = Vec::new();
    while let (Some(weights), Some(bias)) = (arrays.next(), arrays.next()) {
        parameters.push(Parameters { weights, bias });
    }
    Model::new(blueprint.layers(), terms.spec.model.loss, parameters)
        .map_err(|e| wrong(&e.to_string()))
}

fn encode_weights(
    terms: &Terms,
    schema: &Schema,
    tensors: &[Vec<f64>],
) -> Result<Vec<u8>, ReleasedError> {
    let wrong = |e: safetensors::SafeTensorError| ReleasedError::Tensors(e.to_string());
    let (_, shapes) = network(terms, schema)?;
    let in_file_order = |(shape, values): (&TensorShape, &Vec<f64>)| -> Vec<u8> {
        shape.file_order().into_iter().flat_map(|at| values[at].to_le_bytes()).collect()
    };
    let bytes: Vec<Vec<u8>> = shapes.iter().zip(tensors).map(in_file_order).collect();
    let mut views = Vec::with_capacity(shapes.len());
    for (shape, data) in shapes.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F64, shape.file_shape(), data).map_err(wrong)?;
        views.push((shape.name.as_str(), view));
    }
    safetensors::serialize(views, None).map_err(wrong)
}

/// The tensors of a weight file, in the order of the network, as 32- or 64-bit floats.
///
/// # Errors
/// What differs from the tensors that the network has.
pub fn decode_weights(shapes: &[TensorShape], file: &[u8]) -> Result<Vec<Vec<f64>>, String> {
    let archive = SafeTensors::deserialize(file).map_err(|e| e.to_string())?;
    if archive.len() != shapes.len() {
        return Err(format!("it has {} tensors instead of {}", archive.len(), shapes.len()));
    }
    let tensor = |shape: &TensorShape| {
        let view = archive.tensor(&shape.name).map_err(|e| e.to_string())?;
        let known = matches!(view.dtype(), Dtype::F64 | Dtype::F32);
        if !known || view.shape() != shape.file_shape() {
            return Err(format!("tensor {} has another type or shape", shape.name));
        }
        let in_file: Vec<f64> = match view.dtype() {
            Dtype::F32 => floats(view.data(), |bytes| f32::from_le_bytes(bytes).into()),
            _ => floats(view.data(), f64::from_le_bytes),
        };
        let mut values = vec![0.0; in_file.len()];
        shape.file_order().into_iter().zip(in_file).for_each(|(at, value)| values[at] = value);
        Ok(values)
    };
    shapes.iter().map(tensor).collect()
}

/// The floats that bytes hold, `N` bytes each.
fn floats<const N: usize>(bytes: &[u8], float: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|chunk| float(*chunk)).collect()
}

#[cfg(test)]
mod tests;
