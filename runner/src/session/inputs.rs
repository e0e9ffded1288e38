//! The shares that a session computes on, from the share files that members submitted.

use super::prepare::Prepared;
use crate::control::SessionFault;
use crate::node::Node;
use crate::sharefile::{Manifest, ShareFile};
use crate::store::StoredSubmission;
use mpc_core::ring::Z64;
use mpc_core::share::{Arith, Fixed, Words};
use nn::train::Dataset;
use std::fmt::Display;

/// Opens the submissions of a session and puts their rows one below the other.
///
/// # Errors
/// When a share file cannot be read, is no longer what was accepted, or does not
/// have the shape that the schema prescribes.
pub(super) fn load(node: &Node, prepared: &Prepared) -> Result<Dataset<Fixed>, SessionFault> {
    let mut features = Vec::with_capacity(prepared.submissions.len());
    let mut labels = Vec::with_capacity(prepared.submissions.len());
    let mut scale = None;
    for submission in &prepared.submissions {
        let opened = open(node, submission)?;
        let manifest = &opened.header().data_set;
        require_shape(prepared, submission, manifest)?;
        if scale.replace(manifest.scale).is_some_and(|first| first != manifest.scale) {
            return Err(failed(submission, "it has another scale than the others"));
        }
        let shape = |columns: u64| [manifest.rows as usize, columns as usize];
        let shapes = [shape(manifest.feature_columns), shape(manifest.label_columns)];
        let (first, second) = opened.into_components();
        let [of_features, of_labels] = split(shapes, &first, &second);
        features.push(of_features);
        labels.push(of_labels);
    }
    let scale = scale.ok_or_else(|| SessionFault::internal("there are no data"))?;
    let joined = |parts: &[Arith<Z64>]| {
        let parts: Vec<&Arith<Z64>> = parts.iter().collect();
        Arith::concat_rows(&parts).map(|share| Fixed::new(share, scale))
    };
    Ok(Dataset {
        features: joined(&features).map_err(SessionFault::internal)?,
        labels: joined(&labels).map_err(SessionFault::internal)?,
    })
}

/// Verifies and decrypts a stored share file once more: the disk is not trusted.
fn open(
    node: &Node,
    submission: &StoredSubmission,
) -> Result<crate::sharefile::Submission, SessionFault> {
    let reader = node.store.share_file(submission).map_err(|e| failed(submission, e))?;
    let file = ShareFile::read(reader).map_err(|e| failed(submission, e))?;
    if file.digest() != submission.file {
        return Err(failed(submission, "its file was altered since it was accepted"));
    }
    let opened = file.open(&node.consortium, &node.identity);
    let opened = opened.map_err(|e| failed(submission, e))?;
    if opened.header().data_set.digest() != submission.manifest {
        return Err(failed(submission, "it is not the data set that was accepted"));
    }
    Ok(opened)
}

fn require_shape(
    prepared: &Prepared,
    submission: &StoredSubmission,
    manifest: &Manifest,
) -> Result<(), SessionFault> {
    let found = (manifest.feature_columns, manifest.label_columns);
    let schema = &prepared.schema;
    let expected = (schema.feature_columns() as u64, schema.label_columns() as u64);
    if found == expected && manifest.rows == submission.rows {
        return Ok(());
    }
    Err(failed(
        submission,
        format!(
            "it has {} features and {} label columns, but by the schema there are {} and {}",
            found.0, found.1, expected.0, expected.1
        ),
    ))
}

/// Features and labels of one submission, which follow each other in its components.
fn split(shapes: [[usize; 2]; 2], first: &Words, second: &Words) -> [Arith<Z64>; 2] {
    let [features, labels] = shapes;
    // The length was checked against rows and columns when the file was read.
    let at = features[0] * features[1];
    let part = |words: &[u64]| words.iter().copied().collect::<Words>();
    [
        Arith::from_components(features, part(&first[..at]), part(&second[..at])),
        Arith::from_components(labels, part(&first[at..]), part(&second[at..])),
    ]
}

fn failed(submission: &StoredSubmission, reason: impl Display) -> SessionFault {
    SessionFault::internal(format!(
        "data set {} of {} cannot be used: {reason}",
        submission.id, submission.owner
    ))
}
