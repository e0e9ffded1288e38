//! The shares that a session computes on, from the share files that members submitted.

use super::prepare::Prepared;
use super::table::Table;
use crate::control::SessionFault;
use crate::node::Node;
use crate::sharefile::{Held, Manifest, ShareFile, ShareFileError};
use crate::store::StoredSubmission;
use mpc_core::share::Fixed;
use nn::rows::Rows;
use nn::train::Dataset;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Opens the submissions of a session and puts their rows one below the other; in memory, where
/// the node's limits allow that.
///
/// # Errors
/// When a share file cannot be read, is no longer what was accepted, or does not
/// have the shape that the schema prescribes; when there is no room for the rows; and soon after
/// `stop` has become true.
pub(super) fn load(
    node: &Node,
    prepared: &Prepared,
    stop: &AtomicBool,
) -> Result<Dataset<Rows<Fixed>>, SessionFault> {
    let started = Instant::now();
    let data = prepared.blueprint.data();
    let columns = [data.columns.len(), data.target.columns()];
    let no_room = |e: io::Error| {
        let dir = node.config.data_dir.display();
        let remedy = match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "; make room there, or let more of them be kept in memory (limits.rows-in-memory-bytes)"
            }
            _ => "",
        };
        SessionFault::internal(format!("the rows cannot be kept in {dir}: {e}{remedy}"))
    };
    let (in_memory, dir) = (node.config.limits.rows_in_memory_bytes, &node.config.data_dir);
    let table = |columns| Table::new([data.rows, columns], in_memory, dir).map_err(no_room);
    let (mut features, mut labels) = (table(columns[0])?, table(columns[1])?);
    let mut scale = None;
    for submission in &prepared.submissions {
        let file = stored_file(node, submission)?;
        // The header was verified when the file was accepted; words count when all were read.
        let manifest = &file.header().data_set;
        require_shape(columns, submission, manifest)?;
        if scale.replace(manifest.scale).is_some_and(|first| first != manifest.scale) {
            return Err(failed(submission, "it has another scale than the others"));
        }
        // The shape is that of words that were counted.
        let words_of_features = manifest.rows as usize * columns[0];
        let mut taken = [0; 2];
        let take = |held: Held, words: &[u64]| {
            if stop.load(Ordering::Relaxed) {
                return Err(Unloaded::Stopped);
            }
            let taken = &mut taken[held as usize];
            let end = words_of_features.saturating_sub(*taken).min(words.len());
            *taken += words.len();
            features.append(held, &words[..end])?;
            Ok(labels.append(held, &words[end..])?)
        };
        file.open_into(&node.consortium, &node.identity, take).map_err(|error| match error {
            Unloaded::File(error) => failed(submission, error),
            Unloaded::Rows(error) => no_room(error),
            Unloaded::Stopped => failed(submission, "the session is over"),
        })?;
    }
    let scale = scale.ok_or_else(|| SessionFault::internal("there are no data"))?;
    let [features, labels] = [features.finish(scale), labels.finish(scale)];
    let (features, labels) = (features.map_err(no_room)?, labels.map_err(no_room)?);
    tracing::info!(
        session = %prepared.agreement.session,
        rows = data.rows,
        in_memory = matches!(features, Rows::InMemory(_)),
        seconds = started.elapsed().as_secs_f64(),
        "shares loaded"
    );
    Ok(Dataset { features, labels })
}

/// Why rows could not be taken out of a share file.
enum Unloaded {
    File(ShareFileError),
    Rows(io::Error),
    /// Nobody waits for them any more.
    Stopped,
}

impl From<ShareFileError> for Unloaded {
    fn from(error: ShareFileError) -> Self {
        Unloaded::File(error)
    }
}

impl From<io::Error> for Unloaded {
    fn from(error: io::Error) -> Self {
        Unloaded::Rows(error)
    }
}

/// A stored share file, found to be the one that was accepted: the disk is not trusted. Opening it
/// verifies it once more.
///
/// # Errors
/// When it cannot be read or is not what was accepted.
pub fn stored_file(
    node: &Node,
    submission: &StoredSubmission,
) -> Result<ShareFile<BufReader<File>>, SessionFault> {
    let reader = node.store.share_file(submission).map_err(|e| failed(submission, e))?;
    let file = ShareFile::read(reader).map_err(|e| failed(submission, e))?;
    if file.digest() != submission.file {
        return Err(failed(submission, "its file was altered since it was accepted"));
    }
    if file.header().data_set.digest() != submission.manifest {
        return Err(failed(submission, "it is not the data set that was accepted"));
    }
    Ok(file)
}

fn require_shape(
    columns: [usize; 2],
    submission: &StoredSubmission,
    manifest: &Manifest,
) -> Result<(), SessionFault> {
    let found = [manifest.feature_columns, manifest.label_columns];
    let expected = columns.map(|columns| columns as u64);
    if found == expected && manifest.rows == submission.rows {
        return Ok(());
    }
    let reason = format!(
        "it has {} features and {} label columns, but by the schema there are {} and {}",
        found[0], found[1], expected[0], expected[1]
    );
    Err(failed(submission, reason))
}

pub(super) fn failed(submission: &StoredSubmission, reason: impl Display) -> SessionFault {
    SessionFault::internal(format!(
        "data set {} of {} cannot be used: {reason}",
        submission.id, submission.owner
    ))
}
