//! Sending a share file to a node.

use super::{CHUNK_BYTES, Client, ControlError, Framed, Request, Upload};
use crate::digest::Digest;
use std::io::SeekFrom;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite};
use tokio::time::timeout;

/// How long a node may take to verify and store one MiB.
const VERIFYING: Duration = Duration::from_millis(100);

/// Sends a file of `length` bytes with this digest and returns the node's receipt.
///
/// What the node has from an earlier attempt is not sent again. `progress` hears
/// how many bytes the node has.
///
/// # Errors
/// When the node refuses the file or is gone, or the file cannot be read.
pub async fn upload(
    client: Client,
    mut file: File,
    length: u64,
    digest: Digest,
    mut progress: impl FnMut(u64),
) -> Result<Vec<u8>, ControlError> {
    let mut framed = client.request(&Request::Submit { length, digest }).await?;
    let offset = match framed.receive_message().await? {
        Upload::From(offset) if offset <= length => offset,
        Upload::From(_) => return Err(ControlError::Malformed("it has more than there is")),
        Upload::Receipt(receipt) => return Ok(receipt),
        Upload::Refused(refusal) => return Err(refusal.into()),
    };
    file.seek(SeekFrom::Start(offset)).await?;
    progress(offset);
    let (mut from_node, mut to_node) = framed.split();
    let patience = to_node.patience() + VERIFYING * u32::try_from(length >> 20).unwrap_or(u32::MAX);
    let sending = send(&mut to_node, &mut file, offset, length, &mut progress);
    let answering = from_node.receive_unhurried();
    tokio::pin!(sending, answering);
    // The node may refuse before everything is sent, and its reason may be on its
    // way when it takes no more.
    let answer = tokio::select! {
        biased;
        answer = &mut answering => answer?,
        sent = &mut sending => match (timeout(patience, &mut answering).await, sent) {
            (Ok(Ok(answer)), _) => answer,
            (_, Err(e)) | (Ok(Err(e)), Ok(())) => return Err(e),
            (Err(_), Ok(())) => return Err(ControlError::Silent(patience)),
        },
    };
    match answer {
        Upload::Receipt(receipt) => Ok(receipt),
        Upload::Refused(refusal) => Err(refusal.into()),
        Upload::From(_) => Err(ControlError::Malformed("it asks for the file twice")),
    }
}

async fn send(
    to_node: &mut Framed<impl AsyncWrite + Unpin>,
    file: &mut File,
    mut offset: u64,
    length: u64,
    progress: &mut impl FnMut(u64),
) -> Result<(), ControlError> {
    let mut chunk = vec![0; CHUNK_BYTES];
    while offset < length {
        let wanted = (length - offset).min(CHUNK_BYTES as u64) as usize;
        file.read_exact(&mut chunk[..wanted]).await?;
        to_node.send_chunk(&chunk[..wanted]).await?;
        offset += wanted as u64;
        progress(offset);
    }
    Ok(())
}
