//! Frames of the control plane: a kind, a length and a payload.
//!
//! A length is checked against the cap of its kind before anything is
//! allocated, and every wait has a limit, so that neither a hostile nor a silent
//! peer can hold a node.

use super::ControlError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;

/// Longest encoded message (4 MiB): a job with its schema fits many times.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Longest chunk of a file (1 MiB).
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Chunk that this side sends.
pub const CHUNK_BYTES: usize = 256 << 10;

const KIND_MESSAGE: u8 = 1;
const KIND_CHUNK: u8 = 2;

/// A connection that carries frames.
#[derive(Debug)]
pub struct Framed<S> {
    stream: S,
    patience: Duration,
}

/// What one frame holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// An encoded message.
    Message(Vec<u8>),
    /// A piece of a file.
    Chunk(Vec<u8>),
}

impl<S> Framed<S> {
    /// Speaks frames on a stream; the peer may be silent for `patience` at a time.
    pub fn new(stream: S, patience: Duration) -> Self {
        Framed { stream, patience }
    }

    /// How long the peer may be silent at a time.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The same connection with another limit on silence.
    pub fn with_patience(self, patience: Duration) -> Self {
        Framed { patience, ..self }
    }

    /// The stream below; nothing of it is buffered here.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite> Framed<S> {
    /// A half that receives and a half that sends, to be used at the same time.
    pub fn split(self) -> (Framed<ReadHalf<S>>, Framed<WriteHalf<S>>) {
        let (read, write) = tokio::io::split(self.stream);
        (Framed::new(read, self.patience), Framed::new(write, self.patience))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    /// Puts the two halves of one connection together again.
    ///
    /// # Panics
    /// If they are halves of different connections.
    pub fn join(read: Framed<ReadHalf<S>>, write: Framed<WriteHalf<S>>) -> Self {
        Framed::new(read.stream.unsplit(write.stream), read.patience)
    }
}

impl<S: AsyncWrite + Unpin> Framed<S> {
    /// Sends a message.
    ///
    /// # Errors
    /// When the peer is gone or does not take it in time.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), ControlError> {
        let payload = encode(message)?;
        self.write(KIND_MESSAGE, &payload).await
    }

    /// Sends a piece of a file, of at most [`MAX_CHUNK_BYTES`].
    ///
    /// # Errors
    /// When the peer is gone or does not take it in time.
    pub async fn send_chunk(&mut self, chunk: &[u8]) -> Result<(), ControlError> {
        self.write(KIND_CHUNK, chunk).await
    }

