//! Streams of desktops: from viewers through the host to where a desktop speaks RFB, and back. Taps of plugins see what passes.

mod capability;
mod connections;
mod conversation;
mod handshake;
mod messages;
mod relay;
mod ring;
mod tap_options;
mod taps;
mod tee;
mod thread;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::timeout};

use self::tee::Live;
pub(crate) use self::{
    capability::{PluginStreams, open as open_streams},
    connections::Connections,
};
pub use self::{
    conversation::{Conversation, Direction, Heard, NotUnderstood, Shown},
    relay::{Ended, Gone, Outgoing, relay},
    tap_options::{TapError, TapOptions},
    taps::{Tap, TapFigures, Target},
    tee::{About, Tee},
};
use crate::{figures::Counters, platform::access::Identity, tickets::Tickets};

/// How long the way to a desktop may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What streams of all sessions have in common.
#[derive(Debug)]
pub struct Streams {
    /// What lets browsers in, each for one session by its id.
    pub tickets: Tickets<Identity>,
    open: AtomicUsize,
    max_open: usize,
    last_id: AtomicU64,
    // Both are taken when a stream begins or ends and when a plugin comes or goes, and not for what passes.
    taps: Mutex<BTreeMap<Arc<str>, Vec<Arc<Tap>>>>,
    live: Mutex<Running>,
    /// By [`Ended::NAMES`].
    ended: Counters<{ Ended::NAMES.len() }>,
}

/// The streams that run.
#[derive(Debug, Default)]
struct Running {
    by_id: HashMap<u64, Arc<Live>>,
    /// What passed in those that are over, to viewers and to desktops, in bytes.
    passed_before: [u64; 2],
}

/// Nanoseconds of the one clock of all streams.
pub(crate) fn now_ns() -> u64 {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX)
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
        Arc::new(Self {
            tickets: Tickets::default(),
            open: AtomicUsize::new(0),
            max_open,
            last_id: AtomicU64::new(0),
            taps: Mutex::default(),
            live: Mutex::default(),
            ended: Counters::default(),
        })
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

    /// How many bytes have passed, to viewers and to desktops, since the host's start.
    #[must_use]
    pub fn passed(&self) -> [u64; 2] {
        // Each stream counts for itself, and what passes touches nothing that all have in common. Who is over is counted under the
        // same lock, so that this never shrinks.
        let live = self.live();
        live.by_id.values().fold(live.passed_before, |sum, live| sum_of(sum, live.passed()))
    }

    /// Notes that a viewer has left, and why.
    pub fn note_ended(&self, ended: &Ended) {
        self.ended.note(ended.number());
    }

    /// How many viewers have left, by why.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Ended::NAMES.into_iter().zip(self.ended.read())
    }

    /// Offers every stream that begins from now on to these taps of a plugin, in place of those that it had.
    pub fn attach(&self, plugin: &Arc<str>, taps: &[Arc<Tap>]) {
        let mut attached = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        if taps.is_empty() {
            attached.remove(plugin);
        } else {
            attached.insert(Arc::clone(plugin), taps.to_vec());
        }
    }

    /// Offers nothing more to a plugin.
    pub fn remove(&self, plugin: &str) {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }

    /// The taps to which streams are offered.
    #[must_use]
    pub fn attached(&self) -> Vec<Arc<Tap>> {
        let attached = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        attached.values().flatten().map(Arc::clone).collect()
    }

    /// Offers the streams of a session that run to a tap. Answers how many they are.
    pub(crate) fn join(&self, tap: &Arc<Tap>, session: &str) -> u64 {
        let live: Vec<_> = {
            let live = self.live();
            live.by_id.values().filter(|live| live.about.session == session).map(Arc::clone).collect()
        };
        live.iter().filter(|live| live.join(tap)).count() as u64
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn live(&self) -> MutexGuard<'_, Running> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, live: &Arc<Live>) {
        self.live().by_id.insert(live.id, Arc::clone(live));
    }

    fn over(&self, id: u64) {
        let mut live = self.live();
        if let Some(over) = live.by_id.remove(&id) {
            live.passed_before = sum_of(live.passed_before, over.passed());
        }
    }
}

fn sum_of(one: [u64; 2], other: [u64; 2]) -> [u64; 2] {
    [one[0] + other[0], one[1] + other[1]]
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
        // A desktop may say nothing for hours. One whose machine is gone is found out after two minutes.
        let asked = TcpKeepalive::new().with_time(Duration::from_secs(60));
        #[cfg(unix)]
        let asked = asked.with_interval(Duration::from_secs(15)).with_retries(4);
        SockRef::from(&stream).set_tcp_keepalive(&asked)?;
        Ok(stream)
    });
    connected.map_err(|why| StreamError::Unreachable {
        session: session.to_owned(),
        address: address.to_owned(),
        why,
    })
}
