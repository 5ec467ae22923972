//! The plugin's end of a socket.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use streamspace_plugin::{
    abi::{Fault, FaultKind, RString, RVec},
    websocket::{ClosedKind, MessageKind, ReceivedKind, ReceivedMessage},
};
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{Accepted, Closed, Incoming, Outgoing, Wanted, weight};

/// The longest that a handler waits at once: of what is longer, a timer has no notion.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What of a reason fits into a frame (RFC 6455, 5.5), in bytes.
const MAX_REASON: usize = 123;

type Receiver = mpsc::Receiver<(Incoming, OwnedSemaphorePermit)>;

/// The plugin's end of a socket.
pub(crate) struct Socket {
    wanted: Wanted,
    accept: Mutex<Option<oneshot::Sender<Accepted>>>,
    accepted: AtomicBool,
    incoming: Mutex<Receiver>,
    outgoing: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
    /// Whether the plugin has closed it, or its handler has returned.
    done: AtomicBool,
}

/// What the plugin gave away, until the client has it.
struct Owned {
    bytes: RVec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

impl Socket {
    pub(super) fn new(
        wanted: Wanted,
        accept: oneshot::Sender<Accepted>,
        incoming: Receiver,
        outgoing: mpsc::Sender<Outgoing>,
        room: Arc<Semaphore>,
    ) -> Self {
        Self {
            wanted,
            accept: Mutex::new(Some(accept)),
            accepted: AtomicBool::new(false),
            incoming: Mutex::new(incoming),
            outgoing,
            room,
            done: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Whether somebody else than the plugin has closed it.
    pub(crate) fn is_ended(&self) -> bool {
        self.wanted.end.kind() != ClosedKind::NOT
    }

    pub(super) fn accept(&self, protocol: &str) -> Result<(), Fault> {
        let accept = self.accept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(accept) = accept else {
            return Err(Fault::new(FaultKind::INVALID, "the handshake was accepted already"));
        };
        // A client takes no sub-protocol that it has not offered (RFC 6455, 4.1).
        let protocol = self.wanted.offered.iter().find(|offer| *offer == protocol).cloned();
        self.accepted.store(true, Ordering::SeqCst);
        accept.send(Accepted { protocol }).map_err(|_| self.gone())
    }

    pub(super) fn receive(&self, wait: Duration) -> Result<ReceivedMessage, Fault> {
        self.must_be_accepted()?;
        let mut incoming = match self.incoming.try_lock() {
            Ok(incoming) => incoming,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Fault::new(FaultKind::BUSY, "another thread waits for a message of this socket"));
            }
        };
        if let Some(closed) = self.closed_at_once() {
            return Ok(told(closed));
        }
        if let Ok((message, _room)) = incoming.try_recv() {
            return Ok(handed(message));
        }
        if wait.is_zero() {
            return Ok(self.closed().map_or_else(nothing, told));
        }
        let waited = self.wanted.network.block_on(async {
            select! {
                biased;
                message = incoming.recv() => message.map(|(message, _room)| handed(message)),
                _ = self.wanted.end.wait() => None,
                () = sleep(wait.min(LONGEST)) => Some(nothing()),
            }
        });
        if let Some(received) = waited {
            return Ok(received);
        }
        if let Some(closed) = self.closed_at_once() {
            return Ok(told(closed));
        }
        // What was handed over before it was closed comes before that.
        Ok(match incoming.try_recv() {
            Ok((message, _room)) => handed(message),
            Err(_) => told(self.closed().unwrap_or_else(|| Closed::by_host(ClosedKind::GONE))),
        })
    }

    pub(super) fn send(&self, kind: MessageKind, bytes: RVec<u8>) -> Result<(), Fault> {
        self.must_be_accepted()?;
        if kind != MessageKind::BINARY && kind != MessageKind::TEXT {
            let what = format_args!("this host knows no kind {} of messages", kind.0);
            return Err(Fault::new(FaultKind::INVALID, what));
        }
        if kind == MessageKind::TEXT && std::str::from_utf8(bytes.as_slice()).is_err() {
            return Err(Fault::new(FaultKind::INVALID, "the text is not UTF-8"));
        }
        let (until, count) = (Instant::now() + self.wanted.send_deadline, bytes.len());
        if self.is_done() {
            return Err(self.gone());
        }
        let room = match Arc::clone(&self.room).try_acquire_many_owned(weight(count)) {
            Ok(room) => room,
            Err(_) => self
                .in_time(until, Arc::clone(&self.room).acquire_many_owned(weight(count)))?
                .map_err(|_| self.gone())?,
        };
        // Not copied: it is freed, by the plugin's own allocator, when the connection has taken it.
        let bytes = Bytes::from_owner(Owned { bytes, _room: room });
        self.push(
            until,
            if kind == MessageKind::TEXT { Outgoing::Text(bytes) } else { Outgoing::Binary(bytes) },
        )?;
        self.wanted.figures.note_socket_message(1, count);
        Ok(())
    }