    async fn write(&mut self, kind: u8, payload: &[u8]) -> Result<(), ControlError> {
        let length = u32::try_from(payload.len()).map_err(|_| ControlError::TooLong)?;
        let mut header = [kind, 0, 0, 0, 0];
        header[1..].copy_from_slice(&length.to_le_bytes());
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(&header).await?;
            stream.write_all(payload).await?;
            stream.flush().await
        };
        match timeout(self.patience, write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(ControlError::Silent(self.patience)),
        }
    }

    /// Tells the peer that nothing more comes.
    pub async fn close(mut self) {
        // The peer may be gone already, which is just as good.
        let _ = timeout(self.patience, self.stream.shutdown()).await;
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Receives the next frame.
    ///
    /// # Errors
    /// When the peer is gone, silent for too long or sends no frame.
    pub async fn receive(&mut self) -> Result<Frame, ControlError> {
        match timeout(self.patience, read(&mut self.stream)).await {
            Ok(frame) => frame,
            Err(_) => Err(ControlError::Silent(self.patience)),
        }
    }

    /// Receives a message of one type.
    ///
    /// # Errors
    /// As [`Framed::receive`], and when the frame is something else.
    pub async fn receive_message<T: DeserializeOwned>(&mut self) -> Result<T, ControlError> {
        match self.receive().await? {
            Frame::Message(payload) => decode(&payload),
            Frame::Chunk(_) => Err(ControlError::Malformed("a file chunk came unasked")),
        }
    }

    /// Receives a message, however long it takes.
    ///
    /// # Errors
    /// As [`Framed::receive_message`], apart from silence.
    pub async fn receive_unhurried<T: DeserializeOwned>(&mut self) -> Result<T, ControlError> {
        match read(&mut self.stream).await? {
            Frame::Message(payload) => decode(&payload),
            Frame::Chunk(_) => Err(ControlError::Malformed("a file chunk came unasked")),
        }
    }

    /// Receives a piece of a file.
    ///
    /// # Errors
    /// As [`Framed::receive`], and when the frame is something else.
    pub async fn receive_chunk(&mut self) -> Result<Vec<u8>, ControlError> {
        match self.receive().await? {
            Frame::Chunk(chunk) if !chunk.is_empty() => Ok(chunk),
            _ => Err(ControlError::Malformed("a file chunk was expected")),
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Frame, ControlError> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let [kind, length @ ..] = header;
    let length = u32::from_le_bytes(length) as usize;
    let (cap, wrap): (usize, fn(Vec<u8>) -> Frame) = match kind {
        KIND_MESSAGE => (MAX_MESSAGE_BYTES, Frame::Message),
        KIND_CHUNK => (MAX_CHUNK_BYTES, Frame::Chunk),
        _ => return Err(ControlError::Malformed("unknown kind of frame")),
    };
    if length > cap {
        return Err(ControlError::TooLong);
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok(wrap(payload))
}

fn codec() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_MESSAGE_BYTES>()
}

/// Encodes a message.
///
/// # Errors
/// [`ControlError::TooLong`] when it exceeds [`MAX_MESSAGE_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ControlError> {
    let bytes = bincode::serde::encode_to_vec(message, codec())
        .map_err(|_| ControlError::Malformed("the message cannot be encoded"))?;
    if bytes.len() > MAX_MESSAGE_BYTES { Err(ControlError::TooLong) } else { Ok(bytes) }
}

/// Decodes exactly one message from all of the bytes.
///
/// # Errors
/// [`ControlError::Malformed`] for anything else.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    match bincode::serde::decode_from_slice(bytes, codec()) {
        Ok((message, used)) if used == bytes.len() => Ok(message),
        Ok(_) => Err(ControlError::Malformed("bytes follow the message")),
        Err(_) => Err(ControlError::Malformed("the message cannot be decoded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn pair() -> (Framed<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 16);
        (Framed::new(near, PATIENCE), far)
    }

    #[tokio::test]
    async fn messages_and_chunks_arrive_as_they_were_sent() {
        let (near, far) = tokio::io::duplex(64);
        let (mut near, mut far) = (Framed::new(near, PATIENCE), Framed::new(far, PATIENCE));
        let sent = tokio::spawn(async move {
            near.send(&(7u32, "job".to_owned())).await.unwrap();
            near.send_chunk(&[3; 1000]).await.unwrap();
            near.close().await;
        });
        assert_eq!(far.receive_message::<(u32, String)>().await.unwrap(), (7, "job".into()));
        assert_eq!(far.receive_chunk().await.unwrap(), [3; 1000]);
        assert!(matches!(far.receive().await, Err(ControlError::Closed)));
        sent.await.unwrap();
    }

    #[tokio::test]
    async fn a_claimed_length_over_the_cap_is_refused_before_it_arrives() {
        for (kind, cap) in [(KIND_MESSAGE, MAX_MESSAGE_BYTES), (KIND_CHUNK, MAX_CHUNK_BYTES)] {
            let (mut near, mut far) = pair();
            let mut header = vec![kind];
            header.extend_from_slice(&(cap as u32 + 1).to_le_bytes());
            far.write_all(&header).await.unwrap();
            assert!(matches!(near.receive().await, Err(ControlError::TooLong)));
        }
    }

    #[tokio::test]
    async fn a_frame_of_unknown_kind_or_cut_short_is_an_error() {
        let (mut near, mut far) = pair();
        far.write_all(&[9, 0, 0, 0, 0]).await.unwrap();
        assert!(matches!(near.receive().await, Err(ControlError::Malformed(_))));

        let (mut near, mut far) = pair();
        far.write_all(&[KIND_MESSAGE, 5, 0, 0, 0, 1, 2]).await.unwrap();
        drop(far);
        assert!(matches!(near.receive().await, Err(ControlError::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up() {
        let (mut near, _far) = pair();
        assert!(matches!(near.receive().await, Err(ControlError::Silent(PATIENCE))));
        // The buffer holds 64 KiB, and nobody reads.
        let chunk = vec![0; MAX_CHUNK_BYTES];
        assert!(matches!(near.send_chunk(&chunk).await, Err(ControlError::Silent(PATIENCE))));
    }
}
