//! Streams of desktops: from viewers through the host to where a desktop speaks RFB, and back.

mod relay;

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

pub use self::relay::{Ended, Gone, Outgoing, Relayed, relay};
use crate::{platform::sessions::Caller, tickets::Tickets};

/// How long the way to a desktop may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What streams of all sessions have in common.
#[derive(Debug)]
pub struct Streams {
    /// What lets browsers in, each for one session by its id.
    pub tickets: Tickets<Caller>,
    open: AtomicUsize,
    max_open: usize,
}

/// Why nobody was let through to a desktop.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There are as many viewers as the host takes.
    #[error(
        "{0} viewers are connected through this host already, and it takes no more (`server.max_viewers`)"
    )]
    Full(usize),
    /// The desktop cannot be reached.
    #[error("the desktop of the session `{session}` at {address} cannot be reached: {why}")]
    Unreachable {
        /// The session.
        session: String,
        /// Where it should be.
        address: String,
        /// What was found.
        why: io::Error,
    },
}

impl StreamError {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full(_) => "SSP-VNC-001",
            Self::Unreachable { .. } => "SSP-VNC-002",
        }
    }
}

/// A viewer's place among those that the host takes. It is free again when this is dropped.
pub struct Place(Arc<Streams>);

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Streams {
    /// For at most `max_open` viewers at a time.
    #[must_use]
    pub fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self { tickets: Tickets::default(), open: AtomicUsize::new(0), max_open })
    }

    /// A place for one more viewer.
    ///
    /// # Errors
    ///
    /// [`StreamError::Full`].
    pub fn place(self: &Arc<Self>) -> Result<Place, StreamError> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if taken >= self.max_open { Err(StreamError::Full(self.max_open)) } else { Ok(place) }
    }

    /// How many viewers there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Connects to where a session's desktop speaks RFB.
///
/// # Errors
///
/// [`StreamError::Unreachable`].
pub async fn connect(session: &str, address: &str) -> Result<TcpStream, StreamError> {
    let connected = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(connected) => connected,
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", CONNECT.as_secs())))
        }
    };
    let connected = connected.and_then(|stream| {
        // A pointer's moves are small, and none may wait for the next.
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    connected.map_err(|why| StreamError::Unreachable {
        session: session.to_owned(),
        address: address.to_owned(),
        why,
    })
}
