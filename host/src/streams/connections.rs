//! Connections of one plugin's own to desktops.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Most connections of one plugin at a time.
const MOST: usize = 256;
/// The longest that one call waits. Whoever waits longer asks again.
const LONGEST: Duration = Duration::from_secs(60);

/// Those of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<u64, Arc<TcpStream>>,
    last: u64,
    is_over: bool,
}

/// Why there is none, or nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the plugin has {MOST} connections to desktops, and may have no more: close one")]
    Full,
    #[error("the connection to the desktop is closed")]
    Closed,
    #[error("the desktop did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the connection to the desktop broke: {0}")]
    Broken(io::Error),
}

impl ConnectionError {
    /// Its stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Full => "SSP-TAP-004",
            Self::Closed => "SSP-TAP-005",
            Self::Late(_) => "SSP-TAP-006",
            Self::Broken(_) => "SSP-TAP-007",
        }
    }
}

impl Inner {
    fn room(&self) -> Result<(), ConnectionError> {
        match self.is_over {
            true => Err(ConnectionError::Closed),
            false if self.open.len() >= MOST => Err(ConnectionError::Full),
            false => Ok(()),
        }
    }
}

impl Connections {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there may be one more.
    pub(crate) fn room(&self) -> Result<(), ConnectionError> {
        self.inner().room()
    }

    /// One more. Answers its number.
    pub(crate) fn add(&self, stream: TcpStream) -> Result<u64, ConnectionError> {
        let mut inner = self.inner();
        // Others may have come meanwhile.
        inner.room()?;
        inner.last += 1;
        let number = inner.last;
        inner.open.insert(number, Arc::new(stream));
        Ok(number)
    }

    fn get(&self, number: u64) -> Result<Arc<TcpStream>, ConnectionError> {
        self.inner().open.get(&number).map(Arc::clone).ok_or(ConnectionError::Closed)
    }

    /// Reads what there is, at least one byte, or 0 at the end.
    pub(crate) fn read(
        &self,
        number: u64,
        buffer: &mut [u8],
        within: Duration,
    ) -> Result<usize, ConnectionError> {
        let (stream, within) = (self.get(number)?, bounded(within));
        let read = stream.set_read_timeout(Some(within)).and_then(|()| (&*stream).read(buffer));
        match read {
            // Closed by the plugin, while this waited.
            Ok(0) if !buffer.is_empty() && self.get(number).is_err() => Err(ConnectionError::Closed),
            read => self.outcome(number, read, within),
        }
    }

    /// Writes some of it.
    pub(crate) fn write(
        &self,
        number: u64,
        bytes: &[u8],
        within: Duration,
    ) -> Result<usize, ConnectionError> {
        let (stream, within) = (self.get(number)?, bounded(within));
        let written = stream.set_write_timeout(Some(within)).and_then(|()| (&*stream).write(bytes));
        self.outcome(number, written, within)
    }

    fn outcome(
        &self,
        number: u64,
        done: io::Result<usize>,
        within: Duration,
    ) -> Result<usize, ConnectionError> {
        done.map_err(|why| match why.kind() {
            _ if self.get(number).is_err() => ConnectionError::Closed,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ConnectionError::Late(within),
            _ => ConnectionError::Broken(why),
        })
    }

    /// Closes one. Whoever waits for it is told so.
    pub(crate) fn close(&self, number: u64) {
        if let Some(stream) = self.inner().open.remove(&number) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes all, and lets none be opened any more.
    pub(crate) fn close_all(&self) {
        let mut inner = self.inner();
        inner.is_over = true;
        for (_, stream) in inner.open.drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// No time is no deadline to the operating system.
fn bounded(within: Duration) -> Duration {
    within.clamp(Duration::from_millis(1), LONGEST)
}
