//! Taking in a share file.

use super::Node;
use super::requests::{Connection, blocking, store_refusal};
use crate::consortium::Participant;
use crate::control::{ControlError, Reason, Refusal, Upload};
use crate::digest::Digest;
use crate::failure::Explain;
use crate::identity::Name;
use crate::receipt::Receipt;
use crate::sharefile::ShareFile;
use crate::store::{Incoming, StoredSubmission};
use jiff::Timestamp;
use std::fmt::Display;
use std::sync::Arc;
use tokio::time::timeout;

/// Receives a share file, verifies and stores it, and answers with a receipt.
///
/// A file that is stored already brings the receipt that was given for it.
pub(super) async fn take(
    node: &Arc<Node>,
    connection: &mut Connection,
    client: Participant<'_>,
    length: u64,
    digest: Digest,
) -> Result<(), ControlError> {
    let owner = client.card().name().clone();
    let answer = match receive(node, connection, client, &owner, length, digest).await? {
        Ok(receipt) => Upload::Receipt(receipt),
        Err(refusal) => {
            tracing::warn!(%owner, reason = ?refusal.reason, "submission refused: {refusal}");
            Upload::Refused(refusal)
        }
    };
    connection.send(&answer).await?;
    if matches!(answer, Upload::Refused(_)) {
        // Chunks may still be on their way; closing on them could lose the answer.
        let drain = async { while connection.receive().await.is_ok() {} };
        let _ = timeout(node.config.limits.client_timeout(), drain).await;
    }
    Ok(())
}

async fn receive(
    node: &Arc<Node>,
    connection: &mut Connection,
    client: Participant<'_>,
    owner: &Name,
    length: u64,
    digest: Digest,
) -> Result<Result<Vec<u8>, Refusal>, ControlError> {
    let limit = node.config.limits.max_submission_bytes;
    if !matches!(client, Participant::Member(_)) {
        let refusal = Refusal::new(Reason::NotAllowed, "only members submit data");
        return Ok(Err(refusal));
    }
    if length > limit {
        let message = format!("the share file has {length} bytes; this node takes {limit} at most");
        let refusal = Refusal::new(Reason::TooLarge, message)
            .with_hint("split the data set, or ask the operator to raise max-submission-bytes");
        return Ok(Err(refusal));
    }
    let Some(_reserved) = node.reserve_upload(owner) else {
        let refusal = Refusal::new(Reason::Busy, format!("another upload of {owner} is under way"))
            .with_hint("wait until it is done, then submit again");
        return Ok(Err(refusal));
    };
    let begun = begin(node, owner.clone(), digest, length).await;
    let mut incoming = match begun {
        Ok(Begin::Upload(incoming)) => incoming,
        Ok(Begin::Known(receipt)) => return Ok(Ok(receipt)),
        Err(refusal) => return Ok(Err(refusal)),
    };
    connection.send(&Upload::From(incoming.received())).await?;
    while !incoming.is_complete() {
        let chunk = connection.receive_chunk().await?;
        let appended = blocking(node, move |_| match incoming.append(&chunk) {
            Ok(()) => Ok(incoming),
            Err(e) => {
                incoming.discard();
                Err(store_refusal(&e))
            }
        });
        incoming = match appended.await {
            Ok(incoming) => incoming,
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    let owner = owner.clone();
    Ok(blocking(node, move |node| keep(node, incoming, &owner, digest)).await)
}

enum Begin {
    /// The file is stored already; this is its receipt.
    Known(Vec<u8>),
    /// The file has to be sent.
    Upload(Incoming),
}

async fn begin(
    node: &Arc<Node>,
    owner: Name,
    digest: Digest,
    length: u64,
) -> Result<Begin, Refusal> {
    blocking(node, move |node| {
        let known = node.store.submission_of_file(&digest).map_err(|e| store_refusal(&e))?;
        if let Some(known) = known.filter(|known| known.owner == owner) {
            return Ok(Begin::Known(known.receipt));
        }
        let incoming = node.store.incoming(&owner, &digest, length);
        incoming.map(Begin::Upload).map_err(|e| store_refusal(&e))
    })
    .await
}

/// Verifies a complete upload and keeps it, or removes it.
fn keep(
    node: &Node,
    mut incoming: Incoming,
    owner: &Name,
    announced: Digest,
) -> Result<Vec<u8>, Refusal> {
    let submission = match examine(node, &mut incoming, owner, announced) {
        Ok(submission) => submission,
        Err(refusal) => {
            incoming.discard();
            return Err(refusal);
        }
    };
    let receipt = submission.receipt.clone();
    node.store.accept(incoming, &submission).map_err(|e| store_refusal(&e))?;
    tracing::info!(
        data_set = %submission.id,
        %owner,
        rows = submission.rows,
        schema = %submission.schema.short(),
        "submission accepted"
    );
    Ok(receipt)
}

/// Checks that an upload is a share file of its sender for this party, and new.
fn examine(
    node: &Node,
    incoming: &mut Incoming,
    owner: &Name,
    announced: Digest,
) -> Result<StoredSubmission, Refusal> {
    let stored = |e| store_refusal(&e);
    let bad = |message: &dyn Display| Refusal::new(Reason::BadShareFile, message);
    let digest = incoming.complete().map_err(stored)?;
    if digest != announced {
        return Err(bad(&"the file that arrived is not the one that was announced"));
    }
    let explained = |e: crate::sharefile::ShareFileError| {
        let refusal = bad(&e);
        match e.hint() {
            Some(hint) => refusal.with_hint(hint),
            None => refusal,
        }
    };
    let file = ShareFile::read(incoming.reader().map_err(stored)?).map_err(explained)?;
    let header = file.check(&node.consortium, &node.identity).map_err(explained)?;
    let data_set = &header.data_set;
    if data_set.owner != *owner {
        let message = format!("the share file is of {}, but {owner} sends it", data_set.owner);
        return Err(bad(&message).with_hint("its owner has to submit it"));
    }
    if node.store.submission(data_set.id).map_err(stored)?.is_some() {
        let message = format!("data set {} was submitted before with other content", data_set.id);
        return Err(Refusal::new(Reason::Conflict, message)
            .with_hint("share the data again with `tercet share` to submit it as a new data set"));
    }
    let received = Timestamp::now();
    let receipt = Receipt::sign(&header, digest, received, &node.identity);
    Ok(StoredSubmission {
        id: data_set.id,
        owner: data_set.owner.clone(),
        schema: data_set.schema,
        rows: data_set.rows,
        file: digest,
        manifest: data_set.digest(),
        receipt: receipt.to_json().into_bytes(),
        received,
    })
}
