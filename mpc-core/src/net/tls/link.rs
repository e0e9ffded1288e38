//! One TLS connection to a neighbour: frames in and out without ever blocking.

use super::handshake::{TlsStream, reason};
use crate::error::NetFault;
use crate::net::framing::{Attempt, Fault, Incoming, Outgoing};
use crate::party::PartyId;
use rustix::event::PollFlags;
use rustls::Connection;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;

/// Bytes of a message that are encrypted at a time, before they go to the socket.
///
/// Large enough for few system calls, small enough to stay in the cache and to
/// keep the peer busy while the rest is encrypted.
const ENCRYPT_AT_ONCE: usize = 256 << 10;

/// Bytes asked of the socket at a time.
const READ_AT_ONCE: usize = 256 << 10;

/// What is known of the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remote {
    /// As far as we know it is there.
    Open,
    /// It has shut its side down, but messages of it are still unread.
    Closing,
    /// It has closed the session in order, and everything it sent has been read.
    Left,
}

/// The connection to one neighbour.
pub(super) struct Link {
    peer: PartyId,
    socket: TcpStream,
    connection: Connection,
    /// Records read from the socket and not yet decrypted: `inbox[start..end]`.
    inbox: Box<[u8]>,
    start: usize,
    end: usize,
    sent: u64,
    received: u64,
    remote: Remote,
}

impl Link {
    /// Prepares an established connection for lock-step rounds.
    pub(super) fn new(peer: PartyId, stream: TlsStream) -> io::Result<Self> {
        let TlsStream { socket, mut connection } = stream;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        // `send` bounds what is buffered; a limit in rustls would cut messages short.
        connection.set_buffer_limit(None);
        let inbox = vec![0; READ_AT_ONCE].into_boxed_slice();
        let remote = Remote::Open;
        Ok(Link { peer, socket, connection, inbox, start: 0, end: 0, sent: 0, received: 0, remote })
    }

    pub(super) fn peer(&self) -> PartyId {
        self.peer
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Bytes handed to the socket so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes taken from the socket so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether something is left to be written.
    pub(super) fn is_sending(&self, outgoing: &Outgoing<'_>) -> bool {
        !outgoing.is_empty() || self.connection.wants_write()
    }

    /// What to wait for on the socket.
    ///
    /// The end of the connection is always of interest, unless it is already known.
    pub(super) fn interest(&self, outgoing: &Outgoing<'_>, incoming: &Incoming<'_>) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, !incoming.is_complete());
        events.set(PollFlags::OUT, self.is_sending(outgoing));
        events.set(PollFlags::RDHUP, self.remote == Remote::Open);
        events
    }

    /// Writes as much of the next piece of the message as the socket takes.
    ///
    /// Returns whether anything was written.
    pub(super) fn send(&mut self, outgoing: &mut Outgoing<'_>) -> Attempt<bool> {
        if !outgoing.is_empty() && self.remote == Remote::Left {
            return Err(self.closed());
        }
        if !self.connection.wants_write() && !outgoing.is_empty() {
            let pieces = outgoing.front(ENCRYPT_AT_ONCE).map(IoSlice::new);
            let taken = self.connection.writer().write_vectored(&pieces);
            outgoing.advance(taken.map_err(|error| self.fault(error))?);
        }
        let mut progress = false;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(count) => {
                    self.sent += count as u64;
                    progress = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.write_fault(error)),
            }
        }
        Ok(progress)
    }

    /// Fills the frame with what has arrived, reading from the socket at most once.
    ///
    /// Returns whether anything was read or decrypted.
    pub(super) fn receive(&mut self, incoming: &mut Incoming<'_>) -> Attempt<bool> {
        let mut progress = self.drain(incoming)?;
        if incoming.is_complete() {
            return Ok(progress);
        }
        match self.read_socket() {
            Ok(0) => Err(self.closed()),
            Ok(_) => {
                progress = true;
                self.drain(incoming)?;
                Ok(progress)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(progress),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Looks for the cause of a hang-up while no message is expected.
    ///
    /// # Errors
    /// `Closed` if the peer went without closing the session in order.
    pub(super) fn look_for_end(&mut self) -> Attempt<()> {
        self.remote = Remote::Closing;
        while self.connection.wants_read() {
            if self.start == self.end {
                match self.read_socket() {
                    Ok(0) => return Err(self.closed()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(self.fault(error)),
                }
            }
            self.decrypt()?;
        }
        Ok(())
    }

    /// Says goodbye, as far as the socket takes it at once.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(count) => self.sent += count as u64,
                Err(_) => break,
            }
        }
    }

    /// Moves plaintext into the frame, decrypting what the inbox holds.
    fn drain(&mut self, incoming: &mut Incoming<'_>) -> Attempt<bool> {
        let mut progress = false;
        while !incoming.is_complete() {
            match self.connection.reader().read(incoming.space()) {
                Ok(0) => return Err(self.closed()),
                Ok(count) => {
                    progress = true;
                    incoming.advance(count).map_err(|kind| Fault::Misbehaved(self.peer, kind))?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.start == self.end {
                        break;
                    }
                    self.decrypt()?;
                }
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(progress)
    }

    /// Passes records from the inbox to TLS: about one at a time.
    fn decrypt(&mut self) -> Attempt<()> {
        let mut records = &self.inbox[self.start..self.end];
        let taken = self.connection.read_tls(&mut records).map_err(|error| self.fault(error))?;
        self.start += taken;
        match self.connection.process_new_packets() {
            Ok(state) if state.peer_has_closed() => {
                self.remote = Remote::Left;
                self.start = self.end;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // Tell the peer why, as far as it still listens.
                let _ = self.connection.write_tls(&mut self.socket);
                Err(self.tls_fault(error))
            }
        }
    }

    fn read_socket(&mut self) -> io::Result<usize> {
        loop {
            match self.socket.read(&mut self.inbox) {
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    self.received += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn closed(&self) -> Fault {
        Fault::Net(self.peer, NetFault::Closed)
    }

    /// A failed write: if the peer said why it hung up, that is the better answer.
    fn write_fault(&mut self, error: io::Error) -> Fault {
        match self.look_for_end() {
            Err(fault) => fault,
            Ok(()) => self.fault(error),
        }
    }

    fn fault(&self, error: io::Error) -> Fault {
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted => self.closed(),
            _ => Fault::Net(self.peer, NetFault::Io(error.to_string())),
        }
    }

    /// A record that does not authenticate may be the work of anyone on the path,
    /// so it does not count as misbehaviour of the peer.
    fn tls_fault(&self, error: rustls::Error) -> Fault {
        let text = match error {
            rustls::Error::AlertReceived(alert) => reason(alert),
            error => format!("TLS: {error}"),
        };
        Fault::Net(self.peer, NetFault::Io(text))
    }
}
