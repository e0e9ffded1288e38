//! The shares that a session computes on, from the share files that members submitted.

use super::prepare::Prepared;
use crate::control::SessionFault;
use crate::node::Node;
use crate::sharefile::{ShareFile, Submission};
use crate::store::StoredSubmission;
use mpc_core::share::{Arith, Fixed, Words};
use nn::train::Dataset;
use std::fmt::Display;
use std::time::Instant;

/// Opens the submissions of a session and puts their rows one below the other.
///
/// # Errors
/// When a share file cannot be read, is no longer what was accepted, or does not
/// have the shape that the schema prescribes.
pub(super) fn load(node: &Node, prepared: &Prepared) -> Result<Dataset<Fixed>, SessionFault> {
    let started = Instant::now();
    let rows = prepared.blueprint.data().rows;
    let [mut features, mut labels] =
        columns(prepared).map(|columns| Stack::with_capacity(rows, columns));
    let mut scale = None;
    for submission in &prepared.submissions {
        let opened = open_submission(node, submission)?;
        require_shape(prepared, submission, &opened)?;
        let manifest = &opened.header().data_set;
        if scale.replace(manifest.scale).is_some_and(|first| first != manifest.scale) {
            return Err(failed(submission, "it has another scale than the others"));
        }
        // The shape was checked, and fits in memory since the words do.
        let words = manifest.rows as usize * features.columns;
        let (first, second) = opened.into_components();
        let ((first, first_labels), (second, second_labels)) =
            (first.split_at(words), second.split_at(words));
        features.append(first, second);
        labels.append(first_labels, second_labels);
    }
    let scale = scale.ok_or_else(|| SessionFault::internal("there are no data"))?;
    tracing::info!(
        session = %prepared.agreement.session,
        rows,
        seconds = started.elapsed().as_secs_f64(),
        "shares loaded"
    );
    Ok(Dataset { features: features.finish(scale), labels: labels.finish(scale) })
}

/// Columns of the features and of the labels.
fn columns(prepared: &Prepared) -> [usize; 2] {
    let data = prepared.blueprint.data();
    [data.columns.len(), data.target.columns()]
}

/// Rows of several data sets, one below the other.
struct Stack {
    columns: usize,
    /// Words that are filled.
    filled: usize,
    first: Words,
    second: Words,
}

impl Stack {
    fn with_capacity(rows: usize, columns: usize) -> Self {
        let words = rows * columns;
        Stack { columns, filled: 0, first: Words::zeroed(words), second: Words::zeroed(words) }
    }

    /// The rows were added up from what is appended here, so there is room.
    fn append(&mut self, first: &[u64], second: &[u64]) {
        let place = self.filled..self.filled + first.len();
        self.first[place.clone()].copy_from_slice(first);
        self.second[place.clone()].copy_from_slice(second);
        self.filled = place.end;
    }

    fn finish(self, scale: u32) -> Fixed {
        let shape = [self.filled / self.columns, self.columns];
        Fixed::new(Arith::from_components(shape, self.first, self.second), scale)
    }
}

/// Verifies and decrypts a stored share file once more: the disk is not trusted.
///
/// # Errors
/// When it cannot be read or is not what was accepted.
pub fn open_submission(
    node: &Node,
    submission: &StoredSubmission,
) -> Result<Submission, SessionFault> {
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
    opened: &Submission,
) -> Result<(), SessionFault> {
    let manifest = &opened.header().data_set;
    let found = [manifest.feature_columns, manifest.label_columns];
    let expected = columns(prepared).map(|columns| columns as u64);
    if found == expected && manifest.rows == submission.rows {
        return Ok(());
    }
    let reason = format!(
        "it has {} features and {} label columns, but by the schema there are {} and {}",
        found[0], found[1], expected[0], expected[1]
    );
    Err(failed(submission, reason))
}

fn failed(submission: &StoredSubmission, reason: impl Display) -> SessionFault {
    SessionFault::internal(format!(
        "data set {} of {} cannot be used: {reason}",
        submission.id, submission.owner
    ))
}