    pub(super) fn close(&self, code: u16, reason: &str) -> Result<(), Fault> {
        self.must_be_accepted()?;
        // The rest is never sent, or nobody's (RFC 6455, 7.4).
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            let what = format_args!(
                "{code} is no code that a socket is closed with: expected 1000, or one from 4000 on"
            );
            return Err(Fault::new(FaultKind::INVALID, what));
        }
        if self.done.swap(true, Ordering::SeqCst) || self.is_ended() {
            return Err(self.gone());
        }
        self.last_words(code, reason)
    }

    pub(super) fn closed_kind(&self) -> ClosedKind {
        match self.wanted.end.kind() {
            ClosedKind::NOT if self.done.load(Ordering::SeqCst) => ClosedKind::PLUGIN,
            kind => kind,
        }
    }

    /// The handler has returned: the client reads this code, unless the socket was closed before.
    pub(crate) fn finish(&self, code: u16, reason: &str) {
        if !self.done.swap(true, Ordering::SeqCst) && !self.is_ended() {
            // Whoever takes nothing any more is cut off.
            let _ = self.last_words(code, reason);
        }
    }

    fn last_words(&self, code: u16, reason: &str) -> Result<(), Fault> {
        let reason = reason[..reason.floor_char_boundary(MAX_REASON)].to_owned();
        self.push(Instant::now() + self.wanted.send_deadline, Outgoing::Close { code, reason })
    }

    fn push(&self, until: Instant, message: Outgoing) -> Result<(), Fault> {
        let message = match self.outgoing.try_send(message) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.gone()),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        self.in_time(until, self.outgoing.send(message))?.map_err(|_| self.gone())
    }

    /// Waits for the client to take something. One that does not is cut off.
    fn in_time<T>(&self, until: Instant, room: impl Future<Output = T>) -> Result<T, Fault> {
        let waited = self.wanted.network.block_on(async {
            select! {
                biased;
                _ = self.wanted.end.wait() => None,
                room = timeout(until.saturating_duration_since(Instant::now()), room) => Some(room),
            }
        });
        match waited {
            Some(Ok(room)) => return Ok(room),
            Some(Err(_)) => drop(self.wanted.end.set(Closed::by_host(ClosedKind::SLOW))),
            None => {}
        }
        Err(self.gone())
    }

    fn must_be_accepted(&self) -> Result<(), Fault> {
        if self.is_accepted() {
            return Ok(());
        }
        Err(Fault::new(FaultKind::INVALID, "the handshake was not accepted yet"))
    }

    fn is_done(&self) -> bool {
        self.closed_kind() != ClosedKind::NOT
    }

    fn closed(&self) -> Option<Closed> {
        let own = || Closed { kind: ClosedKind::PLUGIN, code: 1000, reason: String::new() };
        self.wanted.end.get().or_else(|| self.done.load(Ordering::SeqCst).then(own))
    }

    /// Why nothing is received any more, although messages may be there.
    fn closed_at_once(&self) -> Option<Closed> {
        self.closed().filter(|closed| matches!(closed.kind, ClosedKind::STOPPING | ClosedKind::PLUGIN))
    }

    fn gone(&self) -> Fault {
        let why = match self.closed() {
            Some(Closed { kind: ClosedKind::PLUGIN, .. }) => "the plugin has closed it".to_owned(),
            Some(Closed { kind: ClosedKind::CLIENT, code, .. }) => {
                format!("the client has closed it with {code}")
            }
            Some(closed) => closed.reason,
            None => "the connection is gone".to_owned(),
        };
        Fault::new(FaultKind::CLIENT_GONE, format_args!("the socket is closed: {why}"))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.wanted.end.returned();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("accepted", &self.is_accepted()).finish_non_exhaustive()
    }
}

fn handed(message: Incoming) -> ReceivedMessage {
    let mut received = nothing();
    match message {
        Incoming::Binary(bytes) => (received.kind, received.bytes) = (ReceivedKind::BINARY, bytes.into()),
        Incoming::Text(text) => (received.kind, received.text) = (ReceivedKind::TEXT, text.into()),
    }
    received
}

fn told(closed: Closed) -> ReceivedMessage {
    let Closed { kind, code, reason } = closed;
    ReceivedMessage { kind: ReceivedKind::CLOSED, closed: kind, code, text: reason.into(), ..nothing() }
}

fn nothing() -> ReceivedMessage {
    ReceivedMessage {
        kind: ReceivedKind::NOTHING,
        bytes: RVec::new(),
        text: RString::new(),
        closed: ClosedKind::NOT,
        code: 0,
    }
}
