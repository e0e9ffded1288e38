//! The weights in 32 bits, as PyTorch loads them.

use super::{ExportError, in_file_order, metadata};
use crate::model::{ReleasedModel, tensors};
use ::safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

/// The weights with the names and shapes of `torch.nn.Sequential`; its `__metadata__` says how
/// features are mapped before they enter.
///
/// # Errors
/// When a weight has no 32-bit float.
pub fn safetensors(model: &ReleasedModel) -> Result<Vec<u8>, ExportError> {
    let misfit = |reason: &dyn std::fmt::Display| ExportError::Misfit(reason.to_string());
    let shapes = tensors(model.model.layers());
    let values = model.model.parameters().flat_map(|p| [p.weights, p.bias]);
    let bytes: Vec<Vec<u8>> = shapes
        .iter()
        .zip(values)
        .enumerate()
        .map(|(at, (shape, values))| {
            Ok(in_file_order(at / 2, shape, values)?.iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect::<Result<_, ExportError>>()?;
    if bytes.len() != shapes.len() {
        return Err(misfit(&"there are fewer of them"));
    }
    let mut views = Vec::with_capacity(shapes.len());
    for (tensor, data) in shapes.iter().zip(&bytes) {
        let view =
            TensorView::new(Dtype::F32, tensor.file_shape(), data).map_err(|e| misfit(&e))?;
        views.push((tensor.name.as_str(), view));
    }
    let about: HashMap<String, String> =
        metadata(model).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ::safetensors::serialize(views, Some(about)).map_err(|e| misfit(&e))
}
