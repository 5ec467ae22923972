//! A connection to a session's desktop.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// What was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, one at least.
    Bytes(usize),
    /// Nothing, in the time that there was.
    Nothing,
    /// The desktop sends nothing more.
    End,
}

/// A connection to a session's desktop, none of whose functions waits for ever.
pub trait Connection {
    /// Receives what there is, or waits for it.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn receive(&mut self, into: &mut [u8], within: Duration) -> io::Result<Received>;

    /// Sends all of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`] if there was no room for it in time, or when the connection is broken.
    fn send(&mut self, bytes: &[u8], within: Duration) -> io::Result<()>;
}

/// What no time-out can be: it would be none at all.
const LEAST: Duration = Duration::from_millis(1);

impl Connection for TcpStream {
    fn receive(&mut self, into: &mut [u8], within: Duration) -> io::Result<Received> {
        self.set_read_timeout(Some(within.max(LEAST)))?;
        match self.read(into) {
            Ok(0) => Ok(Received::End),
            Ok(count) => Ok(Received::Bytes(count)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Received::Nothing),
                _ => Err(error),
            },
        }
    }

    fn send(&mut self, mut bytes: &[u8], within: Duration) -> io::Result<()> {
        let end = Instant::now() + within;
        while !bytes.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.set_write_timeout(Some(left.max(LEAST)))?;
            match self.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }
}

impl<C: Connection + ?Sized> Connection for Box<C> {
    fn receive(&mut self, into: &mut [u8], within: Duration) -> io::Result<Received> {
        (**self).receive(into, within)
    }

    fn send(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        (**self).send(bytes, within)
    }
}
